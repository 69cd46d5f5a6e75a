"""Contours: one grid in, filled bands "value >= level" out, as polygons with holes in WGS 84 degrees.

Each band is traced by marching squares (Lorensen & Cline 1987, in two dimensions) over the cells its
outline passes through, and over no others: clear air costs one comparison a cell, a storm adds work in
proportion to the length of its outlines, and no weather is slow. Four things are decided here, because
polygons go wrong there:

* A cell belongs to a band if and only if its value is at or above the level. Cells without an echo, missing
  cells and cells out of range are below every level, so a gap in the data is never drawn as a hazard.
* An outline crosses between two cell centres where linear interpolation puts the level, but never closer
  than a twentieth of a cell to either: rounded coordinates then stay valid polygons. A jump that the grid
  does not resolve (say 45 dBZ beside no echo at all) is crossed half-way, wherever the "no echo" value
  happens to lie.
* Bands nest: what is inside at 45 dBZ is inside at 35 dBZ.
* Cells reach half a step beyond their centres, so a storm at the rim is closed along the outer edge of the
  grid.

The area of a band differs from that of its cells only in the squares between four cell centres that an
outline passes through: by half of such a square at most, by less than a quarter of them in sum on real
frames. That is 1 or 2 % of a band of widespread rain; a lone cell, whose outline is a diamond, keeps half
of its area.

What can go wrong: a level that the quantity's "nothing detected" would reach, coordinates rounded more
coarsely than the grid can bear, or a polygon around a pole; each is a `DataError`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dynamo.errors import DataError
from dynamo.radar.grid import Geometry, Grid
from dynamo.radar.outline import outlines
from dynamo.radar.quantities import QUANTITIES

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Band", "contour"]

# A difference to the level is cut at this many units: more than that between neighbours is an edge, not a
# slope. Other quantities take the distance of the level from their floor.
_SLOPE = {"reflectivity": 2.0}

# WGS 84: semi-major axis in km, first eccentricity.
_A, _E = 6378.137, 0.0818191908426215


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """All polygons of one level, as ragged arrays (the layout of GeoArrow and `shapely.from_ragged_array`).

    Parameters
    ----------
    level
        The band holds the cells with ``value >= level``.
    coordinates
        ``(n, 2)`` float64 longitude and latitude, WGS 84 degrees; rings are closed, outer ones run
        counter-clockwise, holes clockwise (RFC 7946, section 3.1.6).
    ring_offsets
        ``(rings + 1,)``: ring `i` is ``coordinates[ring_offsets[i]:ring_offsets[i + 1]]``.
    polygon_offsets
        ``(polygons + 1,)``: polygon `i` has rings ``polygon_offsets[i]`` to ``polygon_offsets[i + 1]``; the
        first is its outer one.
    polygon_area_km2
        ``(polygons,)`` area on the WGS 84 ellipsoid.
    decimals
        Decimals the coordinates are rounded to.
    """

    level: float
    coordinates: NDArray[np.float64]
    ring_offsets: NDArray[np.intp]
    polygon_offsets: NDArray[np.intp]
    polygon_area_km2: NDArray[np.float64]
    decimals: int

    def __len__(self) -> int:
        return len(self.polygon_offsets) - 1

    @property
    def area_km2(self) -> float:
        """Area of all polygons, without their holes, in km2 on the WGS 84 ellipsoid."""
        return float(self.polygon_area_km2.sum())

    def to_shapely(self) -> NDArray[Any]:
        """Return the polygons as an array ``(polygons,)`` of `shapely.Polygon`."""
        import shapely

        if not len(self):
            return np.empty(0, dtype=object)
        polygons: NDArray[Any] = shapely.from_ragged_array(
            shapely.GeometryType.POLYGON, self.coordinates, (self.ring_offsets, self.polygon_offsets)
        )
        return polygons


def contour(
    grid: Grid, levels: Iterable[float], *, min_points: int = 0, decimals: int | None = None
) -> list[Band]:
    """Trace the filled bands ``value >= level`` of a grid.

    Parameters
    ----------
    grid
        The field; cells that are not ``ECHO`` are below every level.
    levels
        In the units of the grid's quantity, in any order; each must be above the quantity's floor.
    min_points
        Polygons whose outer ring has fewer positions (the closing one counted) are left out. Holes always
        stay: a hole that is filled tells somebody in the dry that they stand in the storm. With 0, bands
        nest exactly.
    decimals
        Decimals of a degree to round to; None means 5 (1 m), or more where the grid is finer than 100 m.

    Returns
    -------
    list of Band
        One for each level, lowest first; a band without polygons where no cell reaches its level.

    Raises
    ------
    DataError
        For a level at or below the quantity's floor or not finite, for too few decimals, and for a polygon
        that encloses a pole.
    """
    floor = QUANTITIES[grid.quantity].floor
    wanted = sorted({float(level) for level in levels})
    for level in wanted:
        if not floor < level < math.inf:
            raise DataError(
                f"cannot contour {grid.quantity} at {level:g}: a level must be finite and above {floor:g}, "
                "the value that stands for nothing detected"
            )
    places = _decimals(grid.geometry, decimals)
    slopes = [_SLOPE.get(grid.quantity, level - floor) for level in wanted]
    found = outlines(grid.values, wanted, slopes, min_points=min_points, straight=grid.geometry.is_geographic)
    coordinates = np.stack(_place(grid.geometry, found.column, found.row), axis=1).round(places)
    areas = _areas(coordinates, found.ring_offsets, found.polygon_offsets)
    bands = []
    for level, first, last in zip(wanted, found.level_offsets, found.level_offsets[1:], strict=False):
        polygons = found.polygon_offsets[first : last + 1]
        rings = found.ring_offsets[polygons[0] : polygons[-1] + 1]
        points = coordinates[rings[0] : rings[-1]]
        bands.append(Band(level, points, rings - rings[0], polygons - polygons[0], areas[first:last], places))
    west, east = coordinates[:, 0].min(initial=0), coordinates[:, 0].max(initial=0)
    if west >= -180 and east <= 180 and east - west <= 180:
        return bands
    return [_on_globe(band) if len(band) else band for band in bands]


def _decimals(geometry: Geometry, decimals: int | None) -> int:
    """Check or choose the rounding: a cell must span 100 steps of it, or rings may touch themselves."""
    metres_per_degree = 1.0 if geometry.is_geographic else 111_320.0
    cell = min(geometry.dx, -geometry.dy) / metres_per_degree
    needed = math.ceil(-math.log10(cell / 100) - 1e-9)
    if decimals is None:
        return max(5, needed)
    if decimals < needed:
        raise DataError(
            f"{decimals} decimals are too few for cells of {cell:g} degrees: polygons could cross "
            f"themselves; use {needed} or more"
        )
    return decimals


def _place(
    geometry: Geometry, column: NDArray[np.float64], row: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitude and latitude, without the jump at the antimeridian that a projection makes."""
    lon, lat = geometry.lonlat(column, row)
    if not geometry.is_geographic:
        middle, _ = geometry.lonlat(np.array([(geometry.nx - 1) / 2]), np.array([(geometry.ny - 1) / 2]))
        lon = middle + (lon - middle + 180) % 360 - 180
    return lon, lat


