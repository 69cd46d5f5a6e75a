"""Keep the logs of tasks within bounds, whatever they print."""

from __future__ import annotations

import os
from contextlib import suppress

from dynamo.graph.units import format_bytes

__all__ = ["LIMIT", "cut", "rescue", "shorten", "tail"]

#: A log longer than this loses its middle.
LIMIT = 8 << 20
_KEEP = 1 << 20
_TAIL_LINES = 20
_TAIL_BYTES = 8192
#: Of fallocate(2) in Linux.
_KEEP_SIZE, _PUNCH_HOLE = 1, 2


def cut(path: str) -> int:
    """Free what lies between the beginning and the end of a log that is being written, where it is too long.

    Where the file system can, that becomes a hole, which whoever writes does not notice, and `shorten` drops it in
    the end. Elsewhere the log is written anew, and what comes in that moment is lost. Returns the bytes dropped.
    """
    try:
        if os.path.getsize(path) <= LIMIT:
            return 0
        with open(path, "a+b", buffering=0) as file:  # for appending, as whoever writes it has it open
            size = file.seek(0, os.SEEK_END)
            if _punch(file.fileno(), _KEEP, size - 2 * _KEEP):
                return 0
            file.seek(size - _KEEP)
            end = file.read(_KEEP)
            file.truncate(_KEEP)
            file.write(end)
        return size - 2 * _KEEP
    except OSError:  # gone, or no room: a log is no reason to end a run
        return 0


def _punch(file: int, begin: int, length: int) -> bool:
    """Turn a part of a file into a hole; whether that was possible."""
    import ctypes

    fallocate = getattr(ctypes.CDLL(None), "fallocate", None)
    if fallocate is None:
        return False
    fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_longlong, ctypes.c_longlong)
    done: int = fallocate(file, _KEEP_SIZE | _PUNCH_HOLE, begin, length)
    return done == 0


def shorten(path: str) -> int:
    """Keep only the beginning and the end of a finished log that is too long; return the bytes dropped."""
    with suppress(OSError):  # gone, or no room: a log is no reason to end a run
        size = os.path.getsize(path)
        if size > LIMIT:
            dropped = size - 2 * _KEEP
            with open(path, "r+b") as file:
                file.seek(size - _KEEP)
                end = file.read()
                file.seek(_KEEP)
                file.write(f"\n[... {format_bytes(dropped)} left out ...]\n".encode())
                file.write(end)
                file.truncate()
            return dropped
    return 0


def rescue(scratch: str, target: str) -> int:
    """Give the scratch log of a worker that died to the task it ran; return the bytes dropped to shorten it."""
    with suppress(OSError):
        if os.path.getsize(scratch):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.rename(scratch, target)
            return shorten(target)
    return 0


def tail(log: str) -> str:
    """Return the last lines of a log; empty where there is none."""
    try:
        with open(log, "rb") as file:
            file.seek(max(os.path.getsize(log) - _TAIL_BYTES, 0))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-_TAIL_LINES:])
