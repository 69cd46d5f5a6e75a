"""Outlines: an array of values and levels in, closed rings around the cells at or above each level out.

Marching squares (Lorensen & Cline 1987, in two dimensions) over the squares an outline passes through, and
over no others, in units of cells: x is the column, y the row, the band is on the left with north up.
Everything is vectorised, over all levels at once because each has only a few thousand points; all but one
loop, which follows the outlines around. `dynamo.radar.contour` says what is decided and why. Nothing can go
wrong with a two-dimensional float array and finite levels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Indices = NDArray[np.intp]

__all__ = ["Outlines", "outlines"]

# Corners of a square of four cell centres, as bits: north-west 1, north-east 2, south-west 4, south-east 8.
# Its sides, and for each set of corners inside the side an outline enters by and the side it leaves by, band
# on the left.
_TOP, _LEFT, _BOTTOM, _RIGHT = range(4)
_SEGMENTS = {
    1: (_LEFT, _TOP),
    2: (_TOP, _RIGHT),
    3: (_LEFT, _RIGHT),
    4: (_BOTTOM, _LEFT),
    5: (_BOTTOM, _TOP),
    6: (_TOP, _RIGHT),
    7: (_BOTTOM, _RIGHT),
    8: (_RIGHT, _BOTTOM),
    9: (_LEFT, _TOP),
    10: (_TOP, _BOTTOM),
    11: (_LEFT, _BOTTOM),
    12: (_RIGHT, _LEFT),
    13: (_RIGHT, _TOP),
    14: (_TOP, _LEFT),
}
# Two opposite corners inside: a second outline. So the two run around the corners; where the mean of the four
# reaches the level they run between them, and each leaves where the other would have.
_SECOND = {6: (_BOTTOM, _LEFT), 9: (_RIGHT, _BOTTOM)}
_ENTERS, _LEAVES = np.array([_SEGMENTS.get(corners, (0, 0)) for corners in range(16)]).T.copy()
_ENTERS_TOO, _LEAVES_TOO = np.array([_SECOND.get(corners, (0, 0)) for corners in range(16)]).T.copy()


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
    level_offsets
        ``(levels + 1,)`` which polygon each level begins with.
    """

    column: NDArray[np.float64]
    row: NDArray[np.float64]
    ring_offsets: Indices
    polygon_offsets: Indices
    level_offsets: Indices


def outlines(
    values: NDArray[np.float32],
    levels: Sequence[float],
    slopes: Sequence[float],
    *,
    min_points: int = 0,
    straight: bool = True,
) -> Outlines:
    """Trace the outlines of the cells with ``value >= level``, for each level.

    Parameters
    ----------
    values
        ``(ny, nx)``, row 0 is north; NaN is below every level.
    levels
        Finite, rising.
    slopes
        For each level, at how many units a difference from it is cut before an outline is put between two
        cells.
    min_points
        Leave out polygons whose outer ring has fewer positions, the closing one counted.
    straight
        Whether a run along the grid's edge needs its two ends only.
    """
    squares = _Squares(_reached(values, levels), len(levels))
    distance = _Distance(values, squares.width, levels, slopes)
    place, start, end = _segments(squares, distance)
    segment_at = np.empty(2 * squares.corners.size, dtype=np.int32)  # set, and read, where a side is crossed
    segment_at[start] = np.arange(start.size, dtype=np.int32)
    order, ring_start = _rings(segment_at[end].astype(np.intp), squares.light[squares.number(place)])
    polygon = _parents(squares.corners, segment_at, order, ring_start)
    order, ring_start, polygon = _large(order, ring_start, polygon, min_points)
    side = start[order]
    column, row = _crossings(side, squares, distance)
    keep = _corners_kept(column, row, ring_start, values.shape, straight=straight)
    index, ring_offsets, polygon_offsets = _assemble(keep, ring_start, polygon, min_points)
    first = index[ring_offsets[polygon_offsets[:-1]]]
    level_offsets = np.searchsorted(squares.level(side[first] >> 1), np.arange(len(levels) + 1))
    return Outlines(column[index], row[index], ring_offsets, polygon_offsets, level_offsets)


def _reached(values: NDArray[np.float32], levels: Sequence[float]) -> NDArray[np.unsignedinteger[Any]]:
    """Return how many of the levels each cell reaches, with two rings of cells around the grid.

    The inner one is the grid's own rim repeated, the outer one is below every level. Squeezed back to half a
    cell further down, they close polygons along the grid's outer edge.
    """
    ny, nx = values.shape
    count = np.zeros((ny, nx), dtype=np.min_scalar_type(len(levels)))
    above = np.empty((ny, nx), dtype=np.bool_)
    for level in levels:
        # NaN compares false: missing cells are below every level.
        np.greater_equal(values, np.float32(level), out=above)
        count += above.view(np.uint8)
    wide = np.zeros((ny + 4, nx + 4), dtype=count.dtype)
    wide[2:-2, 2:-2] = count
    wide[1, :], wide[-2, :] = wide[2, :], wide[-3, :]
    wide[:, 1], wide[:, -2] = wide[:, 2], wide[:, -3]
    return wide


