"""The one task of a replay: it takes as long, and writes as much, as was recorded."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path

from dynamo.graph import Input, Output, task

__all__ = ["burn"]

#: Bytes that are read or written at a time.
_CHUNK = 1 << 20


@task
def burn(
    inputs: list[Input], outputs: list[Output], *, seconds: float, sizes: Sequence[int], work: str
) -> None:
    """Read all inputs, pass the time, and write each output.

    Parameters
    ----------
    seconds
        From the begin to before the outputs are written, reading included.
    sizes
        Bytes of each output; what is in them depends on their names alone, and does not compress.
    work
        ``cpu`` keeps one core busy meanwhile, ``sleep`` none.
    """
    end = time.monotonic() + seconds
    for path in inputs:
        with Path(os.fspath(path)).open("rb") as file:
            while file.read(_CHUNK):
                pass
    while work == "cpu" and time.monotonic() < end:
        hashlib.sha256(bytes(_CHUNK)).digest()
    time.sleep(max(0.0, end - time.monotonic()))
    for output, size in zip(outputs, sizes, strict=True):
        _write(Path(os.fspath(output)), size)


def _write(path: Path, size: int) -> None:
    """Write `size` bytes that the file's name alone determines."""
    chunk = hashlib.shake_256(path.name.encode()).digest(min(size, _CHUNK))
    with path.open("wb") as file:
        for begin in range(0, size, _CHUNK):
            file.write(chunk[: size - begin])
