"""Hail by the reflectivity of whole volumes: severe hail index, size, probabilities, and the highest strong echo.

A `dynamo.radar.volume.Volume` and the heights of 0 and -20 degrees C enter; a `Sweep` of the moments ``shi``, ``mesh``,
``posh``, ``poh`` and ``echo_top`` over the ground leaves, which `dynamo.radar.gates.on_grid` puts on a grid. What can
go wrong: an unknown fit, levels in the wrong order (`UserError`), a radar of X band, no column in reach (`DataError`).

Sources: Witt et al. 1998 (An enhanced hail detection algorithm for the WSR-88D, Weather and Forecasting 13, 286-303);
the fits of Murillo and Homeyer 2021 (10.1175/JAMC-D-20-0271.1) and Brook et al. 2023 (arXiv:2306.12016) with the
numbers that the package pyhail has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dynamo.errors import DataError, UserError, nearest
from dynamo.radar.columns import Columns, columns
from dynamo.radar.polar import Sweep
from dynamo.radar.registry import band_of
from dynamo.radar.turn import spacing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dynamo.radar.volume import Volume

__all__ = ["FITS", "REACH", "hail", "mesh", "poh", "posh"]

#: Names of fits of the size, and their ``a`` and ``b`` in ``mm = a * shi ** b``: of Witt et al. 1998, and of the 75th
#: and 95th percentiles of the reports of Murillo and Homeyer 2021.
FITS = {"witt1998": (2.54, 0.5), "mh2021_75": (15.096, 0.206), "mh2021_95": (22.157, 0.212)}
#: Ground ranges between which columns are told, m.
REACH = (5_000.0, 150_000.0)
# The fits of 2021 say 15 mm and more of next to nothing: they are told where that of 1998 says so many mm.
_LEAST = 10.0
# Band to factor and summand that make dBZ those of S band (Brook et al. 2023).
_TO_S_BAND = {"S": (1.0, 0.0), "C": (1.113, -3.929)}


def hail(
    volume: Volume,
    freezing_level: float,
    minus20_level: float,
    *,
    band: str | None = None,
    fit: str = "witt1998",
    reach: tuple[float, float] = REACH,
    least_cover: float = 0.9,
) -> Sweep:
    """Return what a volume says of hail, over the ground.

    Parameters
    ----------
    volume
        Of an S or C band radar.
    freezing_level, minus20_level
        Heights of 0 and -20 degrees C, m above sea level.
    band
        ``"S"`` or ``"C"``; by default what the wavelength of the lowest sweep says.
    fit
        A name of `FITS`: how the size follows from the index.
    reach
        Ground ranges in m between which columns are told. Nearer, the beams do not reach the hail; further out than
        100 to 150 km the depths of their layers say more than what they saw.
    least_cover
        Which part of the layer between 0 and -20 degrees C must have been looked at, 0 to 1, so that a column is known.

    Returns
    -------
    Sweep
        At elevation 0, its rays those of the lowest sweep and what it lost of them, its ranges along the ground.
        Moments are NaN where a column is not known, and where neither the index nor the echo top tells of anything,
        which ``undetect`` tells apart; ``shi`` J m-1 s-1, ``mesh`` mm, ``posh`` and ``poh`` %, ``echo_top`` m above sea
        level, of the highest 45 dBZ (0: none). Where a column has its index or its echo top alone among its neighbours,
        what follows from that is 0. The attributes tell the fit, the band, the levels, how many tilts there were, and
        which were missing.

    Raises
    ------
    UserError
        There is no such fit, or the levels are not in order.
    DataError
        The band is X or not known, or no sweep reaches into `reach`.
    """
    lowest = volume.sweeps[0]
    band = (band_of(lowest) or "") if band is None else band
    if band not in _TO_S_BAND:
        raise DataError(_no_size(volume.radar, band))
    if fit not in FITS:
        raise UserError(f"no fit {fit!r} of hail sizes{nearest(fit, FITS)}; there are: {', '.join(FITS)}")
    if not freezing_level < minus20_level:
        raise UserError(
            f"the level of -20 degrees C ({minus20_level:g} m) must lie above that of 0 ({freezing_level:g} m)"
        )
    azimuths, ground = _raster(volume, reach)
    levels = (float(freezing_level), float(minus20_level))
    seen = columns(volume.sweeps, azimuths, ground, levels, _TO_S_BAND[band])
    known = seen.covered >= least_cover - 1e-6
    moments = _moments(seen, levels[0], lowest.altitude, fit)
    nothing = known & (moments["shi"] == 0) & (moments["echo_top"] == 0)
    return Sweep(
        azimuths=azimuths,
        ranges=ground,
        elevation=0.0,
        moments={
            name: np.where(known & ~nothing, values, np.nan).astype("f4") for name, values in moments.items()
        },
        undetect=nothing,
        latitude=lowest.latitude,
        longitude=lowest.longitude,
        altitude=lowest.altitude,
        time=volume.time,
        radar=volume.radar,
        attributes=_told(volume, levels, band, fit),
        wavelength=lowest.wavelength,
    )


def mesh(shi: NDArray[np.floating], fit: str = "witt1998") -> NDArray[np.float64]:
    """Return the maximum expected size of hail, mm, of severe hail indices in J m-1 s-1; of any shape.

    Those of 2021 say 0 where that of Witt et al. 1998 says less than 10 mm, as they say 15 mm of next to nothing.
    """
    index = np.asarray(shi, dtype="f8")
    factor, power = FITS[fit]
    size: NDArray[np.float64] = factor * np.power(index, power)
    if fit != "witt1998":
        factor, power = FITS["witt1998"]
        size[factor * np.power(index, power) < _LEAST] = 0.0
    return size


def posh(shi: NDArray[np.floating], freezing_above_radar: float) -> NDArray[np.float64]:
    """Return the probability of severe hail, %, of severe hail indices in J m-1 s-1; of any shape.

    ``29 ln(SHI / WT) + 50`` between 0 and 100, with the threshold ``WT = 57.5 H - 121``, at least 20, and H the height
    of 0 degrees C above the radar in km (Witt et al. 1998, for hail of 19 mm and more); `freezing_above_radar` is in m.
    """
    threshold = max(57.5 * freezing_above_radar / 1000 - 121, 20.0)
    index = np.maximum(np.asarray(shi, dtype="f8"), 1e-9)
    chance: NDArray[np.float64] = np.clip(29 * np.log(index / threshold) + 50, 0, 100)
    return chance


def poh(echo_top: NDArray[np.floating], freezing_level: float) -> NDArray[np.float64]:
    """Return the probability of hail of any size, %, of the heights of the highest 45 dBZ in m, NaN for none.

    With d km from the level of 0 degrees C (m, as the echo top) up to the echo top, the predictor of Waldvogel et al.
    1979: ``-1.20231 + 1.00184 d - 0.17018 d**2 + 0.01086 d**3``, between 0 and 1 and 0 below 1.65 km, a cubic that is
    handed on as that of Foote et al. 2005; neither paper was at hand.
    """
    d = (np.asarray(echo_top, dtype="f8") - freezing_level) / 1000
    chance = 100 * np.clip(-1.20231 + d * (1.00184 + d * (-0.17018 + d * 0.01086)), 0, 1)
    return np.where(d >= 1.65, chance, 0.0)


def _moments(
    seen: Columns, freezing_level: float, altitude: float, fit: str
) -> dict[str, NDArray[np.float64]]:
    top = np.nan_to_num(seen.top, nan=0.0)
    top = np.minimum(top, _around(top))
    moments = {name: np.zeros(top.shape) for name in ("mesh", "posh", "poh")}
    energy, echo = (seen.shi > 0) & (_around(seen.shi) > 0), top > 0  # few columns of many
    moments["mesh"][energy] = mesh(seen.shi[energy], fit)
    moments["posh"][energy] = posh(seen.shi[energy], freezing_level - altitude)
    moments["poh"][echo] = poh(top[echo], freezing_level)
    return {"shi": seen.shi, **moments, "echo_top": top}


def _around(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the highest of the eight columns around each, ``(nray, ncolumn)``.

    A single gate high up is a plane or noise: with none beside it, it would by itself be certain hail.
    """
    import cv2

    ring = np.ones((3, 3), np.uint8)
    ring[1, 1] = 0
    circle = np.concatenate([values[-1:], values, values[:1]])
    return np.asarray(
        cv2.dilate(circle, ring, borderType=cv2.BORDER_CONSTANT, borderValue=0)[1:-1], dtype="f8"
    )


