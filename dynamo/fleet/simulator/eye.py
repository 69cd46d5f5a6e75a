"""The view of a simulation: what the policy would see of the queue, the pool and the clouds."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from dynamo.fleet.simulator.cloud import Cloud
from dynamo.fleet.simulator.faults import NoCollector
from dynamo.fleet.simulator.machine import Machine
from dynamo.fleet.simulator.pool import Pool
from dynamo.fleet.simulator.queue import Queue, Shape
from dynamo.fleet.simulator.scenario import Scenario
from dynamo.fleet.view import Coming, Load, View, Worker

__all__ = ["Eye"]

#: Of a job that has run longer than was expected, this share of what it did is taken to be left.
_OVERDUE = 0.15
#: The share of what jobs of one class miss that they miss together; both as in `dynamo.fleet.predict`.
_ALIKE = 0.25
_HOUR = 3600.0


class Eye:
    """Makes the views; what did not change since the last one is kept.

    Parameters
    ----------
    scenario
        The world.
    queue, pool, cloud
        What is seen.
    """

    def __init__(self, scenario: Scenario, queue: Queue, pool: Pool, cloud: Cloud) -> None:
        self._scenario = scenario
        self._queue = queue
        self._pool = pool
        self._cloud = cloud
        self._workers: dict[int, Worker] = {}
        self._fresh: dict[
            int, float
        ] = {}  # number of a machine -> until when its worker stands as it was made
        self._over: dict[str, deque[tuple[float, bool]]] = {}
        self._late: dict[str, int] = {}
        self.changed: set[Machine] = set()
        self.began: list[float] = [0.0] * len(queue.jobs)

    def finished(self, number: int, now: float) -> None:
        """Take note of when a job was done, for the lateness of its class."""
        job = self._queue.jobs[number]
        late = now > job.due
        self._over.setdefault(job.kind, deque()).append((now, late))
        if late:
            self._late[job.kind] = self._late.get(job.kind, 0) + 1

    def view(self, now: float, coming: Sequence[Coming]) -> View:
        """Return what is seen at this time."""
        blind = [
            each
            for each in self._scenario.faults
            if isinstance(each, NoCollector) and each.start <= now < each.end
        ]
        workers = self._all_workers(now)
        if blind:
            workers = tuple(replace(each, busy=0, ends=None, urgent=False) for each in workers)
        limits = self._scenario.limits
        if not math.isinf(limits.usd_per_day):
            limits = replace(limits, usd_today=self._cloud.spent_today(now))
        return View(
            now=now,
            loads=() if blind else self._loads(now),
            workers=workers,
            offers=self._cloud.offers(),
            groups=self._scenario.groups,
            coming=() if blind else coming,
            limits=limits,
            trusted=not any(each.noticed for each in blind),
            lateness=self._lateness(now),
        )

    def _loads(self, now: float) -> tuple[Load, ...]:
        queue = self._queue
        sums: dict[tuple[str, float, Shape], _Sum] = {}
        for tally, longest in queue.waiting():
            one = sums.setdefault((tally.job.kind, tally.due, tally.shape), _Sum())
            one.waiting += tally.waiting
            one.work += tally.work
            one.joint += tally.joint
            one.apart += tally.apart
            one.longest = max(one.longest, longest)
            one.known &= queue.estimate[tally.longest[0][1]][2]
        self._add_running(sums, now)
        return tuple(_load(*each) for each in sums.items())

    def _add_running(self, sums: dict[tuple[str, float, Shape], _Sum], now: float) -> None:
        """Add what is left of the jobs that run, as `dynamo.fleet.predict.Estimate.left` has it."""
        jobs, estimate, began, tally_of = (
            self._queue.jobs,
            self._queue.estimate,
            self.began,
            self._queue.tally,
        )
        for number, machine in self._pool.on.items():
            job = jobs[number]
            expected, high, known = estimate[number]
            done = (now - began[number]) * job.cores * machine.offer.speed
            least = _OVERDUE * done  # a call of max would double what this loop costs
            left = expected - done if expected - done > least else least  # noqa: FURB136
            tally = tally_of[number]
            assert tally is not None
            key = (job.kind, job.due, tally.shape)
            one = sums.get(key)
            if one is None:
                one = sums[key] = _Sum()
            one.running += 1
            one.work += left
            if high - done > left:
                more = high - done - left
                one.joint += more
                one.apart += more * more
            if left > one.longest * job.cores:
                one.longest = left / job.cores
            one.known &= known

    def _all_workers(self, now: float) -> tuple[Worker, ...]:
        workers, fresh, live = self._workers, self._fresh, self._cloud.live
        for machine in self.changed:
            if machine.state == "gone":
                workers.pop(machine.number, None)
                fresh.pop(machine.number, None)
            else:
                self._see(machine, now)
        self.changed.clear()
        for number in [number for number, until in fresh.items() if until <= now]:
            self._see(live[number], now)
        return tuple(workers.values())

    def _see(self, machine: Machine, now: float) -> None:
        ends, urgent, until = self._ends(machine, now)
        paid, quantum = self._paid_until(machine, now)
        if quantum >= self._scenario.interval:
            until = min(until, paid)
        if until < math.inf:
            self._fresh[machine.number] = until
        else:
            self._fresh.pop(machine.number, None)
        state = machine.state
        assert state != "gone"
        self._workers[machine.number] = Worker(
            token=machine.token,
            group=machine.offer.group,
            offer=machine.offer.key,
            stage=state,
            since=machine.since,
            made=machine.made,
            cores=machine.offer.cores,
            busy=machine.offer.cores - machine.free,
            idle_since=machine.idle_since,
            ends=ends,
            urgent=urgent,
            paid_until=paid,
        )

    def _ends(self, machine: Machine, now: float) -> tuple[float | None, bool, float]:
        """Return when its last job is expected to end, whether one has a deadline, and until when that holds."""
        ends, dues = None, []
        for number in machine.jobs:
            job = self._queue.jobs[number]
            end = self.began[number] + self._queue.estimate[number][0] / (job.cores * machine.offer.speed)
            ends = end if ends is None else max(ends, end)
            if end <= job.due < math.inf and job.due > now:
                dues.append(job.due)
        return ends, bool(dues), max(dues, default=math.inf)

    def _paid_until(self, machine: Machine, now: float) -> tuple[float, float]:
        offer = machine.offer
        begin = machine.made if self._scenario.paid_from == "order" else machine.ready
        if begin > now or not offer.quantum:
            return max(now, begin if begin < math.inf else now), 0.0
        steps = max(offer.minimum, (math.floor((now - begin) / offer.quantum) + 1) * offer.quantum)
        return begin + steps, offer.quantum

    def _lateness(self, now: float) -> dict[str, float]:
        shares = {}
        for kind, over in self._over.items():
            while over and over[0][0] <= now - _HOUR:
                self._late[kind] = self._late.get(kind, 0) - over.popleft()[1]
            if over:
                shares[kind] = self._late.get(kind, 0) / len(over)
        return shares


class _Sum:
    """What the jobs of one load come to."""

    __slots__ = ("apart", "joint", "known", "longest", "running", "waiting", "work")

    def __init__(self) -> None:
        self.waiting = self.running = 0
        self.work = self.joint = self.apart = self.longest = 0.0
        self.known = True


def _load(key: tuple[str, float, Shape], one: _Sum) -> Load:
    kind, due, shape = key
    return Load(
        kind=kind,
        due=due,
        waiting=one.waiting,
        running=one.running,
        work=one.work,
        high=one.work + math.sqrt(_ALIKE * one.joint * one.joint + (1 - _ALIKE) * max(one.apart, 0.0)),
        longest=one.longest,
        cores=shape.cores,
        memory=shape.memory,
        groups=shape.groups,
        known=one.known,
    )
