"""The projection of web maps, EPSG:3857: degrees to metres on a sphere, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["mercator", "unmercator"]

_RADIUS = 6_378_137.0  # m, the sphere of EPSG:3857


def mercator(
    lon: NDArray[np.float64], lat: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return x and y of EPSG:3857 in metres, not wrapped at 180 degrees (IOGP 373-7-2, method 1024)."""
    return _RADIUS * np.radians(lon), _RADIUS * np.arctanh(np.sin(np.radians(lat)))


def unmercator(
    x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return longitude and latitude of x and y in metres of EPSG:3857."""
    return np.degrees(x / _RADIUS), np.degrees(np.arctan(np.sinh(y / _RADIUS)))
