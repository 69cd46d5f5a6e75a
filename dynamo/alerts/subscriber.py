"""Subscribers: who is where, and asks to be told of what; a million of them as columns, not as objects.

Nothing is read here. What can go wrong: an id that nobody has, or a position that is none (`UserError`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dynamo.errors import UserError, nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Rule", "Subscribers"]

_RULE_COLUMNS = ("owner", "hazard", "within_km", "min_level", "max_lead_minutes", "channel")


@dataclass(frozen=True, slots=True)
class Rule:
    """What is asked for: be told of this hazard, from this level on, when it comes this near this soon.

    Parameters
    ----------
    hazard
        Kind of hazard, for example ``STORM``; empty means every kind.
    min_level
        Polygons of this level and above count, in the hazard's units.
    within_km
        Distance to the nearest edge, at most; 0 means within the hazard only.
    max_lead_minutes
        Forecasts up to this lead time count.
    channel
        Where to tell it; empty leaves that to the run file.
    """

    hazard: str = ""
    min_level: float = -math.inf
    within_km: float = 0.0
    max_lead_minutes: float = math.inf
    channel: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Subscribers:
    """Places, and the rules of each, as two tables: row `i` of the rules belongs to place ``owner[i]``.

    Parameters
    ----------
    ids
        ``(places,)`` text, each id once.
    lon, lat
        ``(places,)`` float64, WGS 84 degrees.
    owner
        ``(rules,)`` int64.
    hazard, channel
        ``(rules,)`` int32, numbers into `hazards` and `channels`.
    within_km, min_level, max_lead_minutes
        ``(rules,)`` float64, as in `Rule`.
    hazards, channels
        The names; an empty hazard means every kind.
    posted
        Ids of those who are where they said themselves that they are, for as long as that holds.
    """

    ids: NDArray[Any]
    lon: NDArray[Any]
    lat: NDArray[Any]
    owner: NDArray[Any]
    hazard: NDArray[Any]
    within_km: NDArray[Any]
    min_level: NDArray[Any]
    max_lead_minutes: NDArray[Any]
    channel: NDArray[Any]
    hazards: tuple[str, ...]
    channels: tuple[str, ...]
    posted: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def of(cls, places: Sequence[tuple[str, float, float]], rules: Sequence[Rule]) -> Subscribers:
        """Return places (id, lon, lat; each id once) that all have the same rules."""
        import numpy as np

        count, each = len(places), len(rules)
        ids = np.empty(count, dtype=object)
        ids[:] = [str(place[0]) for place in places]
        hazards = tuple(dict.fromkeys(rule.hazard for rule in rules))
        channels = tuple(dict.fromkeys(rule.channel for rule in rules))

        def column(values: list[float], dtype: str) -> NDArray[Any]:
            return np.tile(np.array(values, dtype), count)

        return cls(
            ids=ids,
            lon=np.array([place[1] for place in places], "f8"),
            lat=np.array([place[2] for place in places], "f8"),
            owner=np.repeat(np.arange(count), each),
            hazard=column([hazards.index(rule.hazard) for rule in rules], "i4"),
            within_km=column([rule.within_km for rule in rules], "f8"),
            min_level=column([rule.min_level for rule in rules], "f8"),
            max_lead_minutes=column([rule.max_lead_minutes for rule in rules], "f8"),
            channel=column([channels.index(rule.channel) for rule in rules], "i4"),
            hazards=hazards,
            channels=channels,
        )

    def apart(self, channels: Sequence[str]) -> Subscribers:
        """Return the same rules such that no channel is told twice of a subscriber and a hazard.

        A rule that names no channel means all of `channels`. Where others of its subscriber and hazard name one, it
        becomes a rule for each, so that each channel is decided by itself; elsewhere it stays one for all. A rule for
        every kind of hazard is one of each of them.
        """
        import numpy as np

        unnamed = self.channel == (self.channels.index("") if "" in self.channels else -1)
        every = self.hazard == (self.hazards.index("") if "" in self.hazards else -1)
        one_kind = self.owner * len(self.hazards) + self.hazard
        named, broad, mixed = np.zeros((3, len(self)), bool)
        named[self.owner[~unnamed]] = True
        broad[self.owner[unnamed & every]] = True  # where it is taken apart, it names channels for every kind
        mixed[self.owner[~unnamed & every]] = True
        mixed |= named & broad
        spread = unnamed & (mixed[self.owner] | np.isin(one_kind, one_kind[~unnamed]))
        if not spread.any():
            return self
        names = tuple(dict.fromkeys((*self.channels, *channels)))
        rows = np.repeat(np.arange(len(spread)), np.where(spread, len(channels), 1))
        columns = {name: getattr(self, name)[rows] for name in _RULE_COLUMNS}
        codes = [names.index(name) for name in channels]
        columns["channel"][spread[rows]] = np.tile(codes, np.count_nonzero(spread))
        return replace(self, **columns, channels=names)

    def at(self, subscriber: str) -> int:
        """Return the number of the place with this id.

        Raises
        ------
        UserError
            Nobody has it.
        """
        found = (self.ids == subscriber).nonzero()[0]
        if not len(found):
            raise UserError(f"there is no subscriber {subscriber!r}{nearest(subscriber, self.ids[:10_000])}")
        return int(found[0])
