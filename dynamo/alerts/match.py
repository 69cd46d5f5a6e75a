"""Match: who is near which hazard, from when to when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from dynamo.alerts.hazard import HazardField
    from dynamo.alerts.subscriber import Subscribers

__all__ = ["Match", "match", "warm"]


class Match(NamedTuple):
    """One subscriber, one way to tell him, and one kind of hazard that comes within the distance asked for.

    A tuple, because a cycle may make a million, and a frozen dataclass takes seconds for so many.

    Parameters
    ----------
    subscriber, lon, lat
        Who, and where (WGS 84 degrees).
    hazard, level, units
        What comes; `level` is the highest that comes within the distance.
    onset, ends
        Valid times at which it first and last is within the distance.
    inside
        Whether the place lies within the hazard at any of these times.
    distance_km, bearing_deg
        To the nearest edge at its nearest, 0 within; the bearing clockwise from north, 0 to 360.
    within_km, narrowest_km
        The distances that were asked for, of the widest and of the narrowest rule that matched.
    way
        The channel that the rules that matched name; empty for rules that name none, which mean all channels.
    polygons
        GeoJSON geometry (Polygon or MultiPolygon) near the place, of the highest level.
    source
        Digest of the product that the highest level was read from.
    """

    subscriber: str
    lon: float
    lat: float
    hazard: str
    level: float
    units: str
    onset: datetime
    ends: datetime
    inside: bool
    distance_km: float
    bearing_deg: float
    within_km: float
    narrowest_km: float
    way: str = ""
    polygons: dict[str, Any] | None = None
    source: str = ""


def match(subscribers: Subscribers, fields: Sequence[HazardField]) -> list[Match]:
    """Return who is near what, by kind of hazard, then in the order of the subscribers, then by way.

    A polygon counts for a rule if its level is at or above the rule's lowest; severity nests, so a place in a
    band of 45 is in that of 20 too. `inside`, distance and times are those of any such polygon, `level` is the
    highest that comes within the distance, and `polygons` the nearest polygon of that level at the first
    time that it does. Distances are geodesics on the WGS 84 ellipsoid, right to a millimetre up to 500 km, to edges
    that are straight lines in degrees (to within 0.3 m; who is on one may be taken to be on either side); a hole is no
    part of its polygon. Rules that name different channels are matched apart: those of one channel, or of none, are
    one *way* to a subscriber.

    Parameters
    ----------
    subscribers
        Who asks for what.
    fields
        All lead times of one cycle, of one or several kinds of hazard, in any order.

    Raises
    ------
    DataError
        Fields of one kind have different units.
    """
    from dynamo.alerts.matching import matches

    return matches(subscribers, fields)


def warm() -> None:
    """Have the first match take no longer than others: what is compiled is compiled, or read from where it is kept."""
    import numpy as np
    import shapely

    from dynamo.alerts.hazard import HazardField
    from dynamo.alerts.subscriber import Rule, Subscribers

    now, box = datetime.now(UTC), np.array([shapely.box(0, 0, 1, 1)])
    match(Subscribers.of([("", 0, 0)], [Rule()]), [HazardField("", "", now, now, 0.0, np.zeros(1), box)])
