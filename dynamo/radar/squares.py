"""Marching squares: values and levels in, the pieces of outline of each level out, and where they lie.

Lorensen & Cline 1987, in two dimensions, over the squares between four cell centres that an outline passes
through, and over no others. Only `dynamo.radar.outline` uses this; `dynamo.radar.contour` says what is decided
and why. Nothing can go wrong with a two-dimensional float array and finite levels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Indices = NDArray[np.intp]

__all__ = ["Squares"]

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


class Squares:
    """The squares of an array through which an outline of any level passes.

    They are numbered as they come, row by row. The *place* of a square at a level is ``level * count + number``.
    Sides are numbered by the place of the square at whose north-west corner they begin: twice the place is the
    side from there eastward, one more the side southward.

    Parameters
    ----------
    values, levels, slopes
        As `dynamo.radar.outline.outlines` takes them.
    """

    def __init__(self, values: NDArray[np.float32], levels: Sequence[float], slopes: Sequence[float]) -> None:
        reached = _reached(values, levels)
        width, flat = reached.shape[1], reached.ravel()
        # A square that wraps from one row's end to the next has all its corners in the outermost ring: none.
        across = flat[1:] != flat[:-1]
        mixed = flat[width:-1] != flat[: -width - 1]
        mixed |= across[:-width]
        mixed |= across[width:]
        cell = np.flatnonzero(mixed)  # the north-west one of the four
        self.count = cell.size
        number = np.empty(flat.size, dtype=np.int32)  # set, and read, at our squares only
        number[cell] = np.arange(cell.size, dtype=np.int32)
        # How much higher than each square's number is that of the square below it, where that is ours too.
        self._down = number[cell + width] - np.arange(cell.size)
        self._row = cell // width  # several times faster than np.divmod
        self._column = cell - self._row * width
        self._light = (self._row + self._column) & 1 == 0
        self._distance = _Distance(values, levels, slopes)
        four = flat[cell + np.array([[width + 1], [width], [1], [0]])]
        inside = (four[:, None] > np.arange(len(levels), dtype=four.dtype)[:, None]).view(np.uint8)
        corners = inside[0]
        for one in inside[1:]:
            corners <<= np.uint8(1)
            corners |= one
        #: Which corners are inside, at each place.
        self.corners = corners.ravel()

    def level(self, place: Indices) -> Indices:
        """Return the level of each place, as its number."""
        return place // max(self.count, 1)

    def light(self, place: Indices) -> NDArray[np.bool_]:
        """Return whether the square of each place would be light, were they a chessboard."""
        light: NDArray[np.bool_] = self._light[place - self.level(place) * self.count]
        return light

    def pieces(self) -> tuple[Indices, Indices, Indices]:
        """Return the place of each piece of outline and the sides it enters and leaves by, in order of places."""
        place = np.flatnonzero(self.corners - np.uint8(1) < 14)  # 0 wraps to 255: neither none nor all four
        corners = self.corners[place]
        two = (corners == 6) | (corners == 9)
        second = np.flatnonzero(two)
        second += np.arange(1, second.size + 1)
        place, corners = np.repeat(place, two + 1), np.repeat(corners, two + 1)
        enters, leaves = _ENTERS[corners], _LEAVES[corners]
        enters[second], leaves[second] = _ENTERS_TOO[corners[second]], _LEAVES_TOO[corners[second]]
        joined = second[self._is_joined(place[second], corners[second])]
        leaves[joined], leaves[joined - 1] = leaves[joined - 1], leaves[joined]
        down = 2 * self._down[place - self.level(place) * self.count]
        start, end = (2 * place + np.where(side == _BOTTOM, down, side) for side in (enters, leaves))
        return place, start, end

    def _is_joined(self, place: Indices, corners: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Whether the mean of the four corners reaches the level: what is inside at two of them is then one."""
        level = self.level(place)
        number = place - level * self.count
        row, column = self._row[number], self._column[number]
        total = np.zeros(place.size)
        for bit, (down, right) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
            off = self._distance(row + down, column + right, level)
            total += np.where(corners >> np.uint8(bit) & np.uint8(1), off, -off)
        return total >= 0

    def crossings(self, sides: Indices) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return column and row, in cells of the array, at which the outline crosses each side."""
        place, down = sides >> 1, sides & 1
        level, right = self.level(place), 1 - down
        number = place - level * self.count
        row, column = self._row[number], self._column[number]
        here = self._distance(row, column, level)
        way = here / (here + self._distance(row + down, column + right, level))  # one is above, one below
        ny, nx = self._distance.shape
        return (
            np.clip(column - 2 + right * way, -0.5, nx - 0.5),
            np.clip(row - 2 + down * way, -0.5, ny - 0.5),
        )


def _reached(values: NDArray[np.float32], levels: Sequence[float]) -> NDArray[np.unsignedinteger[Any]]:
    """Return how many of the levels each cell reaches, with two rings of cells around the array.

    The inner one is its own rim repeated, the outer one is below every level. Squeezed back to half a
    cell further down, they close polygons along its outer edge.
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


class _Distance:
    """How far from a level a cell is, above or below it, never nought and never far.

    Differences are cut at `slope` and moved away from nought by a ninth of its half. A crossing between a cell
    above and one below, put by linear interpolation of this, then lies between 0.05 and 0.95 of the way, and
    moves one way only as the level rises: that is what keeps polygons valid and bands nested.
    """

    def __init__(self, values: NDArray[np.float32], levels: Sequence[float], slopes: Sequence[float]) -> None:
        ny, nx = self.shape = values.shape
        self._values, self._levels, self._slopes = values.ravel(), np.array(levels), np.array(slopes)
        # From a row and a column of the widened array to a cell: the rim stands for what is beyond.
        self._row_begins = np.clip(np.arange(ny + 4) - 2, 0, ny - 1) * nx
        self._column_at = np.clip(np.arange(nx + 4) - 2, 0, nx - 1)

    def __call__(self, row: Indices, column: Indices, level: Indices) -> NDArray[np.float64]:
        """Return it for cells of the widened array and the numbers of levels."""
        value = self._values[self._row_begins[row] + self._column_at[column]].astype(np.float64)
        slope = self._slopes[level]
        distance: NDArray[np.float64] = np.fmin(np.abs(value - self._levels[level]), slope) + slope / 18
        return distance
