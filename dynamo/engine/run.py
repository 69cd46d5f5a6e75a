"""One run under way: what it decides, what it records, what it ends with.

All that is written to the journal is written inside the caller's transaction; what must follow only once that
is durable (publishing, telling observers) is collected in its `Account`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from dynamo.engine.account import Account
from dynamo.engine.expansion import check_new, read_found
from dynamo.engine.files import Files
from dynamo.engine.known import Facts
from dynamo.engine.place import Place, Places
from dynamo.engine.ready import ReadySet, Unit
from dynamo.engine.request import Request
from dynamo.errors import UserError
from dynamo.graph.model import Graph, Task
from dynamo.graph.needs import Needs
from dynamo.graph.units import format_count
from dynamo.journal import Journal, Parts, Result, Workspace
from dynamo.journal.records import AttemptOutcome
from dynamo.planning import Selection, key_of, parts_of, units
from dynamo.planning.plan import settle
from dynamo.worker.job import Job, Made, Order, Outcome, Report, found_name
from dynamo.worker.limits import RETRIES

__all__ = ["Run"]

_RECORDED: Mapping[Outcome, AttemptOutcome] = {
    "ok": "ok", "failed": "failed", "blocked": "blocked", "full": "lost", "trouble": "lost",
}  # fmt: skip


class Run:
    """The state of one run in one engine.

    `fits` raises `UserError` where a task of a graph asks for more than the engine has; `shared` says which tasks of a
    graph share a job, `places` in which containers they run.
    """

    def __init__(
        self,
        request: Request,
        workspace: Workspace,
        journal: Journal,
        facts: Facts,
        fits: Callable[[Graph], None],
        now: float,
        shared: Callable[[Graph], Iterable[Unit]] = units,
        places: Places | None = None,
    ) -> None:
        self.request = request
        self.id = request.run
        self.workspace = workspace
        self._store = str(workspace.store)
        self.journal = journal
        self.facts = facts
        self.began = now
        self.graph = request.selection.restrict(request.graph)
        self._fits = fits
        self.places = places or Places(facts.here, "", "", ())
        self.files = Files(str(workspace.store), facts)
        #: Files of run-time workflows, to the tasks that make them.
        self._added: dict[str, str] = {}
        fits(self.graph)
        self.files.bring_in({n: p for n, p in self.graph.sources.items() if n in self.graph.consumers})
        self._shared = shared
        self.ready = ReadySet(self.graph, shared(self.graph))
        self.running: dict[str, int] = {}
        self.account = Account(self.id, self.graph.name, request.products, now)
        self._attempts: dict[str, int] = {}
        self._done_before: set[str] = set()
        self._losses: dict[str, int] = {}
        self._keys: dict[str, tuple[str, Parts, str]] = {}

    @property
    def over(self) -> bool:
        """Whether nothing runs and nothing can become ready."""
        return not self.running and not self.ready.open

    def open(self) -> None:
        """Record that the run begins or goes on."""
        if self.request.resume:
            self.journal.run(self.id)  # it may have been removed since it was asked for
            self.journal.lose_attempts(self.id, self.began)
            self.journal.forget_failures(self.id)
            self._attempts = self.journal.count_attempts(self.id)
            self._spare_done()
            self.journal.set_run(self.id, "running", None)
        else:
            self.journal.add_run(self.id, self.request.graph, self.request.settings, self.began)

    def _spare_done(self) -> None:
        """Note what was done before the interruption: where it was forced, it is not forced again."""
        found = self.journal.tasks(self.id).values()
        self._done_before = {known.task for known in found if known.state in ("done", "reused")}

    def needs(self, unit: Unit) -> Needs:
        """What the job of `unit` needs: the most that any of its tasks does."""
        return Needs.most([self.ready.tasks[t].needs for t in unit])

    def place(self, unit: Unit) -> Place | None:
        """Where the job of `unit` runs; its tasks all do."""
        return self.places.of(self.ready.tasks[unit[0]])

    def prepare(self, unit: Unit, now: float) -> Job | None:
        """Settle the tasks of a ready unit; return the job for those that must run, if any."""
        orders: list[Order] = []
        inside: set[str] = set()
        for task_id in unit:
            task = self.ready.tasks[task_id]
            names = list(task.input_names)
            if any(n in inside for n in names):
                if self.request.selection.leaves(task):
                    self._leave(task, now, "left out by --only")
                    continue
                reason = "an input is made anew by the same job"
            elif any(n not in self.files.digests for n in names):
                if task_id in self.ready.open:  # its maker is tried again elsewhere
                    self.ready.wait((task_id,))
                continue  # its maker in this job was left out or is lost: it was closed with it
            else:
                decision, parts = settle(
                    self.graph.name, task, self.files.digests, self.facts, self._asked(task)
                )
                if decision.action == "reuse" and decision.result is not None:
                    self._reuse(task, decision.result, decision.reason, parts, now)
                    continue
                if decision.action == "leave":
                    self._leave(task, now, decision.reason)
                    continue
                assert decision.key is not None
                reason = decision.reason
                self._keys[task_id] = (decision.key, parts, reason)
            orders.append(self._order(task, reason, inside))
            inside.update(task.output_names)
            if task.kind == "expand":
                inside.add(found_name(task))
        if not orders:
            return None
        return Job(f"{self.id}/{orders[0].id}", tuple(orders), self._store)

    def _asked(self, task: Task) -> Selection:
        selection = self.request.selection
        if selection.force and task.id in self._done_before:
            return replace(selection, force=())
        return selection

    def _order(self, task: Task, reason: str, inside: set[str]) -> Order:
        n = self._attempts[task.id] = self._attempts.get(task.id, 0) + 1
        if task.id not in self._keys:
            self._keys[task.id] = ("", Parts("", {}, {}, ()), reason)
        paths = {name: "" if name in inside else self.files.paths[name] for name in task.input_names}
        log, keep = self.workspace.log(self.id, task.id, n), self.workspace.kept(self.id, task.id)
        return Order.of(task, paths, log, keep, self.places.box(task))

    def started(self, job: Job, worker: str, now: float) -> None:
        """Record that a job is about to begin."""
        for order in job.orders:
            task = self.ready.tasks[order.id]
            _, _, reason = self._keys[order.id]
            n = self.running[order.id] = self._attempts[order.id]
            self.journal.start_attempt(self.id, order.id, n, worker, now, task.step, reason)
            self.account.tell("started", task, now, reason)

    def reported(self, report: Report) -> list[Unit]:
        """Take in how a task went; return units to be tried again."""
        task = self.ready.tasks[report.task]
        n = self.running.pop(report.task)
        changed = self.files.changed(task.input_names) if report.outcome == "ok" else ""
        if changed:
            error = f"its input {changed!r} was changed while it ran; a task leaves its inputs as they are"
            report = replace(report, outcome="failed", error=error, made={})
        outcome = _RECORDED[report.outcome]
        self.journal.end_attempt(self.id, n, outcome, report)
        if outcome == "ok":
            self._done(task, report)
            return []
        if outcome == "blocked":
            if task.id in self.ready.open:  # the task that should have made its input is tried again
                self.ready.wait((task.id,))
            return []
        return self._try_again(task, report, infrastructure=outcome == "lost")

    def lost(
        self, left: list[str], error: str, outcome: AttemptOutcome, began: float, now: float
    ) -> list[Unit]:
        """Take in that a worker died or was killed; return units to be tried again.

        The first of `left` was running, since `began`; the others had not begun.
        """
        current, *waiting = left
        for task_id in left:
            n = self.running.pop(task_id)
            begun = task_id == current
            since, why = (began, error) if begun else (now, "the job ended before it began")
            row = Report(task_id, "failed", since, now, why)
            self.journal.end_attempt(self.id, n, outcome if begun else "lost", row)
            if not begun:
                self.account.tell("waiting", self.ready.tasks[task_id], now, row.error)
        report = Report(current, "failed", began, now, error)
        again = self._try_again(self.ready.tasks[current], report, infrastructure=outcome == "lost")
        rest = tuple(t for t in waiting if t in self.ready.open)
        if again and rest:
            return [(*again[0], *rest)]
        return again or ([rest] if rest else [])

    def _try_again(self, task: Task, report: Report, *, infrastructure: bool) -> list[Unit]:
        allowed = RETRIES if infrastructure else task.needs.retries
        losses = self._losses[task.id] = self._losses.get(task.id, 0) + 1
        if losses <= allowed:
            self.account.tell(
                "retried", task, report.ended, f"{report.error}; trying again ({losses} of {allowed})"
            )
            return [(task.id,)]
        error = report.error
        if infrastructure:
            error += f"; tried {format_count(losses, 'time')}"
        self._fail(task, replace(report, error=error), infrastructure=infrastructure)
        return []

    def _done(self, task: Task, report: Report) -> None:
        key, parts, reason = self._keys.pop(task.id)
        if not key:  # its inputs were made by the same job and are known only now
            parts = parts_of(task, self.facts.code(task.call), self.files.digests, self.facts.image(task))
            key = key_of(task, parts)
        self._exist(task, report.made)
        if self.facts.unchanged(task.call):
            self.journal.add_result(Result(key, self.id, task.id, report.made), report.ended)
            self.journal.set_latest(self.graph.name, task.id, key, parts, report.ended)
        else:
            self.account.warn(task, "its code changed while it ran; its result serves this run only")
        self.journal.set_task(self.id, task.id, task.step, "done", reason, key)
        self.account.tell("done", task, report.ended, reason, report.ended - report.started)
        self._close(task, report.made, report)

    def _reuse(self, task: Task, result: Result, reason: str, parts: Parts, now: float) -> None:
        self._exist(task, result.made)
        self.journal.use_result(result.key, now)
        self.journal.set_latest(self.graph.name, task.id, result.key, parts, now)
        self.journal.set_task(self.id, task.id, task.step, "reused", reason, result.key)
        self.account.tell("reused", task, now, reason)
        self._close(task, result.made, Report(task.id, "ok", now, now))

    def _leave(self, task: Task, now: float, reason: str) -> None:
        self.account.tell("left", task, now, reason)
        for blocked in self.ready.lose(task.id):
            self.account.tell("left", self.ready.tasks[blocked], now, f"needs what {task.id} would make")

    def _exist(self, task: Task, made: Mapping[str, Made]) -> None:
        self.files.add(made)
        if task.kind != "expand":
            for name in made:
                self.account.exist(name, self.files.paths[name])

    def _close(self, task: Task, made: Mapping[str, Made], report: Report) -> None:
        self.ready.close(task.id)
        if task.kind == "expand":
            try:
                self._expand(task)
            except UserError as error:  # what it described cannot be run: no fault of the engine
                self._fail(task, replace(report, error=str(error)), infrastructure=False)
        self.ready.exist(made)

    def _expand(self, task: Task) -> None:
        """Add what a run-time workflow described to the run."""
        found = read_found(self.files.paths[found_name(task)], task)
        more, jobs = {n: p for n, p in found.sources.items() if p}, self._shared(found)
        self._fits(found)
        makers = {name: maker for name, maker in found.producer.items() if name not in task.output_names}
        check_new(task, makers, found, self._origin)
        self.files.bring_in(more)
        self._added.update(makers)
        self.journal.add_expansion(self.id, task.id, found)
        self.ready.expand(task.id, found, jobs)
        self.account.tell("added", task, self.began, format_count(len(found.tasks), "task"))

    def _origin(self, name: str) -> str | None:
        """Return the task that makes a file, or where it comes from."""
        return self._added.get(name) or self.graph.producer.get(name) or self.graph.sources.get(name)

    def _fail(self, task: Task, report: Report, *, infrastructure: bool) -> None:
        key, _, _ = self._keys.pop(task.id, ("", None, ""))
        n = self._attempts.get(task.id, 0)
        self.journal.set_task(self.id, task.id, task.step, "failed", report.error, key or None)
        self.account.tell("failed", task, report.ended, report.error, report.ended - report.started)
        blocked = self.ready.lose(task.id)
        for b in blocked:
            reader = self.ready.tasks[b]
            self.journal.set_task(self.id, b, reader.step, "blocked", f"{task.id} failed", None)
            self.account.tell("blocked", reader, report.ended, f"{task.id} failed")
        log, kept = self.workspace.log(self.id, task.id, n), self.workspace.kept(self.id, task.id)
        self.account.fail(task, report.error, log, kept, blocked, infrastructure=infrastructure)
