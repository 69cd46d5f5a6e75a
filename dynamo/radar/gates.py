"""Sweeps put on a grid so that no gate is lost: for hail, wind and whatever else the highest value counts of.

`dynamo.radar.polar.to_grid` asks for each cell which gate is nearest; here each gate says in which cell it is. Near a
radar hundreds of gates lie in one cell, and the nearest alone may miss all the hail there is. What can go wrong: the
sweep has no such moment (`DataError`).
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from dynamo.radar.grid import Cell, Geometry, Grid
from dynamo.radar.polar import EFFECTIVE_RADIUS, Sweep, to_grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["cells", "highest", "on_grid"]

_TURNS = np.linspace(
    0, 360, 181
)  # between two of them a circle departs from its chord by 0.015 % of the range
_STEPS = 33  # ranges at which a cell is computed; between them it is interpolated


def cells(sweep: Sweep, geometry: Geometry) -> NDArray[np.intp]:
    """Return the flat number of the cell that each gate lies in, ``(nray, ngate)``; -1 outside the grid.

    The distance over ground follows Doviak and Zrnic (1993) eq. 2.28c, with 4/3 of the earth's radius; the place on WGS
    84 is exact at some points and interpolated between, within 0.02 % of the range.
    """
    first, last = float(sweep.ranges[0]), float(sweep.ranges[-1])
    column, row = _nodes(sweep.latitude, sweep.longitude, round(sweep.elevation, 1), first, last, geometry)
    ray, gate = (
        _between(_TURNS, sweep.azimuths % 360),
        _between(np.linspace(first, last, _STEPS), sweep.ranges),
    )
    x, y = (np.rint(_at(_at(part, *ray).T, *gate).T).astype(np.intp) for part in (column, row))
    inside = (x >= 0) & (x < geometry.nx) & (y >= 0) & (y < geometry.ny)
    return np.where(inside, y * geometry.nx + x, -1)


def highest(sweep: Sweep, geometry: Geometry, moment: str) -> NDArray[np.float32]:
    """Return the highest value of a moment in each cell, ``(ny, nx)``; NaN where none of its gates has one."""
    values = sweep.moments[moment]
    number = cells(sweep, geometry)
    there = np.isfinite(values) & (number >= 0)
    most = np.full(geometry.nx * geometry.ny, -np.inf, dtype="f4")
    np.maximum.at(most, number[there], values[there])
    most[np.isneginf(most)] = np.nan
    return most.reshape(geometry.shape)


def on_grid(sweep: Sweep, geometry: Geometry, moment: str) -> Grid:
    """Put one moment of a sweep on a grid, each cell with the highest value that lies in it.

    A cell in which no gate lies, as far out, has that of the nearest. What is missing, out of range or nothing is as
    `dynamo.radar.polar.to_grid` says, which takes and raises the same.
    """
    near = to_grid(sweep, geometry, moment=moment)
    most = highest(sweep, geometry, moment)
    more = ~np.isnan(most) & ~(near.values >= most)  # where nothing was detected the value is finite, too
    return replace(
        near,
        values=np.where(more, most, near.values),
        status=np.where(more, np.uint8(Cell.ECHO), near.status),
    )


@lru_cache(maxsize=16)
def _nodes(
    latitude: float, longitude: float, elevation: float, first: float, last: float, geometry: Geometry
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return column and row of points all around a radar, ``(turns, steps)``."""
    import pyproj

    slant = np.linspace(first, last, _STEPS)
    angle = np.radians(elevation)
    ground = EFFECTIVE_RADIUS * np.arctan2(slant * np.cos(angle), EFFECTIVE_RADIUS + slant * np.sin(angle))
    azimuth, distance = np.meshgrid(_TURNS, ground, indexing="ij")
    here = np.full_like(azimuth, longitude), np.full_like(azimuth, latitude)
    lon, lat, _ = pyproj.Geod(ellps="WGS84").fwd(*here, azimuth, distance)
    middle, _ = geometry.lonlat(np.array((geometry.nx - 1) / 2), np.array((geometry.ny - 1) / 2))
    near = middle + (longitude - middle + 180) % 360 - 180  # the grid may lie across the date line
    return geometry.indices(near + (lon - near + 180) % 360 - 180, lat)


def _between(
    knots: NDArray[np.float64], places: NDArray[np.floating]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return after which of evenly spaced knots places lie, and how far to the next, ``(places, 1)``."""
    at = (np.asarray(places, dtype="f8") - knots[0]) / (knots[1] - knots[0])
    left = np.clip(at.astype(np.intp), 0, knots.size - 2)
    return left, (at - left)[:, None]


def _at(table: NDArray[np.float64], left: NDArray[np.intp], part: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interpolate linearly between rows of a table; a product of matrices would wake all cores for it."""
    made: NDArray[np.float64] = table[left] * (1 - part) + table[left + 1] * part
    return made
