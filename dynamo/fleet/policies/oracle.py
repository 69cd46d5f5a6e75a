"""An oracle: it knows every job that will come and how long it takes, but must wait for its machines like anyone."""

from __future__ import annotations

import bisect
import heapq
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dynamo.fleet.decision import Decision, Release
from dynamo.fleet.policies.steps import Basket, let_go, supply
from dynamo.fleet.simulator.trace import Job, Trace
from dynamo.fleet.view import View

__all__ = ["Oracle", "needed"]


@dataclass(frozen=True, slots=True)
class Oracle:
    """Have at any time what is needed then, and until machines ordered now could serve.

    Parameters
    ----------
    times, cores
        How many cores are needed from each time on; see `needed`.
    lead
        Seconds that it looks ahead; the p90 of the boot of the offer and two decisions if none is given.
    interval
        Seconds between decisions.
    """

    times: tuple[float, ...] = (0.0,)
    cores: tuple[float, ...] = (0.0,)
    lead: float | None = None
    interval: float = 10.0
    name: str = "oracle"

    def decide(self, view: View, history: Mapping[str, Any]) -> Decision:
        """Return what is to be bought for what will come, and let go what is not needed until it could be had again."""
        del history
        basket = Basket(view)
        releases: list[Release] = []
        offer = next(iter(view.offers))
        lead = offer.boot_high + 2 * self.interval if self.lead is None else self.lead
        first = max(0, bisect.bisect_right(self.times, view.now) - 1)
        last = bisect.bisect_right(self.times, view.now + lead)
        target = max(self.cores[first:last], default=0.0) / offer.speed
        have = supply(worker for worker in view.workers if worker.group == offer.group)
        if have < target:
            basket.add(offer.group, target - have, f"{target:.0f} cores are needed within {lead:.0f} s")
        elif have > target:
            releases += let_go(view, offer.group, have - target, 0.0)
        return Decision(tuple(basket.buys), tuple(releases), target, basket.reasons())


def needed(
    trace: Trace, speed: float = 1.0, overhead: float = 3.0, lengths: Sequence[float] | None = None
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the times, and the cores from each on, with which all jobs of a trace are done when they are due.

    The jobs with one deadline are taken in the order in which the pool runs them, and given the fewest cores with which
    the last is done in time, from the first release until they are done; what overlaps is added. A job without a
    deadline, or that cannot meet it, has its own cores at once.

    Parameters
    ----------
    trace
        The jobs.
    speed
        Of a core.
    overhead
        Seconds before the deadline at which they are to be done: matching takes some.
    lengths
        For each job the seconds by which the pool puts those of one deadline in order, the longest first; as they come
        where there are none.
    """
    batches: dict[float, list[Job]] = defaultdict(list)
    changes: dict[float, float] = defaultdict(float)
    order = range(len(trace.jobs))
    for number in order if lengths is None else sorted(order, key=lambda each: -lengths[each]):
        job = trace.jobs[number]
        alone = job.release + job.work / (job.cores * speed)
        if job.due == float("inf") or alone > job.due - overhead:
            changes[job.release] += job.cores
            changes[alone + overhead] -= job.cores
        else:
            batches[job.due].append(job)
    for due, jobs in batches.items():
        cores = _fewest(jobs, due - overhead, speed)
        changes[min(job.release for job in jobs)] += cores
        changes[_makespan(jobs, cores, speed) + overhead] -= cores
    times, total, cores_of = [0.0], 0.0, [0.0]
    for at in sorted(changes):
        total += changes[at]
        times.append(at)
        cores_of.append(max(0.0, round(total, 6)))
    return tuple(times), tuple(cores_of)


def _fewest(jobs: Sequence[Job], due: float, speed: float) -> int:
    """Return the fewest cores with which these jobs are done by then, by halving."""
    low, high = max(job.cores for job in jobs), sum(job.cores for job in jobs)
    while low < high:
        middle = (low + high) // 2
        if _makespan(jobs, middle, speed) <= due:
            high = middle
        else:
            low = middle + 1
    return low


def _makespan(jobs: Sequence[Job], cores: int, speed: float) -> float:
    """Return when the last of these jobs is done on so many cores, each begun as soon as it can be, in this order."""
    free = [0.0] * cores
    last = 0.0
    for job in jobs:
        begin = max(job.release, *(heapq.heappop(free) for _ in range(job.cores)))
        end = begin + job.work / (job.cores * speed)
        for _ in range(job.cores):
            heapq.heappush(free, end)
        last = max(last, end)
    return last
