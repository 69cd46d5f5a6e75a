"""The air around a storm: heights of 0 C and -20 C for a product, and by which sounding.

Pure decision: soundings, a time and a place enter, an `Environment` leaves, always; what it could not do as it should
stands in its `warnings`, which every product carries. Of the soundings within the limits of a `Rule` the one with the
least ``age + distance / (40 km/h)`` serves: what is that far away comes by within that time, at about 11 m/s.
Where none serves, the climatology does, with a warning.

Why these limits: radiosondes rise every 12 h, and the next can be had 1 to 3 h after its launch, so the last one is up
to 15 h old with all in order; after 36 h three are missing. Stations lie about 250 km apart over land, 315 km in the
U.S. (MADIS, radiosonde data set). The hour that a sounding stands for is half an hour to an hour after its launch, so
half an hour after the product is not the future; what is of later is not used, lest a day that is processed again
knows more than it did.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from dynamo.errors import DataError, UserError
from dynamo.radar.climatology import SOURCE, climatology, unlikely
from dynamo.radar.profile import Heights, Profile
from dynamo.radar.sounding import Sounding

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Environment", "Rule", "environment", "given"]

EARTH = 6371.0  # km
MIN_BETWEEN = 100.0  # m between heights that are given by hand


@dataclass(frozen=True, slots=True)
class Rule:
    """Which soundings may serve, and how time counts against distance.

    Parameters
    ----------
    ahead_h
        So many hours after the product a sounding may be; negative: so many hours before it, at least, it must be,
        as if it came that late.
    fresh_h, limit_h
        An older sounding serves with a warning; a still older one not at all.
    near_km, limit_km
        The same for one farther away.
    km_per_h
        So many km count as one hour.
    """

    ahead_h: float = 0.5
    fresh_h: float = 15.0
    limit_h: float = 36.0
    near_km: float = 250.0
    limit_km: float = 500.0
    km_per_h: float = 40.0

    def __post_init__(self) -> None:
        in_order = self.fresh_h <= self.limit_h and self.near_km <= self.limit_km
        if not (in_order and self.near_km >= 0 and self.km_per_h > 0 and -self.ahead_h <= self.limit_h):
            raise UserError(
                f"{self}: expected -ahead_h <= limit_h, fresh_h <= limit_h, 0 <= near_km <= limit_km and 0 < km_per_h"
            )


DEFAULT = Rule()


@dataclass(frozen=True, slots=True, eq=False)
class Environment:
    """Temperature over height for one product, and by what.

    Parameters
    ----------
    freezing_level, minus20_level
        m above sea level, the first below the second; below the ground on a cold day.
    profile
        Temperature over height.
    source
        ``sounding``, ``climatology`` or ``given`` (by hand).
    sounding
        Its station and time, or what stands in for it.
    age_h
        Hours from the sounding to the product; None without a sounding.
    distance_km
        From the sounding's station; None without one, or where its place is not known.
    warnings
        Sentences that every product must carry.
    """

    freezing_level: float
    minus20_level: float
    profile: Profile
    source: str
    sounding: str
    age_h: float | None = None
    distance_km: float | None = None
    warnings: tuple[str, ...] = ()

    def temperature_at(self, heights: ArrayLike) -> NDArray[np.float64]:
        """Return the temperature in C at heights in m above sea level, of whatever shape."""
        return self.profile.temperature_at(heights)

    def attributes(self) -> dict[str, str | float]:
        """Return what a product says of it: for `Grid.attributes`, NetCDF and GeoJSON alike.

        ``warning`` is there only where there are warnings; age and distance only where they are known.
        """
        about: dict[str, str | float] = {
            "freezing_level_m": round(self.freezing_level, 1),
            "minus20_level_m": round(self.minus20_level, 1),
            "environment": self.source,
            "sounding": self.sounding,
        }
        if self.age_h is not None:
            about["sounding_age_h"] = round(self.age_h, 2)
        if self.distance_km is not None:
            about["sounding_distance_km"] = round(self.distance_km, 1)
        if self.warnings:
            about["warning"] = "; ".join(self.warnings)
        return about


def environment(
    soundings: Iterable[Sounding],
    time: datetime,
    latitude: float,
    longitude: float,
    *,
    rule: Rule = DEFAULT,
    left_out: Sequence[str] = (),
) -> Environment:
    """Return the environment of a product at a time and place.

    The order of the soundings does not matter.

    Parameters
    ----------
    soundings
        Any number, of any time and place.
    time
        Of the product, aware.
    latitude, longitude
        Of the radar, or the middle of the product; degrees.
    rule
        Limits and weights.
    left_out
        What is wrong with files that could not be read, for the warnings.

    Raises
    ------
    DataError
        The time is not aware, or the place is none.
    """
    if time.tzinfo is None or not (abs(latitude) <= 90 and abs(longitude) <= 360):
        raise DataError(
            f"an environment needs an aware time and a place in degrees, not {time}, {latitude}, {longitude}"
        )
    ranked = sorted(
        (_Candidate.of(s, time, latitude, longitude, rule) for s in soundings), key=_Candidate.rank
    )
    warnings = [f"not read: {what}" for what in left_out]
    refused = [one for one in ranked if one.refusal]
    for one in ranked:
        if one.refusal:
            continue
        try:
            heights = one.sounding.profile.levels()
            doubts = unlikely(heights, float(one.sounding.profile.heights[0]), latitude, time)
        except DataError as error:
            warnings.append(f"sounding {one.sounding} not used: {error}")
            continue
        return one.environment(heights, doubts, (*warnings, *one.cautions(rule)))
    return _by_climatology(time, latitude, (*warnings, *(f"sounding {one.refusal}" for one in refused[:1])))


def given(freezing_level: float, minus20_level: float) -> Environment:
    """Return the environment of heights that somebody gives by hand, in m above sea level.

    Between and beyond them temperature is linear in height, no colder than -56.5 C.

    Raises
    ------
    UserError
        They are no numbers, or 0 C is not at least 100 m below -20 C.
    """
    if not minus20_level - freezing_level >= MIN_BETWEEN or math.isinf(minus20_level - freezing_level):
        raise UserError(
            f"0 C at {freezing_level:g} m and -20 C at {minus20_level:g} m: expected 0 C at least {MIN_BETWEEN:g} m "
            "below -20 C, both in m above sea level"
        )
    per_kelvin = (minus20_level - freezing_level) / 20
    temperatures = [40.0, 0.0, -20.0, -56.5]
    profile = Profile(freezing_level - np.array(temperatures) * per_kelvin, np.array(temperatures))
    return Environment(freezing_level, minus20_level, profile, "given", "none: heights given by hand")


def _long(hours: float) -> str:
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.0f} days"


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A sounding as seen from a product: hours before it, km from it, and why it may not serve."""

    sounding: Sounding
    age_h: float | None
    distance_km: float | None
    cost: float
    refusal: str

    @classmethod
    def of(
        cls, sounding: Sounding, time: datetime, latitude: float, longitude: float, rule: Rule
    ) -> _Candidate:
        distance = None
        if sounding.latitude is not None and sounding.longitude is not None:
            distance = _distance(latitude, longitude, sounding.latitude, sounding.longitude)
        away = (rule.limit_km if distance is None else distance) / rule.km_per_h
        if sounding.time is None:
            refusal = f"{sounding}, cannot serve: neither file nor name say when it was made"
            return cls(sounding, None, distance, math.inf, refusal)
        age = (time - sounding.time).total_seconds() / 3600
        refusal = ""
        if age < -rule.ahead_h:
            refusal = (
                f"{sounding} is of {_long(-age)} after the product"
                if age < 0
                else f"{sounding} is too new to be known"
            )
        elif age > rule.limit_h:
            refusal = f"{sounding} is {_long(age)} old, more than {rule.limit_h:g} h"
        elif distance is not None and distance > rule.limit_km:
            refusal = f"{sounding} is {distance:.0f} km away, more than {rule.limit_km:g} km"
        return cls(sounding, age, distance, abs(age) + away, refusal)

    def rank(self) -> tuple[float, str, str]:
        """Order by cost; of equal ones by name, so that the order of files does not matter."""
        return self.cost, str(self.sounding), self.sounding.source

    def cautions(self, rule: Rule) -> list[str]:
        """Return what is to be said of a sounding that serves, though not well."""
        said = []
        if self.age_h is not None and self.age_h > rule.fresh_h:
            said.append(f"sounding {self.sounding} is {_long(self.age_h)} old, more than {rule.fresh_h:g} h")
        if self.distance_km is None:
            said.append(
                f"it is not known where sounding {self.sounding} was made: no columns latitude, longitude"
            )
        elif self.distance_km > rule.near_km:
            said.append(
                f"sounding {self.sounding} is {self.distance_km:.0f} km away, more than {rule.near_km:g} km"
            )
        return said

    def environment(
        self, heights: Heights, doubts: tuple[str, ...], warnings: tuple[str, ...]
    ) -> Environment:
        marks = tuple(f"sounding {self.sounding}: {mark}" for mark in (*heights.marks, *doubts))
        return Environment(
            heights.freezing_level,
            heights.minus20_level,
            self.sounding.profile,
            "sounding",
            str(self.sounding),
            self.age_h,
            self.distance_km,
            warnings + marks,
        )


def _by_climatology(time: datetime, latitude: float, why: tuple[str, ...]) -> Environment:
    profile = climatology(latitude, time)
    heights = profile.levels()
    warning = "no sounding serves: heights of 0 C and -20 C are of a climatology, and may be several hundred metres off"
    return Environment(
        heights.freezing_level,
        heights.minus20_level,
        profile,
        "climatology",
        f"none: {SOURCE}",
        warnings=(warning, *why, *(f"climatology: {mark}" for mark in heights.marks)),
    )


def _distance(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Return the great-circle distance in km, by the haversine formula."""
    a, b = math.radians(latitude), math.radians(other_latitude)
    half = math.sin((b - a) / 2) ** 2
    half += math.cos(a) * math.cos(b) * math.sin(math.radians(other_longitude - longitude) / 2) ** 2
    return 2 * EARTH * math.asin(math.sqrt(min(half, 1.0)))
