"""Traces of what really ran: records of Pegasus runs as FlowBench has them, and runs of our own journal.

A job is released when it was ready then, after those that it waits for: a simulation that runs these sooner does not
bring it forward, so a replay asks when the cores would have been there, not how short a run could have been.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dynamo.errors import Place, UserError
from dynamo.fleet.simulator.trace import Job, Trace
from dynamo.fleet.simulator.trace_file import text_of

if TYPE_CHECKING:
    from dynamo.graph.model import Graph
    from dynamo.journal.journal import Journal
    from dynamo.journal.records import Attempt

__all__ = ["from_flowbench", "from_journal", "is_flowbench"]

#: Seconds of the longest pause between runs that is kept.
_PAUSE = 3600.0
#: Columns of a FlowBench record that are read.
_COLUMNS = (
    "kickstart_site",
    "kickstart_transformations",
    "ready",
    "execute_start",
    "execute_end",
    "stage_in_bytes",
)


def from_flowbench(
    paths: Sequence[Path], *, every: float | None = None, within: float = math.inf, name: str = "flowbench"
) -> Trace:
    """Return the trace of recorded runs, one CSV file each, of the jobs that ran on workers.

    The format is that of FlowBench (PoSeiDon-Workflows/FlowBench, "Per-job records"): times are Unix seconds, a job
    takes from the start to the end of its execution on one core, staging in and out of its files with it.

    Parameters
    ----------
    paths
        The files; the runs begin in the order in which they did.
    every
        Seconds from the beginning of one run to the next; as recorded if None, pauses of more than an hour left out.
    within
        Seconds after the beginning of its run at which a job is due; without a deadline if none are given.
    name
        Of the trace.
    """
    jobs: list[Job] = []
    records = [
        (min(float(row["ready"]) for row in rows), path, rows) for path in paths if (rows := _rows(path))
    ]
    records.sort(key=lambda record: record[:2])
    at, before = 0.0, records[0][0]
    for begin, path, rows in records:
        at += every if every is not None and jobs else min(begin - before, _PAUSE)
        before = begin
        jobs += [_flowbench_job(row, begin, at, within, path.name.split(".")[0]) for row in rows]
    return Trace.of(name, jobs, period=every or 0.0)


def is_flowbench(path: Path) -> bool:
    """Return whether a file has the columns of a FlowBench record in its first line."""
    head = text_of(path).partition("\n")[0].split(",")
    return all(column in head for column in _COLUMNS)


def from_journal(
    journal: Journal, runs: Iterable[str] = (), *, within: float = math.inf, name: str = "journal"
) -> Trace:
    """Return the trace of runs of a journal: each attempt that was done, with the cores that its task asks for.

    A task is released when the last of those that it reads from was done; one that reads from none, when its run was
    begun. It is due so many seconds after that beginning as its step says, or else `within`.
    """
    records = {record.id: record for record in journal.runs()}
    chosen = [records[run] for run in runs] if runs else list(records.values())
    chosen = sorted(chosen, key=lambda record: record.created)
    jobs: list[Job] = []
    for record in chosen:
        done = {
            each.task: each for each in journal.attempts(record.id) if each.outcome == "ok" and each.ended
        }
        begin = record.created - chosen[0].created
        found = _journal_jobs(journal.graph(record.id), done, record.created, within)
        jobs += [
            job._replace(release=job.release + begin, due=job.due + begin, run=record.id) for job in found
        ]
    if not jobs:
        raise UserError("No run of the journal has a task that was done: there is nothing to replay.")
    return Trace.of(name, jobs)


def _rows(path: Path) -> list[dict[str, str]]:
    rows = csv.DictReader(text_of(path).splitlines())
    for column in _COLUMNS:
        if column not in (rows.fieldnames or ()):
            raise UserError(
                f"This is no record of a run as FlowBench has it: there is no column `{column}`.",
                place=Place(str(path), 1),
            )
    found = [
        row
        for row in rows
        if row["kickstart_site"] != "local" and row["execute_end"] and row["execute_start"]
    ]
    if not found:
        raise UserError("No job of this record ran on a worker.", place=Place(str(path)))
    return found


def _flowbench_job(row: dict[str, str], begin: float, at: float, within: float, run: str) -> Job:
    staged = row["stage_in_bytes"]
    return Job(
        kind=row["kickstart_transformations"],
        release=float(row["ready"]) - begin + at,
        due=max(at + within, float(row["ready"]) - begin + at),
        work=float(row["execute_end"]) - float(row["execute_start"]),
        run=run,
        features={"bytes": float(staged)} if staged else {},
    )


def _journal_jobs(graph: Graph, done: dict[str, Attempt], created: float, within: float) -> Iterator[Job]:
    for task in graph.tasks.values():
        attempt = done.get(task.id)
        if attempt is None or attempt.ended is None:
            continue
        before = [ended for each in graph.parents(task) if each in done and (ended := done[each].ended)]
        release = max([*before, created]) - created
        limit = task.needs.deadline or within
        yield Job(
            kind=f"{graph.name}/{task.step}",
            release=release,
            due=max(limit, release),
            work=(attempt.ended - attempt.started) * task.needs.cores,
            cores=task.needs.cores,
            memory=task.needs.memory,
        )
