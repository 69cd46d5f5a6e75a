"""The journal: SQLite in write-ahead mode, one file per workspace.

Whatever is written inside ``with journal.change():`` is there whole or not at all, also after ``kill -9``.
With ``synchronous=NORMAL`` a power cut may lose the last transactions, never part of one: what they recorded
is then done again.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

import orjson

from dynamo.errors import UserError, WorkspaceError, nearest
from dynamo.graph.model import Graph
from dynamo.journal.records import (
    Attempt,
    AttemptOutcome,
    Parts,
    Result,
    RunRecord,
    RunState,
    TaskRecord,
    TaskState,
)
from dynamo.worker.job import Made, Report

__all__ = ["Journal"]

BUSY_SECONDS = 30


class _Connection(sqlite3.Connection):
    """A connection whose faults are the workspace's; only what is our own fault stays as it is."""

    path: Path

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Run one statement; raises `WorkspaceError` where the file or its disk does not allow it."""
        try:
            return super().execute(sql, parameters)
        except sqlite3.DatabaseError as error:
            if type(error) is sqlite3.DatabaseError:
                raise WorkspaceError(
                    f"cannot use the journal {self.path}: {error}; move it away to start anew"
                ) from error
            if type(error) is sqlite3.OperationalError:
                raise WorkspaceError(f"cannot use the journal {self.path}: {error}") from error
            raise


class Journal:
    """The durable record of one workspace.

    Opened by each process for itself; may be used by one thread. Raises `WorkspaceError` where the file cannot
    be used or was written by a newer version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, factory=_Connection)
        except sqlite3.DatabaseError as error:
            raise WorkspaceError(f"cannot open the journal {path}: {error}") from error
        self._db.path = path
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("PRAGMA foreign_keys = ON")
            self._migrate()
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def change(self) -> Iterator[None]:
        """All writes inside are one transaction; raises `WorkspaceError` where the disk refuses it."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # SQLite has ended it by itself where the disk is full
                self._db.execute("ROLLBACK")
            raise

    def _migrate(self) -> None:
        """Bring the schema up to date: each ``NNNN_*.sql`` once, in order, in one transaction."""
        scripts = sorted(
            (f for f in files("dynamo.journal").iterdir() if f.name.endswith(".sql")), key=lambda f: f.name
        )
        version = self._version()
        if version > len(scripts):
            raise WorkspaceError(
                f"the journal {self.path} was written by a newer dynamo (schema {version}, this one knows "
                f"{len(scripts)}); upgrade dynamo-weather, or use another workspace"
            )
        if version == len(scripts):
            return
        self._db.execute("BEGIN IMMEDIATE")
        for n, script in enumerate(scripts[self._version() :], self._version() + 1):
            for statement in _statements(script.read_text("utf-8")):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {n}")
        self._db.execute("COMMIT")

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    # Runs

    def add_run(self, run: str, graph: Graph, settings: Mapping[str, Any], now: float) -> None:
        """Record that a run begins."""
        self._db.execute(
            "INSERT INTO runs (id, workflow, state, created, graph, settings) VALUES (?, ?, 'running', ?, ?, ?)",
            (run, graph.name, now, _pack(graph), orjson.dumps(settings).decode()),
        )

    def set_run(self, run: str, state: RunState, ended: float | None) -> None:
        """Record the state of a run."""
        self._db.execute("UPDATE runs SET state = ?, ended = ? WHERE id = ?", (state, ended, run))

    def runs(self, *, limit: int = -1) -> list[RunRecord]:
        """All runs, the latest first."""
        rows = self._db.execute(
            "SELECT id, workflow, state, created, ended, settings FROM runs ORDER BY created DESC, rowid DESC LIMIT ?",
            (limit,),
        )
        return [RunRecord(i, w, s, c, e, orjson.loads(settings)) for i, w, s, c, e, settings in rows]

    def run(self, run: str | None) -> RunRecord:
        """Return one run by its id or the beginning of it, or the latest; raise `UserError` where there is none."""
        known = self.runs()
        if not known:
            raise UserError(f"no runs in {self.path.parent} yet")
        if run is None:
            return known[0]
        exact = [r for r in known if r.id == run]
        found = exact or [r for r in known if r.id.startswith(run)]
        if len(found) == 1:
            return found[0]
        if found:
            raise UserError(f"{run!r} may be any of {', '.join(r.id for r in found[:5])}")
        raise UserError(f"no run {run!r} in {self.path.parent}{nearest(run, (r.id for r in known))}")

    def graph(self, run: str, *, expanded: bool = True) -> Graph:
        """Return the graph of a run, with what its run-time workflows added or as it was at its start."""
        (packed,) = self._db.execute("SELECT graph FROM runs WHERE id = ?", (run,)).fetchone()
        graph = _unpack(packed)
        if expanded:
            rows = self._db.execute(
                "SELECT task, graph FROM expansions WHERE run = ? ORDER BY length(task)", (run,)
            )
            for task, found in rows:
                graph = graph.expanded(task, _unpack(found))
        return graph

    def add_expansion(self, run: str, task: str, graph: Graph) -> None:
        """Record what a run-time workflow added."""
        self._db.execute(
            "INSERT OR REPLACE INTO expansions (run, task, graph) VALUES (?, ?, ?)", (run, task, _pack(graph))
        )

    def remove_run(self, run: str) -> None:
        """Forget a run, its tasks and attempts; its results stay."""
        self._db.execute("DELETE FROM runs WHERE id = ?", (run,))

    # Tasks and attempts

    def set_task(
        self, run: str, task: str, step: str, state: TaskState, reason: str, key: str | None
    ) -> None:
        """Record how a task of a run stands, and why."""
        self._db.execute(
            "INSERT OR REPLACE INTO tasks (run, task, step, state, reason, key) VALUES (?, ?, ?, ?, ?, ?)",
            (run, task, step, state, reason, key),
        )

    def tasks(self, run: str) -> dict[str, TaskRecord]:
        """Return the tasks of a run that no longer wait, by id."""
        rows = self._db.execute("SELECT task, step, state, reason, key FROM tasks WHERE run = ?", (run,))
        return {row[0]: TaskRecord(*row) for row in rows}

    def start_attempt(self, run: str, task: str, n: int, worker: str, now: float) -> None:
        """Record that an attempt is about to begin."""
        self._db.execute(
            "INSERT INTO attempts (run, task, n, worker, started, outcome) VALUES (?, ?, ?, ?, ?, 'running')",
            (run, task, n, worker, now),
        )

    def end_attempt(self, run: str, n: int, outcome: AttemptOutcome, report: Report) -> None:
        """Record how an attempt ended."""
        self._db.execute(
            "UPDATE attempts SET started = ?, ended = ?, outcome = ?, error = ?, exit = ?, cpu = ?, peak = ?,"
            " logged = ? WHERE run = ? AND task = ? AND n = ?",
            (report.started, report.ended, outcome, report.error, report.exit_code, report.cpu, report.peak,
             report.logged, run, report.task, n),
        )  # fmt: skip

    def lose_attempts(self, run: str, now: float) -> list[str]:
        """Mark the attempts that were in flight when the engine died; return their tasks."""
        rows = self._db.execute(
            "SELECT task FROM attempts WHERE run = ? AND outcome = 'running'", (run,)
        ).fetchall()
        self._db.execute(
            "UPDATE attempts SET outcome = 'lost', ended = ?, error = 'the engine ended'"
            " WHERE run = ? AND outcome = 'running'",
            (now, run),
        )
        self._db.execute("DELETE FROM tasks WHERE run = ? AND state = 'running'", (run,))
        return [task for (task,) in rows]

    def attempts(self, run: str) -> list[Attempt]:
        """Return all attempts of a run in the order they began."""
        rows = self._db.execute(
            "SELECT task, n, worker, started, ended, outcome, error, exit, cpu, peak, logged FROM attempts"
            " WHERE run = ? ORDER BY started, task, n",
            (run,),
        )
        return [Attempt(*row) for row in rows]

    def count_attempts(self, run: str) -> dict[str, int]:
        """Return the number of attempts so far of each task of a run."""
        return dict(self._db.execute("SELECT task, max(n) FROM attempts WHERE run = ? GROUP BY task", (run,)))

    # Results and digests

    def result(self, key: str) -> Result | None:
        """Return what a key stands for."""
        row = self._db.execute("SELECT run, task, made FROM results WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        return Result(key, row[0], row[1], {n: Made(*m) for n, m in orjson.loads(row[2]).items()})

    def add_result(self, result: Result, now: float) -> None:
        """Record what a key stands for."""
        made = {n: (m.digest, m.size, m.mtime) for n, m in result.made.items()}
        self._db.execute(
            "INSERT OR REPLACE INTO results (key, run, task, made, at, used) VALUES (?, ?, ?, ?, ?, ?)",
            (result.key, result.run, result.task, orjson.dumps(made).decode(), now, now),
        )

    def use_result(self, key: str, now: float) -> None:
        """Record that a result was reused."""
        self._db.execute("UPDATE results SET used = ? WHERE key = ?", (now, key))

    def results(self) -> Iterator[tuple[float, Result]]:
        """Yield every result with the time it was last used, the oldest use first."""
        rows = self._db.execute("SELECT used, key, run, task, made FROM results ORDER BY used").fetchall()
        for used, key, run, task, made in rows:
            yield used, Result(key, run, task, {n: Made(*m) for n, m in orjson.loads(made).items()})

    def remove_result(self, key: str) -> None:
        """Forget a result."""
        self._db.execute("DELETE FROM results WHERE key = ?", (key,))

    def latest(self, workflow: str, task: str) -> tuple[str, Parts] | None:
        """Return the last key of a task, and what it was made of."""
        row = self._db.execute(
            "SELECT key, parts FROM latest WHERE workflow = ? AND task = ?", (workflow, task)
        ).fetchone()
        if row is None:
            return None
        code, params, inputs, outputs = orjson.loads(row[1])
        return row[0], Parts(code, params, inputs, tuple(outputs))

    def set_latest(self, workflow: str, task: str, key: str, parts: Parts) -> None:
        """Record the last key of a task and what it is made of."""
        packed = orjson.dumps((parts.code, parts.params, parts.inputs, parts.outputs)).decode()
        self._db.execute(
            "INSERT OR REPLACE INTO latest (workflow, task, key, parts) VALUES (?, ?, ?, ?)",
            (workflow, task, key, packed),
        )

    def parsed(self, path: str, state: str) -> bytes | None:
        """Return what was found in a source file while it was in `state`."""
        row = self._db.execute(
            "SELECT found FROM sources WHERE path = ? AND state = ?", (path, state)
        ).fetchone()
        return row[0] if row else None

    def set_parsed(self, path: str, state: str, found: bytes) -> None:
        """Record what was found in a source file."""
        self._db.execute(
            "INSERT OR REPLACE INTO sources (path, state, found) VALUES (?, ?, ?)", (path, state, found)
        )

    def known_digest(self, path: str, size: int, mtime: int, inode: int) -> str | None:
        """Return the digest of an outside file that looks unchanged since it was taken."""
        row = self._db.execute(
            "SELECT digest FROM digests WHERE path = ? AND size = ? AND mtime = ? AND inode = ?",
            (path, size, mtime, inode),
        ).fetchone()
        return row[0] if row else None

    def set_digest(self, path: str, size: int, mtime: int, inode: int, digest: str) -> None:
        """Record the digest of an outside file."""
        self._db.execute(
            "INSERT OR REPLACE INTO digests (path, size, mtime, inode, digest) VALUES (?, ?, ?, ?, ?)",
            (path, size, mtime, inode, digest),
        )

    def remove_digests(self, before: float) -> None:
        """Forget the digests of files that last changed before the Unix time `before`: they can be taken again."""
        self._db.execute("DELETE FROM digests WHERE mtime < ?", (int(before * 1e9),))


def _pack(graph: Graph) -> bytes:
    return zlib.compress(orjson.dumps(graph.to_json()), 1)


def _unpack(packed: bytes) -> Graph:
    return Graph.from_json(orjson.loads(zlib.decompress(packed)))


def _statements(script: str) -> Iterator[str]:
    """Split a script at the ends of its statements (executescript would commit by itself)."""
    text = ""
    for line in script.splitlines(keepends=True):
        text += line
        if sqlite3.complete_statement(text):
            yield text
            text = ""
