"""Outlines: an array of values and a level in, closed rings around the cells at or above it out.

Marching squares (Lorensen & Cline 1987, in two dimensions) over the squares an outline passes through, and
over no others, in units of cells: x is the column, y the row, the band is on the left with north up.
Everything is vectorised but one loop, which follows the outlines around. `dynamo.radar.contour` says what
is decided and why. Nothing can go wrong with a two-dimensional float array and a finite level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Outlines", "outlines"]

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
# Two opposite corners inside: two outlines, around the corners (mean of the four below the level) or
# between them.
_APART = {9: ((_LEFT, _TOP), (_RIGHT, _BOTTOM)), 6: ((_TOP, _RIGHT), (_BOTTOM, _LEFT))}
_JOINED = {9: ((_LEFT, _BOTTOM), (_RIGHT, _TOP)), 6: ((_TOP, _LEFT), (_BOTTOM, _RIGHT))}


@dataclass(frozen=True, slots=True, eq=False)
class Outlines:
    """Rings of polygons, ragged.

    Parameters
    ----------
    column, row
        ``(n,)`` float64, in cells; cell centres are whole, the grid's outer edge is at -0.5 and ``n - 0.5``.
    ring_offsets
        ``(rings + 1,)`` where in them each ring begins; rings are closed.
    polygon_offsets
        ``(polygons + 1,)`` which ring each polygon begins with: its outer one, holes follow.
    """

    column: NDArray[np.float64]
    row: NDArray[np.float64]
    ring_offsets: NDArray[np.int64]
    polygon_offsets: NDArray[np.int64]


def outlines(
    values: NDArray[np.float32], level: float, slope: float, *, min_points: int = 0, straight: bool = True
) -> Outlines:
    """Trace the outlines of the cells with ``value >= level``.

    Parameters
    ----------
    values
        ``(ny, nx)``, row 0 is north; NaN is below every level.
    level
        Finite.
    slope
        Differences from the level are cut at this many units before outlines are put between two cells.
    min_points
        Leave out polygons whose outer ring has fewer positions, the closing one counted.
    straight
        Whether a run along the grid's edge needs its two ends only.
    """
    ny, nx = values.shape
    width = nx + 4
    # Two rings of cells around the grid: its own rim repeated, then "below". Squeezed back to half a cell
    # further down, they close polygons along the grid's outer edge.
    inside = np.zeros((ny + 4, width), dtype=np.uint8)
    # NaN compares false: missing cells are below every level.
    np.greater_equal(values, np.float32(level), out=inside[2:-2, 2:-2].view(np.bool_))
    inside[1, :], inside[-2, :] = inside[2, :], inside[-3, :]
    inside[:, 1], inside[:, -2] = inside[:, 2], inside[:, -3]
    squares, corners = _mixed_squares(inside)
    if not squares.size:
        none = np.zeros(1, dtype=np.int64)
        return Outlines(np.empty(0), np.empty(0), none, none)
    distance = _Distance(values, inside, level, slope)
    start, end = _segments(squares, corners, distance, width)
    column, row = _crossings(start, distance, width, (ny, nx))

    position = np.empty(inside.size * 2, dtype=np.int32)  # only the pages of crossed sides are ever touched
    position[start] = np.arange(start.size, dtype=np.int32)
    order, ring_start = _walk(position[end])
    eastward = squares[((corners ^ (corners >> 1)) & 1).astype(np.bool_)]
    polygon = _parents(inside.ravel()[eastward].astype(np.bool_), position[2 * eastward], order, ring_start)
    column, row = column[order], row[order]
    keep = _corners_kept(column, row, ring_start, (ny, nx), straight=straight)
    index, ring_offsets, polygon_offsets = _assemble(keep, ring_start, polygon, min_points)
    return Outlines(column[index], row[index], ring_offsets, polygon_offsets)


def _mixed_squares(inside: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return the squares an outline passes through, rising, and which corners are inside."""
    width, flat = inside.shape[1], inside.ravel()
    # A square that wraps from one row's end to the next has all its corners in the outermost ring: none.
    pairs = flat[1:] << np.uint8(1)
    pairs |= flat[:-1]
    corners = pairs[width:] << np.uint8(2)
    corners |= pairs[:-width]
    squares = np.flatnonzero(corners - np.uint8(1) < 14)  # 0 wraps to 255: neither none nor all four
    return squares.astype(np.int64, copy=False), corners[squares]


