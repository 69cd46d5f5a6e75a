"""The work of a simulation: which jobs come when, what they take and when they are due."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

__all__ = ["Job", "Trace"]

_NOTHING: Mapping[str, float] = MappingProxyType({})


class Job(NamedTuple):
    """One job of a trace.

    Parameters
    ----------
    kind
        Its class: the step of the workflow.
    release
        Seconds from the start of the trace at which it can run: all that it needs is there.
    due
        When it is to be done, from the same start; infinite where nobody said.
    work
        Core-seconds that it takes on cores of speed 1: what only the simulator and an oracle know.
    cores, memory
        What it asks for: cores, and bytes.
    groups
        Node groups whose workers can run it; empty for all.
    run
        Which run of the workflow it is of; the jobs of a run are waited for together.
    features
        What is known before it runs, by the names of `dynamo.fleet.predict.FEATURES`.
    """

    kind: str
    release: float
    due: float
    work: float
    cores: int = 1
    memory: int = 0
    groups: frozenset[str] = frozenset()
    run: str = ""
    features: Mapping[str, float] = _NOTHING


@dataclass(frozen=True, slots=True)
class Trace:
    """Jobs in the order in which they come.

    Parameters
    ----------
    name
        What it is called in tables and charts.
    jobs
        By time of release.
    until
        When the simulation ends: later than the last release, so that what runs can finish and what idles goes.
    period
        Seconds from a cycle to the next, where a clock starts them; 0 where none does.
    """

    name: str
    jobs: tuple[Job, ...]
    until: float
    period: float = 0.0

    @classmethod
    def of(cls, name: str, jobs: Iterable[Job], until: float | None = None, period: float = 0.0) -> Trace:
        """Return the trace of these jobs, put in order; it ends 15 min after the last is released or due."""
        ordered = tuple(sorted(jobs, key=lambda job: job.release))
        if until is None:
            last = max((job.due if job.due < float("inf") else job.release for job in ordered), default=0.0)
            until = max(last, ordered[-1].release if ordered else 0.0) + 900.0
        return cls(name, ordered, until, period)

    @property
    def work(self) -> float:
        """Core-seconds of all the jobs."""
        return sum(job.work for job in self.jobs)
