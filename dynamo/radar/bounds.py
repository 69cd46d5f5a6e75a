"""Bounds: the field that a grid covers, as a box of longitude and latitude. Nothing can go wrong."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from dynamo.radar.grid import Geometry

__all__ = ["bounds"]


@lru_cache(maxsize=16)
def bounds(geometry: Geometry) -> tuple[float, float, float, float]:
    """Return west, south, east and north of the outer edge, WGS 84 degrees; beyond 180 across the antimeridian."""
    along = np.linspace(0, 1, 101)
    column = np.concatenate((along, along, 0 * along, 0 * along + 1)) * geometry.nx - 0.5
    row = np.concatenate((0 * along, 0 * along + 1, along, along)) * geometry.ny - 0.5
    lon, lat = geometry.lonlat(column, row)
    if not geometry.is_geographic:
        middle, _ = geometry.lonlat(np.array([(geometry.nx - 1) / 2]), np.array([(geometry.ny - 1) / 2]))
        lon = middle + (lon - middle + 180) % 360 - 180
    return float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max())
