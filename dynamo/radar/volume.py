"""Volumes: of the sweeps of radars, in any order, the newest one of each elevation, put together.

Sweeps enter, one `Volume` for each radar leaves: radars of one name, or of none, that stand elsewhere are others. What
can go wrong: a span that is not positive (`DataError`).

The rules, in this order:

1. A sweep that says nothing (no reflectivity, or all of it missing) is as one that was never sent; one that looked
   everywhere and found nothing counts. One that looks straight up has no place over the ground and is left out.
2. A sweep that is later than the time of the product, as of a radar whose clock is ahead, is left out; so is one that
   is `span` or more older than it. Without such a time the newest sweep of each radar says what time it is for it.
3. Sweeps of one tilt (`dynamo.radar.composite.tilts`) were sent more than once: split cuts, repeats within a scan, the
   same file twice, the scan before. Of those that reach as far as any, the newest is taken: of a split cut the one made
   for surveillance, as the one made for velocity ends early.

So a volume is complete from the end of the first scan on, and each new sweep takes the place of the one before it.
Where a radar changes its scan strategy, tilts of the old one stay until they are `span` old: what they saw is still
true, and which tilts of the new one are missing is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from dynamo.errors import DataError
from dynamo.radar.composite import SAME_TILT, tilts
from dynamo.radar.polar import Sweep

__all__ = ["Volume", "volumes"]

# Degrees of latitude and longitude within which radars of one name are one, though its files place it anew each time.
_SAME_SITE = 0.02
# Degrees from which on a sweep looks straight up.
_UPWARD = 80.0
# Sweeps of a tilt that reach at least so much of the way of the one that reaches farthest, reach as far.
_AS_FAR = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """Sweeps of one radar, rising, each elevation once, with the moment ``reflectivity`` alone.

    Parameters
    ----------
    sweeps
        At least one.
    missing
        Degrees of the tilts that were to be expected and are not there, rising.
    """

    sweeps: tuple[Sweep, ...]
    missing: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.sweeps:
            raise DataError("a volume needs at least one sweep")
        if len({sweep.radar for sweep in self.sweeps}) > 1:
            raise DataError(
                f"a volume of several radars: {', '.join(sorted({s.radar for s in self.sweeps}))}"
            )
        if len(_by_radar(self.sweeps)) > 1:
            raise DataError(
                f"a volume of several radars called {self.radar!r}, that stand at different places"
            )
        if not np.all(np.diff(self.elevations) > 0):
            raise DataError(f"the elevations of a volume of {self.radar} do not rise: {self.elevations}")

    @property
    def radar(self) -> str:
        """Name of the radar."""
        return self.sweeps[0].radar

    @property
    def time(self) -> datetime:
        """End of the newest sweep."""
        return max(sweep.time for sweep in self.sweeps)

    @property
    def elevations(self) -> tuple[float, ...]:
        """Degrees above the horizon, rising."""
        return tuple(sweep.elevation for sweep in self.sweeps)


def volumes(
    sweeps: Iterable[Sweep],
    span: timedelta,
    *,
    expected: Mapping[str, Sequence[float]] | None = None,
    at: datetime | None = None,
) -> list[Volume]:
    """Put sweeps together to the newest volume of each radar, sorted by its name and place.

    Parameters
    ----------
    sweeps
        Of one or several radars, in any order.
    span
        How much older than the time of the product a sweep may be: a little more than a scan takes.
    expected
        Name of a radar to the elevations of its scan strategy, degrees. Of other radars nothing is missing.
    at
        The time of the product; later sweeps are left out. By default that of the newest sweep of each radar, which a
        clock that is ahead makes the only one.

    Raises
    ------
    DataError
        `span` is not positive.
    """
    if not span > timedelta(0):
        raise DataError(f"the span of a volume must be positive, not {span}")
    found = []
    for own in _by_radar(s for s in sweeps if _says_something(s) and (at is None or s.time <= at)):
        newest = at or max(sweep.time for sweep in own)
        recent = [sweep for sweep in own if newest - sweep.time < span]
        if recent:
            chosen = tuple(_of_a_tilt(tilt) for tilt in tilts(recent, lambda sweep: sweep.elevation))
            found.append(Volume(chosen, _missing(chosen, (expected or {}).get(own[0].radar, ()))))
    return found


def _by_radar(sweeps: Iterable[Sweep]) -> list[list[Sweep]]:
    """Return the sweeps of each radar: of one name and at one place, in order of both."""
    found: list[list[Sweep]] = []
    for sweep in sorted(sweeps, key=lambda s: (s.radar, s.latitude, s.longitude)):
        own = next((own for own in found if _is_one(own[0], sweep)), None)
        if own is None:
            found.append([sweep])
        else:
            own.append(sweep)
    return found


def _is_one(one: Sweep, other: Sweep) -> bool:
    """Say whether sweeps are of one radar."""
    east = (one.longitude - other.longitude + 180) % 360 - 180
    return one.radar == other.radar and max(abs(one.latitude - other.latitude), abs(east)) <= _SAME_SITE


def _says_something(sweep: Sweep) -> bool:
    """Say whether a sweep knows anything of reflectivity over the ground."""
    values = sweep.moments.get("reflectivity")
    if values is None or not sweep.elevation < _UPWARD:
        return False
    return bool(sweep.undetect.any() or np.isfinite(values).any())


def _of_a_tilt(sweeps: Sequence[Sweep]) -> Sweep:
    """Return the newest of the sweeps of a tilt that reach as far as any, with its reflectivity alone."""
    farthest = max(float(sweep.ranges[-1]) for sweep in sweeps)
    far = [sweep for sweep in sweeps if sweep.ranges[-1] >= _AS_FAR * farthest]
    # what follows the time tells apart what was sent at the same second, whatever order it came in
    newest = max(
        far, key=lambda s: (s.time, s.ranges[-1], s.undetect.size, int(s.undetect.sum()), s.elevation)
    )
    return replace(newest, moments={"reflectivity": newest.moments["reflectivity"]})


def _missing(sweeps: Sequence[Sweep], expected: Iterable[float]) -> tuple[float, ...]:
    """Return the expected elevations that no sweep has."""
    return tuple(
        float(elevation)
        for elevation in sorted(set(expected))
        if not any(abs(sweep.elevation - elevation) <= SAME_TILT for sweep in sweeps)
    )
