"""What is told of the cycles to come that a clock starts: by a nowcast, with errors, or only what a live fleet knows.

A nowcast knows the echo of the next minutes well and that of the next half hour badly. The error of a cycle's work is
lognormal without bias, and its sigma is 0.05 and 0.02 more for each minute ahead: a factor of 1.28 at ten minutes. It
is one draw for each cycle, the same under each policy, that shrinks as the cycle comes nearer. A live fleet has no
such forecast: it knows when the clocks of run files tick, and what the last cycles were.
"""

from __future__ import annotations

import bisect
import math
from collections import defaultdict
from collections.abc import Sequence

from dynamo.fleet import queue
from dynamo.fleet.clocks import Clocks, reach
from dynamo.fleet.predict import Predictor
from dynamo.fleet.simulator.draws import Draws
from dynamo.fleet.simulator.trace import Job, Trace
from dynamo.fleet.view import Coming, Offer

__all__ = ["FORECASTS", "REACH", "AsLive", "Forecast"]

#: What a world may say is told of what is to come.
FORECASTS = ("nowcast", "clocks", "none")
#: Seconds ahead that are forecast.
REACH = 1200.0
#: The sigma of the next moment, and how much it grows a minute.
_NEXT, _GROWS = 0.05, 0.02
_NINE_TENTHS = 1.2815515655446004


class Forecast:
    """Tells what is to come of a trace that has a clock; of any other it tells nothing.

    Parameters
    ----------
    trace
        The jobs; those with one deadline are a cycle.
    draws
        Where the errors are drawn from.
    """

    def __init__(self, trace: Trace, draws: Draws) -> None:
        cycles: dict[float, list[Job]] = defaultdict(list)
        for job in trace.jobs if trace.period else ():
            cycles[job.due].append(job)
        self._draws = draws
        self._cycles = sorted(
            (
                min(job.release for job in jobs),
                due,
                sum(job.work for job in jobs),
                sum(job.cores for job in jobs),
            )
            for due, jobs in cycles.items()
        )
        self._starts = [cycle[0] for cycle in self._cycles]

    def coming(self, now: float) -> tuple[Coming, ...]:
        """Return the cycles that begin after now and within `REACH`, as they are expected now."""
        first = bisect.bisect_right(self._starts, now)
        last = bisect.bisect_right(self._starts, now + REACH)
        return tuple(self._expected(place, now) for place in range(first, last))

    def _expected(self, place: int, now: float) -> Coming:
        at, due, work, cores = self._cycles[place]
        sigma = _NEXT + _GROWS * (at - now) / 60.0
        expected = work * math.exp(sigma * self._draws.normal("forecast", place) - 0.5 * sigma * sigma)
        high = expected * math.exp(_NINE_TENTHS * sigma)
        return Coming(at, due, expected, high, cores, "the next cycle of a clock")


class AsLive:
    """Tells what a live fleet knows: its `dynamo.fleet.clocks.Clocks` hear of each job when it comes.

    The clock ticks at whole multiples of the trace's period, as one that says `every` in a run file.

    Parameters
    ----------
    trace
        The jobs; those of one deadline are a cycle where they say no run.
    finished
        When each job was done; read while the simulation goes on.
    offers
        Of the scenario: what comes before the slowest could serve is told.
    predictor
        Says what the jobs to come are going to take; None for one that learns from those that are done.
    """

    def __init__(
        self, trace: Trace, finished: Sequence[float], offers: Sequence[Offer], predictor: Predictor | None
    ) -> None:
        self._jobs = trace.jobs if trace.period else ()
        self._clock = f"every {trace.period:.15g} s"
        self._finished = finished
        self._reach = reach(offers)
        self._predictor = predictor or Predictor()
        self._heard = 0
        self._to_learn: dict[int, None] = {}
        self._learns = predictor is None
        self._clocks = Clocks()

    def coming(self, now: float) -> Sequence[Coming]:
        """Return the cycles that the clock starts, which are as the last ones were."""
        come = bisect.bisect_right(self._jobs, now, lo=self._heard, key=lambda job: job.release)
        new, self._heard = range(self._heard, come), come
        self._clocks.hear(queue.Reading(now, [self._job(number) for number in new]))
        if self._learns:
            self._learn(new, now)
        return self._clocks.coming(now, now + self._reach, self._predictor)

    def _job(self, number: int) -> queue.Job:
        """Return a job as the pool says it."""
        job = self._jobs[number]
        return queue.Job(
            str(number), job.kind, "waiting", job.due, job.cores, job.memory, job.features,
            run=job.run or repr(job.due), queued=max(job.release, 1e-3), feed="trace", clock=self._clock,
        )  # fmt: skip

    def _learn(self, new: Sequence[int], now: float) -> None:
        """Learn what those took that were done since the last time."""
        self._to_learn |= dict.fromkeys(new)
        for number in [number for number in self._to_learn if self._finished[number] <= now]:
            del self._to_learn[number]
            job = self._jobs[number]
            self._predictor.learn(job.kind, job.features, job.work)
