"""The known map: a grid in, a coarse map of where something is known of it out.

For who must tell "none here" from "not seen here" without the grid itself. What can go wrong: nothing; a grid that no
box of degrees holds has none.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from dynamo.radar.bounds import bounds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dynamo.radar.grid import Geometry, Grid

__all__ = ["known_map"]

#: Its cells are no smaller than so many kilometres, and no side has more of them.
CELL_KM, MOST = 2.0, 256
#: In how many places along each side of a cell the grid is looked at, at most.
POINTS = 4
_DEGREE_KM = 111.2
_DIGITS = np.frombuffer(b"0123456789", dtype="u1")


def known_map(grid: Grid) -> dict[str, Any] | None:
    """Return in which parts of a grid something is known, an echo or surely none.

    Returns
    -------
    dict
        ``bounds``: west, south, east and north, WGS 84 degrees. ``rows``: texts of one length, the northernmost first,
        a digit for each cell from west to east: ninths of it that are known, rounded. None where no box of degrees
        holds the grid.
    """
    points = _points(grid.geometry)
    if points is None:
        return None
    box, where = points
    known = np.append(grid.known.ravel(), False)[where]
    ninths = np.rint(known.mean(axis=(1, 3)) * 9).astype(np.intp)
    return {
        "bounds": [round(degrees, 5) for degrees in box],
        "rows": [row.tobytes().decode() for row in _DIGITS[ninths]],
    }


@lru_cache(maxsize=4)
def _points(geometry: Geometry) -> tuple[tuple[float, float, float, float], NDArray[np.intp]] | None:
    """Return the box of the map, and which cell of the grid lies where it is looked at: ``(rows, k, columns, k)``."""
    box = bounds(geometry)
    if box is None:
        return None
    west, south, east, north = box
    wide = (east - west) * _DEGREE_KM * math.cos(math.radians((south + north) / 2))
    columns, across = _cells(wide, geometry.nx)
    rows, down = _cells((north - south) * _DEGREE_KM, geometry.ny)
    lon = west + (np.arange(columns * across) + 0.5) / (columns * across) * (east - west)
    lat = north - (np.arange(rows * down) + 0.5) / (rows * down) * (north - south)
    column, row = (np.rint(at) for at in geometry.indices(*np.meshgrid(lon, lat)))
    with np.errstate(invalid="ignore"):
        inside = (column >= 0) & (column < geometry.nx) & (row >= 0) & (row < geometry.ny)
    outside = geometry.nx * geometry.ny
    where = np.where(inside, np.where(inside, row, 0) * geometry.nx + np.where(inside, column, 0), outside)
    return box, where.astype(np.intp).reshape(rows, down, columns, across)


def _cells(km: float, most: int) -> tuple[int, int]:
    """Return into how many cells a side is divided, and in how many places along it each is looked at."""
    cells = max(1, min(MOST, most, round(km / CELL_KM)))
    return cells, min(POINTS, math.ceil(most / cells))
