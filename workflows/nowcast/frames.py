"""Which of the grids that were read make the sequence that a nowcast starts from.

Enters: grids as the readers give them. Leaves: one for each time, on one geometry. Goes wrong: `DataError` that names
the frames and what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dynamo.errors import DataError

if TYPE_CHECKING:
    from dynamo.radar.grid import Geometry, Grid

__all__ = ["area_geometry", "not_ahead", "one_each", "sweeps_up_to"]

#: How far a clock may be ahead of this machine's.
AHEAD = timedelta(minutes=10)


def area_geometry(area: Sequence[float] | None, cells: Sequence[int] | None) -> Geometry | None:
    """Return the grid of `area` (degrees) in `cells`, as `ingest` takes them; None where neither is given."""
    from dynamo.radar.grid import Geometry

    if (area is None) != (cells is None):
        raise DataError("`area` and `cells` go together: give both, or neither")
    if area is None or cells is None:
        return None
    west, south, east, north = area
    nx, ny = cells
    dx, dy = (east - west) / nx, (south - north) / ny
    return Geometry(west + dx / 2, north + dy / 2, dx, dy, nx, ny)


def sweeps_up_to(highest: float, grids: list[Grid]) -> list[Grid]:
    """Leave out sweeps of a higher elevation (degrees)."""
    elevations = {float(grid.attributes.get("elevation", 0.0)) for grid in grids}
    kept = [grid for grid in grids if float(grid.attributes.get("elevation", 0.0)) <= highest]
    if not kept:
        raise DataError(f"every sweep is above {highest:g} degrees; the lowest is at {min(elevations):g}")
    return kept


def one_each(grids: list[Grid]) -> list[Grid]:
    """Return the observed frames in order of time, each time once; refuse frames of different grids."""
    frames = {grid.time: grid for grid in grids if not grid.lead_minutes}
    if not frames:
        raise DataError(
            "the files hold forecasts only, no observed frame; use dynamo.workflows.nowcast:split"
        )
    ordered = [frames[time] for time in sorted(frames)]
    for grid in ordered[1:]:
        if apart := ordered[0].geometry.difference(grid.geometry):
            raise DataError(
                f"the frame of {grid.time:%Y-%m-%d %H:%M} UTC does not lie on the grid of the first, "
                f"{ordered[0].time:%H:%M}: {apart}; give `area` and `cells` to put all on one grid"
            )
    return ordered


def not_ahead(newest: datetime, now: datetime) -> None:
    """Refuse a frame of a time that has not come: it would pass for the newest for as long as that lasts."""
    if newest > now + AHEAD:
        raise DataError(
            f"the frame of {newest:%Y-%m-%d %H:%M} UTC is in the future: here it is {now:%Y-%m-%d %H:%M} UTC; "
            "some clock is wrong, that of the radar or that of this machine"
        )