def _raster(volume: Volume, reach: tuple[float, float]) -> tuple[NDArray[np.float64], NDArray[np.floating]]:
    """Return the azimuths of the lowest sweep, rising, and ground ranges with the steps of its gates."""
    lowest = volume.sweeps[0]
    slope = float(np.cos(np.radians(lowest.elevation)))
    first, step = float(lowest.ranges[0]) * slope, float(lowest.ranges[1] - lowest.ranges[0]) * slope
    farthest = max(float(s.ranges[-1] * np.cos(np.radians(s.elevation))) for s in volume.sweeps)
    every = first + step * np.arange(max(0, round((farthest - first) / step)) + 1)
    ground = every[(every >= reach[0]) & (every <= reach[1])]
    if ground.size < 2:
        raise DataError(
            f"no column of {volume.radar} lies between {reach[0] / 1000:g} and {reach[1] / 1000:g} km: its sweeps end "
            f"at {farthest / 1000:.3g} km"
        )
    return _circle(lowest.azimuths), ground


def _circle(azimuths: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return azimuths, rising, with those that are not there in between: other sweeps may have their rays."""
    turned = np.unique(np.asarray(azimuths, dtype="f8") % 360)
    gaps = np.diff(turned, append=turned[0] + 360)
    steps = np.maximum(1, np.rint(gaps / spacing(azimuths))).astype(int)
    if steps.max() == 1:
        return turned
    all_round = [first + gap * np.arange(n) / n for first, gap, n in zip(turned, gaps, steps, strict=True)]
    return np.sort(np.concatenate(all_round) % 360)


def _told(volume: Volume, levels: tuple[float, float], band: str, fit: str) -> dict[str, str | float]:
    """Return what has to be known of a product."""
    told: dict[str, str | float] = {
        "mesh_fit": fit,
        "band": band,
        "freezing_level_m": round(levels[0], 1),
        "minus20_level_m": round(levels[1], 1),
        "tilts": float(len(volume.sweeps)),
    }
    if volume.missing:
        told["missing_tilts"] = ", ".join(f"{elevation:g}" for elevation in volume.missing)
    return told


def _no_size(radar: str, band: str) -> str:
    if band == "X":
        return (
            f"{radar} is of X band, for which nobody has fitted hail sizes to the severe hail index: take the "
            "classes of its dual polarisation, and sizes from a radar of S or C band"
        )
    named = f"{band!r}" if band else "not known: its files tell no wavelength"
    return f"the band of {radar} is {named}; say in the registry of radars whether it is 'S' or 'C'"
