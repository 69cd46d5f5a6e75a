"""Told: what is known of each rule in, one `Match` for each subscriber out. Nothing can go wrong."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
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


def told(
    subscribers: Subscribers,
    table: Table,
    fields: Sequence[HazardField],
    pictures: Mapping[int, dict[str, Any]],
    sources: Mapping[int, str],
) -> list[Match]:
    """Return a match for each subscriber of the table; all of a polygon share its picture."""
    starts = np.concatenate([[0], np.diff(table.owner).nonzero()[0] + 1])
    owner = table.owner[starts]
    group = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(table.owner))))
    highest = np.lexsort((table.polygon, -table.level, group))[starts]
    nearest = np.lexsort((table.bearing, table.km, group))[starts]
    times = [field.valid_time for field in fields]
    polygon = table.polygon[highest].tolist()
    within = np.maximum.reduceat(subscribers.within_km[table.rule], starts)
    return _made(
        len(starts),
        subscriber=subscribers.ids[owner].tolist(),
        lon=subscribers.lon[owner].tolist(),
        lat=subscribers.lat[owner].tolist(),
        hazard=repeat(fields[0].hazard),
        level=table.level[highest].tolist(),
        units=repeat(fields[0].units),
        onset=[times[n] for n in np.minimum.reduceat(table.onset, starts).tolist()],
        ends=[times[n] for n in np.maximum.reduceat(table.ends, starts).tolist()],
        inside=np.logical_or.reduceat(table.inside, starts).tolist(),
        distance_km=table.km[nearest].tolist(),
        bearing_deg=table.bearing[nearest].tolist(),
        within_km=within.tolist(),
        channels=_channels(subscribers, table.rule, starts),
        polygons=[pictures[n] for n in polygon],
        source=[sources[n] for n in polygon],
    )


def _channels(
    subscribers: Subscribers, rules: NDArray[Any], starts: NDArray[np.intp]
) -> list[tuple[str, ...]]:
    """Return the names of the channels of each group of rules, sorted; an empty one is none."""
    single = [(name,) if name else () for name in subscribers.channels]
    codes = subscribers.channel[rules]
    names = [single[code] for code in codes[starts].tolist()]
    ends = np.append(starts[1:], len(codes))
    for n in (ends - starts > 1).nonzero()[0].tolist():
        own = {subscribers.channels[code] for code in codes[starts[n] : ends[n]].tolist()}
        names[n] = tuple(sorted(own - {""}))
    return names


def _made(count: int, **columns: Iterable[Any]) -> list[Match]:
    """Return `Match(...)` of columns, column after column: calling it 300,000 times would take seconds."""
    with uncollected():
        made = [object.__new__(Match) for _ in range(count)]
        for name, values in columns.items():
            deque(map(Match.__dict__[name].__set__, made, values), maxlen=0)
    return made
