"""Lines of longitude and latitude on previews: at round degrees, with their names, and where in EPSG:3857 they lie."""

from __future__ import annotations

import numpy as np

from dynamo.radar.mercator import mercator, unmercator

__all__ = ["degrees", "lat_of", "lon_of", "ticks", "x_of", "y_of"]


def ticks(low: float, high: float, *, most: int = 4) -> list[float]:
    """Return round values inside an interval, about `most`."""
    from matplotlib.ticker import MaxNLocator

    return [round(float(t), 6) for t in MaxNLocator(most).tick_values(low, high) if low < t < high]


def degrees(value: float, sides: str) -> str:
    """Return an angle with the side it lies on: of `sides` the first where it is positive."""
    side = sides[0] if value > 0 else sides[1] if value < 0 else ""
    return f"{abs(value):g}°{side}"


def x_of(lon: float) -> float:
    """Return the metres of a longitude, degrees."""
    return float(mercator(np.array(lon), np.array(0.0))[0])


def y_of(lat: float) -> float:
    """Return the metres of a latitude, degrees."""
    return float(mercator(np.array(0.0), np.array(lat))[1])


def lon_of(x: float) -> float:
    """Return the longitude, degrees, of metres east."""
    return float(unmercator(np.array(x), np.array(0.0))[0])


def lat_of(y: float) -> float:
    """Return the latitude, degrees, of metres north."""
    return float(unmercator(np.array(0.0), np.array(y))[1])
