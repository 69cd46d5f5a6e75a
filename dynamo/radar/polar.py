"""Sweeps of a radar, put on a grid; `dynamo.radar.composite` makes those of several radars and tilts into one.

`Sweep` and a geometry enter, a `Grid` leaves. Each cell takes the nearest gate: beyond the last gate or
before the first it is out of range, in a gap between rays it is missing. What depends only on the place of
the cells is computed once for a radar and a geometry; rays differ in each sweep and are matched each time.

Beam path: 4/3 of the earth's radius (Doviak and Zrnic 1993, Doppler Radar and Weather Observations, 2nd ed.,
eqs. 2.28b and 2.28c).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from dynamo.errors import DataError, nearest
from dynamo.radar.grid import Geometry, Grid
from dynamo.radar.turn import spacing

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "BINS_PER_DEGREE",
    "Sweep",
    "beam_height",
    "cell_heights",
    "default_geometry",
    "nearest_rays",
    "slant_range",
    "to_grid",
]

EFFECTIVE_RADIUS = 4 / 3 * 6371000.0  # m
BINS_PER_DEGREE = 50  # rays are matched to a fiftieth of a degree: 14 m at 40 km
KM_PER_DEGREE = np.pi * 6371.0 / 180


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """One turn of a radar at one elevation.

    Parameters
    ----------
    azimuths
        ``(nray,)`` degrees clockwise from north, in any order.
    ranges
        ``(ngate,)`` slant range of the gate centres in m, evenly spaced, rising.
    elevation
        Degrees above the horizon.
    moments
        Name, as in `dynamo.radar.moments`, to ``(nray, ngate)`` float32, NaN where there is no value.
    undetect
        ``(nray, ngate)``: where the radar looked and found nothing above the threshold of reflectivity.
    latitude, longitude, altitude
        Of the antenna; WGS 84 degrees, m above sea level. Of 0 to 360 degrees east it becomes -180 to 180.
    time
        End of the sweep, aware, UTC: when its data can be had.
    radar
        Its name.
    nyquist
        The velocity at which radial velocities fold, m/s; None where the file does not say.
    wavelength
        Of the radar, m; None where the file does not say.
    """

    azimuths: NDArray[np.floating]
    ranges: NDArray[np.floating]
    elevation: float
    moments: Mapping[str, NDArray[np.float32]]
    undetect: NDArray[np.bool_]
    latitude: float
    longitude: float
    altitude: float
    time: datetime
    radar: str
    attributes: Mapping[str, str | float] = field(default_factory=dict)
    nyquist: float | None = None
    wavelength: float | None = None

    def __post_init__(self) -> None:
        shape = (self.azimuths.size, self.ranges.size)
        if shape[0] < 2 or shape[1] < 2:
            raise DataError(f"a sweep needs at least 2 rays of 2 gates, not {shape[0]} of {shape[1]}")
        for name, array in (*self.moments.items(), ("undetect", self.undetect)):
            if array.shape != shape:
                raise DataError(f"sweep of {self.radar}: {name!r} is {array.shape}, expected {shape}")
        if not np.isfinite(self.azimuths).all():
            raise DataError(f"sweep of {self.radar}: an azimuth is not a number")
        steps = np.diff(np.asarray(self.ranges, dtype="f8"))
        if not (steps[0] > 0 and np.abs(steps - steps[0]).max() <= 0.01 * steps[0]):
            raise DataError(f"sweep of {self.radar}: gates are not evenly spaced")
        if abs(self.longitude) > 180:
            object.__setattr__(self, "longitude", (self.longitude + 180) % 360 - 180)


def slant_range(ground: NDArray[np.floating], elevation: float) -> NDArray[np.floating]:
    """Return the slant range in m of the beam above a point `ground` m away along the earth's surface.

    Inverse of Doviak and Zrnic (1993) eq. 2.28c, by the law of sines in the triangle of earth's centre, radar
    and gate. Where the beam is never above such a point, the result is infinite.
    """
    angle = ground / EFFECTIVE_RADIUS
    facing = np.cos(np.radians(elevation) + angle)
    return np.where(facing > 0, EFFECTIVE_RADIUS * np.sin(angle) / np.maximum(facing, 1e-9), np.inf)


def beam_height(
    ranges: NDArray[np.floating], elevation: float, altitude: float = 0.0
) -> NDArray[np.floating]:
    """Return the height in m above sea level of the beam's axis at slant ranges in m.

    Doviak and Zrnic (1993) eq. 2.28b; `altitude` of the antenna in m above sea level.
    """
    r = np.asarray(ranges, dtype="f8")
    lift = 2 * r * EFFECTIVE_RADIUS * np.sin(np.radians(elevation))
    height: NDArray[np.floating] = np.sqrt(r**2 + EFFECTIVE_RADIUS**2 + lift) - EFFECTIVE_RADIUS
    return height + altitude


def default_geometry(sweeps: Iterable[Sweep], *, step_km: float | None = None) -> Geometry:
    """Return a longitude/latitude grid that covers the range of all radars of `sweeps`.

    The step is 0.5 km where no radar sees further than 100 km, else 1 km, unless `step_km` says otherwise.
    The edges lie on whole multiples of the steps, so that they do not move with a gate more or less. Across the date
    line it goes on beyond 180 degrees.

    Raises
    ------
    DataError
        There is no sweep, or `step_km` is not positive.
    """
    sweeps = list(sweeps)
    if not sweeps:
        raise DataError("no sweeps: cannot tell which area to cover")
    if step_km is None:
        step_km = 0.5 if max(float(s.ranges[-1]) for s in sweeps) <= 100_000 else 1.0
    if not step_km > 0:
        raise DataError(f"the step of a grid must be positive, not {step_km:g} km")
    east_of = [sweep.longitude for sweep in sweeps]
    if max(east_of) - min(east_of) > 180:  # they lie on both sides of the date line
        east_of = [longitude % 360 for longitude in east_of]
    boxes = [_box(sweep, longitude) for sweep, longitude in zip(sweeps, east_of, strict=True)]
    south, north = min(b[0] for b in boxes), max(b[1] for b in boxes)
    west, east = min(b[2] for b in boxes), max(b[3] for b in boxes)
    dy = round(step_km / KM_PER_DEGREE, 4)
    dx = round(step_km / (KM_PER_DEGREE * np.cos(np.radians((south + north) / 2))), 4)
    left, right = np.floor(west / dx), np.ceil(east / dx)
    bottom, top = np.floor(south / dy), np.ceil(north / dy)
    return Geometry(
        float((left + 0.5) * dx),
        float((top - 0.5) * dy),
        float(dx),
        -dy,
        int(right - left),
        int(top - bottom),
    )


def _box(sweep: Sweep, longitude: float) -> tuple[float, float, float, float]:
    """Return south, north, west, east of what a sweep can reach."""
    reach = float(sweep.ranges[-1]) / 1000 * np.cos(np.radians(sweep.elevation))
    lat = reach / KM_PER_DEGREE
    lon = lat / np.cos(np.radians(min(89.0, abs(sweep.latitude) + lat)))
    return sweep.latitude - lat, sweep.latitude + lat, longitude - lon, longitude + lon


def to_grid(sweep: Sweep, geometry: Geometry, *, moment: str = "reflectivity") -> Grid:
    """Put one moment of a sweep on a grid, each cell from the nearest gate of the nearest ray.

    Parameters
    ----------
    sweep
        In the attributes of the grid its radar and elevation are kept.
    geometry
        The grid to fill.
    moment
        A moment of the sweep that is also a quantity of grids.

    Raises
    ------
    DataError
        The sweep has no such moment.
    """
    if moment not in sweep.moments:
        known = ", ".join(sweep.moments)
        raise DataError(f"no moment {moment!r}{nearest(moment, sweep.moments)}; there are: {known}")
    site = (sweep.latitude, sweep.longitude)
    bins, slant = _place(*site, round(sweep.elevation, 1), geometry)
    first, step = float(sweep.ranges[0]), float(sweep.ranges[1] - sweep.ranges[0])
    gate = np.floor((slant - (first - step / 2)) / step)
    inside = (gate >= 0) & (gate < sweep.ranges.size)
    ray = nearest_rays(sweep.azimuths)[bins]
    cell = np.where(inside, np.maximum(ray, 0) * sweep.ranges.size + gate, 0).astype(np.intp)
    values = sweep.moments[moment].ravel()[cell]
    values[ray < 0] = np.nan
    undetect = sweep.undetect.ravel()[cell] & (ray >= 0)
    return Grid.from_values(
        values,
        geometry,
        sweep.time,
        undetect=undetect,
        out_of_range=~inside,
        quantity=moment,
        source=sweep.radar,
        attributes={
            "radar": sweep.radar,
            "site": f"{sweep.latitude:.3f} {sweep.longitude:.3f}",
            "elevation": round(sweep.elevation, 2),
            **sweep.attributes,
        },
    )


def cell_heights(sweep: Sweep, geometry: Geometry) -> NDArray[np.floating]:
    """Return the height in m above sea level of the beam's axis over each cell, ``(ny, nx)``; infinite out of reach."""
    _, slant = _place(sweep.latitude, sweep.longitude, round(sweep.elevation, 1), geometry)
    return np.where(np.isfinite(slant), beam_height(slant, sweep.elevation, sweep.altitude), np.inf)


