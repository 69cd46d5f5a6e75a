"""Who has a journal open: all of one schema together, or one alone, who changes the schema.

A lock on a file beside the journal, which the kernel frees when a process ends, however it ends. Not on the journal
itself: to close a file there would free the locks that SQLite holds on it for this process. Workers and programs that
are started do not inherit it. Goes wrong: `WorkspaceError`.
"""

from __future__ import annotations

import fcntl
from io import FileIO
from pathlib import Path

from dynamo.journal.locks import READ_ONLY, opened, take, unopened

__all__ = ["Holders"]


class Holders:
    """One place among those who have the journal `path` open; not taken at first."""

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(f"{path.name}.lock")
        self._journal = path
        self._file: FileIO | None = None

    def join(self, *, writing: bool) -> bool:
        """Be one of them, once nobody is alone.

        False where the file cannot be opened or made, so that nobody can be told apart. That is wrong for who is
        `writing`: raises `WorkspaceError`, as where there is no lock to be had.
        """
        try:
            self._file = self._file or opened(self.path, self._journal)
        except OSError as error:
            if error.errno in READ_ONLY and not writing:
                return False
            raise unopened(self.path, self._journal, error) from error
        return take(self._file, fcntl.LOCK_SH)

    def alone(self) -> bool:
        """Be the only one, or none where there are others: whoever tries last of several can then be."""
        assert self._file is not None
        if take(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB):
            return True
        take(self._file, fcntl.LOCK_UN)  # Linux has done so; POSIX does not say
        return False

    def close(self) -> None:
        """Be none of them."""
        if self._file is not None:
            self._file.close()
