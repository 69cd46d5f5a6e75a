"""Contest: which polygon is the nearest to each rule; by bounds where these tell, else by the geodesic.

Nothing can go wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dynamo.alerts.nearness import Near

__all__ = ["Contest", "Entry", "Judge"]


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One polygon that may be the nearest to some rules, each a row here.

    Parameters
    ----------
    polygon
        Its number.
    rows, places
        Numbers of the rules, and of their places in the polygon's plane.
    inside
        Whether the place is inside.
    low, high
        Metres that the polygon is away at least, and at most.
    x, y
        Of the nearest point of an edge, in the plane, where it is known.
    """

    polygon: int
    rows: NDArray[np.intp]
    places: NDArray[np.intp]
    inside: NDArray[np.bool_]
    low: NDArray[Any]
    high: NDArray[Any]
    x: NDArray[Any] | None = None
    y: NDArray[Any] | None = None

    def only(self, which: NDArray[np.bool_]) -> Entry:
        """Return some of the rows."""
        x = None if self.x is None else self.x[which]
        y = None if self.y is None else self.y[which]
        return Entry(
            self.polygon,
            self.rows[which],
            self.places[which],
            self.inside[which],
            self.low[which],
            self.high[which],
            x,
            y,
        )


@dataclass(frozen=True, slots=True)
class Judge:
    """Decides a contest.

    Parameters
    ----------
    counts
        Whether a polygon still counts for some rules.
    edges
        Returns an entry with the nearest points, and the metres of each at most.
    geodesic
        Returns metres and bearing of an entry whose nearest points are known.
    """

    counts: Callable[[int, NDArray[np.intp]], NDArray[np.bool_]]
    edges: Callable[[Entry], tuple[Entry, NDArray[Any]]]
    geodesic: Callable[[Entry], tuple[NDArray[Any], NDArray[Any]]]


class Contest:
    """Polygons entered for rules with bounds on their distances; few of them need be measured in the end."""

    def __init__(self, count: int) -> None:
        self._high = np.full(count, np.inf)
        self._entries: list[Entry] = []

    def high(self) -> NDArray[Any]:
        """Return the metres that each rule's nearest polygon is away at most; infinite where none was entered."""
        return self._high

    def restart(self, rows: NDArray[np.intp]) -> None:
        """Let what was entered for these rules not keep out what comes."""
        self._high[rows] = np.inf

    def close(self, rows: NDArray[np.intp]) -> None:
        """Let nothing that is any distance away enter for these rules."""
        self._high[rows] = 0.0

    def enter(self, polygon: int, rows: NDArray[np.intp], near: Near, which: NDArray[np.bool_]) -> None:
        """Enter a polygon for those of the rules `rows`, by `which`, for which it could still be the nearest."""
        which = which & (near.low <= self._high[rows])
        if which.any():
            entry = Entry(polygon, rows, near.places, near.inside, near.low, near.high).only(which)
            self._high[entry.rows] = np.minimum(self._high[entry.rows], entry.high)
            self._entries.append(entry)

    def decide(self, judge: Judge, *, measured: bool) -> tuple[NDArray[np.intp], NDArray[Any], NDArray[Any]]:
        """Return for each rule the nearest polygon (-1: none), metres and bearing.

        With `measured` metres and bearings are wanted; without, only ties are measured.
        """
        count = len(self._high)
        first, metres, bearing = np.full(count, -1), np.full(count, np.inf), np.zeros(count)
        left = [entry.only(judge.counts(entry.polygon, entry.rows)) for entry in self._entries]
        self._entries = []
        for entry in self._ties(left, first, measured=measured):
            known, high = judge.edges(entry)
            self._high[known.rows] = np.minimum(self._high[known.rows], high)
            self._entries.append(known)
        for entry in self._ties(self._entries, first, measured=measured):
            far, towards = judge.geodesic(entry)
            nearer = far < metres[entry.rows]
            won = entry.rows[nearer]
            first[won], metres[won], bearing[won] = entry.polygon, far[nearer], towards[nearer]
        return first, metres, bearing

    def _ties(self, entries: list[Entry], first: NDArray[np.intp], *, measured: bool) -> list[Entry]:
        """Return, by polygon, what could still win; unless `measured`, who is alone has won and is left out."""
        left = [entry.only(entry.low <= self._high[entry.rows]) for entry in entries]
        if not measured:
            entered = np.zeros(len(self._high), "i4")
            for entry in left:
                entered[entry.rows] += 1
            for entry in left:
                first[entry.rows[entered[entry.rows] == 1]] = entry.polygon
            left = [entry.only(entered[entry.rows] > 1) for entry in left]
        return sorted((entry for entry in left if len(entry.rows)), key=lambda entry: entry.polygon)
