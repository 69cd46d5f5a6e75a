"""Matching: subscribers and all hazards of one cycle in, one `Match` for each subscriber and kind near it out.

Each polygon is held against the rules of the places in its neighbourhood, all at once; a rule is held against
a polygon only while the answer could change what is known of it. A million of them against a thousand
polygons take seconds. What can go wrong: polygons of one kind in different units (`DataError`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from dynamo.alerts.contest import Contest, Entry, Judge
from dynamo.alerts.drawn import drawn
from dynamo.alerts.elsewhere import call
from dynamo.alerts.match import Match
from dynamo.alerts.nearness import Box, Near, nearness
from dynamo.alerts.plane import Plane, regions
from dynamo.alerts.told import Table, told
from dynamo.errors import DataError
from dynamo.graph.collection import uncollected

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dynamo.alerts.hazard import HazardField
    from dynamo.alerts.subscriber import Subscribers

__all__ = ["matches"]

# Degrees of longitude whose places lie together in memory.
_STRIP = 0.05
# Pairs of a rule and a polygon that are worth a process of their own, which takes half a second to begin; how many
# there are at most; and into how many strips of places the share of one is cut: storms are rarely spread evenly.
_SHARE = 100_000_000
_MOST = 4
_STRIPS = 4


def matches(subscribers: Subscribers, fields: Sequence[HazardField]) -> list[Match]:
    """Return the matches, by hazard and then in the order of the subscribers."""
    found: list[Match] = []
    for hazard in sorted({field.hazard for field in fields}):
        own = sorted((f for f in fields if f.hazard == hazard), key=lambda f: (f.valid_time, f.lead_minutes))
        if len({field.units for field in own}) > 1:
            units = sorted({field.units for field in own})
            raise DataError(f"hazards of kind {hazard!r} come in several units: {', '.join(units)}")
        asks = _Asks.of(subscribers, hazard)
        if len(asks.rows):
            found += _told(subscribers, _searched(asks, own), own)
    return found


def _searched(asks: _Asks, fields: Sequence[HazardField]) -> Table:
    """Return what is known of the rules that matched; much work is shared out between the processors."""
    pairs = len(asks.rows) * sum(len(field.levels) for field in fields)
    count = min(os.cpu_count() or 1, _MOST, max(1, pairs // _SHARE))
    # One strip more for this process, which has nothing to begin.
    strips = np.array_split(np.arange(len(asks.rows)), count * _STRIPS + 1)
    own, *others = (asks.only(np.concatenate(strips[n::count])) for n in range(count))
    with ThreadPoolExecutor(max(1, len(others))) as pool:
        elsewhere = [pool.submit(call, _search, other, fields) for other in others]
        return Table.joined([_search(own, fields), *(future.result() for future in elsewhere)])


def _search(asks: _Asks, fields: Sequence[HazardField]) -> Table:
    return _Search(asks, fields).run()


def _told(subscribers: Subscribers, table: Table, fields: Sequence[HazardField]) -> list[Match]:
    """Return the matches of one kind of hazard."""
    if not len(table.owner):
        return []
    polygons = np.concatenate([field.polygons for field in fields])
    sources = [field.source for field in fields for _ in field.levels]
    told_of = np.unique(table.polygon).tolist()
    with uncollected():
        pictures = {n: drawn(polygons[n]) for n in told_of}
    return told(subscribers, table, fields, pictures, {n: sources[n] for n in told_of})


@dataclass(frozen=True, slots=True, eq=False)
class _Asks:
    """The rules that ask for one kind of hazard, each with its place; `rows` are their numbers."""

    rows: NDArray[np.intp]
    owner: NDArray[Any]
    lon: NDArray[Any]
    lat: NDArray[Any]
    limit: NDArray[Any]
    min_level: NDArray[Any]
    max_lead: NDArray[Any]

    @classmethod
    def of(cls, subscribers: Subscribers, hazard: str) -> _Asks:
        codes = [n for n, name in enumerate(subscribers.hazards) if name in {hazard, ""}]
        rows = np.isin(subscribers.hazard, codes).nonzero()[0]
        # Neighbours next to each other, so that what is looked up for a polygon lies together in memory.
        lon, lat = subscribers.lon[subscribers.owner[rows]], subscribers.lat[subscribers.owner[rows]]
        rows = rows[np.argsort(np.floor(lon / _STRIP) * 360 + lat)]
        owner = subscribers.owner[rows]
        return cls(
            rows,
            owner,
            subscribers.lon[owner],
            subscribers.lat[owner],
            subscribers.within_km[rows] * 1000,
            subscribers.min_level[rows],
            subscribers.max_lead_minutes[rows],
        )

    def only(self, which: NDArray[np.intp]) -> _Asks:
        """Return some of the rules."""
        return _Asks(*(getattr(self, name)[which] for name in self.__slots__))


class _Search:
    """What is known of each rule so far, while polygon after polygon is held against them."""

    def __init__(self, asks: _Asks, fields: Sequence[HazardField]) -> None:
        self._asks, self._fields = asks, fields
        self._time = np.repeat(np.arange(len(fields)), [len(field.levels) for field in fields])
        self._levels = np.concatenate([field.levels for field in fields])
        self._polygons = np.concatenate([field.polygons for field in fields])
        self._plane_of = np.zeros(len(self._levels), int)
        self._number_in_plane = np.zeros(len(self._levels), int)
        self._planes: list[Plane] = []
        # A polygon's rank: the higher its level and then the earlier its time, the higher.
        self._kinds, kind = np.unique(self._levels, return_inverse=True)
        self._rank = kind * len(fields) + (len(fields) - 1 - self._time)
        # Who asks for the most: only beyond these need each rule be asked for its own.
        self._picky = asks.min_level.max(initial=-np.inf)
        self._hasty = asks.max_lead.min(initial=np.inf)
        count = len(asks.rows)
        self._best = np.full(count, -1, "i4")
        self._onset = np.full(count, len(fields), "i4")
        self._ends = np.full(count, -1, "i4")
        self._inside = np.zeros(count, bool)
        self._nearest, self._highest = Contest(count), Contest(count)

    def run(self) -> Table:
        """Return the rules that matched."""
        for members in regions(self._polygons) if len(self._polygons) else []:
            self._region(members)
        return self._table((self._ends >= 0).nonzero()[0])

    def _region(self, members: NDArray[np.intp]) -> None:
        asks = self._asks
        plane = Plane.of(self._polygons[members], asks.lon, asks.lat, asks.limit)
        if not len(plane.rows):
            return
        self._plane_of[members], self._number_in_plane[members] = len(self._planes), np.arange(len(members))
        self._planes.append(plane)
        # One with a wide limit must not make all others look far: limits within a factor of two go together.
        _, kinds = np.frexp(np.maximum(plane.limit, 1000.0))
        boxes = []
        for kind in np.unique(kinds):
            places = (kinds == kind).nonzero()[0]
            reach = float(plane.reach[places].max()) * (1 + plane.slack) + 1.0
            boxes.append((reach, Box.of(plane.x, plane.y, places)))
        bounds = shapely.bounds(plane.polygons)
        for layer in self._layers(members):
            near = boxes
            # Where many are looked at more than once, first leave out those that are known enough of.
            if sum(box.share(bounds[layer], reach) for reach, box in boxes) > len(boxes):
                opened = self._high(int(members[layer[0]]), slice(None)) > 0
                near = [(reach, box.only(opened[plane.rows])) for reach, box in boxes]
            for n in layer.tolist():
                for reach, box in near:
                    self._hold(plane, int(members[n]), bounds[n], box.within(bounds[n], reach))

    def _layers(self, members: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        """Return the places in `members` of the polygons of each time and level, in the order to look at them.

        The first and the last time first: then onset and end are known of all that is near all the time. Within
        a time from the lowest level: what is inside that needs no distances.
        """
        times, levels = self._time[members], self._levels[members]
        turn = np.minimum(times, len(self._fields) - 1 - times)
        order = np.lexsort((levels, times, turn))
        new = (np.diff(times[order]) != 0) | (np.diff(levels[order]) != 0)
        return np.split(order, new.nonzero()[0] + 1)

    def _hold(self, plane: Plane, polygon: int, box: NDArray[Any], places: NDArray[np.intp]) -> None:
        """Hold a polygon against some places."""
        high = self._high(polygon, plane.rows[places])
        places, high = places[high > 0], high[high > 0]
        if len(places):
            near = nearness(plane, int(self._number_in_plane[polygon]), box, places, high)
            self._note(polygon, plane.rows[near.places], near)

    def _high(self, polygon: int, rows: NDArray[np.intp] | slice) -> NDArray[Any]:
        """Return below how many metres this polygon could change what is known of each of some rules.

        Infinite where it changes more than the nearest edge if it is near at all, 0 where it cannot change a thing.
        """
        time, rank, best = int(self._time[polygon]), int(self._rank[polygon]), self._best[rows]
        high: NDArray[Any] = self._nearest.high()[rows].copy()
        np.maximum(high, self._highest.high()[rows], out=high, where=best == rank)
        changes = best < rank
        changes |= self._onset[rows] > time
        changes |= self._ends[rows] < time
        high[changes] = np.inf
        if self._levels[polygon] < self._picky:
            high[self._asks.min_level[rows] > self._levels[polygon]] = 0.0
        if self._fields[time].lead_minutes > self._hasty:
            high[self._asks.max_lead[rows] < self._fields[time].lead_minutes] = 0.0
        return high

    def _note(self, polygon: int, rows: NDArray[np.intp], near: Near) -> None:
        time, rank = int(self._time[polygon]), int(self._rank[polygon])
        self._onset[rows] = np.minimum(self._onset[rows], time)
        self._ends[rows] = np.maximum(self._ends[rows], time)
        self._inside[rows[near.inside]] = True
        self._nearest.close(rows[near.inside])
        self._nearest.enter(polygon, rows, near, ~near.inside)
        better = self._best[rows] < rank
        self._highest.restart(rows[better])
        self._best[rows[better]] = rank
        self._highest.enter(polygon, rows, near, self._best[rows] == rank)

    def _table(self, rows: NDArray[np.intp]) -> Table:
        """Return what is known of some rules."""
        _, metres, bearing = self._nearest.decide(
            Judge(self._is_outside, self._edges, self._geodesic), measured=True
        )
        top, _, _ = self._highest.decide(Judge(self._is_highest, self._edges, self._geodesic), measured=False)
        metres[self._inside] = bearing[self._inside] = 0.0
        return Table(
            owner=self._asks.owner[rows],
            rule=self._asks.rows[rows],
            level=self._kinds[self._best[rows] // len(self._fields)],
            polygon=top[rows],
            onset=self._onset[rows],
            ends=self._ends[rows],
            inside=self._inside[rows],
            km=metres[rows] / 1000,
            bearing=bearing[rows],
        )

    def _is_outside(self, _polygon: int, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        return np.asarray(~self._inside[rows])

    def _is_highest(self, polygon: int, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        return np.asarray(self._rank[polygon] == self._best[rows])

    def _edges(self, entry: Entry) -> tuple[Entry, NDArray[Any]]:
        plane = self._planes[self._plane_of[entry.polygon]]
        edges = plane.edges(int(self._number_in_plane[entry.polygon]))
        far, x, y = np.zeros((3, len(entry.rows)))
        outside = (~entry.inside).nonzero()[0]
        own = entry.places[outside]
        most = entry.high[outside] * plane.scale[own]
        far[outside], x[outside], y[outside] = edges.nearest(plane.x[own], plane.y[own], most)
        low, high = plane.on_ground(entry.places, far, far)
        return replace(entry, low=low, x=x, y=y), high

    def _geodesic(self, entry: Entry) -> tuple[NDArray[Any], NDArray[Any]]:
        plane = self._planes[self._plane_of[entry.polygon]]
        metres, bearing = plane.geodesic(entry.places, entry.x, entry.y)
        metres[entry.inside] = bearing[entry.inside] = 0.0
        return metres, bearing
