"""Where and when a sounding was made, by its station and the name of its file.

Pure: names enter, what can be known of them leaves. The stations are data, in ``stations.json``; of a station that
is not among them nothing is known, and its file, or the caller, must say where it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from importlib import resources

from dynamo.radar.sounding_listing import hour_of

__all__ = ["Station", "named_station", "named_time", "station"]

TIME = re.compile(r"(?<!\d)((?:19|20)\d\d)-?(\d\d)-?(\d\d)[-_ T]?(\d\d):?(\d\d)?(?:\d\d)?(?!\d)")
NUMBER = re.compile(r"(?<!\d)\d{5}(?!\d)")
WORD = re.compile(r"[A-Za-z0-9]+")
SHORT = 3


@dataclass(frozen=True, slots=True)
class Station:
    """A radiosonde station: ICAO name, WMO number, place in degrees."""

    name: str
    number: str
    latitude: float
    longitude: float


def station(name: str) -> Station | None:
    """Return the station of that ICAO name, WMO number, or last three letters of an ICAO name of the U.S."""
    return _stations().get(name.upper())


def named_station(file: str) -> Station | None:
    """Return the station that a file's name names, as a WMO number, an ICAO name, or three capitals."""
    words = NUMBER.findall(file) + [w for w in WORD.findall(file) if len(w) > SHORT or w.isupper()]
    return next((found for word in words if (found := station(word))), None)


def named_time(file: str) -> datetime | None:
    """Return the time in a file's name: YYYYMMDDHH, with minutes or without; a day without an hour is no time."""
    times = (hour_of(*match.groups()) for match in TIME.finditer(file))
    return next((time for time in times if time), None)


@lru_cache(maxsize=1)
def _stations() -> Mapping[str, Station]:
    text = resources.files("dynamo.radar").joinpath("stations.json").read_text(encoding="utf-8")
    known: dict[str, Station] = {}
    for one in (Station(*row) for row in json.loads(text)["stations"]):
        known |= {one.name: one, one.number: one}
        if one.name.startswith(("K", "P")):
            known[one.name[-SHORT:]] = one
    return known
