"""What is told of the cycles to come: a clock starts them, and what echo they will find is forecast, with errors.

A nowcast knows the echo of the next minutes well and that of the next half hour badly. The error of a cycle's work is
lognormal without bias, and its sigma is 0.05 and 0.02 more for each minute ahead: a factor of 1.28 at ten minutes. It
is one draw for each cycle, the same under each policy, that shrinks as the cycle comes nearer.
"""

from __future__ import annotations

import bisect
import math
from collections import defaultdict

from dynamo.fleet.simulator.draws import Draws
from dynamo.fleet.simulator.trace import Job, Trace
from dynamo.fleet.view import Coming

__all__ = ["REACH", "Forecast"]

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
