"""One watch of a run file at a time: a lock that the kernel frees when the process ends.

Beside the lock stands what troubles the watch that holds it, for `dynamo status` in another process.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path

from dynamo.errors import UserError
from dynamo.journal import Workspace
from dynamo.journal.locks import held, made, opened, take_alone, unopened

__all__ = ["alone", "tell_troubles", "troubles_of"]

#: What is known of a watch that could not write down what troubles it.
UNTOLD = {"disk": "it cannot write down what troubles it; is the disk of the workspace full?"}


@contextmanager
def alone(workspace: Path, feed: str) -> Iterator[None]:
    """Be the only watch of a feed.

    Raises
    ------
    UserError
        It is watched by another process, whose number is told.
    WorkspaceError
        The lock cannot be opened or taken.
    """
    path, journal = _lock(workspace, feed), Workspace(workspace).journal
    try:
        file = opened(path, journal, writing=True)
    except OSError as error:
        raise unopened(path, journal, error) from error
    with file:
        if not take_alone(file):
            number = file.read().decode(errors="replace").strip()
            raise UserError(f"{feed} is watched already, by process {number or '?'}")
        with suppress(OSError):  # the disk is full: it is only for those who ask
            file.truncate(0)
            file.write(str(os.getpid()).encode())
        tell_troubles(workspace, feed, {})
        yield


def tell_troubles(workspace: Path, feed: str, troubles: Mapping[str, str]) -> bool:
    """Write down what troubles the watch of a feed, for who holds its lock; return whether there was room for it."""
    path = _lock(workspace, feed).with_suffix(".json")
    part = path.with_suffix(".part")
    try:
        part.unlink(missing_ok=True)  # of a watch that was killed
        made(part, Workspace(workspace).journal).close()
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
    path = _lock(workspace, feed)
    try:
        if not held(path):
            return None
        found = json.loads(path.with_suffix(".json").read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return dict(UNTOLD)
    except OSError as error:
        return {"watch": f"what it does cannot be told: cannot read {error.filename}: {error.strerror}"}
    return found if isinstance(found, dict) else {}


def _lock(workspace: Path, feed: str) -> Path:
    mark = blake2b(feed.encode(), digest_size=6).hexdigest()
    return workspace / f"watch-{mark}.lock"
