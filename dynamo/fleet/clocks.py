"""What clocks will start: the run files that say `every` or `cron`, and what the jobs of their latest cycles were.

Enters: what the pool says, where jobs carry their run file and its clock. Leaves: `Coming`, a cycle at each tick.
Nothing goes wrong: a clock that cannot be read is none, and one by which nothing came at its last ticks has stopped.

A cycle to come is taken for the larger of the last two, of which the newest may not have shown all its jobs, with the
echo area that follows if it goes on to grow as it did. When its first job is there it is expected no more.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any, NamedTuple

from dynamo.fleet.predict import Estimate, Predictor, together
from dynamo.fleet.queue import Done, Job, Reading
from dynamo.fleet.view import Coming, Offer
from dynamo.triggers.clock import Schedule, schedule_of

__all__ = ["Clocks", "reach"]

#: Seconds by which the clocks of two machines may be apart, and after which a run whose tick is over has been left out.
_APART, _LATE = 5.0, 60.0
#: A clock by which nothing came at so many ticks in a row has stopped; and so many ticks ahead are told at most.
_MISSED, _TICKS = 3, 60
#: Run files, and classes of jobs of a cycle: what is kept is bounded.
_FEEDS, _PARTS = 40, 200
#: The echo area is expected to grow to no more than so many times what it was last.
_GROWTH = 2.0
_ECHO = "echo_km2"
#: Seconds beyond a boot for which it is told what comes: a policy may order earlier than it must.
_BEYOND = 120.0


def reach(offers: Iterable[Offer]) -> float:
    """Return for how many seconds ahead a policy must know what comes that can buy these offers."""
    return max((offer.boot_high for offer in offers), default=0.0) + _BEYOND


class _Alike(NamedTuple):
    """What jobs of a cycle have in common that are kept together."""

    kind: str
    cores: int
    due: float


@dataclass(slots=True)
class _Part:
    """Jobs of a cycle that are alike: how many, and of each feature the sum and how many have it."""

    count: int = 0
    sums: dict[str, tuple[float, int]] = field(default_factory=dict)

    def add(self, features: Mapping[str, float]) -> None:
        """Count one more."""
        self.count += 1
        for name, value in features.items():
            total, count = self.sums.get(name, (0.0, 0))
            self.sums[name] = (total + value, count + 1)

    def features(self, echo: float | None) -> dict[str, float]:
        """Return them on average, with this echo area where they have one."""
        found = {name: total / count for name, (total, count) in self.sums.items()}
        return {**found, _ECHO: echo} if echo is not None and _ECHO in found else found


@dataclass(slots=True)
class _Cycle:
    """A run: when its first job came, its jobs, and who they are; None where it was kept over a restart."""

    first: float
    parts: dict[_Alike, _Part] = field(default_factory=dict)
    ids: set[str] | None = field(default_factory=set)

    def take(self, job: Job | Done) -> None:
        """Count a job, once."""
        alike = _Alike(job.kind, job.cores, job.due)
        if self.ids is None or job.id in self.ids or len(self.parts) >= _PARTS:
            return
        self.ids.add(job.id)
        self.first = min(self.first, job.queued)
        self.parts.setdefault(alike, _Part()).add(job.features)

    @property
    def echo(self) -> float | None:
        """The echo area that its jobs were told, square kilometres."""
        known = [part.features(None).get(_ECHO) for part in self.parts.values()]
        return max((value for value in known if value is not None), default=None)


@dataclass(slots=True)
class _Feed:
    """A run file: its clock, and its last two runs, the older first."""

    clock: str
    cycles: dict[str, _Cycle] = field(default_factory=dict)

    def take(self, job: Job | Done) -> None:
        """Take in a job; one of an older run than the last two is none."""
        if job.run not in self.cycles:
            if len(self.cycles) > 1 and job.queued < min(one.first for one in self.cycles.values()):
                return
            self.cycles[job.run] = _Cycle(job.queued)
        self.cycles[job.run].take(job)
        newest = sorted(self.cycles.items(), key=lambda one: one[1].first)[-2:]
        self.cycles = dict(newest)
        if job.run == newest[-1][0]:
            self.clock = job.clock


class Clocks:
    """What the clocks of run files start, by the jobs that the pool had of them."""

    def __init__(self) -> None:
        self._feeds: dict[str, _Feed] = {}

    def hear(self, reading: Reading) -> None:
        """Take in the jobs that the pool has, and those that ended."""
        jobs: list[Job | Done] = [*reading.jobs, *reading.done]
        for job in jobs:
            if job.feed and job.clock and job.run and job.queued:
                feed = self._feeds.pop(job.feed, None) or _Feed(job.clock)
                self._feeds[job.feed] = feed  # the one that was heard of last stands last
                feed.take(job)
        while len(self._feeds) > _FEEDS:
            del self._feeds[next(iter(self._feeds))]

    def coming(self, now: float, until: float, predictor: Predictor) -> list[Coming]:
        """Return what the ticks until then bring, and the next one of each clock whenever it is."""
        found = [
            one
            for name, feed in self._feeds.items()
            for one in _expected(PurePath(name).name, feed, now, until, predictor)
        ]
        return sorted(found, key=lambda one: (one.at, one.due))

    def state(self) -> dict[str, Any]:
        """Return what was heard, as plain JSON."""
        return {
            name: {
                "clock": feed.clock,
                "cycles": {
                    run: [
                        cycle.first,
                        [
                            [a.kind, a.cores, a.due if math.isfinite(a.due) else None, part.count, part.sums]
                            for a, part in cycle.parts.items()
                        ],
                    ]
                    for run, cycle in feed.cycles.items()
                },
            }
            for name, feed in self._feeds.items()
        }

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Clocks:
        """Return what wrote this state; of runs that it knows no further jobs are counted."""
        made = cls()
        for name, said in state.items():
            feed = made._feeds[name] = _Feed(said["clock"])
            for run, (first, parts) in said["cycles"].items():
                cycle = feed.cycles[run] = _Cycle(first, ids=None)
                for kind, cores, due, count, sums in parts:
                    alike = _Alike(kind, cores, math.inf if due is None else due)
                    cycle.parts[alike] = _Part(count, {key: (total, n) for key, (total, n) in sums.items()})
        return made


def _expected(name: str, feed: _Feed, now: float, until: float, predictor: Predictor) -> Iterator[Coming]:
    schedule = schedule_of(feed.clock)
    if schedule is None or not feed.cycles:
        return
    cycles = list(feed.cycles.values())
    began = schedule.until(_moment(cycles[-1].first + _APART))
    ticks = list(_ticks(schedule, began, now, until))
    if sum(tick <= now for tick in ticks) > _MISSED:
        return
    told = [(tick, _echo(cycles, n)) for n, tick in enumerate(ticks, start=1) if tick > now - _LATE]
    parts = [(alike.kind, part) for cycle in cycles for alike, part in cycle.parts.items()]
    asked = [(kind, part.features(echo)) for _, echo in told for kind, part in parts]
    estimates = iter(predictor.predict_all(asked))
    for tick, _ in told:
        both = [_cycle(one, estimates) for one in cycles]
        larger = max(zip(cycles, both, strict=True), key=lambda one: sum(w for w, *_ in one[1].values()))
        start = schedule.until(_moment(larger[0].first + _APART)).timestamp()
        for due, (work, high, cores, kinds) in larger[1].items():
            why = f"{name} runs {'by ' if feed.clock.startswith('cron') else ''}{feed.clock}"
            # One that is late is due as much later: it may never come, and is not to want a core for each job.
            at = max(tick, now)
            yield Coming(at, at + due - start, work, high, cores, why, kinds)


def _echo(cycles: Sequence[_Cycle], n: int) -> float | None:
    """Return the echo area that the n-th tick to come finds if it goes on to grow; None where it was not told."""
    before, last = cycles[0].echo, cycles[-1].echo
    if last is None:
        return None
    rise = 0.0 if before is None else max(last - before, 0.0)
    return min(last + n * rise, _GROWTH * last)


def _ticks(schedule: Schedule, began: datetime, now: float, until: float) -> Iterator[float]:
    """Return the ticks after `began`: those that are over, the next one, and those until then."""
    tick = began
    for _ in range(_TICKS):
        before, tick = tick.timestamp(), schedule.after(tick)
        if tick.timestamp() > until and before > now:
            return
        yield tick.timestamp()


def _cycle(
    cycle: _Cycle, estimates: Iterator[Estimate]
) -> dict[float, tuple[float, float, int, frozenset[str]]]:
    """Return by deadline the core-seconds, what they are at most, cores and classes; what is not known is left out.

    Of the estimates it takes the next for each part.
    """
    by_due: dict[float, list[tuple[_Alike, _Part, Estimate]]] = {}
    for alike, part in cycle.parts.items():
        estimate = next(estimates)
        if estimate.known:
            by_due.setdefault(alike.due, []).append((alike, part, estimate))
    return {due: _sum(parts) for due, parts in by_due.items()}


def _sum(parts: Iterable[tuple[_Alike, _Part, Estimate]]) -> tuple[float, float, int, frozenset[str]]:
    parts = list(parts)
    work, high = together([estimate for *_, estimate in parts], [part.count for _, part, _ in parts])
    cores = sum(alike.cores * part.count for alike, part, _ in parts)
    return work, max(high, work), cores, frozenset(alike.kind for alike, _, _ in parts)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
