"""What earlier runs of a workflow teach of the next: how long its tasks took, and what they told of what they made."""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from dynamo.journal.database import Opened
from dynamo.worker.job import Report

__all__ = ["Experience", "packed_facts"]

#: Attempts that told something and are looked at: those of one run are among the latest of their run file.
_LATEST = 64
#: Seconds after which what a run told says nothing of the next: the echo is another by then.
_LATELY = 7200.0
#: Attempts of the runs since a time, of a workflow by a run file, that told something, the latest run first.
_TOLD = """
    SELECT r.id, a.facts FROM runs r CROSS JOIN attempts a INDEXED BY attempts_telling ON a.run = r.id
    WHERE a.facts != '' AND r.created > ? AND r.workflow = ? AND json_extract(r.settings, '$.runfile') IS ?
    ORDER BY r.created DESC, r.rowid DESC LIMIT ?"""
#: Those whose results a run has already: of its own tasks, and of others that it reuses.
_OWN = """
    SELECT t.run, a.facts FROM tasks t JOIN results e ON e.key = t.key
    JOIN attempts a ON a.run = e.run AND a.task = e.task WHERE t.run = ? AND a.facts != ''"""


class Experience(Opened):
    """Questions to the journal about runs that were."""

    def durations(self, workflow: str, latest: int = 20) -> dict[str, float]:
        """Return how many seconds a task of each step took on average, in the latest runs of a workflow."""
        rows = self._db.execute(
            "SELECT step, avg(ended - started) FROM attempts WHERE outcome = 'ok' AND run IN"
            " (SELECT id FROM runs WHERE workflow = ? ORDER BY created DESC LIMIT ?) GROUP BY step",
            (workflow, latest),
        )
        return dict(rows.fetchall())

    def facts(self, run: str, workflow: str, runfile: str | None, now: float) -> dict[str, float]:
        """Return what is known by name when the jobs of `run` are made, see `dynamo.graph.facts`.

        What the run itself has already, made or reused, comes before what others told that were asked for by the same
        run file and began in the two hours before `now` (Unix seconds): of each name, the latest run that told it.
        Where several tasks of a run told one name it is the largest.
        """
        before = self._db.execute(_TOLD, (now - _LATELY, workflow, runfile, _LATEST)).fetchall()
        own = self._db.execute(_OWN, (run,)).fetchall()
        return {**_first(before), **_first(own)}


def _first(rows: Iterable[tuple[str, str]]) -> dict[str, float]:
    """Return the largest value of each name, of the first run that has it."""
    found: dict[str, tuple[str, float]] = {}
    for run, told in rows:
        for name, value in orjson.loads(told).items():
            of, most = found.get(name, (run, value))
            if of == run:
                found[name] = (run, max(most, value))
    return {name: value for name, (_, value) in found.items()}


def packed_facts(report: Report) -> str:
    """Return what a task told as the journal keeps it; empty for nothing."""
    return orjson.dumps(report.facts).decode() if report.facts else ""
