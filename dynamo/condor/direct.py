"""Reports of jobs that run a command in its own image: nothing there could write one, so the event log tells.

Enters: events, in order. Leaves: the report of each such job, as others write theirs; to write it again is no harm.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from dynamo.condor.folder import DagFolder, DagJob
from dynamo.condor.log import Happened, Log
from dynamo.errors import DynamoError
from dynamo.graph.model import Task
from dynamo.graph.units import format_bytes, format_seconds
from dynamo.targets.jobs import OUT
from dynamo.worker.job import Made, Report
from dynamo.worker.returned import Ended, Returned, Tried
from dynamo.worker.store import digest_file

__all__ = ["Notes", "note", "outcome"]

#: Hold codes (manual, HoldReasonCode) of what a command did by itself.
_NOT_SENT, _MEMORY, _TOO_LONG = 12, 34, 47


def outcome(task: Task, what: Happened, made: Mapping[str, Made]) -> tuple[Ended, str] | None:
    """Return how a command ended and why, by the event that tells; None where it has not ended by itself.

    `made` are its outputs that are there.
    """
    program, missing = task.argv[0], next((n for n in task.output_names if n not in made), "")
    if what.kind == "held" and what.code == _TOO_LONG:
        return "timeout", f"{program} took longer than {format_seconds(task.needs.timeout)}, and was ended"
    if what.kind == "held" and what.code == _MEMORY:
        return "memory", f"{program} needed more memory than {format_bytes(task.needs.memory)}, and was ended"
    if what.kind == "held" and what.code == _NOT_SENT and "errno 2)" in what.text:
        names = [n for n in task.output_names if f"/{n}: (errno 2)" in what.text] or [missing]
        return "failed", f"{program} ended, but there is no output {names[0]!r}"
    if what.kind != "ended":
        return None
    if what.code:
        return "failed", f"{program} ended with exit code {what.code}"
    return ("lost", f"its output {missing!r} did not come back") if missing else ("ok", "")


class Notes:
    """Writes the reports of the commands of a DAG, one event after the other."""

    def __init__(self, folder: DagFolder) -> None:
        self._folder = folder
        self._began: dict[str, tuple[float, str]] = {}

    def take(self, what: Happened) -> Happened:
        """Write what an event tells; return it, as the end of a job where the job is held for what it did itself."""
        job = self._folder.job(what.job) if what.job else None
        if job is None or job.command is None:
            return what
        if what.kind == "began":
            self._began[job.name] = (what.at, what.machine)
        found = outcome(job.command, what, _made(job))
        if found is None:
            return what
        self._write(job, job.command, what, *found)
        return replace(what, kind="ended", code=what.code, text=found[1])

    def _write(self, job: DagJob, task: Task, what: Happened, ended: Ended, error: str) -> None:
        """Add an attempt to the report, unless it is there."""
        path = job.folder / OUT / f"{job.name}.report.json"
        told = Returned(job.name)
        with suppress(OSError, DynamoError):
            told = Returned.read(path)
        began, machine = self._began.get(job.name, (what.at, ""))
        if any((t.report.started, t.report.ended) == (began, what.at) for t in told.tried):
            return
        n = told.rounds + 1
        made = _made(job) if ended == "ok" else {}
        code = what.code if what.kind == "ended" else None
        report = Report(
            task.id, "ok" if ended == "ok" else "failed", began, what.at, error, exit_code=code, made=made
        )
        tried = Tried(n, ended, report, _log(job, n), n)
        told = replace(told.with_one(tried), rounds=n, machine=machine, began=began, ended=what.at)
        # The last node, and who follows, may both write it.
        part = path.with_name(f".{path.name}.{os.getpid()}")
        told.write(part)
        part.replace(path)


def note(folder: DagFolder) -> None:
    """Write the reports of all commands of a DAG that have ended so far."""
    if any(job.command for job in folder.jobs.values()):
        notes = Notes(folder)
        for path in folder.nodes_logs:
            for what in Log(path).read():
                notes.take(what)


def _made(job: DagJob) -> dict[str, Made]:
    """Return what of a job's outputs is there."""
    found: dict[str, Made] = {}
    for name, path in job.outputs.items():
        with suppress(OSError):
            state = (job.folder / path).stat()
            found[name] = Made(digest_file(job.folder / path), state.st_size, state.st_mtime_ns)
    return found


def _log(job: DagJob, n: int) -> str:
    """Keep what an attempt wrote, its errors last; return where, from the job's folder."""
    kept = f"{OUT}/logs/{job.tasks[0]}.{n}.log"
    try:
        target = job.folder / kept
        target.parent.mkdir(exist_ok=True)
        with target.open("wb") as log:
            for name in ("job.out", "job.err"):
                with suppress(FileNotFoundError), Path(job.folder / name).open("rb") as said:
                    shutil.copyfileobj(said, log)
    except OSError:  # a log is no reason to lose what was made
        return ""
    return kept
