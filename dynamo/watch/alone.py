"""One watch of a run file at a time: a lock that the kernel frees when the process ends.

Beside the lock stands what troubles the watch that holds it, for `dynamo status` in another process.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import IO

from dynamo.errors import UserError, WorkspaceError

__all__ = ["alone", "tell_troubles", "troubles_of"]

#: What is known of a watch that could not write down what troubles it.
UNTOLD = {"disk": "it cannot write down what troubles it; is the disk of the workspace full?"}
#: Seconds for which a lock is tried that `troubles_of` may hold for a moment.
PATIENCE = 0.2


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
    path = _lock(workspace, feed)
    try:
        file = path.open("a+")
    except OSError as error:
        raise WorkspaceError(f"cannot write {path}: {error.strerror}") from error
    with file:
        until = time.monotonic() + PATIENCE
        while not _take(file, fcntl.LOCK_EX):
            if time.monotonic() > until:
                file.seek(0)
                raise UserError(f"{feed} is watched already, by process {file.read().strip() or '?'}")
            time.sleep(PATIENCE / 20)
        with suppress(OSError):  # the disk is full: it is only for those who ask
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
        tell_troubles(workspace, feed, {})
        yield


def tell_troubles(workspace: Path, feed: str, troubles: Mapping[str, str]) -> bool:
    """Write down what troubles the watch of a feed, for who holds its lock; return whether there was room for it."""
    path = _lock(workspace, feed).with_suffix(".json")
    part = path.with_suffix(".part")
    try:
        part.write_text(json.dumps(dict(troubles)), "utf-8")
        part.replace(path)
    except OSError:
        # What was told before must not stand there as if it were so now.
        with suppress(OSError):
            path.unlink(missing_ok=True)
        return False
    return True


def troubles_of(workspace: Path, feed: str) -> dict[str, str] | None:
    """Return what troubles the watch of a feed; None where none is at work, be it that it was killed."""
    try:
        with _lock(workspace, feed).open() as file:
            if _take(file, fcntl.LOCK_SH):
                return None
    except OSError:
        return None
    try:
        found = json.loads(_lock(workspace, feed).with_suffix(".json").read_text("utf-8"))
    except (OSError, ValueError):
        return dict(UNTOLD)
    return found if isinstance(found, dict) else {}


def _take(file: IO[str], how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock(workspace: Path, feed: str) -> Path:
    mark = blake2b(feed.encode(), digest_size=6).hexdigest()
    return workspace / f"watch-{mark}.lock"
