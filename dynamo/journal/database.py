"""The file under the journal: SQLite in write-ahead mode, its transactions and its migrations.

Rows written inside ``with database.change(...)`` are kept back and applied together at its end, statement by
statement: that is several times as fast as row by row, and the whole can be done again where the disk was full
for a moment. Goes wrong: `WorkspaceError`.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Self

from dynamo.errors import WorkspaceError
from dynamo.journal.holders import Holders

__all__ = ["Database", "DiskFullError", "Opened"]

BUSY_SECONDS = 30
#: Pages of the write-ahead log after which they are copied into the file, which waits for the disk; and the
#: memory for pages, so that a turn of many tasks does not read again what it wrote (negative: KiB).
CHECKPOINT_PAGES = 4000
CACHE = -16_000
#: Seconds between tries while the disk is full, or while another process makes the file.
PAUSE = 0.05
#: Seconds for which those are waited for who have the file open as an older dynamo knows it.
LEAVING = 5.0
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
#: What SQLite says where it cannot make the files that lie beside one that is written ahead.
_UNWRITABLE = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}


class DiskFullError(WorkspaceError):
    """There was no room for the transaction; it was undone."""


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into the workspace's; what is our own fault (a wrong statement) stays as it is."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        text = f"cannot use the journal {path}: {error}"
        if type(error) is sqlite3.DatabaseError:
            raise WorkspaceError(f"{text}; move it away to start anew") from error
        if type(error) is sqlite3.OperationalError:
            full = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
            raise (DiskFullError if full else WorkspaceError)(text) from error
        raise


class Database:
    """One connection, for one thread.

    Parameters
    ----------
    path
        The file; made where there is none.
    writes
        The statements that `write` takes, in the order in which they are applied within one change.
    """

    def __init__(self, path: Path, writes: Iterable[str]) -> None:
        self.path = path
        self._holders = Holders(path)
        try:
            self._db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        except sqlite3.DatabaseError as error:
            raise WorkspaceError(f"cannot open the journal {path}: {error}") from error
        self._rows: dict[str, list[tuple[Any, ...]]] = {sql: [] for sql in writes}
        self._applied = dict.fromkeys(self._rows, 0)
        self._changing = self._direct = False
        #: Of a file that is taken as it is: SQLite then does not look whether others write.
        self._unchanged: tuple[int, int] | None = None
        try:
            self._begin_reading()
            self.execute("PRAGMA synchronous = NORMAL")
            self.execute("PRAGMA foreign_keys = ON")
            self.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            self.execute(f"PRAGMA cache_size = {CACHE}")
            self._update()
        except BaseException:  # also Ctrl-C: no open file is left behind
            self.close()
            raise

    def _begin_reading(self) -> None:
        """Read for the first time; where nobody can write beside it, take the file as it is."""
        try:
            self._write_ahead()
        except WorkspaceError as error:
            # SQLite says the same for want of open files.
            if _code(error) not in _UNWRITABLE or os.access(self.path.parent, os.W_OK):
                raise
            beside = Path(f"{self.path}-wal")
            if _state(beside)[0] > 0:
                raise WorkspaceError(
                    f"cannot read the journal {self.path} where it cannot be written, for a part of it is in "
                    f"{beside.name}; copy both to where they can"
                ) from error
            self._db.close()
            self._unchanged = _state(self.path)
            self._db = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?immutable=1", uri=True, isolation_level=None
            )

    def _write_ahead(self) -> None:
        """Have a new file written ahead; SQLite does not wait by itself while another process does the same."""
        until = time.monotonic() + BUSY_SECONDS
        while self.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            try:
                self.execute("PRAGMA journal_mode = WAL")
            except WorkspaceError as error:
                if _code(error) not in _BUSY or time.monotonic() > until:
                    raise
                time.sleep(PAUSE)

    def close(self) -> None:
        """Close the file; raise `WorkspaceError` where it was read as it is, and somebody else has changed it."""
        self._db.close()
        self._holders.close()
        if self._unchanged is not None and self._unchanged != _state(self.path):
            raise WorkspaceError(f"the journal {self.path} was written while it was read; try again")

    @contextmanager
    def change(self, patience: float = 0.0) -> Iterator[None]:
        """All writes inside are one transaction; where the disk is full, try for `patience` seconds."""
        try:
            self._begin()  # inside: Ctrl-C may come when it has begun
            yield
            self._commit(time.monotonic() + patience)
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self._changing = False
            for rows in self._rows.values():
                rows.clear()

    def write(self, sql: str, row: tuple[Any, ...]) -> None:
        """Write one row: at the end of the change, or at once where none is under way."""
        if self._changing:
            self._rows[sql].append(row)
        else:
            self.execute(sql, row)

    def execute(self, sql: str, parameters: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        """Run one statement now, after all that was written."""
        self._apply(self._rows)
        self._direct |= self._changing and not sql.startswith("SELECT")
        with _told(self.path):
            return self._db.execute(sql, parameters)

    def find(self, sql: str, parameters: tuple[Any, ...], *, after: str) -> Any:
        """Return the first row of a query that depends on nothing but what the statement `after` writes."""
        self._apply((after,))
        with _told(self.path):
            return self._db.execute(sql, parameters).fetchone()

    def _begin(self) -> None:
        with _told(self.path):
            self._db.execute("BEGIN IMMEDIATE")
        self._changing, self._direct = True, False
        self._applied = dict.fromkeys(self._rows, 0)

    def _apply(self, statements: Iterable[str]) -> None:
        for sql in statements:
            rows, begin = self._rows[sql], self._applied[sql]
            if begin < len(rows):
                with _told(self.path):
                    self._db.executemany(sql, rows[begin:])
                self._applied[sql] = len(rows)

    def _commit(self, until: float) -> None:
        while True:
            try:
                self._apply(self._rows)
                with _told(self.path):
                    self._db.execute("COMMIT")
            except DiskFullError:
                # A task that fills the disk fails of it, and leaves room. What was executed at once is not known
                # any more, so a change with such a part is not done again.
                if self._direct or time.monotonic() > until:
                    raise
                if self._db.in_transaction:  # SQLite may have ended it by itself
                    self._db.execute("ROLLBACK")
                time.sleep(PAUSE)
                self._begin()
            else:
                return

    def _update(self) -> None:
        """Have the schema that this version knows, and nobody change it as long as the file is open."""
        scripts = sorted(Path(__file__).parent.glob("*.sql"))
        until = time.monotonic() + LEAVING
        writing = self._unchanged is None and os.access(self.path, os.W_OK)
        while True:
            joined = self._holders.join(writing=writing)
            version = self._version()
            if version == len(scripts):
                return
            found = f"schema {version}, this one knows {len(scripts)}"
            if version > len(scripts):
                raise WorkspaceError(
                    f"the journal {self.path} was written by a newer dynamo ({found}); upgrade dynamo-weather, or use "
                    "another workspace"
                )
            if not joined:
                raise self._too_old(found)
            if self._holders.alone():
                self._migrate(scripts, found)
            elif time.monotonic() > until:
                raise WorkspaceError(
                    f"the journal {self.path} is to be brought up to date ({found}), but an older dynamo still has it "
                    f"open; end that first, a `dynamo watch` or `dynamo run` (`fuser {self._holders.path}` names it)"
                )
            else:
                time.sleep(PAUSE)

    def _too_old(self, found: str) -> WorkspaceError:
        return WorkspaceError(
            f"the journal {self.path} was written by an older dynamo ({found}) and cannot be brought up to date where "
            "it cannot be written; read it with that one, or copy the workspace to where it can"
        )

    def _migrate(self, scripts: Sequence[Path], found: str) -> None:
        """Apply each ``NNNN_*.sql`` that was not yet applied, in order, in one transaction."""
        try:
            with self.change():
                for n, script in enumerate(scripts[self._version() :], self._version() + 1):
                    for statement in _statements(script.read_text("utf-8")):
                        self.execute(statement)
                    self.execute(f"PRAGMA user_version = {n}")
        except WorkspaceError as error:
            raise self._too_old(found) if _code(error) in _UNWRITABLE else error from error.__cause__

    def _version(self) -> int:
        return int(self.execute("PRAGMA user_version").fetchone()[0])


def _code(error: WorkspaceError) -> int:
    """SQLite's primary code of what went wrong; 0 for anything else."""
    return int(getattr(error.__cause__, "sqlite_errorcode", 0)) & 0xFF


def _state(path: Path) -> tuple[int, int]:
    try:
        state = path.stat()
    except OSError:  # it is gone
        return -1, -1
    return state.st_size, state.st_mtime_ns


class Opened:
    """What reads and writes some tables of the journal: a context manager that has the file open, for one thread.

    Raises `WorkspaceError` where the file cannot be used or was written by a newer version.
    """

    def __init__(self, path: Path, writes: Iterable[str]) -> None:
        self._db = Database(path, writes)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def change(self, patience: float = 0.0) -> AbstractContextManager[None]:
        """All writes inside are one transaction; raises `DiskFullError` where the disk has no room for it.

        `patience` is for how many seconds that is tried while the disk is full.
        """
        return self._db.change(patience)


def _statements(script: str) -> Iterator[str]:
    """Split a script at the ends of its statements (executescript would commit by itself)."""
    text = ""
    for line in script.splitlines(keepends=True):
        text += line
        if sqlite3.complete_statement(text):
            yield text
            text = ""
