"""The rolling composite: gridded sweeps of whatever radars reported, one grid that says what it is made of.

Grids of single sweeps on one geometry enter, as `dynamo.radar.polar.to_grid` makes them; the composite leaves. No
radar is waited for here, and none can hold it up: one that is silent, late, sends a sweep twice, an empty one, or has
a wrong clock is told in the attributes, and the others make the composite. What can go wrong: no sweep at all that
could be used (`DataError`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import attrgetter

from dynamo.errors import DataError
from dynamo.radar.composite import composite, scans_of
from dynamo.radar.grid import Grid

__all__ = [
    "AHEAD", "DAMAGED", "REASON", "RollCall", "made_of", "names_of", "newest_of", "radar_of", "roll_call", "rolling",
    "shared_by",
]  # fmt: skip

#: The attribute of a grid that stands for a file which could not be used: its name, or nothing where that is no fault
#: of it. Such a grid is in no composite.
DAMAGED = "damaged_file"

#: The attribute of such a grid that says why.
REASON = "reason"

#: How far the clock of a radar may be ahead of ours.
AHEAD = timedelta(seconds=30)

#: Attributes that belong to one sweep, not to what was made of several.
OWN = {"radar", "site", "elevation", "span_s"}


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
    window, expected
        As for `rolling`.
    """
    grids = sorted(grids, key=lambda g: (g.time, radar_of(g)))
    damaged = [g for g in grids if DAMAGED in g.attributes]
    whole = [g for g in grids if DAMAGED not in g.attributes]
    ahead = [g for g in whole if g.time > now + AHEAD]
    empty = [g for g in whole if g.time <= now + AHEAD and not g.known.any()]
    usable = [g for g in whole if g.time <= now + AHEAD and g.known.any()]
    time = usable[-1].time if usable else now
    scans = scans_of(usable)
    used = {scans[id(g)]: g for g in usable if time - window < g.time}
    names = names_of(whole)
    last = newest_of(usable, names)
    away = {*names.values(), *set(expected) - {radar_of(g) for g in whole}}
    away -= {names[id(g)] for g in used.values()}
    return RollCall(
        time,
        tuple(used[scan] for scan in sorted(used)),
        tuple(newest_of(ahead, names).values()),
        tuple(newest_of(empty, names).values()),
        tuple(sorted({str(g.attributes[DAMAGED]) for g in damaged} - {""})),
        tuple(last.get(radar, radar) for radar in sorted(away)),
    )


def rolling(
    grids: Iterable[Grid],
    now: datetime,
    *,
    window: timedelta = timedelta(minutes=5),
    expected: Collection[str] = (),
) -> Grid:
    """Make the newest composite of the sweeps that are there.

    Its time is that of the newest sweep; it takes of each radar and tilt the newest sweep that ended within `window`
    before.

    Returns
    -------
    Grid
        With the attributes ``radars`` (each with the time of its newest sweep), ``sweeps`` (how many),
        ``oldest_sweep_s`` (how much older than it the oldest is), those of `RollCall`, and those on which
        all sweeps agree; ``warning`` holds the warnings of all.

    Raises
    ------
    DataError
        No sweep is usable; the message says of each why. `window` is not positive.
    """
    if not window > timedelta(0):
        raise DataError("the window of a composite must be positive")
    grids = list(grids)
    called = roll_call(grids, now, window=window, expected=expected)
    if not called.used:
        told = {words.rpartition(" ")[0] for words in (*called.ahead, *called.empty)}
        called = replace(called, absent=tuple(radar for radar in called.absent if radar not in told))
        said = [f"{name}: {words}" for name, words in called.attributes.items()]
        said += dict.fromkeys(str(g.attributes[REASON]) for g in grids if REASON in g.attributes)
        raise DataError(f"no usable sweep to make a composite of; {'; '.join(said) or 'there is none'}")
    empty = [g for g in grids if DAMAGED not in g.attributes and not g.known.any()]
    about = {
        **shared_by(called.used, also=empty),
        "radars": ", ".join(newest_of(called.used, names_of(grids)).values()),
        **made_of(called.used, called.time),
        **called.attributes,
    }
    return replace(composite(called.used), time=called.time, attributes=about)


def made_of(grids: Sequence[Grid], time: datetime) -> dict[str, float]:
    """Return how many sweeps are in the grids, and how many seconds before `time` the oldest ended.

    A grid of several sweeps says in ``sweeps`` how many, and in ``span_s`` by how much the oldest is older.
    """
    ages = [(time - g.time).total_seconds() + float(g.attributes.get("span_s", 0.0)) for g in grids]
    return {
        "sweeps": sum(float(g.attributes.get("sweeps", 1.0)) for g in grids),
        "oldest_sweep_s": max(ages),
    }


def radar_of(grid: Grid) -> str:
    """Return the name of a grid's radar."""
    return str(grid.attributes.get("radar", grid.source))


def names_of(grids: Iterable[Grid]) -> dict[int, str]:
    """Return what the radar of each grid is called, by the grid's `id`: with its place where another has its name."""
    grids = list(grids)
    sites: dict[str, set[str]] = {}
    for grid in grids:
        sites.setdefault(radar_of(grid), set()).add(str(grid.attributes.get("site", "")))
    return {
        id(g): f"{name} at {g.attributes.get('site', '')}" if len(sites[name := radar_of(g)]) > 1 else name
        for g in grids
    }


def newest_of(grids: Iterable[Grid], names: Mapping[int, str]) -> dict[str, str]:
    """Return the radars of grids by name, in order, each with the time of its newest sweep."""
    found = {names[id(g)]: g.time for g in sorted(grids, key=attrgetter("time"))}
    return {name: f"{name} {found[name]:%H:%M:%S}" for name in sorted(found)}


def shared_by(grids: Sequence[Grid], *, also: Sequence[Grid] = ()) -> dict[str, str | float]:
    """Return the attributes on which all agree, and every warning once; of `also` the warnings alone."""
    first = grids[0].attributes
    same = {
        name: value
        for name, value in first.items()
        if name not in OWN and all(g.attributes.get(name) == value for g in grids)
    }
    warnings = dict.fromkeys(
        str(g.attributes["warning"]) for g in (*grids, *also) if g.attributes.get("warning")
    )
    return {**same, "warning": "; ".join(warnings)} if warnings else same
