"""Contest: which polygon is the nearest to each rule; by bounds where these tell, else exactly.

Nothing can go wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dynamo.alerts.nearness import Near

__all__ = ["Contest"]


class Contest:
    """Polygons entered for rules with bounds on their distances; few of them need be measured in the end."""

    def __init__(self, count: int) -> None:
        self._high = np.full(count, np.inf)
        self._entries: list[tuple[int, NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]] = []

    def high(self, rows: NDArray[np.intp]) -> NDArray[Any]:
        """Return the metres that each rule's nearest polygon is away at most; infinite where none was entered."""
        return self._high[rows]

    def restart(self, rows: NDArray[np.intp]) -> None:
        """Let what was entered for these rules not keep out what comes."""
        self._high[rows] = np.inf

    def enter(self, polygon: int, rows: NDArray[np.intp], near: Near, which: NDArray[np.bool_]) -> None:
        """Enter a polygon for those of the rules `rows` for which it could still be the nearest."""
        which = which & (near.low <= self._high[rows])
        rows = rows[which]
        if len(rows):
            self._high[rows] = np.minimum(self._high[rows], near.high[which])
            self._entries.append((polygon, rows, near.places[which], near.low[which], near.inside[which]))

    def decide(
        self,
        exact: Callable[[int, NDArray[np.intp]], tuple[NDArray[Any], NDArray[Any]]],
        counts: Callable[[int, NDArray[np.intp]], NDArray[np.bool_]],
        *,
        measured: bool,
    ) -> tuple[NDArray[np.intp], NDArray[Any], NDArray[Any]]:
        """Return for each rule the nearest polygon (-1: none), metres and bearing.

        Parameters
        ----------
        exact
            Gives metres and bearing from places to a polygon.
        counts
            Whether an entry of a polygon still counts for some rules.
        measured
            Whether metres and bearings are wanted; without, only ties are measured.
        """
        left = []
        entered = np.zeros(len(self._high), "i4")
        for polygon, rows, places, low, inside in self._entries:
            kept = ((low <= self._high[rows]) & counts(polygon, rows)).nonzero()[0]
            if len(kept):
                left.append((polygon, rows[kept], places[kept], inside[kept]))
                entered[rows[kept]] += 1
        first = np.full(len(entered), -1)
        metres, bearing = np.full(len(entered), np.inf), np.zeros(len(entered))
        for polygon, rows, places, inside in sorted(left, key=lambda entry: entry[0]):
            wanted = entered[rows] > (0 if measured else 1)
            first[rows[~wanted]] = polygon
            if wanted.any():
                outside = ~inside[wanted]
                far, towards = np.zeros(len(outside)), np.zeros(len(outside))
                far[outside], towards[outside] = exact(polygon, places[wanted][outside])
                nearer = far < metres[rows[wanted]]
                won = rows[wanted][nearer]
                first[won], metres[won], bearing[won] = polygon, far[nearer], towards[nearer]
        return first, metres, bearing
