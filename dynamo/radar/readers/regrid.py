"""A grid put on other cells: each takes the value of the old cell that it lies in.

A `Grid` and a geometry enter, a `Grid` leaves. Cells outside the old grid are out of range.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from dynamo.radar.grid import Cell, Geometry, Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["regrid"]


def regrid(grid: Grid, geometry: Geometry) -> Grid:
    """Return `grid` on `geometry` by nearest neighbour, which keeps echo edges and statuses what they are."""
    if not grid.geometry.difference(geometry):
        return grid
    cells, outside = _table(grid.geometry, geometry)
    values, status = grid.values.ravel()[cells], grid.status.ravel()[cells]
    values[outside], status[outside] = np.nan, Cell.OUT_OF_RANGE
    return replace(grid, values=values, status=status, geometry=geometry)


@lru_cache(maxsize=4)
def _table(old: Geometry, new: Geometry) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return, for each new cell, the flat number of the old cell under it, and whether there is none."""
    lon, lat = new.lonlat(*np.meshgrid(np.arange(float(new.nx)), np.arange(float(new.ny))))
    column, row = (np.rint(i) for i in old.indices(lon, lat))
    outside = ~((column >= 0) & (column < old.nx) & (row >= 0) & (row < old.ny))
    return np.where(outside, 0, row * old.nx + column).astype(np.intp), outside