class _Squares:
    """The squares between four cells of the widened grid through which an outline of any level passes.

    They are numbered as they come, row by row. The *place* of a square at a level is ``level * count + number``.
    Sides are numbered by the place of the square at whose north-west corner they begin: twice the place is the
    side from there eastward, one more the side southward.
    """

    def __init__(self, reached: NDArray[np.unsignedinteger[Any]], levels: int) -> None:
        self.width, flat = reached.shape[1], reached.ravel()
        # A square that wraps from one row's end to the next has all its corners in the outermost ring: none.
        across = flat[1:] != flat[:-1]
        mixed = flat[self.width : -1] != flat[: -self.width - 1]
        mixed |= across[: -self.width]
        mixed |= across[self.width :]
        self.cell = np.flatnonzero(mixed)  # the north-west one of the four
        self.count = self.cell.size
        number = np.empty(flat.size, dtype=np.int32)  # set, and read, at our squares only
        number[self.cell] = np.arange(self.count, dtype=np.int32)
        self.row, self.column = _row_column(self.cell, self.width)
        #: Its colour, were they a chessboard.
        self.light = (self.row + self.column) & 1 == 0
        #: How much higher than each square's number is that of the square below it, where that is ours too.
        self.down = number[self.cell + self.width] - np.arange(self.count)
        four = flat[self.cell + np.array([[self.width + 1], [self.width], [1], [0]])]
        inside = (four[:, None] > np.arange(levels, dtype=four.dtype)[:, None]).view(np.uint8)
        corners = inside[0]
        for one in inside[1:]:
            corners <<= np.uint8(1)
            corners |= one
        #: At each place, which corners are inside.
        self.corners = corners.ravel()

    def level(self, place: Indices) -> Indices:
        """The level of each place, as its number."""
        return place // max(self.count, 1)

    def number(self, place: Indices) -> Indices:
        """The square of each place."""
        return place - self.level(place) * self.count


class _Distance:
    """How far above (positive) or below (negative) a level a cell is, never nought and never far.

    Differences are cut at ``+-slope`` and moved away from nought by a ninth of its half. A crossing between
    two cells, put by linear interpolation of this, then lies between 0.05 and 0.95 of the way, and moves
    one way only as the level rises: that is what keeps polygons valid and bands nested.
    """

    def __init__(
        self, values: NDArray[np.float32], width: int, levels: Sequence[float], slopes: Sequence[float]
    ) -> None:
        ny, nx = values.shape
        self.shape, self.width, self.values = values.shape, width, values.ravel()
        self.levels, self.slopes = np.array(levels), np.array(slopes)
        # From a row and a column of the widened grid to a cell of the grid: the rim stands for what is beyond.
        self.row_begins = np.clip(np.arange(ny + 4) - 2, 0, ny - 1) * nx
        self.column_at = np.clip(np.arange(width) - 2, 0, nx - 1)

    def __call__(self, row: Indices, column: Indices, level: Indices) -> NDArray[np.float64]:
        """Distance without its sign, from the level of that number, of cells of the widened grid."""
        found = self.values[self.row_begins[row] + self.column_at[column]].astype(np.float64)
        slope = self.slopes[level]
        distance: NDArray[np.float64] = np.fmin(np.abs(found - self.levels[level]), slope) + slope / 18
        return distance


def _segments(squares: _Squares, distance: _Distance) -> tuple[Indices, Indices, Indices]:
    """Return the place of each piece of outline and the sides it enters and leaves by, in order of places."""
    place = np.flatnonzero(squares.corners - np.uint8(1) < 14)  # 0 wraps to 255: neither none nor all four
    corners = squares.corners[place]
    two = (corners == 6) | (corners == 9)
    second = np.flatnonzero(two)
    second += np.arange(1, second.size + 1)
    place, corners = np.repeat(place, two + 1), np.repeat(corners, two + 1)
    enters, leaves = _ENTERS[corners], _LEAVES[corners]
    enters[second], leaves[second] = _ENTERS_TOO[corners[second]], _LEAVES_TOO[corners[second]]
    joined = second[_is_joined(place[second], squares, distance)]
    leaves[joined], leaves[joined - 1] = leaves[joined - 1], leaves[joined]
    down = 2 * squares.down[squares.number(place)]
    start, end = (2 * place + np.where(side == _BOTTOM, down, side) for side in (enters, leaves))
    return place, start, end


