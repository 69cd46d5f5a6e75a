"""A run whose jobs a pool has: what it learns from their logs and reports, and what it records of that.

As in `dynamo.engine.run`, all is written in the caller's transaction, and with it how far the logs were taken in.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import orjson

from dynamo.engine.known import Facts
from dynamo.engine.ready import Unit
from dynamo.engine.request import Request
from dynamo.engine.run import Run
from dynamo.graph.model import Graph
from dynamo.journal import Journal, Parts, Workspace
from dynamo.worker.job import Made, Report
from dynamo.worker.limits import RETRIES
from dynamo.worker.returned import Tried
from dynamo.worker.store import adopt, digest_file

__all__ = ["PoolRun"]


class PoolRun(Run):
    """The state of one run on a pool. Its jobs are made once, of all that must run; so nothing waits here."""

    def __init__(
        self,
        request: Request,
        workspace: Workspace,
        journal: Journal,
        facts: Facts,
        fits: Callable[[Graph], None],
        now: float,
    ) -> None:
        super().__init__(request, workspace, journal, facts, fits, now, _each_alone)
        #: Attempts that are recorded as ended: task, and when it began by its report.
        self._recorded: set[tuple[str, float]] = set()
        #: What was said of the run as a whole.
        self._said = ""
        #: Task to how often a job ended well, to the scheduler, that had not done it.
        self.undone: Counter[str] = Counter()
        #: Folders of modules that travelled with the jobs, to where they are here.
        self.homes: Mapping[str, str] = {}

    def attach(self) -> None:
        """Record that the run is followed again; nothing that ran meanwhile is lost."""
        self.journal.run(self.id)
        self.journal.forget_failures(self.id)
        self._spare_done()
        self.journal.set_run(self.id, "running", None)
        self._attempts = self.journal.count_attempts(self.id)
        for known in self.journal.attempts(self.id):
            if known.outcome == "running":
                self.running[known.task] = known.n
            else:
                self._recorded.add((known.task, known.started))

    def settle(self, now: float) -> Graph:
        """Reuse what can be; return the graph of what must run, whose sources are files that exist."""
        while units := self.ready.take():
            for unit in units:
                self._settle(unit, now)
        wanted = {t: self.graph.tasks[t] for t in self.graph.tasks if t in self.ready.open}
        for task in list(wanted.values()):
            if task.id in self.ready.open and self.request.selection.leaves(task):
                self._leave(task, now, "left out by --only")
        wanted = {t: task for t, task in wanted.items() if t in self.ready.open}
        made = {name for task in wanted.values() for name in task.output_names}
        read = dict.fromkeys(
            name for task in wanted.values() for name in task.input_names if name not in made
        )
        return Graph(self.graph.name, wanted, {name: self.files.paths[name] for name in read})

    def _settle(self, unit: Unit, now: float) -> None:
        """Settle a task whose inputs exist; what must run is left open."""
        job = self.prepare(unit, now)
        if job is not None:
            for order in job.orders:  # an attempt is counted when it begins
                self._attempts[order.id] -= 1

    def began_on(self, tasks: Iterable[str], worker: str, now: float) -> None:
        """Record that a job has begun on a machine, with all of its tasks that are not settled yet."""
        for task_id in tasks:
            if task_id not in self.ready.open or task_id in self.running:
                continue
            task = self.ready.tasks[task_id]
            n = self._attempts[task_id] = self._attempts.get(task_id, 0) + 1
            self.running[task_id] = n
            reason = self._reason(task_id)
            self.journal.start_attempt(self.id, task_id, n, worker, now, task.step, reason)
            self.account.tell("started", task, now, reason)

    def _reason(self, task_id: str) -> str:
        if task_id in self._keys:
            return self._keys[task_id][2]
        name = next(iter(self.ready.tasks[task_id].input_names), "")
        return f"input {name!r} is made anew"

    def took_away(self, tasks: Iterable[str], why: str, now: float) -> None:
        """Record that the machine which had a job lost it, or gave it back: its tasks wait again."""
        for task_id in tasks:
            n = self.running.pop(task_id, None)
            if n is not None:
                report = Report(task_id, "failed", now, now, why)
                self.journal.end_attempt(self.id, n, "lost", report)
                self.account.tell("waiting", self.ready.tasks[task_id], now, why)

    def waits(self, tasks: Iterable[str], why: str) -> None:
        """Tell why a job does not run."""
        task = next((t for t in tasks if t in self.ready.open), None)
        if task is not None:
            self.account.warn(self.ready.tasks[task], why)

    def tried(
        self, tried: Tried, worker: str, folder: str, paths: Mapping[str, str], *, known: bool = False
    ) -> str:
        """Take in one attempt from the report of a job; return why it came to nothing, empty where it did not.

        `folder` is that of the job, and `paths` tells where each output lies in it. Of one that is `known`, what it
        made is brought home again, where that cannot be reused.
        """
        report, ended = tried.report, tried.ended
        if report.task not in self.ready.open:
            return ""
        if ended == "ok":
            report = self._brought_home(report, folder, paths)
            ended = "ok" if report.outcome == "ok" else "lost"
        known |= (report.task, report.started) in self._recorded
        if not known:
            self._end(replace(tried, ended=ended, report=report), worker, folder)
        if ended == "ok":
            self._keys.setdefault(report.task, ("", Parts("", {}, {}, ()), self._reason(report.task)))
            self._done(self.ready.tasks[report.task], report)
        elif ended == "lost" and not known:
            self.account.tell("waiting", self.ready.tasks[report.task], report.ended, report.error)
        return report.error

    def _end(self, tried: Tried, worker: str, folder: str) -> None:
        """Record how an attempt ended, which may not have been recorded as begun."""
        report = tried.report
        if report.task not in self.running:
            self.began_on((report.task,), worker, report.started)
        n = self.running.pop(report.task)
        if tried.log:
            _copy_log(f"{folder}/{tried.log}", self.workspace.log(self.id, report.task, n))
        self.journal.end_attempt(self.id, n, tried.ended, report)
        self._recorded.add((report.task, report.started))

    def _brought_home(self, report: Report, folder: str, paths: Mapping[str, str]) -> Report:
        """Put what a task made into the store, once its digest is what was told; else say that it is damaged."""
        made: dict[str, Made] = {}
        for name, told in report.made.items():
            try:
                source = f"{folder}/{paths[name]}"
                if digest_file(source) != told.digest:
                    error = f"its output {name!r} came back damaged: its digest is not what the worker told"
                    return replace(report, outcome="trouble", error=error, made={})
                made[name] = self._adopt(source, portable=self.ready.tasks[report.task].kind == "expand")
            except KeyError:
                error_text = f"its report tells of {name!r}, which it was not asked for"
                return replace(report, outcome="trouble", error=error_text, made={})
            except OSError as error:
                text = f"its output {name!r} cannot be kept: {error.strerror} ({error.filename})"
                return replace(report, outcome="trouble", error=text, made={})
        return replace(report, made=made)

    def _adopt(self, source: str, *, portable: bool) -> Made:
        """Copy a file into the store: other jobs may still be sent what lies in the folder of this one.

        In a `portable` one, tasks are called by the copies of modules that travelled; here they have their own.
        """
        part = Path(f"{self._store}/.{os.getpid()}-{os.urandom(4).hex()}")
        try:
            if portable:
                part.write_bytes(self._at_home(Path(source).read_bytes()))
            else:
                shutil.copyfile(source, part)
            return adopt(str(part), self._store)
        finally:
            part.unlink(missing_ok=True)

    def _at_home(self, described: bytes) -> bytes:
        said = orjson.loads(described)
        for row in said["tasks"]:
            for key in ("call", "place"):
                for there, here in self.homes.items():
                    if row[key].startswith(f"{there}/"):
                        row[key] = f"{here}{row[key][len(there) :]}"
        return orjson.dumps(said)

    def say(self, text: str, now: float) -> None:
        """Tell what should be known of the run as a whole, and keep it for who asks how the run stands."""
        if text != self._said:
            self._said = text
            with self.journal.change():
                self.journal.set_submission(self.id, {**self.journal.submission(self.id), "said": text})
            self.account.say(text, now)

    def again(self, undone: Iterable[str]) -> set[str]:
        """Return what of `undone` may be tried once more, and all that waits for it.

        These are tasks whose job ended well, to the scheduler, and has not done them: a job of which the worker's last
        words are lost, as when its schedd is killed, ends so without what it made.
        """
        found = {task for task in undone if self.undone[task] <= RETRIES}
        queue = list(found)
        for task in queue:  # grows while it is read
            more = set(self.ready.readers(task)) - found
            found |= more
            queue += more
        return found & self.ready.open

    def failed(self, task_id: str, report: Report, *, infrastructure: bool) -> None:
        """Record that a task has failed for good."""
        if task_id in self.ready.open:
            self.running.pop(task_id, None)
            self._fail(self.ready.tasks[task_id], report, infrastructure=infrastructure)


def _each_alone(graph: Graph) -> list[Unit]:
    return [(task,) for task in graph.order()]


def _copy_log(source: str, target: str) -> None:
    with suppress(OSError):  # a log is no reason to lose a run
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
