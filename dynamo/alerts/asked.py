"""Asked: what is asked for now, of which an all clear speaks; rules may have changed since the alert.

Subscribers enter, what some of them ask for leaves. Nothing can go wrong: of who is not there nothing is known.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from dynamo.alerts.state import State
    from dynamo.alerts.subscriber import Subscribers

__all__ = ["Asked", "ask_of", "asked"]


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

    def speaks_of(self, state: State, moved_km: float) -> bool:
        """Return whether, where this is not met, it is over for who was told: he left, or his place is looked at.

        Of a place that fell back to the file's nothing is known where it is farther from the one that was told than
        `moved_km`, or than the hazard was to come near (but a kilometre is no other place).
        """
        same = min(moved_km, max(state.within_km, 1.0))
        return self.posted or state.km_from(self.lon, self.lat) <= same


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


def ask_of(
    way: tuple[str, str],
    asked: Mapping[tuple[str, str], Asked],
    met: Collection[tuple[str, str]],
    channels: Collection[str],
) -> Asked | None:
    """Return what is asked for on a way: where no rule names its channel now, by the one for all, unless that is met.

    `met` are the ways with a match, `channels` those that are meant by all.
    """
    subscriber, name = way
    every = (subscriber, "")
    if way in asked or name not in channels or every in met:
        return asked.get(way)
    return asked.get(every)
