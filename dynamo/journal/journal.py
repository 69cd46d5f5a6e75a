"""The journal: what is recorded of runs, tasks, attempts, results and files, and the questions to it.

Whatever is written inside ``with journal.change():`` is there whole or not at all, also after ``kill -9``.
With ``synchronous=NORMAL`` a power cut may lose the last transactions, never part of one: what they recorded
is then done again.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from dynamo.errors import UserError, WorkflowError, nearest
from dynamo.graph.model import Graph
from dynamo.journal.experience import Experience, packed_facts
from dynamo.journal.packed import packed, unpacked
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

_ADD_RUN = (
    "INSERT INTO runs (id, workflow, state, created, graph, settings) VALUES (?, ?, 'running', ?, ?, ?)"
)
_SET_RUN = "UPDATE runs SET state = ?, ended = ? WHERE id = ?"
_ADD_EXPANSION = "INSERT OR REPLACE INTO expansions (run, task, graph) VALUES (?, ?, ?)"
_START = (
    "INSERT INTO attempts (run, task, n, worker, started, outcome, step, reason)"
    " VALUES (?, ?, ?, ?, ?, 'running', ?, ?)"
)
_END = (
    "UPDATE attempts SET started = ?, ended = ?, outcome = ?, error = ?, exit = ?, cpu = ?, peak = ?, logged = ?,"
    " facts = ? WHERE run = ? AND task = ? AND n = ?"
)
_SET_TASK = "INSERT OR REPLACE INTO tasks (run, task, step, state, reason, key) VALUES (?, ?, ?, ?, ?, ?)"
_ADD_RESULT = "INSERT OR REPLACE INTO results (key, run, task, made, at, used) VALUES (?, ?, ?, ?, ?, ?)"
_USE_RESULT = "UPDATE results SET used = ? WHERE key = ?"
_SET_LATEST = "INSERT OR REPLACE INTO latest (workflow, task, key, parts, at) VALUES (?, ?, ?, ?, ?)"
_SET_PARSED = "INSERT OR REPLACE INTO sources (path, state, found) VALUES (?, ?, ?)"
_SET_DIGEST = "INSERT OR REPLACE INTO digests (path, size, mtime, inode, digest) VALUES (?, ?, ?, ?, ?)"
_SET_SUBMISSION = "INSERT OR REPLACE INTO submissions (run, data) VALUES (?, ?)"
_FORGOTTEN = """
    INSERT OR REPLACE INTO products (run, feed, folder, ended)
    SELECT id, json_extract(settings, '$.feed'), json_extract(settings, '$.products'), coalesce(ended, created)
    FROM runs WHERE id = ? AND json_extract(settings, '$.keeps')"""
#: In the order in which they are applied: a row after those that it refers to or changes.
_WRITES = (
    _ADD_RUN, _SET_RUN, _ADD_EXPANSION, _START, _END, _SET_TASK, _ADD_RESULT, _USE_RESULT, _SET_LATEST,
    _SET_PARSED, _SET_DIGEST, _SET_SUBMISSION,
)  # fmt: skip


class Journal(Experience):
    """The durable record of one workspace; opened by each process for itself."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _WRITES)
        self.path = path

    # Runs

    def add_run(self, run: str, graph: Graph, settings: Mapping[str, Any], now: float) -> None:
        """Record that a run begins."""
        self._db.write(_ADD_RUN, (run, graph.name, now, packed(graph), orjson.dumps(settings).decode()))

    def set_run(self, run: str, state: RunState, ended: float | None) -> None:
        """Record the state of a run."""
        self._db.write(_SET_RUN, (state, ended, run))

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
        """Return the graph of a run, with what its run-time workflows added or as it was at its start.

        Raises `WorkflowError` where another dynamo wrote it, in another form.
        """
        try:
            return self._graph(run, expanded=expanded)
        except (WorkflowError, zlib.error, orjson.JSONDecodeError):
            raise WorkflowError(
                f"run {run} was written by another dynamo: it cannot be shown, nor gone on with"
            ) from None

    def _graph(self, run: str, *, expanded: bool) -> Graph:
        (data,) = self._db.execute("SELECT graph FROM runs WHERE id = ?", (run,)).fetchone()
        graph = unpacked(data)
        if expanded:
            rows = self._db.execute(
                "SELECT task, graph FROM expansions WHERE run = ? ORDER BY length(task)", (run,)
            )
            for task, found in rows:
                graph = graph.expanded(task, unpacked(found))
        return graph

    def add_expansion(self, run: str, task: str, graph: Graph) -> None:
        """Record what a run-time workflow added."""
        self._db.write(_ADD_EXPANSION, (run, task, packed(graph)))

    def submission(self, run: str) -> dict[str, Any]:
        """Return where a run stands that another scheduler has; empty where none has it."""
        row = self._db.execute("SELECT data FROM submissions WHERE run = ?", (run,)).fetchone()
        return dict(orjson.loads(row[0])) if row else {}

    def set_submission(self, run: str, data: Mapping[str, Any]) -> None:
        """Record where a run stands that another scheduler has."""
        self._db.write(_SET_SUBMISSION, (run, orjson.dumps(data).decode()))

    def remove_run(self, run: str) -> None:
        """Forget a run, its tasks and attempts; its results stay, and so does where its products are to be removed."""
        self._db.execute(_FORGOTTEN, (run,))
        self._db.execute("DELETE FROM runs WHERE id = ?", (run,))

    def forgotten_products(self, feed: str, before: float) -> list[tuple[str, str]]:
        """Return run and folder of forgotten runs of a watch that ended before, whose products are to be removed."""
        return self._db.execute(
            "SELECT run, folder FROM products WHERE feed = ? AND ended < ?", (feed, before)
        ).fetchall()

    def remove_products(self, run: str) -> None:
        """Note that the products of a forgotten run were removed."""
        self._db.execute("DELETE FROM products WHERE run = ?", (run,))

    # Tasks and attempts

    def set_task(
        self, run: str, task: str, step: str, state: TaskState, reason: str, key: str | None
    ) -> None:
        """Record how a task of a run stands, and why."""
        self._db.write(_SET_TASK, (run, task, step, state, reason, key))

    def tasks(self, run: str, *, live: bool = True) -> dict[str, TaskRecord]:
        """Return the tasks of a run that no longer wait, by id; of a `live` one also those that are running."""
        rows = self._db.execute("SELECT task, step, state, reason, key FROM tasks WHERE run = ?", (run,))
        found = {row[0]: TaskRecord(*row) for row in rows}
        if not live:
            return found
        rows = self._db.execute(
            "SELECT task, step, 'running', reason, NULL FROM attempts WHERE run = ? AND outcome = 'running'",
            (run,),
        )
        return found | {row[0]: TaskRecord(*row) for row in rows}

    def start_attempt(
        self, run: str, task: str, n: int, worker: str, now: float, step: str, reason: str
    ) -> None:
        """Record that an attempt is about to begin, and why."""
        self._db.write(_START, (run, task, n, worker, now, step, reason))

    def end_attempt(self, run: str, n: int, outcome: AttemptOutcome, report: Report) -> None:
        """Record how an attempt ended."""
        self._db.write(
            _END,
            (report.started, report.ended, outcome, report.error, report.exit_code, report.cpu, report.peak,
             report.logged, packed_facts(report), run, report.task, n),
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
        return [task for (task,) in rows]

    def forget_failures(self, run: str) -> None:
        """Let the tasks of a run that failed, or were blocked by one that did, wait again."""
        self._db.execute("DELETE FROM tasks WHERE run = ? AND state IN ('failed', 'blocked')", (run,))

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
        row = self._db.find("SELECT run, task, made FROM results WHERE key = ?", (key,), after=_ADD_RESULT)
        if row is None:
            return None
        return Result(key, row[0], row[1], {n: Made(*m) for n, m in orjson.loads(row[2]).items()})

    def add_result(self, result: Result, now: float) -> None:
        """Record what a key stands for."""
        made = {n: (m.digest, m.size, m.mtime) for n, m in result.made.items()}
        self._db.write(
            _ADD_RESULT, (result.key, result.run, result.task, orjson.dumps(made).decode(), now, now)
        )

    def use_result(self, key: str, now: float) -> None:
        """Record that a result was reused."""
        self._db.write(_USE_RESULT, (now, key))

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
        row = self._db.find(
            "SELECT key, parts FROM latest WHERE workflow = ? AND task = ?",
            (workflow, task),
            after=_SET_LATEST,
        )
        if row is None:
            return None
        code, params, inputs, outputs = orjson.loads(row[1])
        return row[0], Parts(code, params, inputs, tuple(outputs))

    def set_latest(self, workflow: str, task: str, key: str, parts: Parts, now: float) -> None:
        """Record the last key of a task and what it is made of."""
        packed = orjson.dumps((parts.code, parts.params, parts.inputs, parts.outputs)).decode()
        self._db.write(_SET_LATEST, (workflow, task, key, packed, now))

    def parsed(self, path: str, state: str) -> bytes | None:
        """Return what was found in a source file while it was in `state`."""
        row = self._db.execute(
            "SELECT found FROM sources WHERE path = ? AND state = ?", (path, state)
        ).fetchone()
        return row[0] if row else None

    def set_parsed(self, path: str, state: str, found: bytes) -> None:
        """Record what was found in a source file."""
        self._db.write(_SET_PARSED, (path, state, found))

    def known_digest(self, path: str, size: int, mtime: int, inode: int) -> str | None:
        """Return the digest of an outside file that looks unchanged since it was taken."""
        row = self._db.execute(
            "SELECT digest FROM digests WHERE path = ? AND size = ? AND mtime = ? AND inode = ?",
            (path, size, mtime, inode),
        ).fetchone()
        return row[0] if row else None

    def set_digest(self, path: str, size: int, mtime: int, inode: int, digest: str) -> None:
        """Record the digest of an outside file."""
        self._db.write(_SET_DIGEST, (path, size, mtime, inode, digest))

    def forget(self, before: float) -> None:
        """Forget what can be found out again, of before the Unix time `before`.

        That is the digests of outside files that last changed before, and what tasks were last made of where
        their results are gone already.
        """
        self._db.execute("DELETE FROM digests WHERE mtime < ?", (int(before * 1e9),))
        self._db.execute(
            "DELETE FROM latest WHERE at < ? AND key NOT IN (SELECT key FROM results)", (before,)
        )
