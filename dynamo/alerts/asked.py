"""Asked: what is asked for now, of which an all clear speaks; rules and places may have changed since the alert.

Subscribers enter; what some of them ask for leaves, and of whom nothing is known. Nothing can go wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Container, Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from dynamo.alerts.adopted import Way
    from dynamo.alerts.state import State
    from dynamo.alerts.subscriber import Subscribers

__all__ = ["Asked", "Looking", "asked", "unknown"]

#: Returns the ways by whose rules the hazard is near the place (longitude, latitude) that is given for each.
Looking: TypeAlias = "Callable[[Mapping[Way, tuple[float, float]]], Container[Way]]"
#: Why an episode ends without an all clear.
NOT_ASKED = "nobody asks for it any more"
NOT_LEFT = "it is still where its subscriber was, and he is elsewhere by the file"


class Asked(NamedTuple):
    """What the rules of one way to a subscriber ask for together, of one kind of hazard.

    Parameters
    ----------
    lon, lat
        Where he is now (WGS 84 degrees).
    level
        The lowest level that counts; minus infinity for any.
    within_km
        The widest distance.
    posted
        Whether he said himself that he is there.
    lead_minutes
        Forecasts up to this lead time count, of the rule that looks farthest ahead; infinity for all.
    """

    lon: float
    lat: float
    level: float
    within_km: float
    posted: bool = False
    lead_minutes: float = math.inf


def asked(subscribers: Subscribers, hazard: str, names: Collection[str]) -> dict[tuple[str, str], Asked]:
    """Return what those of these names ask for, by name and way; who asks for nothing is left out."""
    import numpy as np

    wanted = frozenset(names)
    places = np.fromiter(map(wanted.__contains__, subscribers.ids), bool, len(subscribers))
    codes = [n for n, name in enumerate(subscribers.hazards) if name in {hazard, ""}]
    rows = (places[subscribers.owner] & np.isin(subscribers.hazard, codes)).nonzero()[0]
    owner = subscribers.owner[rows]
    found: dict[tuple[str, str], Asked] = {}
    for name, code, lon, lat, level, within_km, lead in zip(
        subscribers.ids[owner].tolist(),
        subscribers.channel[rows].tolist(),
        subscribers.lon[owner].tolist(),
        subscribers.lat[owner].tolist(),
        subscribers.min_level[rows].tolist(),
        subscribers.within_km[rows].tolist(),
        subscribers.max_lead_minutes[rows].tolist(),
        strict=True,
    ):
        key = name, subscribers.channels[code]
        one = Asked(lon, lat, level, within_km, name in subscribers.posted, lead)
        if (other := found.get(key)) is not None:
            one = one._replace(
                level=min(one.level, other.level),
                within_km=max(one.within_km, other.within_km),
                lead_minutes=max(lead, other.lead_minutes),
            )
        found[key] = one
    return found


def unknown(
    silent: Mapping[Way, State], asked: Mapping[Way, Asked], looking: Looking | None
) -> dict[Way, str]:
    """Say of which episodes a cycle says nothing in which they were not met, and why.

    Who *posts* that he is elsewhere is out of it. Who is elsewhere without having said so, for a position lapsed or
    the file was edited, is out of it when the hazard is gone from where he was told of it, and from where it was last
    found near him.
    """
    why = {way: NOT_ASKED for way in silent if way not in asked}
    left = {
        way: places
        for way, state in silent.items()
        if (ask := asked.get(way)) is not None
        and not ask.posted
        and (places := [place for place in state.places() if place != ask[:2]])
    }
    while left:
        first = {way: places[0] for way, places in left.items()}
        near = first if looking is None else looking(first)
        why |= {way: NOT_LEFT for way in left if way in near}
        left = {way: places[1:] for way, places in left.items() if places[1:] and way not in near}
    return why
