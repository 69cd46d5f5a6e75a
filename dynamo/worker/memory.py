"""How much memory this process needed at most, where the system can tell (Linux, proc(5))."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

__all__ = ["Peak"]


class Peak:
    """The largest resident size of this process since `reset`; the files of the kernel stay open."""

    def __init__(self) -> None:
        self._status = self._clear = -1
        if sys.platform == "linux":
            self._status = os.open("/proc/self/status", os.O_RDONLY)
            with suppress(OSError):  # a container may forbid it: the peak is then that of the whole process
                self._clear = os.open("/proc/self/clear_refs", os.O_WRONLY)

    def reset(self) -> None:
        """Forget the largest resident size so far."""
        if self._clear >= 0:
            os.pwrite(self._clear, b"5", 0)

    def read(self) -> int:
        """Return the largest resident size since `reset` in bytes; 0 where the system does not say."""
        if self._status < 0:
            return 0
        text = os.pread(self._status, 4096, 0)
        at = text.find(b"VmHWM:")
        return int(text[at + 6 :].split(None, 1)[0]) * 1024 if at >= 0 else 0
