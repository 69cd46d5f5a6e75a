"""What a controller has counted since it began: orders, boots, refusals, failures, releases, and dollars.

It follows from how the workers stood in one turn and in the next, so nobody has to count where something is done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from dynamo.fleet.record import WorkerRecord

__all__ = ["BOUNDS", "Boots", "Counts", "Tally"]

#: Seconds that boots are sorted by: containers take a few, clouds minutes, bare metal half an hour.
BOUNDS = (5.0, 15.0, 30.0, 60.0, 90.0, 120.0, 180.0, 300.0, 600.0, 900.0, 1800.0)

_BEFORE = frozenset({"requested", "booting", "joined"})


@dataclass(slots=True)
class Boots:
    """Boots of one offer: how many took no longer than each of `BOUNDS` and longer than the one before, and seconds."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[sum(seconds > bound for bound in BOUNDS)] += 1
        self.seconds += seconds


@dataclass(slots=True)
class Counts:
    """Numbers since the controller began.

    Parameters
    ----------
    orders, refusals
        Machines that were ordered, and orders of which no machine came, by offer.
    failures, releases
        Machines that failed, and that were let go, by node group.
    boots
        From the order to the pool, by offer.
    usd
        US dollars that machines cost, in whole billing steps.
    """

    orders: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    releases: Counter[str] = field(default_factory=Counter)
    boots: dict[str, Boots] = field(default_factory=dict)
    usd: float = 0.0


class Tally:
    """Counts what becomes of workers.

    Parameters
    ----------
    workers
        As they stand at the beginning: what became of them before is not counted.
    now
        When that is, in Unix seconds.
    """

    def __init__(self, workers: Iterable[WorkerRecord], now: float) -> None:
        self._known = {one.token: one for one in workers}
        self._at = now
        self.counts = Counts()

    def look(self, workers: Iterable[WorkerRecord], now: float) -> None:
        """Count what has changed; `workers` are all that live, and those that ended lately."""
        new = {one.token: one for one in workers}
        for token, one in new.items():
            before = self._known.get(token)
            self._count(before, one)
            paid = before.cost(0.0, self._at) if before else 0.0
            self.counts.usd += max(one.cost(0.0, now) - paid, 0.0)
        self._known, self._at = new, now

    def _count(self, before: WorkerRecord | None, one: WorkerRecord) -> None:
        counts = self.counts
        if before is None and one.joined is None:  # else it was adopted, and nobody ordered it now
            counts.orders[one.offer] += 1
        if before is not None and before.joined is None and one.joined is not None:
            counts.boots.setdefault(one.offer, Boots()).add(max(one.joined - one.ordered, 0.0))
        stage = before.stage if before else "requested"
        if one.failed and not (before and before.failed):
            if one.machine:
                counts.failures[one.group] += 1
            else:
                counts.refusals[one.offer] += 1
        elif stage in _BEFORE and one.stage not in _BEFORE:
            counts.releases[one.group] += 1
