"""What a task writes to standard output and error: kept in one file, cheap where nothing is written.

File descriptors 1 and 2 stay on one scratch file; when a task ends, what it wrote is moved to the task's own
log. The file is opened for appending, so whoever watches the worker may cut it while the task writes.
"""

from __future__ import annotations

import ctypes
import io
import os
import sys
from contextlib import suppress
from typing import TextIO

__all__ = ["Log", "Screen"]


class Log:
    """The scratch log of one worker process."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._libc = ctypes.CDLL(None)
        self._streams = (sys.stdout, sys.stderr)
        # By line, so that it is in order with what goes to standard error, and the last words of the killed are kept.
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(line_buffering=True)
        self._open()
        self._restore()

    def _open(self) -> None:
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC, 0o644)
        for number in (1, 2):
            os.dup2(fd, number)
            os.set_inheritable(number, True)
        if fd > 2:  # else the task had closed its output, and the number was free
            os.close(fd)

    def close(self, target: str) -> int:
        """Move what was written since the last call to `target`; return its size in bytes."""
        for stream in {sys.stdout, sys.stderr, *self._streams}:  # the task may have put others in their place
            with suppress(AttributeError, OSError, ValueError):
                stream.flush()
        self._libc.fflush(None)
        self._restore()
        try:
            size = os.fstat(1).st_size
        except OSError:  # the task closed it
            size = 0
            self._open()
        if size:
            with suppress(OSError):  # a full disk: what the task said is lost, the worker is not
                os.makedirs(os.path.dirname(target), exist_ok=True)
                os.rename(self.path, target)
            self._open()
        return size

    def _restore(self) -> None:
        """Have Python print to the descriptors 1 and 2 again, whatever the task did to its streams."""
        # None: this process was started with its output closed.
        if any(stream is None or stream.closed for stream in self._streams):
            self._streams = _by_line(1), _by_line(2)
        sys.stdout, sys.stderr = self._streams


def _by_line(number: int) -> TextIO:
    return os.fdopen(number, "w", buffering=1, closefd=False)


class Screen:
    """In place of a `Log`: what tasks write goes where this process's own output goes."""

    def close(self, target: str) -> int:  # noqa: ARG002 - the same face as `Log`
        """Flush; nothing is kept."""
        sys.stdout.flush()
        sys.stderr.flush()
        return 0
