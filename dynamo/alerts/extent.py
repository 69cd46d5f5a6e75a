"""Extent: over how many square kilometres hazards of a level are, everywhere or near some places.

Enters: the polygons of one kind of hazard. Leaves: square kilometres on the WGS 84 ellipsoid, right to 0.1 % for
polygons of the size of storms. Goes wrong: a circle that reaches a pole (`UserError`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from dynamo.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dynamo.alerts.hazard import HazardField

__all__ = ["around", "extent"]

_A = 6_378_137.0
_F = 1 / 298.257223563
_E2 = _F * (2 - _F)
_E = _E2**0.5
#: Sides of what stands for a circle; its area is short of that by 0.005 %.
_SIDES = 360
#: Kilometres of a degree of latitude at least.
_DEGREE = 110.5


def around(places: Sequence[tuple[float, float]], within: float) -> Any:
    """Return all that is near some places, as one shapely geometry in WGS 84 degrees, longitudes from -540 to 540.

    Parameters
    ----------
    places
        Longitude and latitude.
    within
        Kilometres.

    Raises
    ------
    UserError
        A circle reaches a pole.
    """
    import pyproj

    geod, azimuths = pyproj.Geod(ellps="WGS84"), np.linspace(0, 360, _SIDES, endpoint=False)
    circles = []
    for lon, lat in places:
        if abs(lat) + within / _DEGREE >= 90:
            raise UserError(f"{within:g} km around {lon:g}, {lat:g} reach a pole; take less, or leave it out")
        full = np.full(_SIDES, 1.0)
        east, north, _ = geod.fwd(full * lon, full * lat, azimuths, full * within * 1000)
        east = lon + (np.asarray(east) - lon + 180) % 360 - 180
        circles += [
            shapely.Polygon(np.column_stack([east + turn, north])) for turn in (-360, 0, 360)
        ]  # polygons across the antimeridian have longitudes beyond 180
    return shapely.union_all(circles)


def extent(field: HazardField, level: float, near: Any = None) -> float:
    """Return the square kilometres of the lowest polygons that reach a level; 0 where none does.

    Those of higher levels lie in them.

    Parameters
    ----------
    field
        The polygons; those of one level do not overlap.
    level
        In the units of the field.
    near
        Only what is in this counts (`around`); by default everything.
    """
    levels = field.levels[field.levels >= level]
    if not len(levels):
        return 0.0
    polygons = field.polygons[field.levels == levels.min()]
    if near is not None:
        polygons = shapely.intersection(polygons, near)
    return float(shapely.area(shapely.transform(polygons, _equal_area)).sum()) / 1e6


def _equal_area(positions: NDArray[Any]) -> NDArray[Any]:
    """Return ``(n, 2)`` metres of degrees on a cylinder, on which areas are those on the ellipsoid.

    Snyder (1987), "Map Projections: A Working Manual", USGS Professional Paper 1395, equation 3-12 for q; the area
    between the equator and a latitude is proportional to it.
    """
    lon, sine = np.radians(positions[:, 0]), np.sin(np.radians(positions[:, 1]))
    q = (1 - _E2) * (sine / (1 - _E2 * sine**2) - np.log((1 - _E * sine) / (1 + _E * sine)) / (2 * _E))
    return np.column_stack([_A * lon, _A * q / 2])
