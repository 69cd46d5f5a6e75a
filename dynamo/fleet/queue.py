"""What the pool is asked and what it answers: its queue, its workers, what was done since, and to drain one.

A class of the shape of `PoolPort` is a pool; `dynamo.fleet.condor_pool` is HTCondor's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

__all__ = ["Done", "Job", "PoolPort", "PoolWorker", "Reading"]


@dataclass(frozen=True, slots=True)
class Job:
    """A job in the queue that runs or can run: not one that is held or waits for others.

    Parameters
    ----------
    id
        Unique in the pool.
    kind, features
        Its class, and what was known of it before it ran: see `dynamo.fleet.predict`.
    state
        How it stands.
    due
        When it is to be done, in Unix seconds; infinite where nobody said.
    cores, memory
        What it asks for, in cores and bytes.
    began
        When it began to run, in Unix seconds.
    worker
        Token of the worker that it runs on; empty for none of ours.
    run
        Which run it is of; empty for none of ours.
    queued
        When it came, in Unix seconds.
    feed, clock
        Run file by which a clock starts runs like its own, and that clock (`dynamo.triggers.clock`); else empty.
    """

    id: str
    kind: str
    state: Literal["waiting", "running"]
    due: float = float("inf")
    cores: int = 1
    memory: int = 0
    features: Mapping[str, float] = field(default_factory=dict)
    began: float | None = None
    worker: str = ""
    run: str = ""
    queued: float = 0.0
    feed: str = ""
    clock: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """A job that ended by itself, well: how long it took.

    Parameters
    ----------
    id, kind, features, due, cores, run, queued, feed, clock
        As of `Job`.
    core_seconds
        Seconds that it ran, times its cores.
    ended
        When, in Unix seconds.
    """

    id: str
    kind: str
    core_seconds: float
    ended: float
    due: float = float("inf")
    features: Mapping[str, float] = field(default_factory=dict)
    cores: int = 1
    run: str = ""
    queued: float = 0.0
    feed: str = ""
    clock: str = ""


@dataclass(frozen=True, slots=True)
class PoolWorker:
    """What the pool says of one worker.

    Parameters
    ----------
    cores, busy
        How many it has, and on how many a job runs.
    idle_since
        Since when none runs; None where one does.
    draining
        Whether it takes no new job.
    at
        When it was last heard of, in Unix seconds: a pool remembers for a while who is gone.
    queue
        Of an access point, how many jobs are in its queue, also those that are done and not fetched yet; None for what
        runs jobs.
    """

    cores: int
    busy: int = 0
    idle_since: float | None = None
    draining: bool = False
    at: float = float("inf")
    queue: int | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What the pool said at one time.

    Parameters
    ----------
    at
        When it was asked, in Unix seconds.
    jobs
        Its queue.
    workers
        Token of an order to the worker that came of it.
    done
        What ended since `mark` was given.
    mark
        To be given the next time; plain text.
    """

    at: float
    jobs: Sequence[Job] = ()
    workers: Mapping[str, PoolWorker] = field(default_factory=dict)
    done: Sequence[Done] = ()
    mark: str = ""


class PoolPort(Protocol):
    """A pool, as a fleet sees it; an object serves one thread. Raises `InfrastructureError` where none answers."""

    def read(self, mark: str) -> Reading:
        """Return what it says now."""

    def drain(self, token: str) -> None:
        """Have a worker take no new job, and end when those it has are done; one that is gone is no error."""
