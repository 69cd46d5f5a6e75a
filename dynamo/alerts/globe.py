"""Globe: places on the WGS 84 ellipsoid, in degrees and in metres from the middle of the earth.

Nothing can go wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["earth_centred", "near"]

_A = 6_378_137.0
_F = 1 / 298.257223563
_E2 = _F * (2 - _F)


def earth_centred(lon: NDArray[Any], lat: NDArray[Any]) -> NDArray[Any]:
    """Return ``(n, 3)`` metres of places on the ellipsoid, earth-centred and earth-fixed.

    Hofmann-Wellenhof, Lichtenegger and Wasle (2008), "GNSS", equation 8.3, at height 0.
    """
    lon, lat = np.radians(lon), np.radians(lat)
    sine, cosine = np.sin(lat), np.cos(lat)
    normal = _A / np.sqrt(1 - _E2 * sine**2)
    out = normal * cosine
    return np.stack([out * np.cos(lon), out * np.sin(lon), normal * (1 - _E2) * sine], axis=-1)


def near(bounds: NDArray[Any], lon: NDArray[Any], lat: NDArray[Any], reach: NDArray[Any]) -> NDArray[np.intp]:
    """Return the numbers of the places that may be within `reach` metres of a box of degrees (west first)."""
    west, south, east, north = bounds
    high = reach / 110_500.0  # a degree of latitude is never shorter
    found = ((lat >= south - high) & (lat <= north + high)).nonzero()[0]
    top = np.minimum(np.maximum(abs(south), abs(north)) + high[found], 90.0)
    shrink = np.cos(np.radians(top))
    # Meridians converge: Bronstein's widest longitude of a circle, asin(sin r / cos lat), and all beyond a pole.
    ratio = np.sin(np.minimum(np.radians(high[found]), np.pi / 2)) / np.maximum(shrink, 1e-9)
    wide = np.where(ratio < 1, np.degrees(np.arcsin(np.minimum(ratio, 1.0))), 360.0)
    off = np.abs((lon[found] - (west + east) / 2 + 180) % 360 - 180)
    within: NDArray[np.intp] = found[off <= (east - west) / 2 + wide]
    return within