def _is_joined(place: Indices, squares: _Squares, distance: _Distance) -> NDArray[np.bool_]:
    """Whether the mean of the four corners reaches the level: what is inside at two of them is then one."""
    level, number = squares.level(place), squares.number(place)
    row, column = squares.row[number], squares.column[number]
    total = np.zeros(place.size)
    for bit, (down, right) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
        off = distance(row + down, column + right, level)
        total += np.where(squares.corners[place] >> np.uint8(bit) & np.uint8(1), off, -off)
    return total >= 0


def _crossings(
    sides: Indices, squares: _Squares, distance: _Distance
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Column and row, in cells of the grid, at which each side is crossed."""
    place, down = sides >> 1, sides & 1
    level, across = squares.level(place), 1 - down
    number = place - level * squares.count
    row, column = squares.row[number], squares.column[number]
    here, there = distance(row, column, level), distance(row + down, column + across, level)
    way = here / (here + there)  # one is above the level, the other below
    ny, nx = distance.shape
    return (
        np.clip(column - 2 + across * way, -0.5, nx - 0.5),
        np.clip(row - 2 + down * way, -0.5, ny - 0.5),
    )


def _row_column(cells: Indices, width: int) -> tuple[Indices, Indices]:
    row = cells // width  # several times faster than np.divmod
    return row, cells - row * width


def _rings(following: Indices, light: NDArray[np.bool_]) -> tuple[Indices, Indices]:
    """Follow pieces of outline around their rings: all in order, and where each ring starts.

    Squares are coloured as on a chessboard, so every second piece of a ring is `light`: only these are walked.
    """
    ours = np.flatnonzero(light)
    number = np.empty(light.size, dtype=np.intp)
    number[ours] = np.arange(ours.size)
    between = following[ours]
    order, starts = _walk(number[following[between]])
    return np.stack((ours[order], between[order]), axis=1).ravel(), 2 * starts


def _walk(following: Indices) -> tuple[Indices, Indices]:
    """Follow a permutation around its cycles: all members in order, and where each cycle starts."""
    after: list[int | None] = following.tolist()
    order: list[int] = []
    starts: list[int] = []
    append = order.append
    for first in range(len(after)):
        if after[first] is None:
            continue
        starts.append(len(order))
        at = first
        while (step := after[at]) is not None:
            after[at] = None
            append(at)
            at = step
    return np.array(order, dtype=np.intp), np.array(starts, dtype=np.intp)


def _parents(
    corners: NDArray[np.uint8], segment_at: NDArray[np.int32], order: Indices, ring_start: Indices
) -> Indices:
    """For each ring the ring that bounds its polygon from outside: itself, or for a hole its outer ring.

    West of the first crossing of a hole, on an eastward side in its northernmost row and westernmost there,
    lies its polygon, and the crossing before that one in the row is on the outer ring of the same polygon, or
    on a hole of it that begins earlier.
    """
    eastward = np.flatnonzero((corners ^ (corners >> np.uint8(1))) & np.uint8(1))
    ring_of = np.empty(order.size, dtype=np.intp)
    ring_of[order] = np.repeat(np.arange(ring_start.size), np.diff(ring_start, append=order.size))
    label = ring_of[segment_at[2 * eastward]]
    first = np.empty(ring_start.size, dtype=np.intp)
    # Of equal indices the last write stays: the first crossing.
    first[label[::-1]] = np.arange(label.size)[::-1]
    hole = (corners[eastward[first]] & np.uint8(1)).astype(np.bool_)
    parent = np.where(hole, label[first - 1], np.arange(ring_start.size))
    while hole[parent].any():
        parent = parent[parent]
    return parent


def _large(
    order: Indices, ring_start: Indices, polygon: Indices, min_points: int
) -> tuple[Indices, Indices, Indices]:
    """Leave out early what is surely too small: later a ring may lose points, it never gains any."""
    length = np.diff(ring_start, append=order.size)
    large = length[polygon] + 1 >= min_points
    number = np.cumsum(large) - 1
    length_kept = length[large]
    return (
        order[np.repeat(large, length)],
        np.cumsum(length_kept) - length_kept,
        number[polygon[large]],
    )


def _corners_kept(
    column: NDArray[np.float64],
    row: NDArray[np.float64],
    ring_start: Indices,
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
    keep: NDArray[np.bool_], ring_start: Indices, polygon: Indices, min_points: int
) -> tuple[Indices, Indices, Indices]:
    """Put rings in the order of polygons, outer ring first, and close them.

    Returns the indices of the points, the ring offsets and the polygon offsets.
    """
    kept = np.flatnonzero(keep)
    length = np.diff(np.searchsorted(kept, ring_start), append=kept.size)
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
    return kept[index], ring_offsets, polygon_offsets
