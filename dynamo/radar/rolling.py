"""The rolling composite: gridded sweeps of whatever radars reported, one grid that says what it is made of.

Grids of single sweeps on one geometry enter, as `dynamo.radar.polar.to_grid` makes them; the composite leaves. No
radar is waited for here, and none can hold it up: one that is silent, late, sends a sweep twice, an empty one, or has
a wrong clock is told in the attributes, and the others make the composite. What can go wrong: no sweep at all that
could be used (`DataError`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import attrgetter

from dynamo.errors import DataError
from dynamo.radar.composite import composite, frame_time, scan_of
from dynamo.radar.grid import Grid

__all__ = ["DAMAGED", "REASON", "RollCall", "roll_call", "rolling"]

#: The attribute of a grid that stands for a file which could not be used: its name, or nothing where that is no fault
#: of it. Such a grid is in no composite.
DAMAGED = "damaged_file"

#: The attribute of such a grid that says why.
REASON = "reason"

#: How far the clock of a radar may be ahead of ours.
AHEAD = timedelta(seconds=30)

#: Attributes that belong to one sweep, not to what was made of several.
OWN = {"radar", "elevation"}


@dataclass(frozen=True, slots=True)
class RollCall:
    """Which sweeps a composite is made of, and what is to be said of the others.

    Parameters
    ----------
    time
        Of the composite; where no sweep is used, the time now.
    used
        The newest sweep of each radar and tilt within the window, of those that know something.
    ahead, empty, damaged
        Radars and times of sweeps whose time has not come, and of such without one known cell; names of files.
    absent
        Radars that were expected, or have sweeps, and of which none is used; with the time of their last.
    """

    time: datetime
    used: tuple[Grid, ...]
    ahead: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()

    @property
    def attributes(self) -> dict[str, str]:
        """What of it a grid carries: only what there is to say."""
        said = {
            "absent_radars": self.absent,
            "ahead_radars": self.ahead,
            "empty_sweeps": self.empty,
            "damaged_files": self.damaged,
        }
        return {name: ", ".join(words) for name, words in said.items() if words}


def roll_call(
    grids: Iterable[Grid],
    now: datetime,
    *,
    every: timedelta,
    window: timedelta,
    expected: Collection[str] = (),
) -> RollCall:
    """Say which sweeps count.

    Parameters
    ----------
    grids
        Of single sweeps, with the attributes ``radar`` and ``elevation``, in any order; those that stand for damaged
        files with the attribute `DAMAGED`.
    now
        Aware. A sweep that ended more than half a minute later is of a radar whose clock is ahead.
    every, window, expected
        As for `rolling`.
    """
    grids = sorted(grids, key=lambda g: (g.time, _radar(g)))
    damaged = [g for g in grids if DAMAGED in g.attributes]
    whole = [g for g in grids if DAMAGED not in g.attributes]
    ahead = [g for g in whole if g.time > now + AHEAD]
    empty = [g for g in whole if g.time <= now + AHEAD and not g.known.any()]
    usable = [g for g in whole if g.time <= now + AHEAD and g.known.any()]
    time = frame_time(usable[-1].time, every) if usable else now
    used = {scan_of(g): g for g in usable if time - window < g.time}
    last = {_radar(g): f"{_radar(g)} {g.time:%H:%M:%S}" for g in usable}
    away = {*expected, *map(_radar, whole)} - {_radar(g) for g in used.values()}
    return RollCall(
        time,
        tuple(used[scan] for scan in sorted(used)),
        _newest_each(ahead),
        _newest_each(empty),
        tuple(sorted({str(g.attributes[DAMAGED]) for g in damaged} - {""})),
        tuple(last.get(radar, radar) for radar in sorted(away)),
    )


def rolling(
    grids: Iterable[Grid],
    now: datetime,
    *,
    every: timedelta = timedelta(minutes=1),
    window: timedelta = timedelta(minutes=5),
    expected: Collection[str] = (),
) -> Grid:
    """Make the newest composite of the sweeps that are there.

    Its time is the first whole multiple of `every` that follows the newest sweep; it takes of each radar and tilt the
    newest sweep that ended within `window` before, as `dynamo.radar.composite.composites` does.

    Returns
    -------
    Grid
        With the attributes ``radars`` (each with the time of its newest sweep), ``sweeps`` (how many),
        ``oldest_sweep_s`` (the age of the oldest at the time of the composite), those of `RollCall`, and those on which
        all sweeps agree; ``warning`` holds the warnings of all.

    Raises
    ------
    DataError
        No sweep is usable; the message says of each why. `every` or `window` is not positive.
    """
    if not (every > timedelta(0) and window > timedelta(0)):
        raise DataError("the time between composites and their window must be positive")
    grids = list(grids)
    called = roll_call(grids, now, every=every, window=window, expected=expected)
    if not called.used:
        said = [f"{name}: {words}" for name, words in called.attributes.items()]
        said += dict.fromkeys(str(g.attributes[REASON]) for g in grids if REASON in g.attributes)
        raise DataError(f"no usable sweep to make a composite of; {'; '.join(said) or 'there is none'}")
    about = {
        **_shared(called.used),
        "radars": ", ".join(_newest_each(called.used)),
        "sweeps": float(len(called.used)),
        "oldest_sweep_s": (called.time - min(g.time for g in called.used)).total_seconds(),
        **called.attributes,
    }
    return replace(composite(called.used), time=called.time, attributes=about)


def _radar(grid: Grid) -> str:
    return str(grid.attributes.get("radar", grid.source))


def _newest_each(grids: Sequence[Grid]) -> tuple[str, ...]:
    newest = {_radar(g): g.time for g in sorted(grids, key=attrgetter("time"))}
    return tuple(f"{radar} {newest[radar]:%H:%M:%S}" for radar in sorted(newest))


def _shared(grids: Sequence[Grid]) -> dict[str, str | float]:
    """Return the attributes on which all agree, and every warning once."""
    first = grids[0].attributes
    same = {
        name: value
        for name, value in first.items()
        if name not in OWN and all(g.attributes.get(name) == value for g in grids)
    }
    warnings = dict.fromkeys(str(g.attributes["warning"]) for g in grids if g.attributes.get("warning"))
    return {**same, "warning": "; ".join(warnings)} if warnings else same
