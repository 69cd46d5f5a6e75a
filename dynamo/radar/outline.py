"""Outlines: an array of values and levels in, closed rings around the cells at or above each level out.

The pieces that `dynamo.radar.squares` finds are put together here, in units of cells: x is the column, y the row,
the band is on the left with north up. Everything is vectorised, over all levels at once because each has only a
few thousand points; all but one loop, which follows the outlines around. `dynamo.radar.contour` says what is
decided and why. Nothing can go wrong with a two-dimensional float array and finite levels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dynamo.radar.squares import Squares

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Indices = NDArray[np.intp]

__all__ = ["Outlines", "outlines"]


# Squares times levels that are traced at once: memory is bounded, where there is so much the calls cost nothing.
_MANY = 2_000_000


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
    squares = Squares(values, levels, slopes)
    if len(levels) > 1 and squares.corners.size > _MANY:
        each = zip(levels, slopes, strict=True)
        return _joined(
            [outlines(values, [lv], [sl], min_points=min_points, straight=straight) for lv, sl in each]
        )
    place, start, end = squares.pieces()
    piece_at = np.empty(2 * squares.corners.size, dtype=np.int32)  # set, and read, where a side is crossed
    piece_at[start] = np.arange(start.size, dtype=np.int32)
    order, ring_start = _rings(piece_at[end].astype(np.intp), squares.light(place))
    polygon = _parents(squares.corners, piece_at, order, ring_start)
    order, ring_start, polygon = _large(order, ring_start, polygon, min_points)
    side = start[order]
    column, row = squares.crossings(side)
    keep = _corners_kept(column, row, ring_start, values.shape, straight=straight)
    index, ring_offsets, polygon_offsets = _assemble(keep, ring_start, polygon, min_points)
    first = index[ring_offsets[polygon_offsets[:-1]]]
    level_offsets = np.searchsorted(squares.level(side[first] >> 1), np.arange(len(levels) + 1))
    return Outlines(column[index], row[index], ring_offsets, polygon_offsets, level_offsets)


def _joined(parts: Sequence[Outlines]) -> Outlines:
    """Put the outlines of some levels one behind the other."""
    return Outlines(
        np.concatenate([part.column for part in parts]),
        np.concatenate([part.row for part in parts]),
        _chained([part.ring_offsets for part in parts]),
        _chained([part.polygon_offsets for part in parts]),
        _chained([part.level_offsets for part in parts]),
    )


def _chained(offsets: Sequence[Indices]) -> Indices:
    ends = np.cumsum([part[-1] for part in offsets])
    return np.concatenate(
        [offsets[0][:1], *(p[1:] + end - p[-1] for p, end in zip(offsets, ends, strict=True))]
    )


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
    corners: NDArray[np.uint8], piece_at: NDArray[np.int32], order: Indices, ring_start: Indices
) -> Indices:
    """For each ring the ring that bounds its polygon from outside: itself, or for a hole its outer ring.

    West of the first crossing of a hole, on an eastward side in its northernmost row and westernmost there,
    lies its polygon, and the crossing before that one in the row is on the outer ring of the same polygon, or
    on a hole of it that begins earlier.
    """
    eastward = np.flatnonzero((corners ^ (corners >> np.uint8(1))) & np.uint8(1))
    ring_of = np.empty(order.size, dtype=np.intp)
    ring_of[order] = np.repeat(np.arange(ring_start.size), np.diff(ring_start, append=order.size))
    label = ring_of[piece_at[2 * eastward]]
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
