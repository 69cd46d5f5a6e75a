"""Contours: one grid in, filled bands "value >= level" out, as polygons with holes in WGS 84 degrees.

Each band is traced by marching squares (Lorensen & Cline 1987, in two dimensions) over the cells its outline
passes through, and over no others: clear air costs one comparison a cell, a storm adds work in proportion to
the length of its outlines, and no weather is slow. Four things are decided here, because polygons go wrong there:

* A cell belongs to a band if and only if its value is at or above the level. Cells without an echo, missing cells
  and cells out of range are below every level, so a gap in the data is never drawn as a hazard.
* An outline crosses between two cell centres where linear interpolation puts the level, but never closer than a
  twentieth of a cell to either: rounded coordinates then stay valid polygons. A jump that the grid does not
  resolve (say 45 dBZ beside no echo at all) is crossed half-way, wherever the "no echo" value happens to lie.
* Bands nest: what is inside at 45 dBZ is inside at 35 dBZ.
* Cells reach half a step beyond their centres, so a storm at the rim is closed along the outer edge of the grid.

What can go wrong: a level that the quantity's "nothing detected" would reach, coordinates rounded more coarsely
than the grid can bear, or a polygon around a pole; each is a `DataError`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dynamo.errors import DataError
from dynamo.radar.grid import QUANTITIES, Geometry, Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Band", "contour"]

# A difference to the level is cut at this many units: more than that between neighbours is an edge, not a slope.
# Other quantities take the distance of the level from their floor.
_SLOPE = {"reflectivity": 2.0}

# Corners of a square of four cell centres, as bits: north-west 1, north-east 2, south-west 4, south-east 8.
# Its sides, and in each row below the side an outline enters by and the side it leaves by, band on the left.
_TOP, _LEFT, _BOTTOM, _RIGHT = range(4)
_SEGMENTS = {
    1: (_LEFT, _TOP),
    2: (_TOP, _RIGHT),
    3: (_LEFT, _RIGHT),
    4: (_BOTTOM, _LEFT),
    5: (_BOTTOM, _TOP),
    7: (_BOTTOM, _RIGHT),
    8: (_RIGHT, _BOTTOM),
    10: (_TOP, _BOTTOM),
    11: (_LEFT, _BOTTOM),
    12: (_RIGHT, _LEFT),
    13: (_RIGHT, _TOP),
    14: (_TOP, _LEFT),
}
# Two opposite corners inside: two outlines, around the corners (mean of the four below the level) or between them.
_APART = {9: ((_LEFT, _TOP), (_RIGHT, _BOTTOM)), 6: ((_TOP, _RIGHT), (_BOTTOM, _LEFT))}
_JOINED = {9: ((_LEFT, _BOTTOM), (_RIGHT, _TOP)), 6: ((_TOP, _LEFT), (_BOTTOM, _RIGHT))}

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
    ring_offsets: NDArray[np.int64]
    polygon_offsets: NDArray[np.int64]
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
        Polygons whose outer ring has fewer positions (the closing one counted) are left out. Holes always stay:
        a hole that is filled tells somebody in the dry that they stand in the storm. With 0, bands nest exactly.
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
    return [
        _band(grid, level, _SLOPE.get(grid.quantity, level - floor), min_points, places) for level in wanted
    ]


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


def _band(grid: Grid, level: float, slope: float, min_points: int, decimals: int) -> Band:
    """Trace one level and place it on the earth."""
    ny, nx = grid.values.shape
    # Two rings of cells around the grid: its own rim repeated, then "below". Squeezed back to half a cell
    # further down, they close polygons along the grid's outer edge.
    inside = np.zeros((ny + 4, nx + 4), dtype=np.uint8)
    # NaN compares false: missing cells are below every level.
    np.greater_equal(grid.values, np.float32(level), out=inside[2:-2, 2:-2].view(np.bool_))
    inside[1, :], inside[-2, :] = inside[2, :], inside[-3, :]
    inside[:, 1], inside[:, -2] = inside[:, 2], inside[:, -3]
    squares, corners = _mixed_squares(inside)
    if not squares.size:
        return _empty(level, decimals)
    distance = _Distance(grid.values, inside, level, slope)
    start, end = _segments(squares, corners, distance, nx + 4)

    column, row = _crossings(start, distance, nx + 4, (ny, nx))
    position = np.empty(inside.size * 2, dtype=np.int32)  # only the pages of crossed sides are ever touched
    position[start] = np.arange(start.size, dtype=np.int32)
    order, ring_start = _walk(position[end])
    polygon = _parents(inside, squares, corners, position, order, ring_start)

    column, row = column[order], row[order]
    keep = _corners_kept(column, row, ring_start, (ny, nx), straight=grid.geometry.is_geographic)
    index, ring_offsets, polygon_offsets = _assemble(keep, ring_start, polygon, min_points)
    if not index.size:
        return _empty(level, decimals)
    lon, lat = _place(grid.geometry, column[index], row[index])
    coordinates = np.round(np.stack((lon, lat), axis=1), decimals)
    return _within_180(_measured(level, coordinates, ring_offsets, polygon_offsets, decimals))


def _empty(level: float, decimals: int) -> Band:
    zero = np.zeros(1, dtype=np.int64)
    return Band(level, np.empty((0, 2)), zero, zero, np.empty(0), decimals)


def _mixed_squares(inside: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Flat indices of the squares an outline passes through, rising, and which of their corners are inside."""
    width, flat = inside.shape[1], inside.ravel()
    # A square that wraps from one row's end to the next row's start has four corners in the outermost ring: none.
    pairs = flat[1:] << 1
    pairs |= flat[:-1]
    corners = pairs[width:] << 2
    corners |= pairs[:-width]
    squares = np.flatnonzero(corners - np.uint8(1) < 14)  # 0 wraps to 255: neither none nor all four
    return squares, corners[squares]


