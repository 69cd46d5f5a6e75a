"""Told: what is known of each rule in, one `Match` for each subscriber and way out. Nothing can go wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np

from dynamo.alerts.match import Match
from dynamo.graph.collection import uncollected

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dynamo.alerts.hazard import HazardField
    from dynamo.alerts.subscriber import Subscribers

__all__ = ["Table", "told"]

# Matches made at a time.
_SOME = 2048


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Rules that matched, ordered by their subscribers.

    Parameters
    ----------
    owner, rule
        Numbers of the subscriber and of the rule.
    level, polygon
        The highest level, and the polygon of it that is told.
    onset, ends
        Numbers of the fields it is first and last near at.
    inside, km, bearing
        Where the nearest edge is.
    """

    owner: NDArray[Any]
    rule: NDArray[Any]
    level: NDArray[Any]
    polygon: NDArray[Any]
    onset: NDArray[Any]
    ends: NDArray[Any]
    inside: NDArray[np.bool_]
    km: NDArray[Any]
    bearing: NDArray[Any]

    def rows(self, which: NDArray[np.intp]) -> Table:
        """Return some rows, in this order."""
        return Table(*(getattr(self, name)[which] for name in self.__slots__))


def told(
    subscribers: Subscribers,
    table: Table,
    fields: Sequence[HazardField],
    pictures: Mapping[int, dict[str, Any]],
    sources: Mapping[int, str],
) -> list[Match]:
    """Return a match for each subscriber of the table and way to him; all of a polygon share its picture."""
    way = subscribers.channel[table.rule]
    if (way != way[0]).any():
        order = np.lexsort((way, table.owner))
        table, way = table.rows(order), way[order]
    starts = np.concatenate([[0], (np.diff(table.owner) | np.diff(way)).nonzero()[0] + 1])
    owner = table.owner[starts]
    group = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(way))))
    highest = nearest = starts
    if len(starts) < len(group):
        highest = np.lexsort((table.polygon, -table.level, group))[starts]
        nearest = np.lexsort((table.bearing, table.km, group))[starts]
    times = _objects([field.valid_time for field in fields])
    order, polygon = np.unique(table.polygon[highest], return_inverse=True)
    return _made(
        len(starts),
        subscriber=subscribers.ids[owner],
        lon=subscribers.lon[owner],
        lat=subscribers.lat[owner],
        hazard=repeat(fields[0].hazard),
        level=table.level[highest],
        units=repeat(fields[0].units),
        onset=times[np.minimum.reduceat(table.onset, starts)],
        ends=times[np.maximum.reduceat(table.ends, starts)],
        inside=np.logical_or.reduceat(table.inside, starts),
        distance_km=table.km[nearest],
        bearing_deg=table.bearing[nearest],
        within_km=np.maximum.reduceat(subscribers.within_km[table.rule], starts),
        narrowest_km=np.minimum.reduceat(subscribers.within_km[table.rule], starts),
        way=_objects(subscribers.channels)[way[starts]],
        polygons=_objects([pictures[n] for n in order.tolist()])[polygon],
        source=_objects([sources[n] for n in order.tolist()])[polygon],
    )


def _objects(values: Sequence[Any]) -> NDArray[Any]:
    made: NDArray[Any] = np.fromiter(values, object, len(values))
    return made


def _made(count: int, **columns: NDArray[Any] | repeat[str]) -> list[Match]:
    """Return `Match(...)` of columns; of some rows at a time, which the processor's cache still holds."""
    made: list[Match] = []
    with uncollected():
        for start in range(0, count, _SOME):
            end = start + _SOME
            some = {n: v if isinstance(v, repeat) else v[start:end].tolist() for n, v in columns.items()}
            # As `Match._make` does, which is a function of Python.
            made += map(
                tuple.__new__, repeat(Match), zip(*(some[name] for name in Match._fields), strict=False)
            )
    return made
