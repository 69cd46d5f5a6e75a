"""Edges: the outline of one polygon in its plane, and the point of it that is the nearest to each of many places.

Runs of neighbouring edges lie in boxes; only those of the boxes that may hold the nearest edge are measured, for
all places at once. Nothing can go wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Edges"]

# Pairs of a place and a box that are looked at in one go: what fits into the processor's cache.
_PAIRS = 20_000
# Edges of a box: below it there are too many boxes, above it too many edges.
_FEWEST, _MOST = 8, 32


class Edges:
    """The edges of a polygon's rings, in runs of equal length."""

    def __init__(self, polygon: Any) -> None:
        """Take a polygon of the plane."""
        points, ring = shapely.get_coordinates(shapely.get_rings(polygon), return_index=True)
        first = (ring[1:] == ring[:-1]).nonzero()[0]
        run = int(np.clip(np.sqrt(len(first) / 3), _FEWEST, _MOST))
        first = np.append(first, np.repeat(first[-1:], -len(first) % run)).reshape(-1, run)
        self._x, self._y = np.take(points[:, 0], first), np.take(points[:, 1], first)
        ends_x, ends_y = np.take(points[:, 0], first + 1), np.take(points[:, 1], first + 1)
        self._dx, self._dy = ends_x - self._x, ends_y - self._y
        self._per_square = 1 / np.maximum(self._dx**2 + self._dy**2, 1e-12)
        self._west, self._east = (np.minimum(self._x, ends_x).min(1), np.maximum(self._x, ends_x).max(1))
        self._south, self._north = (np.minimum(self._y, ends_y).min(1), np.maximum(self._y, ends_y).max(1))

    def nearest(
        self, x: NDArray[Any], y: NDArray[Any], high: NDArray[Any] | None = None
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Return how far the nearest point of any edge is from each place, and its x and y; metres of the plane.

        Where it is known to be no farther than `high`, less is looked at.
        """
        found = np.empty((3, len(x)))
        square = np.full(len(x), np.inf) if high is None else high * high * (1 + 1e-9) + 1e-6
        for some in self._parts(len(x)):
            self._measure(x[some], y[some], square[some], found[:, some])
        return found[0], found[1], found[2]

    def _parts(self, count: int) -> Iterator[slice]:
        step = max(1, _PAIRS // len(self._west))
        return (slice(start, start + step) for start in range(0, count, step))

    def _measure(self, x: NDArray[Any], y: NDArray[Any], high: NDArray[Any], found: NDArray[Any]) -> None:
        place, box = self._candidates(x[:, None], y[:, None], high[:, None])
        off_x, off_y = x[place, None] - self._x[box], y[place, None] - self._y[box]
        dx, dy = self._dx[box], self._dy[box]
        along = off_x * dx
        along += off_y * dy
        along *= self._per_square[box]
        np.clip(along, 0.0, 1.0, out=along)
        off_x -= along * dx
        off_y -= along * dy
        square = off_x * off_x + off_y * off_y
        edge = square.argmin(1)
        pair = np.arange(len(place))
        least = square[pair, edge]
        starts = np.concatenate([[0], np.diff(place).nonzero()[0] + 1])
        # Of two boxes equally near the first, whose number is written last.
        won = (
            least == np.repeat(np.minimum.reduceat(least, starts), np.diff(starts, append=len(place)))
        ).nonzero()[0]
        winner = np.empty(len(x), np.intp)
        winner[place[won[::-1]]] = won[::-1]
        edge = edge[winner]
        np.sqrt(least[winner], out=found[0])
        np.subtract(x, off_x[winner, edge], out=found[1])
        np.subtract(y, off_y[winner, edge], out=found[2])

    def _candidates(
        self, x: NDArray[Any], y: NDArray[Any], high: NDArray[Any]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return pairs of a place and a box that may hold its nearest edge, ordered by place."""
        away = np.maximum(self._west - x, x - self._east)
        np.maximum(away, 0.0, out=away)
        up = np.maximum(self._south - y, y - self._north)
        np.maximum(up, 0.0, out=up)
        away *= away
        up *= up
        away += up
        low = away
        if not np.isfinite(high).all():
            # No farther than the first point of any run.
            away, up = x - self._x[:, 0], y - self._y[:, 0]
            high = np.minimum(high, (away * away + up * up).min(1, keepdims=True))
        place, box = (low <= high).nonzero()
        return place, box