@lru_cache(maxsize=16)
def _place(
    latitude: float, longitude: float, elevation: float, geometry: Geometry
) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
    """Return each cell's azimuth, as a bin number, and slant range in m, seen from a radar.

    The geodesic problem is solved (on WGS 84) at every 16th cell only; in between, east and north distance
    are interpolated, which is within a few metres for cells up to 0.01 degrees.
    """
    import pyproj

    rows, columns = (np.linspace(0, n - 1, (n - 1) // 16 + 2) for n in geometry.shape)
    lon, lat = geometry.lonlat(*np.meshgrid(columns, rows))
    here = np.full_like(lon, longitude), np.full_like(lat, latitude)
    azimuth, _, distance = pyproj.Geod(ellps="WGS84").inv(*here, lon, lat)
    down, across = _weights(rows, geometry.ny), _weights(columns, geometry.nx)
    east = down @ (distance * np.sin(np.radians(azimuth))) @ across.T
    north = down @ (distance * np.cos(np.radians(azimuth))) @ across.T
    turn = np.degrees(np.arctan2(east, north)) % 360
    bins = (np.rint(turn * BINS_PER_DEGREE) % (360 * BINS_PER_DEGREE)).astype(np.uint16)
    return bins, slant_range(np.hypot(east, north), elevation).astype("f4")


def _weights(knots: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Return the ``(size, knots)`` matrix that interpolates linearly between knots."""
    return np.stack([np.interp(np.arange(size), knots, unit) for unit in np.eye(knots.size)], axis=1)


def nearest_rays(azimuths: NDArray[np.floating]) -> NDArray[np.int32]:
    """Return for every azimuth the number of the nearest ray, -1 in a gap of over 1.5 beam spacings.

    Parameters
    ----------
    azimuths
        ``(nray,)`` degrees clockwise from north, in any order.

    Returns
    -------
    array
        ``(360 * BINS_PER_DEGREE,)`` for the azimuths ``0, 1 / BINS_PER_DEGREE, ...`` degrees.
    """
    order = np.argsort(azimuths % 360, kind="stable")
    turned = np.asarray(azimuths, dtype="f8")[order] % 360
    around = np.concatenate([[turned[-1] - 360], turned, [turned[0] + 360]])
    bins = np.arange(360 * BINS_PER_DEGREE) / BINS_PER_DEGREE
    after = np.clip(np.searchsorted(around, bins), 1, around.size - 1)
    before_is_nearer = bins - around[after - 1] <= around[after] - bins
    chosen = after - before_is_nearer
    far = np.abs(around[chosen] - bins) > 0.75 * spacing(azimuths)
    numbers = np.concatenate([order[-1:], order, order[:1]])
    return np.where(far, -1, numbers[chosen]).astype(np.int32)
