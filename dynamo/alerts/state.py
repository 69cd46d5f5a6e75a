"""State: where one way to a subscriber stands with one kind of hazard, between two cycles.

Frozen data and its JSON, nothing else. A named tuple and a JSON array, times in Unix seconds: a cycle reads a
hundred thousand of these in a second and changes few. What can go wrong: a text that is no state (`InternalError`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import orjson

from dynamo.errors import InternalError

__all__ = ["State", "km_between"]

EARTH_KM = 6371.0088  # mean radius, IUGG


def km_between(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Return how far two places (longitude and latitude, WGS 84 degrees) are apart; on a sphere, by the haversine."""
    if one == other:
        return 0.0
    lon0, lat0, lon1, lat1 = map(math.radians, (*one, *other))
    across = math.cos(lat0) * math.cos(lat1) * math.sin((lon1 - lon0) / 2) ** 2
    return 2 * EARTH_KM * math.asin(min(1.0, math.sqrt(math.sin((lat1 - lat0) / 2) ** 2 + across)))


class State(NamedTuple):
    """An episode that is not over: what was told in it, and in which cycles since nothing was seen.

    Parameters
    ----------
    episode
        Its id.
    sent
        When each of its alerts was made, the first first: their number is the next revision.
    clear
        Data times of the cycles in a row that saw nothing.
    channels
        On which it was told, sorted.
    top, onset, ends, inside, narrowest_km
        The most that was told: highest level, earliest onset, latest end, whether inside, the narrowest distance
        of a rule that matched. A match must exceed these to be told. They begin anew when it is told that the
        hazard stays longer, or is where the subscriber has gone.
    expires
        When the last alert does.
    subscriber, lon, lat, level, units, distance_km, bearing_deg, within_km
        What the last alert said, for the all clear.
    branch, branched
        The ids of alerts from number `branched` on begin with `branch`, where it is not empty, else with `episode`:
        a channel goes on by itself with what it was told together with others.
    met
        Longitude and latitude of the last match, where the subscriber has gone since the last alert without being told
        anew; else empty.
    known
        The most that was known within `within_km` of him when he was told; 0 where products do not say.
    """

    episode: str
    sent: Sequence[float]
    clear: Sequence[float]
    channels: Sequence[str]
    top: float
    onset: float
    ends: float
    inside: bool
    expires: float
    subscriber: str
    lon: float
    lat: float
    level: float
    units: str
    distance_km: float
    bearing_deg: float
    within_km: float
    narrowest_km: float
    branch: str = ""
    branched: int = 0
    met: Sequence[float] = ()
    known: float = 0.0

    def alert_id(self, revision: int) -> str:
        """Return the id of one of its alerts."""
        return f"{self.branch if self.branch and revision >= self.branched else self.episode}-{revision}"

    def places(self) -> list[tuple[float, float]]:
        """Return where the subscriber was when the hazard was last there: of the last match, then of the last alert."""
        told = (self.lon, self.lat)
        return [(self.met[0], self.met[1]), told] if self.met else [told]

    def km_from(self, lon: float, lat: float) -> float:
        """Return how far a place (WGS 84 degrees) is from that of the last alert."""
        return km_between((self.lon, self.lat), (lon, lat))

    def dump(self) -> str:
        """Return it as text: an array in the order of the fields."""
        return orjson.dumps(tuple(self), option=orjson.OPT_SERIALIZE_NUMPY).decode()

    @classmethod
    def load(cls, text: str) -> State:
        """Return what `dump` gave, or that of an older version; tuples come back as lists.

        Raises
        ------
        InternalError
            It is no state.
        """
        try:
            state = cls(*orjson.loads(text))
        except (orjson.JSONDecodeError, TypeError) as error:
            raise InternalError(f"the journal holds a state that cannot be read: {error}") from error
        # An older version counted them only.
        return state._replace(clear=[0.0] * state.clear) if isinstance(state.clear, int) else state
