"""A pool in memory: machines of a `Cloud` join it, jobs run on them in the time of a clock that a test turns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from dynamo.errors import InfrastructureError
from dynamo.fleet.machine import Machine
from dynamo.fleet.queue import Done, Job, PoolWorker, Reading
from dynamo.testing.cloud import Cloud

__all__ = ["MemoryJob", "MemoryPool"]


@dataclass
class MemoryJob:
    """A job: its class, the seconds that it takes, and how it stands."""

    id: str
    kind: str
    seconds: float
    due: float = float("inf")
    cores: int = 1
    queued: float = 0.0
    began: float | None = None
    ended: float | None = None
    machine: str = ""
    starts: int = 0
    run: str = ""
    feed: str = ""
    clock: str = ""
    features: Mapping[str, float] = field(default_factory=dict)


@dataclass
class MemoryPool:
    """A pool whose workers are the machines of a cloud that run.

    Parameters
    ----------
    cloud
        Whose machines join; each has the cores of its order.
    clock
        The time, in Unix seconds.
    join
        Seconds from when a machine runs until it joins.
    never
        Ids of machines that never do.
    refused
        Tokens of workers that are believed no more.
    down
        Whether it does not answer.
    restarted
        When its collector was restarted; until each worker says again that it is there, nobody is known.
    update
        Seconds until all have said so.
    queues
        Node groups whose machines take jobs in, and run none, to how many are in the queue of each.
    """

    cloud: Cloud
    clock: Callable[[], float]
    join: float = 5.0
    never: set[str] = field(default_factory=set)
    down: bool = False
    restarted: float = float("-inf")
    update: float = 60.0
    refused: Collection[str] = ()
    queues: dict[str, int] = field(default_factory=dict)
    jobs: dict[str, MemoryJob] = field(default_factory=dict)
    draining: set[str] = field(default_factory=set)
    idle: dict[str, float] = field(default_factory=dict)

    def submit(
        self, kind: str, seconds: float, count: int = 1, *, within: float = float("inf"), **more: Any
    ) -> None:
        """Have jobs come, to be done within so many seconds; `more` are fields of `MemoryJob`."""
        now = self.clock()
        for _ in range(count):
            id_ = f"{len(self.jobs) + 1}.0"
            self.jobs[id_] = MemoryJob(id_, kind, seconds, now + within, queued=now, **more)

    def port(self) -> MemoryPool:
        """Return what a controller asks: this pool."""
        return self

    def members(self) -> dict[str, Machine]:
        """Return the machines that have joined, by the tokens of their orders."""
        joined = self.clock() + self.cloud.skew - self.cloud.boot - self.join
        return {
            one.tags.token: one
            for one in self.cloud.machines.values()
            if one.there and (one.created or 0.0) <= joined
            if one.id not in self.never and one.tags.token not in self.refused
        }

    def step(self) -> None:
        """Let time pass until now: jobs end, those of machines that are gone wait again, others begin."""
        now, members = self.clock(), self.members()
        for job in self.jobs.values():
            if job.began is not None and job.ended is None:
                if job.machine not in members:
                    job.began, job.machine = None, ""
                elif now - job.began >= job.seconds:
                    job.ended = job.began + job.seconds
        free = {
            token: self._cores(one)
            for token, one in members.items()
            if token not in self.draining and one.tags.group not in self.queues
        }
        for job in self.running():
            if job.machine in free:
                free[job.machine] -= job.cores
        waiting = [one for one in self.jobs.values() if one.began is None]
        for job in sorted(waiting, key=lambda one: (one.due, one.queued)):
            token = next((token for token, cores in free.items() if cores >= job.cores), None)
            if token is not None:
                job.began, job.machine, job.starts = now, token, job.starts + 1
                free[token] -= job.cores
        busy = {job.machine for job in self.running()}
        self.idle = {token: self.idle.get(token, now) for token in members if token not in busy}

    def running(self) -> list[MemoryJob]:
        """Return the jobs that run."""
        return [one for one in self.jobs.values() if one.began is not None and one.ended is None]

    def waiting(self) -> list[MemoryJob]:
        """Return the jobs that wait."""
        return [one for one in self.jobs.values() if one.began is None]

    def read(self, mark: str) -> Reading:
        """Return what it says now; raises `InfrastructureError` where it is down."""
        if self.down:
            raise InfrastructureError("the pool does not answer")
        now = self.clock()
        known = now >= self.restarted + self.update
        workers = {token: self._worker(token, one) for token, one in self.members().items()} if known else {}
        seen = set(mark.split())
        done = [one for one in self.jobs.values() if one.ended is not None and one.id not in seen]
        return Reading(
            now,
            [self._job(one) for one in self.jobs.values() if one.ended is None],
            workers,
            [self._done(one, now) for one in done],
            " ".join(sorted(seen | {one.id for one in done})),
        )

    def drain(self, token: str) -> None:
        """Have a worker take no new job; raises `InfrastructureError` where it is down."""
        if self.down:
            raise InfrastructureError("the pool does not answer")
        self.draining.add(token)

    def _worker(self, token: str, one: Machine) -> PoolWorker:
        if one.tags.group in self.queues:
            return PoolWorker(0, at=self.clock(), queue=self.queues[one.tags.group])
        busy = sum(job.cores for job in self.running() if job.machine == token)
        return PoolWorker(self._cores(one), busy, self.idle.get(token), token in self.draining, self.clock())

    def _cores(self, one: Machine) -> int:
        order = self.cloud.orders.get(one.id)
        sizes = {size.size: size.cores for size in self.cloud.sizes}
        return (order.cores if order else 0) or sizes.get(one.size, 1)

    @staticmethod
    def _job(one: MemoryJob) -> Job:
        return Job(
            one.id, one.kind, "waiting" if one.began is None else "running", one.due, one.cores, began=one.began,
            worker=one.machine, queued=one.queued, run=one.run, feed=one.feed, clock=one.clock, features=one.features,
        )  # fmt: skip

    @staticmethod
    def _done(one: MemoryJob, now: float) -> Done:
        return Done(
            one.id, one.kind, one.seconds * one.cores, one.ended or now, one.due, one.features, one.cores, one.run,
            one.queued, one.feed, one.clock,
        )  # fmt: skip