def _authalic(lat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return q of Snyder 1987 (USGS PP 1395), eq. 3-12: equal steps of it span equal areas."""
    s = np.sin(np.radians(lat))
    es = _E * s
    q: NDArray[np.float64] = (1 - _E * _E) * (s / (1 - es * es) + np.arctanh(es) / _E)
    return q


def _areas(
    coordinates: NDArray[np.float64], ring_offsets: NDArray[np.intp], polygon_offsets: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the area of each polygon, km2: the integral of q over longitude, along each ring."""
    if len(ring_offsets) == 1:
        return np.empty(0)
    q = _authalic(coordinates[:, 1])
    piece = np.zeros(len(coordinates))
    piece[:-1] = np.diff(coordinates[:, 0]) * (q[:-1] + q[1:])
    piece[ring_offsets[1:] - 1] = 0.0  # from the end of a ring to the start of the next is no edge
    ring = np.add.reduceat(piece, ring_offsets[:-1])
    area: NDArray[np.float64] = np.add.reduceat(ring, polygon_offsets[:-1])
    return area * (-math.radians(1) * _A * _A / 4)


def _on_globe(band: Band) -> Band:
    """Refuse an edge around a pole; bring longitudes to -180..180, cutting polygons at the antimeridian.

    So asks RFC 7946, section 3.1.9.
    """
    west, east = band.coordinates[:, 0].min(), band.coordinates[:, 0].max()
    step = np.abs(np.diff(band.coordinates[:, 0]))
    step[band.ring_offsets[1:-1] - 1] = 0.0
    if step.max() > 180:
        raise DataError(f"a polygon at level {band.level:g} encloses a pole: crop the grid or reproject it")
    if west >= -180 and east <= 180:
        return band
    turns = range(math.floor((west + 180) / 360), math.ceil((east - 180) / 360) + 1)
    import shapely
    from shapely.affinity import translate
    from shapely.geometry.polygon import orient

    whole, pieces = band.to_shapely(), []
    for turn in turns:
        window = shapely.box(-180 + 360 * turn, -90, 180 + 360 * turn, 90)
        parts = shapely.get_parts(shapely.intersection(whole, window))
        parts = parts[(shapely.get_type_id(parts) == shapely.GeometryType.POLYGON) & ~shapely.is_empty(parts)]
        pieces += [orient(translate(part, -360 * turn)) for part in parts]
    _, coordinates, offsets = shapely.to_ragged_array(np.array(pieces, dtype=object))
    ring_offsets, polygon_offsets = (np.asarray(o, dtype=np.intp) for o in offsets)
    coordinates = np.round(coordinates, band.decimals)
    return Band(
        band.level,
        coordinates,
        ring_offsets,
        polygon_offsets,
        _areas(coordinates, ring_offsets, polygon_offsets),
        band.decimals,
    )
