"""Where a chain's grids lie, as a run file says it, and whether a radar reaches them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dynamo.errors import DataError

if TYPE_CHECKING:
    from dynamo.radar.grid import Geometry
    from dynamo.radar.polar import Sweep

__all__ = ["area_geometry", "unreached"]


def area_geometry(area: Sequence[float] | None, cells: Sequence[int] | None) -> Geometry | None:
    """Return the grid of `area` (degrees) in `cells`, outer edges and numbers; None where neither is given."""
    from dynamo.radar.grid import Geometry

    if (area is None) != (cells is None):
        raise DataError("`area` and `cells` go together: give both, or neither")
    if area is None or cells is None:
        return None
    west, south, east, north = area
    nx, ny = cells
    dx, dy = (east - west) / nx, (south - north) / ny
    return Geometry(west + dx / 2, north + dy / 2, dx, dy, nx, ny)


def unreached(sweeps: Sequence[Sweep], geometry: Geometry | None) -> str:
    """Return why nothing of a radar's sweeps is on a grid of `area_geometry`; empty where a beam reaches it."""
    from math import cos, radians

    import pyproj

    if geometry is None:
        return ""
    (west, south, east, north), first = geometry.extent, sweeps[0]
    middle, lat = (west + east) / 2, first.latitude
    lon = middle + (first.longitude - middle + 180) % 360 - 180
    nearest = min(max(lon, west), east), min(max(lat, south), north)
    metres = pyproj.Geod(ellps="WGS84").inv(lon, lat, *nearest)[2]
    if metres <= max(float(s.ranges[-1]) * cos(radians(s.elevation)) for s in sweeps):
        return ""
    swapped = west <= lat <= east and south <= first.longitude <= north
    return (
        f"radar {first.radar!r} (latitude {lat:.2f}, longitude {first.longitude:.2f}) does not reach `area`, "
        f"{metres / 1000:,.0f} km away{': are longitude and latitude swapped?' if swapped else ''}"
    )
