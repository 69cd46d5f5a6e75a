"""Looked: whether a hazard is still near places where it was near subscribers who are there no more.

Nobody is told that it is over while it is there: not because his position lapsed, nor because the file was edited.
Goes wrong: as `match`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dynamo.alerts.match import match

if TYPE_CHECKING:
    from dynamo.alerts.adopted import Way
    from dynamo.alerts.hazard import HazardField
    from dynamo.alerts.subscriber import Subscribers

__all__ = ["still_near"]


def still_near(
    subscribers: Subscribers, fields: Sequence[HazardField], places: Mapping[Way, tuple[float, float]]
) -> set[Way]:
    """Return those of some ways by whose rules of now a hazard is near a place.

    Parameters
    ----------
    subscribers
        Who asks for what.
    fields
        Of one kind of hazard.
    places
        Longitude and latitude for each way.
    """
    names = {name for name, _ in places}
    rows = {name: row for row, name in enumerate(subscribers.ids.tolist()) if name in names}
    ways = [way for way in places if way[0] in rows]
    if not ways:
        return set()
    order = np.argsort(subscribers.owner, kind="stable")
    owner, theirs = subscribers.owner[order], np.array([rows[name] for name, _ in ways])
    starts, ends = np.searchsorted(owner, theirs), np.searchsorted(owner, theirs, side="right")
    rules = order[np.concatenate([np.arange(*span) for span in zip(starts, ends, strict=True)])]
    at = np.array([places[way] for way in ways], "f8")
    ids = np.empty(len(ways), object)
    ids[:] = [str(n) for n in range(len(ways))]
    there = replace(
        subscribers,
        ids=ids,
        lon=at[:, 0],
        lat=at[:, 1],
        owner=np.repeat(np.arange(len(ways)), ends - starts),
        hazard=subscribers.hazard[rules],
        within_km=subscribers.within_km[rules],
        min_level=subscribers.min_level[rules],
        max_lead_minutes=subscribers.max_lead_minutes[rules],
        channel=subscribers.channel[rules],
        posted=frozenset(),
    )
    # A rule that names no channel is one for each.
    found = ((ways[int(one.subscriber)], one.way) for one in match(there, fields))
    return {way for way, met in found if met in ("", way[1])}
