"""One controller for a slice: who holds the lock is it, and whoever comes second is told who and where."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dynamo.errors import UserError, WorkspaceError
from dynamo.journal.locks import held, take_alone

__all__ = ["controller_of", "lock_slice"]


@contextmanager
def lock_slice(folder: Path, slice_: str) -> Iterator[None]:
    """Be the one that changes the machines of a slice; the kernel frees it when the process ends, however it ends.

    Raises `UserError` where another process is, and `WorkspaceError` where the folder cannot be used.
    """
    path = _path(folder, slice_)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b")
    except OSError as error:
        raise WorkspaceError(f"cannot use {path}: {error.strerror}") from error
    with file:
        if not take_alone(file):
            raise UserError(
                f"another process looks after the slice {slice_!r} already ({controller_of(folder, slice_)}): end it "
                "first; two would buy for each other's work"
            )
        with suppress(OSError):  # a full disk: only who comes second is told less
            os.truncate(file.fileno(), 0)
            os.write(file.fileno(), f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        yield


def controller_of(folder: Path, slice_: str) -> str:
    """Return who looks after a slice, in words; empty where nobody does."""
    path = _path(folder, slice_)
    if not held(path):
        return ""
    try:
        return path.read_text().strip() or "it does not say who"
    except (OSError, ValueError):
        return "it cannot be read who"


def _path(folder: Path, slice_: str) -> Path:
    return folder / f"{slice_}.lock"
