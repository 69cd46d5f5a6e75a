"""Where a chain's grids lie, as a run file says it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dynamo.errors import DataError

if TYPE_CHECKING:
    from dynamo.radar.grid import Geometry

__all__ = ["area_geometry"]


def area_geometry(area: Sequence[float] | None, cells: Sequence[int] | None) -> Geometry | None:
    """Return the grid of `area` (degrees) in `cells`, outer edges and numbers; None where neither is given."""
    from dynamo.radar.grid import Geometry

    if (area is None) != (cells is None):
        raise DataError("`area` and `cells` go together: give both, or neither")
    if area is None or cells is None:
        return None
    west, south, east, north = area
    nx, ny = cells
    dx, dy = (east - west) / nx, (south - north) / ny
    return Geometry(west + dx / 2, north + dy / 2, dx, dy, nx, ny)
