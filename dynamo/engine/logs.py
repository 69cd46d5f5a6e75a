"""Keep the logs of tasks within bounds, whatever they print."""

from __future__ import annotations

import os
from contextlib import suppress

from dynamo.graph.units import format_bytes

__all__ = ["LIMIT", "cut", "rescue", "shorten"]

#: A log longer than this loses its middle.
LIMIT = 8 << 20
_KEEP = 1 << 20
#: What is kept of the end of a log that is being written: what comes last says most, should nothing follow.
_TAIL = 1 << 16


def cut(path: str) -> int:
    """Cut a log that is being written to its beginning and end where it is too long; return the bytes dropped."""
    try:
        if os.path.getsize(path) <= LIMIT:
            return 0
        with open(path, "a+b", buffering=0) as file:  # for appending, as whoever writes it has it open
            size = file.seek(0, os.SEEK_END)
            file.seek(size - _TAIL)
            end = file.read(_TAIL)
            file.truncate(_KEEP)
            file.write(end)
        return size - _KEEP - _TAIL
    except FileNotFoundError:
        return 0


def shorten(path: str) -> int:
    """Keep only the beginning and the end of a finished log that is too long; return the bytes dropped."""
    size = os.path.getsize(path)
    if size <= LIMIT:
        return 0
    dropped = size - 2 * _KEEP
    with open(path, "r+b") as file:
        file.seek(size - _KEEP)
        end = file.read()
        file.seek(_KEEP)
        file.write(f"\n[... {format_bytes(dropped)} left out ...]\n".encode())
        file.write(end)
        file.truncate()
    return dropped


def rescue(scratch: str, target: str) -> int:
    """Give the scratch log of a worker that died to the task it ran; return the bytes dropped to shorten it."""
    with suppress(OSError):
        if os.path.getsize(scratch):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.rename(scratch, target)
            return shorten(target)
    return 0
