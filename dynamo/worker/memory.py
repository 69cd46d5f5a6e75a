"""How much memory this process needed at most, where the system can tell (Linux, proc(5))."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

__all__ = ["Peak"]


#: Seconds in which a process cannot take more than a few MB of memory (a page of 4 KiB takes the kernel 0.25 us or
#: more), while to ask for the peak costs a tenth of a task that does nothing.
MOMENT = 0.001


class Peak:
    """The largest resident size of this process since `reset`; the files of the kernel stay open."""

    def __init__(self) -> None:
        self._status = self._clear = -1
        self._size, self._fresh = 0, False
        if sys.platform == "linux":
            self._status = os.open("/proc/self/status", os.O_RDONLY)
            with suppress(OSError):  # a container may forbid it: the peak is then that of the whole process
                self._clear = os.open("/proc/self/clear_refs", os.O_WRONLY)

    def reset(self) -> None:
        """Forget the largest resident size so far."""
        if self._clear >= 0 and not self._fresh:
            os.pwrite(self._clear, b"5", 0)
            self._fresh = True

    def read(self, seconds: float = MOMENT) -> int:
        """Return the largest resident size since `reset` in bytes; 0 where the system does not say.

        After less than a `MOMENT` it is what was read before: no more than a few MB can have come to it.
        """
        if self._status < 0 or (seconds < MOMENT and self._size):
            return self._size
        text = os.pread(self._status, 4096, 0)
        at = text.find(b"VmHWM:")
        self._size = int(text[at + 6 :].split(None, 1)[0]) * 1024 if at >= 0 else 0
        self._fresh = False
        return self._size
