"""Who has a journal open: all of one schema together, or one alone, who changes the schema.

A lock on a file beside the journal, which the kernel frees when a process ends, however it ends. Not on the journal
itself: to close a file there would free the locks that SQLite holds on it for this process. Workers and programs that
are started do not inherit it. Goes wrong: `WorkspaceError`.
"""

from __future__ import annotations

import errno
import fcntl
from pathlib import Path
from typing import IO

from dynamo.errors import WorkspaceError

__all__ = ["Holders"]

#: A folder that cannot be written.
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}


class Holders:
    """One place among those who have the journal `path` open; not taken at first."""

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(f"{path.name}.lock")
        self._file: IO[bytes] | None = None

    def join(self) -> bool:
        """Be one of them, once nobody is alone.

        False where there is no such file and none can be made, so that nobody can be told apart.
        """
        try:
            self._file = self._file or self._open()
            fcntl.flock(self._file, fcntl.LOCK_SH)
        except OSError as error:
            if error.errno in _READ_ONLY:
                return False
            raise WorkspaceError(f"cannot lock {self.path}: {error.strerror}") from error
        return True

    def alone(self) -> bool:
        """Be the only one, or none where there are others: whoever tries last of several can then be."""
        assert self._file is not None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(self._file, fcntl.LOCK_UN)  # Linux has done so; POSIX does not say
            return False
        return True

    def close(self) -> None:
        """Be none of them."""
        if self._file is not None:
            self._file.close()

    def _open(self) -> IO[bytes]:
        try:
            return self.path.open("rb", buffering=0)  # another user's will do
        except FileNotFoundError:
            return self.path.open("ab", buffering=0)
