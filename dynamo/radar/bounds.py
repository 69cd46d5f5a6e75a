"""Bounds: the field that a grid covers, as a box of longitude and latitude. Nothing can go wrong."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from dynamo.radar.grid import Geometry

__all__ = ["bounds", "edge"]

#: A grid whose edge goes round this far has a pole in it, which no box of degrees tells.
_AROUND = 350.0


def bounds(geometry: Geometry) -> tuple[float, float, float, float] | None:
    """Return west, south, east and north of a grid, WGS 84 degrees; beyond 180 across the antimeridian.

    None where no such box holds it: corners lie off the earth, or a pole lies in a projected grid.
    """
    west, south, east, north = box = edge(geometry)
    if not all(map(math.isfinite, box)) or (not geometry.is_geographic and east - west > _AROUND):
        return None
    return west, max(south, -90.0), east, min(north, 90.0)


@lru_cache(maxsize=16)
def edge(geometry: Geometry) -> tuple[float, float, float, float]:
    """Return the least and greatest longitude and latitude of the outer edge of the cells, as they come out."""
    along = np.linspace(0, 1, 101)
    column = np.concatenate((along, along, 0 * along, 0 * along + 1)) * geometry.nx - 0.5
    row = np.concatenate((0 * along, 0 * along + 1, along, along)) * geometry.ny - 0.5
    lon, lat = geometry.lonlat(column, row)
    if not geometry.is_geographic:
        middle, _ = geometry.lonlat(np.array([(geometry.nx - 1) / 2]), np.array([(geometry.ny - 1) / 2]))
        with np.errstate(invalid="ignore"):  # of corners off the earth, which are infinitely far
            lon = middle + (lon - middle + 180) % 360 - 180
    return float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max())
