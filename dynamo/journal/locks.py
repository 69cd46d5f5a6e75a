"""Files of a workspace that lock: whoever may use its journal may use them, whichever user made them first.

Locks are `flock`'s, which the kernel frees when a process ends, however it ends. On NFS Linux makes them of byte ranges
(flock(2), "NFS details"): a shared one needs a file that is open for reading, an exclusive one a file that is open for
writing. Goes wrong: `OSError` where a file cannot be opened, `WorkspaceError` where it cannot be locked.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from contextlib import suppress
from io import FileIO
from pathlib import Path
from shlex import quote
from typing import IO, Any

from dynamo.errors import WorkspaceError

__all__ = ["READ_ONLY", "held", "made", "opened", "take", "take_alone", "unopened"]

#: A file that may not be written, or not be made.
READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}
#: Seconds for which a lock is tried that others hold for a moment, as they look.
PATIENCE = 0.2


def made(path: Path, like: Path) -> FileIO:
    """Make a file with the mode and owner of `like`, as SQLite does for its own beside the journal.

    Where there is no `like` yet the file is as any that is made. Raises `FileExistsError`; an old file, which may be a
    link that somebody put there, is given to nobody.
    """
    file = path.open("x+b", buffering=0)
    with suppress(OSError):  # there is none; or another's group or owner, which only the superuser may set
        model = like.stat()
        os.fchmod(file.fileno(), model.st_mode & 0o666)
        os.fchown(file.fileno(), -1, model.st_gid)
        os.fchown(file.fileno(), model.st_uid, -1)
    return file


def opened(path: Path, like: Path, *, writing: bool = False) -> FileIO:
    """Open a file that locks, made like `like` where it is missing.

    One that cannot be written is opened to read, but not for who is `writing` in it.
    """
    try:
        return _opened(path, writing=writing)
    except FileNotFoundError:
        with suppress(FileExistsError):  # another process was faster
            return made(path, like)
        return _opened(path, writing=writing)


def _opened(path: Path, *, writing: bool) -> FileIO:
    try:
        return path.open("r+b", buffering=0)
    except OSError as error:
        if writing or error.errno not in READ_ONLY:
            raise
        return path.open("rb", buffering=0)


def unopened(path: Path, like: Path, error: OSError) -> WorkspaceError:
    """Say that a file that locks cannot be opened, and who must act."""
    text = f"cannot open {path}: {error.strerror}"
    if error.errno in READ_ONLY:
        file, model = quote(str(path)), quote(str(like))
        text += (
            f"; who writes {like.name} needs it, so that root is to give it the same owner and mode: "
            f"`touch {file}; chown --reference={model} {file}; chmod --reference={model} {file}`"
        )
    return WorkspaceError(text)


def take(file: IO[Any] | FileIO, how: int) -> bool:
    """Have the lock `how` on an open file; return False where it is not waited for and another has it.

    Raises `WorkspaceError` where the file system gives none.
    """
    try:
        fcntl.flock(file, how)
    except BlockingIOError:
        return False
    except OSError as error:
        act = (
            "on NFS it must be one that you may write; its owner, or root, is to see to that"
            if error.errno == errno.EBADF
            else "choose a workspace on a file system that locks files; on NFS the server's locks must be at work"
        )
        raise WorkspaceError(f"cannot lock {file.name}: {error.strerror}; {act}") from error
    return True


def take_alone(file: IO[Any] | FileIO) -> bool:
    """Have a file locked alone that is open to read and write; return False, at once, where another has it so.

    Who only looks, see `held`, is waited for. Raises `WorkspaceError` where the file system gives no lock.
    """
    until = time.monotonic() + PATIENCE
    while not take(file, fcntl.LOCK_EX | fcntl.LOCK_NB):
        if not take(file, fcntl.LOCK_SH | fcntl.LOCK_NB) or time.monotonic() > until:
            return False
        take(file, fcntl.LOCK_UN)
        time.sleep(PATIENCE / 20)
    return True


def held(path: Path) -> bool:
    """Whether a process has a file locked alone; false where there is none."""
    try:
        file = path.open("rb", buffering=0)
    except (FileNotFoundError, NotADirectoryError):
        return False
    with file:
        return not take(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
