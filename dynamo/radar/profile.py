"""A profile of temperature over height, and the heights of 0 C and -20 C in it.

Levels in any order enter; a `Profile` leaves, with its levels in order, and from it `Heights` with marks that say
what was taken. Refused is what cannot be a profile of the troposphere: too few levels, no depth, an end that is too
warm.

Between levels temperature is linear in height. Of several crossings (an inversion, a warm nose) the highest is taken:
hail melts below all of it, and so does the post-processor of the models of NCEP (subroutine FRZLVL2, "get highest
freezing level", 1995). Heights are geopotential metres where a sounding has these: below 8 km they are within 35 m of
the geometric ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dynamo.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["LAPSE", "MIN_LEVELS", "Heights", "Profile"]

#: K/m: the troposphere of the U.S. Standard Atmosphere, 1976, used beyond the ends of a profile.
LAPSE = 6.5e-3
TROPOPAUSE = -56.5  # C, of the same: no extension is colder
CEILING = 12000.0  # m: 0 C and -20 C of the troposphere are below; the stratosphere may be warmer than -20 C
MIN_LEVELS = 5
MIN_DEPTH = 2000.0  # m
HIGHEST_START = 5000.0  # m: no station is higher; what begins above it lacks its lower levels
FARTHEST = 10.0  # K: so much warmer than -20 C a profile may end; at 6.5 K/km, 1.5 km
WIDE = 3000.0  # m: standard levels are at most 2.8 km apart, 700 to 500 hPa in the tropics
HIGHEST_FREEZING = 6500.0  # m: 0 C is nowhere higher
RISE, RISE_DEPTH = (
    20.0,
    5000.0,
)  # K, m: over such a depth no air is so much warmer at the top than at the bottom
MIN_BETWEEN = 1900.0  # m from 0 C to -20 C; dry air that is stirred has 2050
STEEP, STEEP_DEPTH = 23.0, 2000.0  # K, m: such air has 20 K, and over hot ground 2 or 3 more


@dataclass(frozen=True, slots=True)
class Heights:
    """Where it is 0 C and -20 C.

    Parameters
    ----------
    freezing_level, minus20_level
        m above sea level; of a cold day below the ground, and then perhaps below 0.
    marks
        Sentences on what was not plainly so: several crossings, an extension, a wide gap.
    """

    freezing_level: float
    minus20_level: float
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """Temperature over height, lowest level first; made by `of`.

    Parameters
    ----------
    heights
        ``(n,)`` m above sea level, rising.
    temperatures
        ``(n,)`` C.
    """

    heights: NDArray[np.float64]
    temperatures: NDArray[np.float64]

    @classmethod
    def of(cls, heights: ArrayLike, temperatures: ArrayLike) -> Profile:
        """Make a profile of levels in any order.

        A level without height or temperature (NaN) is left out; of levels at one height the mean is taken.

        Parameters
        ----------
        heights
            ``(n,)`` m above sea level.
        temperatures
            ``(n,)`` C.

        Raises
        ------
        DataError
            There are fewer than 5 levels, they span less than 2 km, or all lie above 5 km.
        """
        h, t = np.asarray(heights, dtype="f8"), np.asarray(temperatures, dtype="f8")
        usable = np.isfinite(h) & np.isfinite(t)
        h, place, count = np.unique(h[usable], return_inverse=True, return_counts=True)
        t = np.bincount(place, t[usable], minlength=h.size) / count
        if h.size < MIN_LEVELS or h[-1] - h[0] < MIN_DEPTH:
            span = f" from {h[0]:.0f} to {h[-1]:.0f} m" if h.size else ""
            raise DataError(
                f"levels with height and temperature: {h.size}{span}, expected at least {MIN_LEVELS} over "
                f"{MIN_DEPTH:.0f} m"
            )
        if h[0] > HIGHEST_START:
            raise DataError(
                f"the lowest level with a temperature is at {h[0]:.0f} m: those below it are missing"
            )
        return cls(h, t)

    def temperature_at(self, heights: ArrayLike) -> NDArray[np.float64]:
        """Return the temperature in C at heights in m above sea level, of whatever shape.

        Beyond the ends temperature goes on by 6.5 K/km; above 12 km, and from -56.5 C on, it stays as it is.
        """
        z = np.asarray(heights, dtype="f8")
        h, t = self.heights, self.temperatures
        if t[-1] > TROPOPAUSE and h[-1] < CEILING:
            h = np.append(h, h[-1] + (t[-1] - TROPOPAUSE) / LAPSE)
            t = np.append(t, TROPOPAUSE)
        found: NDArray[np.float64] = np.interp(z, h, t) + LAPSE * np.maximum(h[0] - z, 0)
        return found

    def levels(self) -> Heights:
        """Return the heights of 0 C and -20 C, and what is to be said of them.

        Raises
        ------
        DataError
            The profile ends more than 10 K warmer than -20 C, is upside down or too steep, or the heights cannot be
            right.
        """
        marks: list[str] = []
        end = int(np.searchsorted(self.heights, CEILING)) + 1
        h, t = self.heights[:end], self.temperatures[:end]
        if h[-1] - h[0] >= RISE_DEPTH and t[-1] - t[0] > RISE:
            raise DataError(
                f"it is {t[0]:.1f} C at {h[0]:.0f} m and {t[-1]:.1f} C at {h[-1]:.0f} m: the profile is upside down"
            )
        freezing, minus20 = (_height_of(h, t, level, marks) for level in (0.0, -20.0))
        if freezing > HIGHEST_FREEZING:
            raise DataError(
                f"0 C at {freezing:.0f} m is higher than anywhere ({HIGHEST_FREEZING:.0f} m): are temperatures in F, "
                "or heights in feet?"
            )
        if minus20 - freezing < MIN_BETWEEN:
            raise DataError(
                f"0 C at {freezing:.0f} m and -20 C at {minus20:.0f} m are closer than {MIN_BETWEEN:.0f} m: "
                "heights or temperatures are wrong"
            )
        low = h + STEEP_DEPTH <= h[-1]
        falls = t[low] - np.interp(h[low] + STEEP_DEPTH, h, t)
        if falls.max(initial=0.0) > STEEP:
            raise DataError(
                f"it becomes {falls.max():.0f} K colder from {h[falls.argmax()]:.0f} m to {STEEP_DEPTH:.0f} m above "
                "that, more than air can: are temperatures in F?"
            )
        return Heights(freezing, minus20, tuple(marks))


def _height_of(h: NDArray[np.float64], t: NDArray[np.float64], level: float, marks: list[str]) -> float:
    """Return the height in m where it becomes colder than `level` for good; add to `marks` what was not plain."""
    warm = t > level
    if warm[-1]:
        if t[-1] - level > FARTHEST:
            raise DataError(
                f"the profile ends at {h[-1]:.0f} m with {t[-1]:.1f} C, too warm to tell the height of {level:g} C; "
                f"expected {level + FARTHEST:g} C or less"
            )
        marks.append(f"ends at {h[-1]:.0f} m with {t[-1]:.1f} C: {level:g} C taken at 6.5 K/km above that")
        return float(h[-1] + (t[-1] - level) / LAPSE)
    crossed = np.flatnonzero(warm[:-1] != warm[1:])
    if crossed.size == 0:
        below = "" if t[0] == level else ": the level taken at 6.5 K/km below the ground"
        marks.append(f"colder than {level:g} C from the ground ({h[0]:.0f} m) up{below}")
        return float(h[0] - (level - t[0]) / LAPSE)
    i = int(crossed[-1])
    height = float(h[i] + (level - t[i]) / (t[i + 1] - t[i]) * (h[i + 1] - h[i]))
    if crossed.size > 1:
        marks.append(f"{level:g} C crossed {crossed.size} times: the highest taken, at {height:.0f} m")
    if h[i + 1] - h[i] > WIDE:
        marks.append(f"no levels from {h[i]:.0f} to {h[i + 1]:.0f} m, between which {level:g} C lies")
    return height
