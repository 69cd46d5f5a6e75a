"""Match: who is near which hazard, from when to when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

__all__ = ["Match"]


@dataclass(frozen=True, slots=True)
class Match:
    """One subscriber and one kind of hazard that comes within the distance that was asked for.

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
    within_km
        The distance that was asked for, of the widest rule that matched.
    channels
        Names of the channels of all rules that matched, sorted.
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
    channels: tuple[str, ...]
    polygons: dict[str, Any] | None = None
    source: str = ""
