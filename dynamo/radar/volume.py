"""Volumes: of the sweeps of radars, in any order, the newest one of each elevation, put together.

Sweeps enter, one `Volume` for each radar leaves. What can go wrong: a span that is not positive (`DataError`).

The rules, in this order:

1. A sweep that says nothing (no reflectivity, or all of it missing) is as one that was never sent; one that looked
   everywhere and found nothing counts. One that looks straight up has no place over the ground and is left out.
2. A sweep that is later than the time of the product, as of a radar whose clock is ahead, is left out; so is one that
   is `span` or more older than it. Without such a time the newest sweep of each radar says what time it is for it.
3. Sweeps within `SAME_TILT` of each other are one tilt sent more than once: split cuts, repeats within a scan, the same
   file twice, the scan before. Of those that reach as far as any, the newest is taken: of a split cut the one made for
   surveillance, as the one made for velocity ends early.

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
from dynamo.radar.polar import Sweep

__all__ = ["SAME_TILT", "Volume", "volumes"]

#: Degrees within which two elevations are the same tilt.
SAME_TILT = 0.2
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
    """Put sweeps together to the newest volume of each radar, sorted by its name.

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
    of_radar: dict[str, list[Sweep]] = {}
    for sweep in sweeps:
        if _says_something(sweep) and (at is None or sweep.time <= at):
            of_radar.setdefault(sweep.radar, []).append(sweep)
    found = []
    for radar in sorted(of_radar):
        newest = at or max(sweep.time for sweep in of_radar[radar])
        recent = [sweep for sweep in of_radar[radar] if newest - sweep.time < span]
        if recent:
            chosen = tuple(_of_a_tilt(tilt) for tilt in _tilts(recent))
            found.append(Volume(chosen, _missing(chosen, (expected or {}).get(radar, ()))))
    return found


def _says_something(sweep: Sweep) -> bool:
    """Say whether a sweep knows anything of reflectivity over the ground."""
    values = sweep.moments.get("reflectivity")
    if values is None or not sweep.elevation < _UPWARD:
        return False
    return bool(sweep.undetect.any() or np.isfinite(values).any())


def _tilts(sweeps: Iterable[Sweep]) -> list[list[Sweep]]:
    """Return sweeps in groups of the same tilt, rising."""
    tilts: list[list[Sweep]] = []
    for sweep in sorted(sweeps, key=lambda s: s.elevation):
        if tilts and sweep.elevation - tilts[-1][0].elevation <= SAME_TILT:
            tilts[-1].append(sweep)
        else:
            tilts.append([sweep])
    return tilts


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
