"""The end of a run: reports of jobs into the journal, products into their folder, what failed into words."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from dynamo.engine.events import Event, Summary
from dynamo.errors import DynamoError, InfrastructureError
from dynamo.graph.model import Task
from dynamo.pegasus.record import Record
from dynamo.pegasus.states import SUCCEEDED, Told
from dynamo.targets.pegasus_work import Names, node_id
from dynamo.worker.returned import Returned
from dynamo.worker.store import digest_file

__all__ = ["bring_home"]

#: How a task ended whose job stands for several.
_SHARED = Told(0, "", "JOB_SUCCESS", 0)


def bring_home(record: Record, folder: Path, observer: Callable[[Event], None]) -> Summary:
    """Record how the run ended, publish its products from ``folder/outputs``, and return its summary."""
    names, outputs = Names(record.graph), folder / "outputs"
    with record.journal.change():
        for task in record.graph.tasks.values():
            _settle(record, task, names, outputs)
        _fail(record)
    record.account.publish()
    for event in record.account.take_news():
        observer(event)
    summary = record.account.summary(record.graph.tasks, time.time())
    record.end(ok=summary.ok)
    return summary


def _settle(record: Record, task: Task, names: Names, outputs: Path) -> None:
    """Take in the report of a task, where it came home, and its products."""
    returned = _returned(outputs / names.report(task.id))
    told = record.ended.get(task.id)
    if returned is not None:
        last = returned.last[task.id]
        record.reported(task, max(record.attempts(task), 1), returned.machine, last.report)
        if told is None:  # it shared a job, of which the log names no task
            _done(record, task, last.report.started, last.report.ended)
    elif told is None and record.whole:  # so did this, without a report: a command in its own image
        _done(record, task, record.began, time.time())
    elif told is None or told.state not in SUCCEEDED:
        return
    for name in filter(record.request.products.wants, task.output_names):
        path = outputs / names.files[name]
        known = returned.made.get(name) if returned else None
        wrong = _wrong(path, known.digest if known else "")
        if wrong:
            record.journal.set_task(
                record.request.run, task.id, task.step, "failed", f"{name!r} {wrong}", None
            )
            record.account.fail(task, f"{name!r} {wrong}", "", "", (), infrastructure=True)
        else:
            record.account.exist(name, str(path))


def _done(record: Record, task: Task, started: float, ended: float) -> None:
    record.account.tell("started", task, started)
    record.account.tell("done", task, ended, seconds=ended - started)
    record.journal.set_task(
        record.request.run, task.id, task.step, "done", "it shared a job with others", None
    )
    record.ended[task.id] = _SHARED


def _returned(path: Path) -> Returned | None:
    try:
        return Returned.read(path)
    except (OSError, DynamoError):  # a job that failed brings none home
        return None


def _wrong(path: Path, digest: str) -> str:
    """Say what is wrong with a product that came home; empty where nothing is."""
    try:
        found = digest_file(str(path)) if digest else ""
        os.stat(path)  # noqa: PTH116 - as elsewhere in engines
    except OSError as error:
        return f"did not come home ({path}: {error.strerror})"
    return "" if found == digest else f"came home damaged: {path} is not what its job made"


def _fail(record: Record) -> None:
    """Tell each task that failed, with those that wait for it, and the failures of Pegasus' own jobs."""
    graph, failed = record.graph, record.account
    bad = {
        t: record.ended[t]
        for t in graph.tasks
        if t in record.ended and record.ended[t].state not in SUCCEEDED
    }
    never = [t for t in graph.order() if t not in record.ended]
    blame: dict[str, str] = {}
    for task_id in never:
        parents = [p for p in graph.parents(graph.tasks[task_id]) if p in bad or p in blame]
        if parents:
            blame[task_id] = blame.get(parents[0], parents[0])
    own = {job: told for job, told in record.ended.items() if job not in graph.tasks}
    run = record.request.run
    for task_id, told in bad.items():
        task, error = graph.tasks[task_id], record.error(told)
        blocked = [t for t, cause in blame.items() if cause == task_id]
        infrastructure = told.value == InfrastructureError.exit_code
        record.journal.set_task(run, task_id, task.step, "failed", error, None)
        failed.tell("failed", task, told.at, error)
        failed.fail(task, error, _log(record, task), "", blocked, infrastructure=infrastructure)
    for task_id in never:
        task = graph.tasks[task_id]
        why = f"{blame[task_id]} failed" if task_id in blame else _other(record, own)
        record.journal.set_task(run, task_id, task.step, "blocked", why, None)
        failed.tell("blocked", task, time.time(), why)


def _other(record: Record, own: Mapping[str, Told]) -> str:
    """Say why a task did not run although no task failed: a job that Pegasus added did, or one of several tasks."""
    job = next(iter(own), "")
    return f"the job {job} failed: {record.error(own[job])}" if job else "Pegasus ended before it ran"


def _log(record: Record, task: Task) -> str:
    """Return the path of the newest output of a task's job, if Pegasus kept one."""
    found = list(record.submit.rglob(f"*_{node_id(task.id)}.out*"))
    return str(max(found, key=lambda path: path.stat().st_mtime)) if found else ""
