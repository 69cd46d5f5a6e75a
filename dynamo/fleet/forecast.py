"""What jobs are to come, from those that came: the rhythm of each class, and whether its work grows.

A radar workflow begins with each scan, so its jobs come in batches that have a deadline in common. Of each class the
latest batches are kept: when they were first seen, how long there was for them, and how many core-seconds they were.
The next come a median gap after the last, with the work of the latest and its trend: a line through the logarithms and
one through the figures themselves would both do for the minutes that a boot takes; the line through the figures is
taken, and only so much of its rise as is more than its own standard error. A fall is not forecast: letting go too early
costs more than holding for some minutes.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dynamo.fleet.view import Coming, View

__all__ = ["Batch", "Rhythm"]

#: Batches of a class from which a trend is taken, and classes; what is kept is bounded.
KEPT, CLASSES = 8, 40
#: A class of which nothing came for so many of its gaps has stopped.
_STOPPED = 2.5
#: No forecast is more than so many times the most that came lately.
_MOST = 3.0


@dataclass(frozen=True, slots=True)
class Batch:
    """Jobs of one class with one deadline: when first seen, when due, core-seconds, cores, seconds of the longest."""

    at: float
    due: float
    work: float
    high: float
    cores: int
    longest: float = 0.0


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Batches by class, the oldest first."""

    batches: Mapping[str, tuple[Batch, ...]]

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Rhythm:
        """Return the rhythm that wrote this state."""
        return cls({kind: tuple(_batch(row) for row in rows) for kind, rows in state.items()})

    def state(self) -> dict[str, list[list[float]]]:
        """Return it as plain JSON."""
        return {
            kind: [[one.at, one.due, one.work, one.high, one.cores, one.longest] for one in rows]
            for kind, rows in self.batches.items()
        }

    def after(self, view: View) -> Rhythm:
        """Return the rhythm with what a view shows; a batch counts for the most that was seen of it."""
        found = dict(self.batches)
        for kind, rows in _seen(view).items():
            before = {one.due: one for one in found.pop(kind, ())}
            for row in rows:
                old = before.get(row.due)
                before[row.due] = row if old is None else _more(old, row)
            ordered = sorted(before.values(), key=lambda one: (one.at, one.due))
            found[kind] = tuple(ordered[-KEPT:])
        return Rhythm(dict(list(found.items())[-CLASSES:]))

    @property
    def works(self) -> dict[str, float]:
        """Core-seconds of the latest batch of each class."""
        return {kind: rows[-1].work for kind, rows in self.batches.items() if rows}

    @property
    def longest(self) -> float:
        """Seconds of the longest of the latest jobs."""
        return max((one.longest for rows in self.batches.values() for one in rows[-3:]), default=0.0)

    def coming(self, now: float, until: float, without: Collection[str] = ()) -> list[Coming]:
        """Return the jobs that are expected from now until then, without those of some classes."""
        return [
            one
            for kind, rows in self.batches.items()
            if kind not in without
            for one in _expected(kind, rows, now, until)
        ]


def _batch(row: Sequence[float]) -> Batch:
    at, due, work, high, cores, longest = row
    return Batch(float(at), float(due), float(work), float(high), int(cores), float(longest))


def _seen(view: View) -> dict[str, list[Batch]]:
    """Return what a view shows of jobs that can still be in time, by class and deadline."""
    found: dict[tuple[str, float], list[float]] = {}
    for load in view.loads:
        if view.now < load.due < math.inf and load.known:
            sums = found.setdefault((load.kind, load.due), [0.0, 0.0, 0.0, 0.0])
            sums[0] += load.work
            sums[1] += load.high
            sums[2] += load.runnable
            sums[3] = max(sums[3], load.longest)
    rows: dict[str, list[Batch]] = {}
    for (kind, due), (work, high, cores, longest) in found.items():
        rows.setdefault(kind, []).append(Batch(view.now, due, work, high, int(cores), longest))
    return rows


def _more(old: Batch, new: Batch) -> Batch:
    cores, longest = max(old.cores, new.cores), max(old.longest, new.longest)
    return Batch(old.at, old.due, max(old.work, new.work), max(old.high, new.high), cores, longest)


def _expected(kind: str, rows: Sequence[Batch], now: float, until: float) -> Iterator[Coming]:
    if len(rows) < 3:
        return
    gap = statistics.median(b.at - a.at for a, b in itertools.pairwise(rows))
    last = rows[-1]
    if gap <= 0.0 or now - last.at > _STOPPED * gap:
        return
    window = statistics.median(one.due - one.at for one in rows)
    level, rise = _trend(rows)
    most = _MOST * max(one.work for one in rows)
    careful = max(one.high / max(one.work, 1e-9) for one in rows[-3:])
    at = last.at + gap
    while at <= until:
        work = min(level + rise * (at - last.at), most)
        if at >= now and work > 0.0:
            why = f"{kind} comes every {gap:,.0f} s"
            yield Coming(at, at + window, work, work * careful, last.cores, why)
        at += gap


def _trend(rows: Sequence[Batch]) -> tuple[float, float]:
    """Return core-seconds of the latest batches, and by how many they rise a second, at least."""
    times = [one.at - rows[-1].at for one in rows]
    works = [one.work for one in rows]
    level = max(statistics.fmean(works[-3:]), works[-1])
    middle, mean = statistics.fmean(times), statistics.fmean(works)
    spread = sum((at - middle) ** 2 for at in times)
    if spread <= 0.0:
        return level, 0.0
    slope = sum((at - middle) * (work - mean) for at, work in zip(times, works, strict=True)) / spread
    missed = sum((w - mean - slope * (at - middle)) ** 2 for at, w in zip(times, works, strict=True))
    error = math.sqrt(missed / max(len(rows) - 2, 1) / spread)
    return level, max(slope - error, 0.0)
