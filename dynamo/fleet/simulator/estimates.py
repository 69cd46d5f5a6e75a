"""What is known of a job before it has run: all of it, about as much as one can know, or something wrong."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Protocol

from dynamo.fleet.predict import Predictor
from dynamo.fleet.simulator.draws import Draws
from dynamo.fleet.simulator.trace import Job
from dynamo.fleet.simulator.traces import first

__all__ = ["ESTIMATES", "Estimate", "Estimates", "Exact", "Half", "Learned", "Noisy", "Seasoned", "by_name"]

#: Core-seconds that are expected, those not exceeded nine times in ten, and whether that was learned.
Estimate = tuple[float, float, bool]

_NINE_TENTHS = 1.2815515655446004


class Estimates(Protocol):
    """Estimates jobs, and learns from those that are done."""

    @property
    def predictor(self) -> Predictor | None:
        """The predictor of the live fleet, where it goes by one."""

    def of(self, number: int, job: Job) -> Estimate:
        """Return what is expected of the job, the `number`-th of the trace."""

    def learn(self, job: Job) -> bool:
        """Take note of a job that is done; return whether the estimates of its kind are to be made anew."""


class Exact:
    """Knows what each job takes."""

    predictor: Predictor | None = None

    def of(self, number: int, job: Job) -> Estimate:
        """Return the truth."""
        del number
        return job.work, job.work, True

    def learn(self, job: Job) -> bool:
        """Learn nothing."""
        del job
        return False


class Noisy(Exact):
    """Errs at random, without bias: the factor is lognormal with mean 1.

    Parameters
    ----------
    draws
        The error of the n-th job is the same under each policy.
    sigma
        Of the logarithm of the factor; 0.5 is a factor of 1.6 one way or the other.
    """

    def __init__(self, draws: Draws, sigma: float = 0.5) -> None:
        self._draws = draws
        self._sigma = sigma

    def of(self, number: int, job: Job) -> Estimate:
        """Return the truth times the factor."""
        sigma = self._sigma
        expected = job.work * math.exp(sigma * self._draws.normal("estimate", number) - 0.5 * sigma * sigma)
        return expected, expected * math.exp(_NINE_TENTHS * sigma), True


class Half(Noisy):
    """Errs as `Noisy` does, and takes every job for half of what it is."""

    def of(self, number: int, job: Job) -> Estimate:
        """Return half the truth times the factor."""
        expected, high, known = super().of(number, job)
        return 0.5 * expected, 0.5 * high, known


class Learned:
    """Learns from the jobs that are done, with the predictor of the live fleet; knows nothing at first."""

    def __init__(self, draws: Draws) -> None:
        del draws
        self.predictor = Predictor()
        self._counts: Counter[str] = Counter()

    def of(self, number: int, job: Job) -> Estimate:
        """Return what the predictor says."""
        del number
        found = self.predictor.predict(job.kind, job.features)
        return found.mean, max(found.p90, found.mean), found.known

    def learn(self, job: Job) -> bool:
        """Have the predictor learn; what waits is estimated anew after the first few, then at twice as many."""
        if not self.predictor.learn(job.kind, job.features, job.work):
            return False
        self._counts[job.kind] += 1
        count = self._counts[job.kind]
        return count <= 4 or (count <= 256 and count.bit_count() == 1)


class Seasoned(Exact):
    """What the predictor of the live fleet says that has seen a day of storms, and learns no more.

    It has learned of other weather than any that is simulated with a seed above 0: `first`, seed 0. Of classes of jobs
    that are not in it, it knows nothing.
    """

    def __init__(self) -> None:
        self.predictor = _seasoned()

    def of(self, number: int, job: Job) -> Estimate:
        """Return what the predictor says."""
        del number
        return _said(job.kind, tuple(sorted(job.features.items())))


@lru_cache(maxsize=100_000)
def _said(kind: str, features: tuple[tuple[str, float], ...]) -> Estimate:
    found = _seasoned().predict(kind, dict(features))
    return found.mean, max(found.p90, found.mean), found.known


@cache
def _seasoned() -> Predictor:
    predictor = Predictor()
    for job in first(0).jobs[::7]:
        predictor.learn(job.kind, job.features, job.work)
    return predictor


#: Name to what makes the estimates.
ESTIMATES: dict[str, Callable[[Draws], Estimates]] = {
    "exact": lambda _draws: Exact(),
    "noisy": Noisy,
    "half": Half,
    "learned": Learned,
    "seasoned": lambda _draws: Seasoned(),
}


def by_name(name: str, draws: Draws) -> Estimates:
    """Return the estimates of that name."""
    return ESTIMATES[name](draws)
