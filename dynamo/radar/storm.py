"""Make storms: radar frames whose motion is known, where no sample can be had.

A regime, a seed, a grid and a clock enter; a list of `Grid` leaves, the same for the same arguments. A storm
is made of parts (`dynamo.radar.storm_truth`):

* *cells* are born, grow, may split in two that part sideways, and decay, in minutes;
* a *line* has a convective front, a weak transition zone and a trailing stratiform region;
* the *texture* is Gaussian noise with a power-law spectrum, carried along and slowly forgotten, small scales
  first.

All parts move with one known vector, which each frame carries in its attributes. Wrong arguments raise
`DataError`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from dynamo.errors import DataError, nearest
from dynamo.radar.grid import Geometry, Grid
from dynamo.radar.storm_truth import THRESHOLD, Plane, Regime, fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["GEOMETRY", "REGIMES", "START", "Regime", "storm"]

GEOMETRY = Geometry(x0=-98.05, y0=33.65, dx=0.0048, dy=-0.0040, nx=400, ny=400)
"""The default grid: 178 x 178 km in cells of 450 m, where a network of small radars could stand."""

START = datetime(2024, 6, 1, 12, tzinfo=UTC)
"""The default time of the first frame."""

STEP = 0.5
"""Values are multiples of this (dB), as radars deliver them."""

REGIMES: Mapping[str, Regime] = {
    "calm": Regime((5.0, 3.0), 3.0, (18.0, 34.0), (1.5, 3.5), (15.0, 35.0), 0.0, 4.5, 15.0),
    "line": Regime((14.0, 4.0), 9.0, (44.0, 56.0), (3.0, 5.5), (20.0, 50.0), 0.25, 4.5, 40.0, line=True),
    "widespread": Regime(
        (11.0, 5.0), 4.0, (30.0, 48.0), (2.0, 5.0), (25.0, 60.0), 0.1, 15.0, 150.0, wet=0.46
    ),
}


def storm(
    regime: str = "line",
    seed: int = 0,
    frames: int = 40,
    every: timedelta = timedelta(minutes=1),
    *,
    geometry: Geometry = GEOMETRY,
    start: datetime = START,
    motion: tuple[float, float] | None = None,
    gaps: float = 0.0,
    noise: float = 0.0,
    range_km: float | None = None,
) -> list[Grid]:
    """Make the frames of a storm.

    Parameters
    ----------
    regime
        A name of `REGIMES`: ``"calm"``, ``"line"`` or ``"widespread"``.
    seed
        Equal seeds give equal frames; `gaps` and `noise` do not change the storm under them.
    frames, every, start
        How many frames, how far apart, and the time of the first (aware).
    geometry
        The grid; sizes and speeds are in km on it.
    motion
        East and north in m s-1 instead of the regime's own. Each frame carries the motion in its attributes
        ``motion_east_m_s`` and ``motion_north_m_s``.
    gaps
        Share of the frames that are hurt: one in four of these is lost (the list is shorter; the first frame
        stays), the others miss a sector of 10 to 60 degrees, which is ``MISSING``.
    noise
        Share of the cells that show a speckle of 5 to 30 dBZ instead of what is there.
    range_km
        Range of a radar in the middle, beyond which cells are ``OUT_OF_RANGE``; without it the whole grid is
        seen.

    Returns
    -------
    list of Grid
        Reflectivity in steps of 0.5 dB, in order of time.

    Raises
    ------
    DataError
        Unknown regime, or a number out of its bounds.

    Examples
    --------
    >>> first, *_, last = storm("line", seed=1, frames=4)
    >>> first.values.shape, (last.time - first.time).seconds
    ((400, 400), 180)
    """
    _check(regime, seed, frames, every, geometry, gaps=gaps, noise=noise)
    weather = REGIMES[regime]
    east, north = motion or weather.motion
    if not np.isfinite((east, north)).all():
        raise DataError(f"a motion is two numbers in m s-1, not {(east, north)}")
    plane = Plane.of(geometry, (east, north), (frames - 1) * every / timedelta(minutes=1))
    storm_rng, fault_rng = np.random.default_rng(seed).spawn(2)
    beyond = _beyond(plane, range_km)
    about: dict[str, str | float] = {"motion_east_m_s": east, "motion_north_m_s": north, "seed": float(seed)}
    made: list[Grid] = []
    for index, field in enumerate(fields(weather, plane, storm_rng, frames)):
        values = _observe(field, noise, fault_rng)
        hurt, lost = fault_rng.random(2)
        if hurt < gaps and lost < 0.25 and index:
            continue
        if hurt < gaps:
            values[_sector(plane, fault_rng)] = np.nan
        made.append(
            Grid.from_values(
                values, geometry, start + index * every, undetect=values < THRESHOLD, out_of_range=beyond,
                source=f"built-in storm, regime {regime}, seed {seed}", attributes=about,
            )
        )  # fmt: skip
    return made


def _check(
    regime: str, seed: int, frames: int, every: timedelta, geometry: Geometry, **shares: float
) -> None:
    if regime not in REGIMES:
        raise DataError(
            f"unknown regime {regime!r}{nearest(regime, REGIMES)}; known are {', '.join(REGIMES)}"
        )
    if frames < 1 or every <= timedelta(0):
        raise DataError(f"a storm needs frames >= 1 and a step > 0, not {frames} every {every}")
    if min(geometry.shape) < 2:
        raise DataError(f"a storm needs a grid of at least 2 x 2 cells, not {geometry.ny} x {geometry.nx}")
    if seed < 0:
        raise DataError(f"a seed is a whole number from 0, not {seed}")
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise DataError(f"{name} is a share from 0 to 1, not {share}")


def _beyond(plane: Plane, range_km: float | None) -> NDArray[np.bool_] | None:
    if range_km is None:
        return None
    return np.asarray(np.hypot(plane.x[None, :], plane.y[:, None]) > range_km)


def _observe(field: NDArray[np.float32], noise: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Turn the truth into what a radar would report: steps of dB, and speckle."""
    values = np.asarray(np.rint(field / STEP) * STEP, dtype=np.float32)
    if noise:
        speckle = np.unique(rng.integers(0, values.size, int(rng.binomial(values.size, noise))))
        values.flat[speckle] = np.rint(rng.uniform(THRESHOLD, 30, speckle.size) / STEP) * STEP
    return values


def _sector(plane: Plane, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return the mask ``(ny, nx)`` of a random sector seen from the middle."""
    azimuth = np.degrees(np.arctan2(plane.x[None, :], plane.y[:, None]))
    return np.asarray((azimuth - rng.uniform(0, 360)) % 360 < rng.uniform(10, 60))
