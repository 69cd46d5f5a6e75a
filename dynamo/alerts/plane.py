"""Plane: places and polygons of one region in metres, and exact distances on the ellipsoid out of it.

The projection is stereographic about the middle of the polygons (Snyder 1987, "Map Projections: A Working
Manual", chapter 21): it keeps angles, so the nearest edge in the plane is the nearest on the ground wherever
that is, at a pole and across the antimeridian too. Its scale at `r` from the middle is 1 + (r / 2R)^2; what is
wrong with a distance measured by it is bounded by `slack`, and who is closer to a limit than that is decided
by the geodesic (Karney 2013, in PROJ). Nothing can go wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
import shapely

from dynamo.alerts.edges import Edges

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Plane", "near", "regions"]

_R = 6_371_000.0
_REGION = 2_500e3
# The ellipsoid's own scale differs from the sphere's by less than this in a region.
_ELLIPSOID = 0.005
# Degrees between the points of an edge: a straight line in degrees then leaves that of the plane by 0.1 m at most.
_STEP = 0.03
_GEOD = pyproj.Geod(ellps="WGS84")


def regions(polygons: NDArray[Any]) -> list[NDArray[np.intp]]:
    """Return the numbers of the polygons that share a plane: all, or those of one part of the earth."""
    bounds = shapely.bounds(polygons)
    lon, lat = (bounds[:, 0] + bounds[:, 2]) / 2, (bounds[:, 1] + bounds[:, 3]) / 2
    lon0, lat0 = _middle(lon, lat)
    count = len(polygons)
    far = _GEOD.inv(np.full(count, lon0), np.full(count, lat0), lon, lat)[2]
    if np.max(far) <= _REGION:
        return [np.arange(count)]
    cells = np.floor(lat / 20) * 100 + np.where(np.abs(lat) < 80, np.floor(lon % 360 / 20), 0)
    return [(cells == cell).nonzero()[0] for cell in np.unique(cells)]


def _middle(lon: NDArray[Any], lat: NDArray[Any]) -> tuple[float, float]:
    lon, lat = np.radians(lon), np.radians(lat)
    x, y, z = (np.cos(lat) * np.cos(lon)).mean(), (np.cos(lat) * np.sin(lon)).mean(), np.sin(lat).mean()
    return float(np.degrees(np.arctan2(y, x))), float(np.degrees(np.arctan2(z, np.hypot(x, y))))


def near(bounds: NDArray[Any], lon: NDArray[Any], lat: NDArray[Any], reach: NDArray[Any]) -> NDArray[np.intp]:
    """Return the numbers of the places that may be within `reach` metres of a box of degrees (west first)."""
    west, south, east, north = bounds
    high = reach / 110_500.0  # a degree of latitude is never shorter
    found = ((lat >= south - high) & (lat <= north + high)).nonzero()[0]
    top = np.minimum(np.maximum(abs(south), abs(north)) + high[found], 90.0)
    shrink = np.cos(np.radians(top))
    # Meridians converge: Bronstein's widest longitude of a circle, asin(sin r / cos lat), and all beyond a pole.
    ratio = np.sin(np.minimum(np.radians(high[found]), np.pi / 2)) / np.maximum(shrink, 1e-9)
    wide = np.where(ratio < 1, np.degrees(np.arcsin(np.minimum(ratio, 1.0))), 360.0)
    off = np.abs((lon[found] - (west + east) / 2 + 180) % 360 - 180)
    within: NDArray[np.intp] = found[off <= (east - west) / 2 + wide]
    return within


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """Polygons of one region, and the places near them, in metres.

    Parameters
    ----------
    rows
        ``(n,)`` numbers of the places near the polygons; all other arrays of places are in this order.
    lon, lat, x, y
        ``(n,)`` where they are, in degrees and in the plane.
    scale
        ``(n,)`` of the plane at the place.
    limit, reach
        ``(n,)`` how near is near: in metres on the ground, and about so many of the plane.
    slack
        The share by which `reach` may be too large or too small.
    polygons
        Prepared, in the plane.
    """

    rows: NDArray[np.intp]
    lon: NDArray[Any]
    lat: NDArray[Any]
    x: NDArray[Any]
    y: NDArray[Any]
    scale: NDArray[Any]
    limit: NDArray[Any]
    reach: NDArray[Any]
    slack: float
    polygons: NDArray[Any]
    projection: pyproj.Proj
    _edges: dict[int, Edges] = field(default_factory=dict)

    @classmethod
    def of(cls, polygons: NDArray[Any], lon: NDArray[Any], lat: NDArray[Any], limit: NDArray[Any]) -> Plane:
        """Return the plane of `polygons` with the places that may be within `limit` metres of any."""
        boxes = shapely.bounds(polygons)
        middles = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
        lon0, lat0 = _middle(*middles)
        # Longitudes about the middle, so that the box of all is the small one.
        turn = np.round((middles[0] - lon0) / 360) * 360
        box = np.array(
            [
                (boxes[:, 0] - turn).min(),
                boxes[:, 1].min(),
                (boxes[:, 2] - turn).max(),
                boxes[:, 3].max(),
            ]
        )
        rows = near(box, lon, lat, limit)
        lon, lat, limit = lon[rows], lat[rows], limit[rows]
        projection = pyproj.Proj(proj="stere", lon_0=lon0, lat_0=lat0, ellps="WGS84")
        flat = shapely.segmentize(polygons, _STEP)
        flat = shapely.transform(flat, lambda at: np.column_stack(projection(at[:, 0], at[:, 1])))
        shapely.prepare(flat)
        x, y = projection(lon, lat)
        far = np.hypot(x, y)
        scale = 1 + (far / (2 * _R)) ** 2
        reach = limit * scale
        widest = float(reach.max(initial=0.0))
        slack = _ELLIPSOID + (float(far.max(initial=0.0)) + widest) * widest / (2 * _R**2)
        return cls(rows, lon, lat, x, y, scale, limit, reach, slack, flat, projection)

    def edges(self, polygon: int) -> Edges:
        """Return the edges of a polygon, by its number."""
        if polygon not in self._edges:
            self._edges[polygon] = Edges(self.polygons[polygon])
        return self._edges[polygon]

    def on_ground(
        self, places: NDArray[np.intp], low: NDArray[Any], high: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return bounds in metres on the ground of bounds in metres of the plane, from places."""
        scale = self.scale[places]
        return low / scale * max(0.0, 1 - self.slack), high / scale * (1 + self.slack)

    def geodesic(
        self, places: NDArray[np.intp], x: NDArray[Any], y: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return metres and bearing (clockwise from north, 0 to 360) from places to points of the plane."""
        lon, lat = self.projection(x, y, inverse=True)
        bearing, _, metres = _GEOD.inv(self.lon[places], self.lat[places], lon, lat)
        return np.asarray(metres), np.asarray(bearing) % 360