class _Distance:
    """How far above (positive) or below (negative) the level a cell is, never nought and never far.

    Differences are cut at ``+-slope`` and moved away from nought by a ninth of its half. A crossing between two
    cells, put by linear interpolation of this, then lies between 0.05 and 0.95 of the way, and moves one way only
    as the level rises: that is what keeps polygons valid and bands nested.
    """

    def __init__(
        self, values: NDArray[np.float32], inside: NDArray[np.uint8], level: float, slope: float
    ) -> None:
        self.values, self.inside = values, inside.view(np.bool_)
        self.level, self.slope = level, slope

    def __call__(self, row: NDArray[np.int64], column: NDArray[np.int64]) -> NDArray[np.float64]:
        """Distance at rows and columns of the widened grid."""
        ny, nx = self.values.shape
        found = self.values[
            np.minimum(np.maximum(row - 2, 0), ny - 1), np.minimum(np.maximum(column - 2, 0), nx - 1)
        ]
        reach = np.fmin(np.abs(found.astype("f8") - self.level), self.slope) + self.slope / 18
        return np.where(self.inside[row, column], reach, -reach)


def _segments(
    squares: NDArray[np.int64], corners: NDArray[np.uint8], distance: _Distance, width: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the sides each piece of outline enters and leaves by.

    Sides are numbered by the cell at their north-west end: ``2 * cell`` eastward, ``2 * cell + 1`` southward.
    """
    side = np.array([0, 1, 2 * width, 3])
    table = np.zeros((2, 16), dtype=np.int64)
    for code, ends in _SEGMENTS.items():
        table[:, code] = side[list(ends)]
    start, end = 2 * squares + table[0][corners], 2 * squares + table[1][corners]
    saddle = np.flatnonzero((corners == 9) | (corners == 6))
    if not saddle.size:
        return start, end
    square, code = squares[saddle], corners[saddle]
    row, column = _row_column(square, width)
    joined = sum(distance(row + r, column + c) for r in (0, 1) for c in (0, 1)) >= 0
    second = np.zeros((2, saddle.size), dtype=np.int64)
    for is_joined, shapes in ((False, _APART), (True, _JOINED)):
        for corner, (one, two) in shapes.items():
            here = (joined == is_joined) & (code == corner)
            start[saddle[here]], end[saddle[here]] = (2 * square[here] + side[s] for s in one)
            second[0, here], second[1, here] = (2 * square[here] + side[s] for s in two)
    return np.concatenate((start, second[0])), np.concatenate((end, second[1]))


def _crossings(
    sides: NDArray[np.int64], distance: _Distance, width: int, shape: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Column and row, in cells of the grid, at which each side is crossed."""
    row, column = _row_column(sides >> 1, width)
    down = sides & 1
    along = 1 - down
    here, there = distance(row, column), distance(row + down, column + along)
    way = here / (here - there)
    ny, nx = shape
    return (
        np.clip(column - 2 + along * way, -0.5, nx - 0.5),
        np.clip(row - 2 + down * way, -0.5, ny - 0.5),
    )


def _row_column(cells: NDArray[np.int64], width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    row = cells // width  # several times faster than np.divmod
    return row, cells - row * width


def _walk(following: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Follow a permutation around its cycles: all members in order, and where each cycle starts."""
    after: list[int] = following.tolist()
    order: list[int] = []
    starts: list[int] = []
    append = order.append
    for first in range(len(after)):
        at = after[first]
        if at < 0:
            continue
        starts.append(len(order))
        at = first
        while (step := after[at]) >= 0:
            after[at] = -1
            append(at)
            at = step
    return np.array(order, dtype=np.int64), np.array(starts, dtype=np.int64)


def _parents(
    inside: NDArray[np.uint8],
    squares: NDArray[np.int64],
    corners: NDArray[np.uint8],
    position: NDArray[np.int32],
    order: NDArray[np.int64],
    ring_start: NDArray[np.int64],
) -> NDArray[np.int64]:
    """For each ring the ring that bounds its polygon from outside: itself, or for a hole its outer ring.

    West of the first crossing of a hole (northernmost row, westernmost there) lies its polygon, and the crossing
    before that one in the row is on the outer ring of the same polygon, or on a hole of it found earlier.
    """
    ring_of = np.empty(order.size, dtype=np.int64)
    ring_of[order] = np.repeat(np.arange(ring_start.size), np.diff(ring_start, append=order.size))
    crossed = squares[((corners ^ (corners >> 1)) & 1).astype(np.bool_)]  # eastward sides, row by row
    label = ring_of[position[2 * crossed]]
    first = np.empty(ring_start.size, dtype=np.int64)
    first[label[::-1]] = np.arange(label.size)[
        ::-1
    ]  # of equal indices the last write stays: the first crossing
    hole = inside.ravel()[crossed[first]].astype(np.bool_)
    parent = np.where(hole, label[first - 1], np.arange(ring_start.size))
    while hole[parent].any():
        parent = parent[parent]
    return parent


def _corners_kept(
    column: NDArray[np.float64],
    row: NDArray[np.float64],
    ring_start: NDArray[np.int64],
    shape: tuple[int, int],
    *,
    straight: bool,
) -> NDArray[np.bool_]:
    """Which points to keep: no point twice, and none in the middle of a `straight` run along the grid's edge."""
    keep = np.ones(column.size, dtype=np.bool_)
    sides = [(column, -0.5), (column, shape[1] - 0.5), (row, -0.5), (row, shape[0] - 0.5)]
    on_side = [axis == edge for axis, edge in sides]
    if not any(on.any() for on in on_side):
        return keep
    last = np.append(ring_start[1:], column.size) - 1
    after = np.arange(1, column.size + 1)
    after[last] = ring_start
    before = np.empty_like(after)
    before[after] = np.arange(column.size)
    keep &= (column != column[after]) | (row != row[after])
    if straight:
        is_corner = (on_side[0] | on_side[1]) & (on_side[2] | on_side[3])
        for on in on_side:
            keep &= is_corner | ~(on & on[before] & on[after])
    return keep


def _assemble(
    keep: NDArray[np.bool_], ring_start: NDArray[np.int64], polygon: NDArray[np.int64], min_points: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Put rings in the order of polygons, outer ring first, and close them.

    Returns the indices of the points, the ring offsets and the polygon offsets.
    """
    kept = np.flatnonzero(keep)
    length = np.add.reduceat(keep.astype(np.int64), ring_start)
    begin = np.cumsum(length) - length
    rings = np.arange(length.size)
    # A stable sort by polygon, the outer ring (its own polygon) before its holes.
    rings = np.lexsort((rings, polygon != rings, polygon))
    rings = rings[length[polygon[rings]] + 1 >= min_points]
    length, begin, outer = length[rings], begin[rings], polygon[rings] == rings
    ring_offsets = np.concatenate(([0], np.cumsum(length + 1)))
    index = np.arange(ring_offsets[-1]) + np.repeat(begin - ring_offsets[:-1], length + 1)
    index[ring_offsets[1:] - 1] = begin
    polygon_offsets = np.append(np.flatnonzero(outer), rings.size)
    return kept[index], ring_offsets.astype(np.int64), polygon_offsets.astype(np.int64)


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
    """q of Snyder 1987 (Map Projections: a Working Manual, USGS PP 1395), eq. 3-12: equal areas, equal steps."""
    s = np.sin(np.radians(lat))
    es = _E * s
    q: NDArray[np.float64] = (1 - _E * _E) * (s / (1 - es * es) + np.arctanh(es) / _E)
    return q


def _measured(
    level: float,
    coordinates: NDArray[np.float64],
    ring_offsets: NDArray[np.int64],
    polygon_offsets: NDArray[np.int64],
    decimals: int,
) -> Band:
    """Make the band with its areas: the integral of q over longitude, along each ring."""
    lon, q = np.radians(coordinates[:, 0]), _authalic(coordinates[:, 1])
    step = np.diff(lon, append=lon[-1])
    if np.abs(np.diff(coordinates[:, 0]))[_within_rings(ring_offsets)].max() > 180:
        raise DataError(f"a polygon at level {level:g} encloses a pole: crop the grid or reproject it")
    piece = -step * (q + np.append(q[1:], q[-1])) / 2
    piece[ring_offsets[1:] - 1] = 0.0  # from the end of a ring to the start of the next is no edge
    ring = np.add.reduceat(piece, ring_offsets[:-1])
    area = np.add.reduceat(ring, polygon_offsets[:-1]) * _A * _A / 2
    return Band(level, coordinates, ring_offsets, polygon_offsets, area, decimals)


def _within_rings(ring_offsets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which steps from one position to the next are edges of a ring."""
    edge = np.ones(ring_offsets[-1] - 1, dtype=np.bool_)
    edge[ring_offsets[1:-1] - 1] = False
    return edge


def _within_180(band: Band) -> Band:
    """Bring longitudes to -180..180, cutting polygons at the antimeridian (RFC 7946, section 3.1.9)."""
    west, east = band.coordinates[:, 0].min(), band.coordinates[:, 0].max()
    if west >= -180 and east <= 180:
        return band
    turns = range(math.floor((west + 180) / 360), math.ceil((east - 180) / 360) + 1)
    import shapely

    whole, pieces = band.to_shapely(), []
    for turn in turns:
        window = shapely.box(-180 + 360 * turn, -90, 180 + 360 * turn, 90)
        parts = shapely.get_parts(shapely.intersection(whole, window))
        parts = parts[(shapely.get_type_id(parts) == shapely.GeometryType.POLYGON) & ~shapely.is_empty(parts)]
        pieces += [_outer_left(shapely.transform(part, lambda c, t=turn: c - [360 * t, 0])) for part in parts]
    _, coordinates, offsets = shapely.to_ragged_array(np.array(pieces, dtype=object))
    ring_offsets, polygon_offsets = (np.asarray(o, dtype=np.int64) for o in offsets)
    return _measured(
        band.level, np.round(coordinates, band.decimals), ring_offsets, polygon_offsets, band.decimals
    )


def _outer_left(polygon: Any) -> Any:
    """Orient a shapely polygon as RFC 7946 wants it."""
    from shapely.geometry.polygon import orient

    return orient(polygon)