class _Distance:
    """How far above (positive) or below (negative) the level a cell is, never nought and never far.

    Differences are cut at ``+-slope`` and moved away from nought by a ninth of its half. A crossing between
    two cells, put by linear interpolation of this, then lies between 0.05 and 0.95 of the way, and moves
    one way only as the level rises: that is what keeps polygons valid and bands nested.
    """

    def __init__(
        self, values: NDArray[np.float32], inside: NDArray[np.uint8], level: float, slope: float
    ) -> None:
        (ny, nx), (height, width) = values.shape, inside.shape
        self.values, self.inside = values.ravel(), inside.ravel().view(np.bool_)
        self.level, self.slope, self.width = level, slope, width
        # From a row and a column of the widened grid to a cell of the grid: the rim stands for what is beyond.
        self.row_begins = np.clip(np.arange(height) - 2, 0, ny - 1) * nx
        self.column_at = np.clip(np.arange(width) - 2, 0, nx - 1)

    def __call__(self, cells: NDArray[np.int64]) -> NDArray[np.float64]:
        """Distance at flat indices of the widened grid."""
        row, column = _row_column(cells, self.width)
        found = self.values.take(self.row_begins.take(row) + self.column_at.take(column))
        off = np.abs(found.astype(np.float64) - self.level)
        reach: NDArray[np.float64] = np.fmin(off, self.slope) + self.slope / 18
        return np.where(self.inside.take(cells), reach, -reach)


def _segments(
    squares: NDArray[np.int64], corners: NDArray[np.uint8], distance: _Distance, width: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the sides each piece of outline enters and leaves by.

    Sides are numbered by the cell at their north-west end: ``2 * cell`` eastward, ``2 * cell + 1`` southward.
    """
    side = np.array([0, 1, 2 * width, 3])
    table = np.zeros((2, 16), dtype=np.int64)
    for shape, ends in _SEGMENTS.items():
        table[:, shape] = side[list(ends)]
    start, end = 2 * squares + table[0][corners], 2 * squares + table[1][corners]
    saddle = np.flatnonzero((corners == 9) | (corners == 6))
    if not saddle.size:
        return start, end
    square, code = squares[saddle], corners[saddle]
    joined = np.sum([distance(square + corner) for corner in (0, 1, width, width + 1)], axis=0) >= 0
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
    cell, down = sides >> 1, sides & 1
    along = 1 - down
    row, column = _row_column(cell, width)
    here, there = distance(cell), distance(cell + along + down * width)
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
    first_inside: NDArray[np.bool_],
    crossed: NDArray[np.int32],
    order: NDArray[np.int64],
    ring_start: NDArray[np.int64],
) -> NDArray[np.int64]:
    """For each ring the ring that bounds its polygon from outside: itself, or for a hole its outer ring.

    `crossed` are the points on eastward sides, row by row and from west to east, `first_inside` says of
    each whether the cell west of it is inside. West of the first crossing of a hole (northernmost row,
    westernmost there) lies its polygon, and the crossing before that one in the row is on the outer ring of
    the same polygon, or on a hole of it that begins earlier.
    """
    ring_of = np.empty(order.size, dtype=np.int64)
    ring_of[order] = np.repeat(np.arange(ring_start.size), np.diff(ring_start, append=order.size))
    label = ring_of[crossed]
    first = np.empty(ring_start.size, dtype=np.int64)
    first[label[::-1]] = np.arange(label.size)[
        ::-1
    ]  # of equal indices the last write stays: the first crossing
    hole = first_inside[first]
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
    """Keep no point twice, and none in the middle of a `straight` run along the grid's edge."""
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
