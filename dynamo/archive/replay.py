"""The windows of a range: those that a watch would have made of files that each came at the time of its data. Pure.

Nothing more will come into an archive, so that nothing is waited for: a window is complete, or made of what there is
once the files are past what could join it. What is before the range is known to its windows (`within`, `last`), and
makes none.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby

from dynamo.errors import UserError
from dynamo.triggers.arrival import Arrival, Outcome
from dynamo.triggers.clock import Schedule
from dynamo.triggers.rules import Rules
from dynamo.triggers.window import Step, Window, Windows

__all__ = ["MOST", "Range", "Replayed", "replay"]

#: Windows of one command at most: with more, a clock was likely given in the wrong unit.
MOST = 1_000_000
#: What becomes of a file that is in windows, or may be: there is nothing to tell.
_USUAL = {"waiting", "used", "kept", "passed"}


@dataclass(frozen=True, slots=True)
class Range:
    """From `first` to `last`, both included; data times in Unix seconds."""

    first: float
    last: float

    def __contains__(self, time: float) -> bool:
        return self.first <= time <= self.last


@dataclass(frozen=True, slots=True)
class Replayed:
    """The windows of a range, the oldest first, and the files of that time that are in none, each with why."""

    windows: tuple[Window, ...]
    left_out: tuple[tuple[Arrival, Outcome], ...]


def replay(
    rules: Rules, schedule: Schedule | None, arrivals: Sequence[Arrival], range_: Range, wall: float
) -> Replayed:
    """Return the windows whose time lies in the range.

    Parameters
    ----------
    rules, schedule
        Of the feed.
    arrivals
        All files there are, in any order.
    wall
        What time it is (Unix seconds): what is from further ahead than clocks differ is left out.

    Raises
    ------
    UserError
        A clock has more ticks in the range than `MOST`.
    """
    timed = sorted((a for a in arrivals if a.time is not None), key=lambda a: (a.time, a.path, a.mtime))
    steps = list(
        _by_files(rules, timed, range_, wall)
        if schedule is None
        else _by_clock(rules, schedule, timed, range_, wall)
    )
    windows = [window for step in steps for window in step.windows if window.time in range_]
    outcomes = {a: outcome for step in steps for a, outcome in step.outcomes}
    outcomes |= dict.fromkeys(_outside(rules, timed), "outside")
    left_out: list[tuple[Arrival, Outcome]] = [
        (a, outcome)
        for a, outcome in outcomes.items()
        if outcome not in _USUAL and a.time is not None and a.time in range_
    ]
    left_out += [(a, "timeless") for a in sorted(arrivals, key=lambda a: a.path) if a.time is None]
    return Replayed(tuple(windows), tuple(left_out))


def _by_files(rules: Rules, timed: Sequence[Arrival], range_: Range, wall: float) -> Iterator[Step]:
    """Have each file come at its time; a window waits for as long as a file of a later time could join it."""
    rules = replace(rules, wait=rules.tolerance)
    begin = _beginning(rules, timed, range_.first)
    first = bisect_left(timed, begin, key=_time)
    windows = Windows(rules, frames=_known(rules, timed[:first], begin))
    for time, group in groupby(timed[first:], _time):
        if time > range_.last + rules.tolerance:
            break
        yield windows.step(group, time, wall)
    yield windows.step((), math.inf, wall)


def _by_clock(
    rules: Rules, schedule: Schedule, timed: Sequence[Arrival], range_: Range, wall: float
) -> Iterator[Step]:
    """Have each tick take what is known by then."""
    windows, done = Windows(replace(rules, wait=0.0)), 0
    for tick in _ticks(schedule, range_):
        upto = bisect_left(timed, math.nextafter(tick, math.inf), lo=done, key=_time)
        yield windows.step(timed[done:upto], tick, wall, [tick])
        done = upto


def _ticks(schedule: Schedule, range_: Range) -> Iterator[float]:
    begin = datetime.fromtimestamp(range_.first, UTC)
    tick = schedule.until(begin)
    if tick.timestamp() < range_.first:
        tick = schedule.after(begin)
    count = 0
    while tick.timestamp() <= range_.last:
        if (count := count + 1) > MOST:
            raise UserError(
                f"{schedule} has more than {MOST:,} ticks from --from to --to; give a shorter range"
            )
        yield tick.timestamp()
        tick = schedule.after(tick)


def _beginning(rules: Rules, timed: Sequence[Arrival], first: float) -> float:
    """Return the data time from which on all is gone through, so that windows from `first` on are as in a whole day.

    That is one before which there is nothing for so long that no window reaches across.
    """
    drives = {i.name: i for i in rules.inputs if i.drives}
    times = [_time(a) for a in timed if (rule := drives.get(a.input)) and rule.from_ <= _time(a) <= rule.to]
    n = bisect_left(times, first)
    begin = times[n] if n < len(times) else first
    for time in reversed(times[:n]):
        if begin - time > rules.tolerance:
            break
        begin = time
    return begin


def _known(rules: Rules, before: Sequence[Arrival], begin: float) -> Iterator[Arrival]:
    """Yield the files from before that windows from `begin` on may use."""
    inputs = {i.name: i for i in rules.inputs}
    for arrival in before:
        rule, time = inputs[arrival.input], _time(arrival)
        reaches = rule.within is None or time >= begin - rule.within
        if reaches and rule.from_ <= time <= rule.to:
            yield arrival


def _outside(rules: Rules, timed: Sequence[Arrival]) -> Iterator[Arrival]:
    """Yield the files from outside the times that the run file gives their input."""
    inputs = {i.name: i for i in rules.inputs}
    for arrival in timed:
        if not inputs[arrival.input].from_ <= _time(arrival) <= inputs[arrival.input].to:
            yield arrival


def _time(arrival: Arrival) -> float:
    assert arrival.time is not None
    return arrival.time
