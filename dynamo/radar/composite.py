"""Composites: grids of several radars and tilts, made into one for each frame time.

Grids on one geometry enter, of sweeps as `dynamo.radar.polar.to_grid` makes them; one grid a frame leaves. What can go
wrong: grids that do not fit together (`DataError`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeAlias, TypeVar

import numpy as np

from dynamo.errors import DataError
from dynamo.radar.grid import Grid

__all__ = ["SAME_TILT", "Scan", "composite", "composites", "scans_of", "tilts"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: Degrees within which two elevations are one tilt: 0.2, however they were rounded.
SAME_TILT = 0.22

#: Name and site of a radar, and the elevation of its tilt.
Scan: TypeAlias = tuple[str, str, float]

T = TypeVar("T")


def composite(grids: Sequence[Grid]) -> Grid:
    """Return the cell-wise maximum of grids on one geometry, at the latest of their times.

    Any echo wins over "nothing detected", that over "missing", and that over "out of range": a cell is
    known where at least one radar knows it.

    Raises
    ------
    DataError
        There is no grid, or the grids differ in geometry or quantity.
    """
    if not grids:
        raise DataError("no grids to make a composite of")
    first = grids[0]
    for grid in grids[1:]:
        if apart := first.geometry.difference(grid.geometry):
            raise DataError(f"the grid of {grid.source} does not lie on that of {first.source}: {apart}")
        if grid.quantity != first.quantity:
            raise DataError(f"{grid.source} is {grid.quantity}, {first.source} is {first.quantity}")
    # the members of Cell are in the order of precedence
    status = np.minimum.reduce([g.status for g in grids])
    values = np.fmax.reduce([g.values for g in grids])
    sources = sorted({g.source for g in grids if g.source})
    return replace(
        first,
        values=values,
        status=status,
        time=max(g.time for g in grids),
        source=", ".join(sources),
        attributes={"radars": ", ".join(sources), "sweeps": float(len(grids))},
    )


def composites(
    grids: Sequence[Grid], *, every: timedelta = timedelta(minutes=1), window: timedelta | None = None
) -> list[Grid]:
    """Make one composite per frame time out of gridded sweeps of several radars and tilts.

    Frame times are whole multiples of `every` (from midnight UTC), from the first that has a sweep to the
    first that follows the last sweep. A frame takes, of each radar and tilt, the latest sweep that ended
    within `window` before it; what comes later cannot be known at that time. The order of `grids` does not
    matter.

    Parameters
    ----------
    grids
        As `dynamo.radar.polar.to_grid` makes them, with the attributes ``radar`` and ``elevation``.
    every
        Time between frames.
    window
        How old a sweep may be; by default one and a half times `every`, so that a radar that is a little
        late does not blink.

    Raises
    ------
    DataError
        `every` or `window` is not positive, or the grids do not fit together.
    """
    window = 1.5 * every if window is None else window
    if not (every > timedelta(0) and window > timedelta(0)):
        raise DataError("the time between frames and the window of a composite must be positive")
    scans = scans_of(grids)
    ordered = sorted(grids, key=lambda g: (g.time, scans[id(g)]))
    if not ordered:
        return []
    frames = []
    number = -((EPOCH - ordered[0].time) // every)
    while True:
        time = EPOCH + number * every
        latest = {scans[id(g)]: g for g in ordered if time - window < g.time <= time}
        if latest:
            frames.append(composite([latest[k] for k in sorted(latest)]).with_time(time))
        if time >= ordered[-1].time:
            return frames
        number += 1


def scans_of(grids: Iterable[Grid]) -> dict[int, Scan]:
    """Return which radar and tilt each grid shows, by its `id`: name, site, and the lowest elevation of the tilt.

    Elevations of a tilt vary a little from turn to turn: see `tilts`.
    """
    of_radar: dict[tuple[str, str], list[Grid]] = {}
    for grid in grids:
        of_radar.setdefault(
            (str(grid.attributes.get("radar", grid.source)), str(grid.attributes.get("site", ""))), []
        ).append(grid)
    scans: dict[int, Scan] = {}
    for radar, own in of_radar.items():
        for tilt in tilts(own, _elevation):
            scans.update((id(grid), (*radar, _elevation(tilt[0]))) for grid in tilt)
    return scans


def tilts(sweeps: Iterable[T], elevation: Callable[[T], float]) -> list[list[T]]:
    """Return sweeps of a radar, of any kind, in groups of one tilt, rising: all within `SAME_TILT` of its lowest."""
    found: list[list[T]] = []
    for sweep in sorted(sweeps, key=elevation):
        if found and elevation(sweep) - elevation(found[-1][0]) <= SAME_TILT:
            found[-1].append(sweep)
        else:
            found.append([sweep])
    return found


def _elevation(grid: Grid) -> float:
    return float(grid.attributes.get("elevation", 0.0))
