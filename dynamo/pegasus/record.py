"""What is recorded of a run that Pegasus has: its attempts as its log tells them, and where following it stands."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

from dynamo.engine.account import Account
from dynamo.engine.request import Request
from dynamo.graph.model import Graph, Task
from dynamo.journal import Journal
from dynamo.pegasus.states import FAILED, FINISHED, HELD, STARTED, SUCCEEDED, Told, task_of
from dynamo.targets.pegasus_work import node_id
from dynamo.worker.job import Report

__all__ = ["Record"]

_REASON = "Pegasus runs all tasks of a graph"


class Record:
    """One run, its journal, and what is told of it."""

    def __init__(self, request: Request, graph: Graph, journal: Journal, now: float) -> None:
        self.request, self.graph, self.journal = request, graph, journal
        self.account = Account(request.run, graph.name, request.products, now)
        self.began = now
        self.over = False
        #: Whether Pegasus says that every job ended well.
        self.whole = False
        #: Task to how its job ended last: the state, and the exit code where the log has one.
        self.ended: dict[str, Told] = {}
        self._tasks = {node_id(t): t for t in graph.tasks}
        self._running: dict[str, float] = {}
        self._counts: Counter[str] = Counter()
        self._pending: list[Told] = []
        known = journal.submission(request.run)
        self.submit = Path(known.get("submit", ""))
        #: Characters of the log that are recorded, and before which time (Unix seconds) lines are of an earlier try.
        self.read: int = known.get("read", 0)
        self.since: int = known.get("since", 0)

    def open(self) -> None:
        """Record that the run begins, or goes on; in the caller's transaction."""
        run = self.request.run
        if not self.request.resume:
            self.journal.add_run(run, self.request.graph, self.request.settings, self.began)
            return
        self.journal.forget_failures(run)
        self.journal.set_run(run, "running", None)
        self._counts.update(self.journal.count_attempts(run))
        for attempt in self.journal.attempts(run):
            if attempt.outcome == "running":
                self._running[attempt.task] = attempt.started
        for task in self.journal.tasks(run, live=False).values():
            if task.state == "done":
                self.ended[task.task] = Told(0, "", "JOB_SUCCESS", 0)

    def submitted(self, submit: Path, since: int = 0) -> None:
        """Record that Pegasus has the workflow, in its folder `submit`; lines before `since` are of an earlier try."""
        self.submit, self.read, self.since = submit, 0, since
        self.keep()

    def keep(self) -> None:
        """Make durable what was taken in, and how far the log was read."""
        with self.journal.change():
            self._apply()
            self.journal.set_submission(
                self.request.run, {"submit": str(self.submit), "read": self.read, "since": self.since}
            )

    def take_in(self, told: Told) -> None:
        """Note a line of the log, until `keep`."""
        self._pending.append(told)

    def _apply(self) -> None:
        for told in self._pending:
            if told.state == FINISHED and not told.job:
                self.over, self.whole = True, told.value == 0
            task_id = task_of(told.job, self._tasks)
            if task_id is not None:
                self._job(self.graph.tasks[task_id], told)
            elif told.job and told.state in FAILED:
                self.ended[told.job] = told
            elif told.job and told.state in SUCCEEDED:
                self.ended.pop(told.job, None)
        self._pending.clear()

    def _job(self, task: Task, told: Told) -> None:
        if told.state in STARTED and task.id not in self._running:
            self._running[task.id] = told.at
            self._counts[task.id] += 1
            self.journal.start_attempt(
                self.request.run, task.id, self._counts[task.id], told.site, told.at, task.step, _REASON
            )
            self.account.tell("started", task, told.at)
        elif told.state in HELD:
            self.account.warn(task, "its job is held; `pegasus-status -l` and `condor_q -hold` say why")
        elif told.state in SUCCEEDED | FAILED:
            self._ended(task, told)

    def _ended(self, task: Task, told: Told) -> None:
        """Note the end of a job, and whether its post script thinks otherwise."""
        before = self.ended.get(task.id)
        self.ended[task.id] = told
        began = self._running.pop(task.id, None)
        if began is None and before is not None and (before.state in SUCCEEDED) is (told.state in SUCCEEDED):
            return
        ok = told.state in SUCCEEDED
        report = Report(
            task.id,
            "ok" if ok else "failed",
            began or told.at,
            told.at,
            "" if ok else self.error(told),
            told.value,
        )
        self.journal.end_attempt(self.request.run, self._counts[task.id], "ok" if ok else "failed", report)
        if ok:
            self.journal.set_task(self.request.run, task.id, task.step, "done", _REASON, None)
            self.account.tell("done", task, told.at, seconds=told.at - (began or told.at))

    def error(self, told: Told) -> str:
        """Say how a job failed."""
        code = f" with exit code {told.value}" if told.value is not None else ""
        return f"its job failed{code} ({told.state}); `pegasus-analyzer {self.submit}` says more"

    def reported(self, task: Task, n: int, worker: str, report: Report) -> None:
        """Record one attempt as the job itself told it; in the caller's transaction."""
        run = self.request.run
        if n > self._counts[task.id]:
            self._counts[task.id] = n
            self.journal.start_attempt(run, task.id, n, worker, report.started, task.step, _REASON)
        self.journal.end_attempt(run, n, "ok" if report.outcome == "ok" else "failed", report)

    def attempts(self, task: Task) -> int:
        """How often a task began so far, as the log has it."""
        return self._counts[task.id]

    def end(self, *, ok: bool) -> None:
        """Record that the run is over."""
        with self.journal.change():
            self.journal.set_run(self.request.run, "done" if ok else "failed", time.time())
