"""One watch of a run file at a time: a lock that the kernel frees when the process ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path

from dynamo.errors import UserError, WorkspaceError

__all__ = ["alone"]


@contextmanager
def alone(workspace: Path, feed: str) -> Iterator[None]:
    """Be the only watch of a feed.

    Raises
    ------
    UserError
        It is watched by another process, whose number is told.
    WorkspaceError
        The lock cannot be written.
    """
    mark = blake2b(feed.encode(), digest_size=6).hexdigest()
    path = workspace / f"watch-{mark}.lock"
    try:
        file = path.open("a+")
    except OSError as error:
        raise WorkspaceError(f"cannot write {path}: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise UserError(f"{feed} is watched already, by process {file.read().strip() or '?'}") from None
        with suppress(OSError):  # the disk is full: it is only for those who ask
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
        yield
