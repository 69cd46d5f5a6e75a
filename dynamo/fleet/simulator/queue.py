"""The queue of a simulation: which jobs wait, in which order, and what is known of them."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence

from dynamo.fleet.simulator.estimates import Estimates
from dynamo.fleet.simulator.trace import Job
from dynamo.fleet.view import Offer

__all__ = ["Queue", "Shape", "Tally"]

NEW, WAITING, RUNNING, DONE = range(4)


class Shape:
    """What jobs of one HTCondor autocluster ask for; they wait by due, then by length or as they came."""

    __slots__ = ("cores", "groups", "heap", "memory", "widths")

    def __init__(self, job: Job, offers: Sequence[Offer]) -> None:
        self.cores = job.cores
        self.memory = job.memory
        self.groups = job.groups
        self.heap: list[tuple[float, float, int]] = []  # due, minus the seconds, number
        #: For each offer, the cores of a machine that one job takes, its memory counted; 0 where none fits.
        self.widths = [_width(job, offer) for offer in offers]


class Tally:
    """Sums over the waiting jobs of one class, deadline and shape."""

    __slots__ = ("apart", "due", "job", "joint", "longest", "shape", "waiting", "work")

    def __init__(self, job: Job, shape: Shape) -> None:
        self.job = job
        self.due = job.due
        self.shape = shape
        self.waiting = 0
        self.work = 0.0
        self.joint = (
            0.0  # what p90 is above what is expected, and its square: see `dynamo.fleet.predict.together`
        )
        self.apart = 0.0
        self.longest: list[
            tuple[float, int]
        ] = []  # minus the seconds, number; jobs that wait no more go as met


class Queue:
    """Jobs by number, which is their place in the trace.

    Parameters
    ----------
    jobs
        Of the trace.
    offers
        Of the scenario.
    estimates
        What is expected of each.
    longest
        Whether of jobs with one deadline the longest runs first, by what is expected of it when it comes.
    """

    __slots__ = (
        "_estimates",
        "_keys",
        "_longest",
        "_shapes",
        "estimate",
        "jobs",
        "offers",
        "state",
        "tallies",
        "tally",
    )

    def __init__(
        self, jobs: Sequence[Job], offers: Sequence[Offer], estimates: Estimates, *, longest: bool = True
    ) -> None:
        self.jobs = jobs
        self._longest = longest
        self.offers = offers
        self._estimates = estimates
        self._shapes: dict[tuple[int, int, frozenset[str]], Shape] = {}
        self._keys: dict[tuple[str, float, Shape], Tally] = {}
        self.state = bytearray(len(jobs))
        self.estimate: list[tuple[float, float, bool]] = [(0.0, 0.0, False)] * len(jobs)
        self.tally: list[Tally | None] = [None] * len(jobs)
        self.tallies: dict[Tally, None] = {}  # those with a job that waits

    def add(self, number: int) -> None:
        """Take a job that can run now, or must run again."""
        job = self.jobs[number]
        tally = self.tally[number]
        if tally is None:
            tally = self.tally[number] = self._tally(job)
        if self.state[number] == NEW:
            self.estimate[number] = self._estimates.of(number, job)
        self.state[number] = WAITING
        seconds = self.estimate[number][0] / job.cores if self._longest else 0.0
        heapq.heappush(tally.shape.heap, (job.due, -seconds, number))
        self._count(tally, number)

    def take(self, shape: Shape) -> int:
        """Take the first waiting job of a shape out, to run it."""
        number = heapq.heappop(shape.heap)[2]
        self.state[number] = RUNNING
        tally = self.tally[number]
        assert tally is not None
        tally.waiting -= 1
        if tally.waiting:
            expected, high, _ = self.estimate[number]
            tally.work -= expected
            tally.joint -= high - expected
            tally.apart -= (high - expected) ** 2
        else:  # no remainders of subtraction
            tally.work = tally.joint = tally.apart = 0.0
            tally.longest.clear()
            del self.tallies[tally]
            self._keys.pop((tally.job.kind, tally.due, tally.shape), None)
        return number

    def done(self, number: int) -> None:
        """Take note that a job is done, and estimate those of its kind anew if that taught something."""
        self.state[number] = DONE
        if self._estimates.learn(self.jobs[number]):
            self._again(self.jobs[number].kind)

    def first(self, width: int, place: int) -> Shape | None:
        """Return the shape whose first job is next for a claimed slot of `width` cores of an offer."""
        best = None
        for shape in self._shapes.values():
            if (
                shape.heap
                and 0 < shape.widths[place] <= width
                and (best is None or shape.heap[0] < best.heap[0])
            ):
                best = shape
        return best

    def shapes(self) -> list[Shape]:
        """Return the shapes that have a job that waits."""
        return [shape for shape in self._shapes.values() if shape.heap]

    def waiting(self) -> Iterator[tuple[Tally, float]]:
        """Yield each tally of jobs that wait, with the seconds that the longest of them is expected to take."""
        for tally in self.tallies:
            longest = tally.longest
            while self.state[longest[0][1]] != WAITING:
                heapq.heappop(longest)
            yield tally, -longest[0][0]

    def _tally(self, job: Job) -> Tally:
        asked = (job.cores, job.memory, job.groups)
        shape = self._shapes.get(asked)
        if shape is None:
            shape = self._shapes[asked] = Shape(job, self.offers)
        key = (job.kind, job.due, shape)
        tally = self._keys.get(key)
        if tally is None:
            tally = self._keys[key] = Tally(job, shape)
        return tally

    def _count(self, tally: Tally, number: int) -> None:
        expected, high, _ = self.estimate[number]
        tally.waiting += 1
        tally.work += expected
        tally.joint += high - expected
        tally.apart += (high - expected) ** 2
        heapq.heappush(tally.longest, (-expected / tally.job.cores, number))
        if tally.waiting == 1:
            self.tallies[tally] = None
            self._keys[tally.job.kind, tally.due, tally.shape] = tally

    def _again(self, kind: str) -> None:
        for tally in [each for each in self.tallies if each.job.kind == kind]:
            numbers = {number for _, number in tally.longest if self.state[number] == WAITING}
            tally.waiting, tally.work, tally.joint, tally.apart = 0, 0.0, 0.0, 0.0
            tally.longest.clear()
            self._estimate(tally, sorted(numbers))

    def _estimate(self, tally: Tally, numbers: Iterable[int]) -> None:
        for number in numbers:
            self.estimate[number] = self._estimates.of(number, self.jobs[number])
            self._count(tally, number)


def _width(job: Job, offer: Offer) -> int:
    """Return how many cores of a machine a job takes; memory goes with the cores in equal shares."""
    if job.groups and offer.group not in job.groups:
        return 0
    width = job.cores
    if offer.memory and job.memory:
        width = max(width, -(-job.memory * offer.cores // offer.memory))
    return width if width <= offer.cores else 0
