"""Jobs under way: units of runs that are ready, and the workers that have some of them.

Enters: ready units, and what workers say. Leaves: jobs to be sent, workers that broke a limit. What follows for a run
is told it at once, within the caller's transaction. Goes wrong: workers, which their runs are told.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from dynamo.engine.capacity import Capacity
from dynamo.engine.inline import AHEAD, Inline
from dynamo.engine.queue import Queue
from dynamo.engine.ready import Unit
from dynamo.engine.run import Run
from dynamo.engine.workers import Gone, Reported, Worker, Workers
from dynamo.errors import InternalError
from dynamo.graph.needs import Needs
from dynamo.graph.units import format_bytes, format_count
from dynamo.journal.records import AttemptOutcome
from dynamo.worker.job import Job, Order
from dynamo.worker.limits import Breach, breach, how_it_died
from dynamo.worker.logs import LIMIT, cut, rescue, shorten
from dynamo.worker.sandbox import keep

__all__ = ["TICK", "Jobs"]

#: Seconds between looks at the memory, logs and time-outs of running tasks.
TICK = 0.2
#: Seconds that a worker with a job may still be importing what it was told to before.
PREPARING = 60.0


class Jobs:
    """What is to be run by the `workers` of one engine, side by side within its `capacity`."""

    def __init__(self, workers: Workers | Inline, capacity: Capacity) -> None:
        self._workers, self._capacity = workers, capacity
        self._queue = Queue()
        self._running: dict[str, tuple[Run, Needs]] = {}
        #: Units of runs that are to be tried again, and when (monotonic seconds).
        self._held: list[tuple[float, Run, list[Unit]]] = []
        self._looked = 0.0

    @property
    def runs(self) -> frozenset[str]:
        """Runs of which a worker has a job."""
        return frozenset(run.id for run, _ in self._running.values())

    @property
    def ready(self) -> bool:
        """Whether anything may be started."""
        return bool(self._queue)

    @property
    def held(self) -> bool:
        """Whether anything is held back."""
        return bool(self._held)

    def add(self, run: Run, units: Sequence[Unit] = ()) -> None:
        """Take what has become ready of a run, after `units` that are to be tried again."""
        self._queue.push(run, [*units, *run.ready.take()])

    def stop(self) -> None:
        """End what runs, and remove what it wrote."""
        self._queue.clear()
        self._held.clear()
        self._running.clear()
        self._workers.drop()

    def start(self, now: float) -> Iterator[tuple[Any, Job]]:
        """Take ready units in order of priority (the run's first) and deadline while they fit; yield their jobs."""
        cores = sum(needs.cores for _, needs in self._running.values())
        memory = sum(needs.memory for _, needs in self._running.values())
        most = self._capacity
        while self._queue:
            run, unit = self._queue.first()
            needs = run.needs(unit)
            if isinstance(self._workers, Inline):
                if len(self._running) >= AHEAD:
                    return
            elif self._running and (cores + needs.cores > most.cores or memory + needs.memory > most.memory):
                return  # strictly in order, so that a large job is not overtaken for ever
            self._queue.pop()
            job = run.prepare(unit, now)
            self.add(run)
            if job is None:
                continue
            memory_here = max(_limits(run, order).memory for order in job.orders)
            worker = self._workers.reserve(memory_here, run.place(unit), needs.cores)
            run.started(job, worker.name, now)
            self._running[job.id] = (run, needs)
            cores, memory = cores + needs.cores, memory + needs.memory
            yield worker, job

    def release(self) -> bool:
        """Have what was held back until now tried again; return whether there was any."""
        due = [held for held in self._held if held[0] <= time.monotonic()]
        for held in due:
            self._held.remove(held)
            self._queue.push(*held[1:])
        return bool(due)

    def take_in(self, event: Reported | Gone, now: float, pause: float = 0.0) -> None:
        """Take in what a worker said, or that it is gone; hold back for `pause` seconds what found the disk full."""
        worker, job = event.worker, event.worker.job
        assert job is not None
        if isinstance(event, Gone):
            self._lose(worker, how_it_died(event.lost), "lost", now)
            return
        run, _ = self._running[job.id]
        report = event.report
        if report.logged > LIMIT:
            _note_cut(run, report.task, shorten(next(o.log for o in job.orders if o.id == report.task)))
        again = run.reported(report)
        if job.orders[-1].id == report.task:
            del self._running[job.id]
            worker.job = None
        elif isinstance(worker, Worker) and worker.left and run.ready.tasks[worker.left[0]].needs.memory:
            worker.base = worker.resident()
        if again and pause and report.outcome == "full":
            self._held.append((time.monotonic() + pause, run, again))
            again = []
        self.add(run, again)

    def look(self, reported: Collection[Any]) -> list[tuple[Worker, Breach]]:
        """Look after what runs, once a tick, since it reads /proc: cut logs, return who broke a limit.

        Of workers that have just `reported`, what is known is of the task before.
        """
        if isinstance(self._workers, Inline) or time.monotonic() - self._looked < TICK:
            return []
        self._looked = time.monotonic()
        broken = []
        for worker in self._workers.busy:
            if worker.job is None or not worker.left or worker in reported:
                continue
            run, _ = self._running[worker.job.id]
            found = _look_at(worker, _limits(run, _current(worker.job, worker)))
            if not worker.preparing:
                _note_cut(run, worker.left[0], cut(worker.log))
            if found is not None:
                broken.append((worker, found))
        return broken

    def end(self, worker: Worker, found: Breach, now: float) -> None:
        """Kill a worker whose task broke a limit, unless that was through in the meantime."""
        if isinstance(self._workers, Workers) and worker in self._workers.busy and worker.left:
            self._workers.kill(worker)
            self._lose(worker, found.error, found.outcome, now)

    def check_over(self, runs: Iterable[Run]) -> None:
        """Refuse to wait for ever for tasks that nothing can start any more."""
        if self._running or self._queue or self._held:
            return
        stuck = [task for run in runs for task in run.ready.open]
        if stuck:
            raise InternalError(
                f"nothing runs, but {format_count(len(stuck), 'task')} not settled: {', '.join(stuck[:5])}"
            )

    def _lose(self, worker: Worker, error: str, outcome: AttemptOutcome, now: float) -> None:
        """Take in that a worker is gone, with its job."""
        job = worker.job
        assert job is not None
        run, _ = self._running.pop(job.id)
        current = _current(job, worker)
        _note_cut(run, current.id, rescue(worker.log, current.log))
        with suppress(OSError):
            keep(worker.sandbox, current.keep)
        began = now - (time.monotonic() - worker.begun)
        self.add(run, run.lost(worker.left, error, outcome, began, now))


def _current(job: Job, worker: Worker) -> Order:
    """Return what the worker does of its job."""
    return next(order for order in job.orders if order.id == worker.left[0])


def _limits(run: Run, order: Order) -> Needs:
    """Return the limits that the engine looks after: a container of its own has its memory limited by the kernel."""
    needs = run.ready.tasks[order.id].needs
    return needs if order.container is None else replace(needs, memory=0)


def _look_at(worker: Worker, needs: Needs) -> Breach | None:
    """Return the limit that the worker's task has broken, if any."""
    seconds = time.monotonic() - worker.begun
    if worker.preparing or not worker.spawned.connected:  # limits are for the task, which has not begun
        what = (
            "an import that was made ahead did not end"
            if worker.preparing
            else "its container did not come up"
        )
        return Breach("lost", what) if seconds > PREPARING else None
    resident = worker.resident() if needs.memory else 0
    worker.base = min(worker.base, resident)
    return breach(needs, seconds, resident - worker.base)


def _note_cut(run: Run, task: str, dropped: int) -> None:
    if dropped:
        text = f"it wrote too much to its log; {format_bytes(dropped)} of it were not kept"
        run.account.warn(run.ready.tasks[task], text)
