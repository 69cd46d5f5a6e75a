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
        self._resident, self._fresh = 0, False
        self._child = 0
        if sys.platform == "linux":
            self._status = os.open("/proc/self/status", os.O_RDONLY)
            with suppress(OSError):  # a container may forbid it: the peak is then that of the whole process
                self._clear = os.open("/proc/self/clear_refs", os.O_WRONLY)

    def reset(self) -> None:
        """Forget the largest resident size so far."""
        self._child = 0
        if self._clear >= 0 and not self._fresh:
            os.pwrite(self._clear, b"5", 0)
            self._fresh = True

    def note(self, child: int) -> None:
        """Take in what a child process needed at most, bytes."""
        self._child = max(self._child, child)

    def read(self, seconds: float = MOMENT) -> int:
        """Return the largest resident size since `reset`, or of a child, in bytes; 0 where the system does not say.

        After less than a `MOMENT` it is what was held before: no more than a few MB can have come to it.
        """
        if self._status < 0 or (seconds < MOMENT and self._resident):
            return max(self._resident, self._child)
        text = os.pread(self._status, 4096, 0)
        self._resident, self._fresh = _kilobytes(text, b"VmRSS:"), False
        return max(_kilobytes(text, b"VmHWM:"), self._child)


def _kilobytes(text: bytes, row: bytes) -> int:
    """Return a row of ``/proc/self/status`` in bytes."""
    at = text.find(row)
    return int(text[at + len(row) :].split(None, 1)[0]) * 1024 if at >= 0 else 0
