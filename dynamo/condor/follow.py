"""Follow a submitted DAG: its logs and reports go in, the journal and products come out.

`Follower.take` decides what an event means for the run; the loop around it, in `dynamo.condor.engine`, is thin.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

from dynamo.condor.direct import Notes
from dynamo.condor.folder import DagFolder, DagJob
from dynamo.condor.log import Happened, Log
from dynamo.condor.run import PoolRun
from dynamo.condor.spooled import Spooled
from dynamo.condor.standing import Standing
from dynamo.graph.units import format_count
from dynamo.worker.job import Report
from dynamo.worker.returned import Returned

__all__ = ["Follower"]

#: How a task fails by itself, for good.
_OWN = ("failed", "timeout", "memory")


class Follower:
    """What is known of one submission of a run.

    With `failing` off, only what it made counts: all else is about to be tried again.
    """

    def __init__(
        self, run: PoolRun, folder: DagFolder, *, failing: bool = True, spooled: Spooled | None = None
    ) -> None:
        self._failing, self._spooled = failing, spooled
        self._run, self._folder = run, folder
        self._nodes: dict[Path, Log] = {}
        self._own = Log(folder.own_log)
        self._notes = Notes(folder)
        run.homes = folder.homes
        self._machine: dict[str, str] = {}
        #: Job to why its tasks are not done; and task to why an attempt of it came to nothing.
        self._why: dict[str, str] = {}
        self._lost: dict[str, str] = {}
        #: Jobs that ended well, to the scheduler.
        self._well: set[str] = set()
        self._seen: Counter[str] = Counter()
        #: Name of a log to how much of which one was taken in by an earlier follower.
        self._taken: dict[str, tuple[str, int]] = {
            name: (head, count)
            for name, (head, count) in run.journal.submission(run.id).get("taken", {}).items()
        }
        #: Whether the DAG has begun, or may; whether it has left the queue; and whether somebody removed it.
        self.begun = self.ended = self.removed = False
        self.standing = Standing()

    def happened(self) -> list[tuple[Happened, bool]]:
        """Return what was logged since the last call, and of each whether an earlier follower took it in."""
        own = list(self._read(self._own))  # first: when the DAG has ended, its jobs' log is whole
        for path in self._folder.nodes_logs:
            self._nodes.setdefault(path, Log(path))
        return [*(found for log in self._nodes.values() for found in self._read(log)), *own]

    def _read(self, log: Log) -> Iterator[tuple[Happened, bool]]:
        for what in log.read():
            head, count = self._taken.get(log.name, ("", 0))
            yield what, log.head == head and log.count <= count

    def take(self, what: Happened, *, known: bool = False, later: int = 0) -> None:
        """Take in one event, within a change of the journal.

        Of one that is `known` the journal has all that is to be recorded. `later` is how often the job ended after
        that, as far as is logged.
        """
        if not what.job:
            self._take_own(what, known=known)
            return
        job = self._folder.job(what.job)
        if job is None:
            return  # the last node, or that of a DAG below this one
        match what.kind:
            case "began":
                self._machine[job.name] = what.machine
                self._why.pop(job.name, None)
                if not known:
                    self._run.began_on(job.tasks, what.machine, what.at)
            case "ended":
                self._end(job, what, known=known, later=later)
            case "held" | "removed":
                self._why.setdefault(job.name, what.text or "it was removed from the queue")
        if what.kind in ("away", "held", "removed") and not known:
            self._run.took_away(job.tasks, self._why.get(job.name, what.text), what.at)
        if what.kind == "held" and not known:
            self._run.waits(job.tasks, what.text)

    def _take_own(self, what: Happened, *, known: bool) -> None:
        if what.kind == "submitted":  # once more, from a rescue DAG: what ended before did not end it
            self.ended = self.removed = False
        elif what.kind in ("released", "began"):
            self.begun = True
        elif what.kind == "ended":
            self.ended = True
            self._why.setdefault("", what.text or f"it ended with exit code {what.code}")
        elif what.kind == "removed":
            self.ended = self.removed = True
        elif what.kind == "held":
            self._why[""] = what.text
            if not known:
                self._run.waits(self._run.ready.tasks, f"its DAG is held: {what.text}")

    def _end(self, job: DagJob, what: Happened, *, known: bool, later: int) -> None:
        """Take in what a job sent back."""
        told = job.returned()
        until = sum(tried.round <= told.rounds - later for tried in told.tried)
        machine = self._machine.get(job.name, told.machine)
        for tried in told.tried[self._seen[job.name] : until]:
            why = self._run.tried(tried, machine, str(job.folder), job.outputs, known=known)
            self._lost[tried.report.task] = f"{why} (on {machine})" if why and machine else why
        self._seen[job.name] = max(self._seen[job.name], until)
        # On a shared disk, the report of a try that is under way is there already.
        if what.code and self._failing and not later and told.ended >= told.began:
            self._fail_own(told)
        if not what.code:
            self._well.add(job.name)
            self._run.undone.update(self._run.ready.open.intersection(job.tasks))
        self._why[job.name] = told.error or what.text or f"its job ended with exit code {what.code}"
        if not known:
            self._run.took_away(job.tasks, self._why[job.name], what.at)

    def _fail_own(self, told: Returned) -> None:
        """Fail what failed by itself: no other try of the job tries that again."""
        for task, last in told.last.items():
            if last.ended in _OWN:
                self._run.failed(task, last.report, infrastructure=False)

    @property
    def spoilt(self) -> list[str]:
        """Tasks that are not done though their job ended well: to the DAG they are, which will not run them again."""
        jobs = (job for job in self._folder.jobs.values() if job.name in self._well)
        return [task for job in jobs for task in job.tasks if task in self._run.ready.open]

    def again(self) -> set[str]:
        """Return the tasks that another DAG may try once more, since a job of this one lost what it made."""
        return self._run.again(self.spoilt)

    def give_up(self, now: float, *, last: bool = False) -> None:
        """Fail what the DAG has left undone, with the reason of the job that had it.

        Unless this is the `last` DAG for now, what may be tried again is spared.
        """
        again = set() if last else self.again()
        for job in self._folder.jobs.values():
            if job.name in self._why:
                self._fail_job(job, now, again)

    def abandon(self, now: float) -> None:
        """Fail all that is left: nothing will run it any more."""
        ready = self._run.ready
        made = {name for task in ready.open for name in ready.tasks[task].output_names}
        why = f"its DAG ended without it: {self._why.get('', 'it is not in the queue any more')}"
        for task in [t for t in ready.tasks if t in ready.open]:
            if task in ready.open and made.isdisjoint(ready.tasks[task].input_names):
                said = f"{why}; see {self._folder.dag}.dagman.out"
                self._run.failed(task, Report(task, "failed", now, now, said), infrastructure=True)

    def _fail_job(self, job: DagJob, now: float, again: Collection[str]) -> None:
        told = job.returned()
        for task in job.tasks:
            if task in self._run.ready.open and task not in again:
                lost = told.last.get(task)
                why = self._lost.get(task) or (lost.report.error if lost else "") or self._why[job.name]
                times = sum(t.report.task == task and t.ended == "lost" for t in told.tried)
                why += f"; tried {format_count(times, 'time')}" if times > 1 else ""
                self._run.failed(task, Report(task, "failed", now, now, why), infrastructure=True)

    def catch_up(self) -> bool:
        """Take in all that was logged since the last call; return whether there was anything."""
        over = self._spooled is not None and self._spooled()
        happened = [(self._notes.take(what), known) for what, known in self.happened()]
        if self._spooled and not over and any(what.kind == "ended" for what, _ in happened):
            self._spooled.again()
        self.ended |= over
        self.removed |= over and self._spooled is not None and self._spooled.removed
        later = Counter(what.job for what, _ in happened if what.kind == "ended")
        if happened:
            with self._run.journal.change():
                for what, known in happened:
                    ours = bool(what.job) and self._folder.job(what.job) is not None
                    self.standing.take(what, time.time(), counts=ours)
                    later[what.job] -= what.kind == "ended"
                    self.take(what, known=known, later=later[what.job])
                self._note()
        if not self._failing and self._run.running:
            with self._run.journal.change():
                self._run.took_away(list(self._run.running), "its DAG has left the queue", time.time())
        return bool(happened)

    def _note(self) -> None:
        """Record how far the logs were taken in."""
        journal, run = self._run.journal, self._run.id
        taken = {log.name: [log.head, log.count] for log in (*self._nodes.values(), self._own) if log.count}
        journal.set_submission(run, {**journal.submission(run), "taken": taken})
