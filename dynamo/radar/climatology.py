"""Mean temperature over height by latitude and season, for want of a sounding.

Pure: a latitude and a time enter, a `Profile` leaves. The five reference atmospheres of the Air Force Geophysics
Laboratory (Anderson et al. 1986, AFGL-TR-86-0110) stand for 15 (all year), 45 and 60 degrees (July, January).
Between these latitudes temperature is linear, beyond them as at the last; over the year it goes as a cosine that is
warmest in the middle of July, south of the equator in the middle of January. They are means around the globe: on
nine stored soundings of days with storms, at 29 to 51 degrees north, 0 C was 6 to 675 m higher than here, and -20 C
from 111 m higher to 500 m lower.
"""

from __future__ import annotations

import json
from datetime import datetime
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

from dynamo.radar.profile import Profile

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SOURCE", "climatology"]

SOURCE = "AFGL reference atmospheres, Anderson et al. 1986"
WARMEST_DAY = 196.0  # 15 July
YEAR = 365.25  # days
KELVIN = 273.15


def climatology(latitude: float, time: datetime) -> Profile:
    """Return the mean profile from 0 to 16 km at a latitude in degrees (south is negative) and a time."""
    heights, latitudes, summer, winter = _tables()
    season = 2 * np.pi * (time.timetuple().tm_yday - WARMEST_DAY) / YEAR
    warmth = (1 + np.cos(season if latitude >= 0 else season + np.pi)) / 2
    column = [np.interp(abs(latitude), latitudes, row) for row in (warmth * summer + (1 - warmth) * winter).T]
    return Profile(heights, np.array(column) - KELVIN)


@lru_cache(maxsize=1)
def _tables() -> tuple[NDArray[np.float64], ...]:
    """Return heights in m ``(n,)``, latitudes ``(m,)``, and summer and winter in K ``(m, n)``."""
    content = json.loads(
        resources.files("dynamo.radar").joinpath("climatology.json").read_text(encoding="utf-8")
    )
    rows = content["atmospheres"]
    latitudes, summer, winter = (
        np.array([row[k] for row in rows], "f8") for k in ("latitude", "summer", "winter")
    )
    return 1000.0 * np.array(content["heights_km"], "f8"), latitudes, summer, winter
