"""Mean temperature over height by latitude and season, for want of a sounding.

Pure: a latitude and a time enter, a `Profile` leaves; `unlikely` says which heights of a sounding are far from it.
Goes wrong: heights that cannot be (`DataError`). The five reference atmospheres of the Air Force Geophysics
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

from dynamo.errors import DataError
from dynamo.radar.profile import Heights, Profile

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SOURCE", "climatology", "unlikely"]

SOURCE = "AFGL reference atmospheres, Anderson et al. 1986"
WARMEST_DAY = 196.0  # 15 July
YEAR = 365.25  # days
KELVIN = 273.15
# m from the climatology: what is farther off is told, what is still farther off is no air of that place and season
FAR, TOO_FAR = 2500.0, 4000.0


def climatology(latitude: float, time: datetime) -> Profile:
    """Return the mean profile from 0 to 16 km at a latitude in degrees (south is negative) and a time."""
    heights, latitudes, summer, winter = _tables()
    season = 2 * np.pi * (time.timetuple().tm_yday - WARMEST_DAY) / YEAR
    warmth = (1 + np.cos(season if latitude >= 0 else season + np.pi)) / 2
    column = [np.interp(abs(latitude), latitudes, row) for row in (warmth * summer + (1 - warmth) * winter).T]
    return Profile(heights, np.array(column) - KELVIN)


def unlikely(heights: Heights, ground: float, latitude: float, time: datetime) -> tuple[str, ...]:
    """Say of heights of 0 C and -20 C which are far from the climatology.

    What lies below the ground counts as at the ground: on a cold day it is extrapolated, and means nothing but cold.
    Where the climatology has 0 C within 2.5 km of the ground, such cold can be, and is no reason for a refusal.

    Parameters
    ----------
    heights
        Those of a sounding.
    ground
        Its lowest level, m above sea level.
    latitude, time
        Of the product; degrees, south negative.

    Raises
    ------
    DataError
        One is more than 4 km from the climatology, and no such cold is to be expected.
    """
    mean = climatology(latitude, time).levels()
    frost = mean.freezing_level - ground <= FAR
    said = []
    for level, found, usual in (
        (0, heights.freezing_level, mean.freezing_level),
        (-20, heights.minus20_level, mean.minus20_level),
    ):
        away = abs(max(found, ground) - max(usual, ground))
        what = (
            f"{level} C at {found:.0f} m is {away / 1000:.1f} km from the climatology of {abs(latitude):.0f} degrees "
            f"{'north' if latitude >= 0 else 'south'} in {time:%B}, {usual:.0f} m"
        )
        if away > TOO_FAR and not (frost and found <= ground):
            raise DataError(f"{what}: units, signs or the file's place or time are wrong")
        if away > FAR:
            said.append(what)
    return tuple(said)


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
