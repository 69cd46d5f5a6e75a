"""Columns of a volume over the ground: what its beams see of each, summed by compiled loops.

The columns stand on rays and ground ranges of their own; each beam gives the gate of its nearest ray that is nearest
over the same ground. Nothing can go wrong with sweeps as `dynamo.radar.volume.Volume` holds them.

Hail kinetic energy flux and severe hail index: Witt et al. 1998 (An enhanced hail detection algorithm for the WSR-88D,
Weather and Forecasting 13, 286-303).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dynamo.compiled import compiled, kept
from dynamo.radar.polar import BINS_PER_DEGREE, beam_height, nearest_rays, slant_range

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dynamo.radar.polar import Sweep

__all__ = ["ECHO_TOP", "Columns", "columns", "energy_flux", "layers"]

#: Of this reflectivity, dBZ, the highest echo is told.
ECHO_TOP = 45.0
# A beam speaks for so many metres above and below it at most: where beams lie further apart, nobody looked.
_SEEN = 1500.0


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """What a volume sees of each column, all ``(nray, ncolumn)``.

    Parameters
    ----------
    shi
        Severe hail index, J m-1 s-1, of the gates that are known.
    covered
        Which part of the layer between the levels of 0 and -20 degrees C was looked at, 0 to 1.
    top
        Height in m above sea level of the highest beam with `ECHO_TOP` or more; NaN where there is none.
    """

    shi: NDArray[np.float64]
    covered: NDArray[np.float64]
    top: NDArray[np.float64]


def columns(
    sweeps: Sequence[Sweep],
    azimuths: NDArray[np.floating],
    ground: NDArray[np.floating],
    levels: tuple[float, float],
    mapping: tuple[float, float] = (1.0, 0.0),
) -> Columns:
    """Return what sweeps see of the columns over a raster of rays and ground ranges.

    Parameters
    ----------
    sweeps
        Of one radar, rising, with the moment ``reflectivity``.
    azimuths
        ``(nray,)`` degrees clockwise from north.
    ground
        ``(ncolumn,)`` metres from the radar along the earth's surface.
    levels
        Heights of 0 and -20 degrees C, m above sea level.
    mapping
        Factor and summand by which dBZ become those of S band before the energy flux is taken.
    """
    shape = (azimuths.size, ground.size)
    shi, covered, top = np.zeros(shape), np.zeros(shape), np.full(shape, np.nan)
    slant = np.stack([slant_range(ground, sweep.elevation) for sweep in sweeps])
    heights = np.stack(
        [beam_height(s, sweep.elevation, sweep.altitude) for s, sweep in zip(slant, sweeps, strict=True)]
    )
    weights, share = layers(heights, levels)
    bins = np.rint(np.asarray(azimuths, "f8") % 360 * BINS_PER_DEGREE).astype(np.intp) % (
        360 * BINS_PER_DEGREE
    )
    for k, sweep in enumerate(sweeps):
        first, step = float(sweep.ranges[0]), float(sweep.ranges[1] - sweep.ranges[0])
        gates = np.floor((slant[k] - (first - step / 2)) / step)
        gates = np.where((gates >= 0) & (gates < sweep.ranges.size), gates, -1).astype(np.intp)
        dbz = np.ascontiguousarray(sweep.moments["reflectivity"], dtype="f4")
        undetect = np.ascontiguousarray(sweep.undetect, dtype=np.bool_)
        place = (nearest_rays(sweep.azimuths)[bins], gates)
        _add(dbz, undetect, *place, weights[k], share[k], heights[k], *mapping, shi, covered, top)
    return Columns(shi, covered, top)


def layers(
    heights: NDArray[np.floating], levels: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what each beam's energy flux counts in the severe hail index, and what it covers.

    The index is a tenth of the integral of energy flux times weight by temperature over height (Witt et al. 1998), here
    a sum of layers: each beam stands for the one that reaches half way to the next beam, at the lowest and the highest
    as far outwards as inwards, and the weight is that at the beam. Where beams lie in the middle of layers that fill a
    uniform column, 20 give its index to 0.01 %, and 14 to 0.3 %. To draw flux and weight as lines from beam to beam
    takes the same trouble and lies 1 % and more higher where it was tried, at the cores of two storms.

    Parameters
    ----------
    heights
        ``(nsweep, ...)`` of the beams, m above sea level, rising along the first axis.
    levels
        Heights of 0 and -20 degrees C, m above sea level.

    Returns
    -------
    weights
        ``(nsweep, ...)`` m: a tenth of the layer's depth times the weight by temperature.
    share
        ``(nsweep, ...)``: which part of the layer between the two levels the beam speaks for, 0 to 1, within 1.5 km of
        it at most; what it counts in the index is not cut so. A single beam has no layer.
    """
    heights = np.asarray(heights, dtype="f8")
    if len(heights) < 2:
        return np.zeros(heights.shape), np.zeros(heights.shape)
    low, high = levels
    half = np.diff(heights, axis=0) / 2
    below, above = np.concatenate([half[:1], half]), np.concatenate([half, half[-1:]])
    warmth = np.clip((heights - low) / (high - low), 0, 1)
    bottom = np.clip(heights - np.minimum(below, _SEEN), low, high)
    top = np.clip(heights + np.minimum(above, _SEEN), low, high)
    return 0.1 * (below + above) * warmth, (top - bottom) / (high - low)


@compiled
def energy_flux(dbz: float) -> float:
    """Return the flux of the kinetic energy of hail, J m-2 s-1, of a reflectivity at S band in dBZ.

    ``5e-6 * 10 ** (0.084 Z) * W``, where W rises from 0 at 40 dBZ to 1 at 50 dBZ (Witt et al. 1998); 0 of NaN.
    """
    if not dbz > 40.0:
        return 0.0
    return 5e-6 * math.exp(0.084 * math.log(10.0) * dbz) * min((dbz - 40.0) / 10.0, 1.0)


@kept
def _add(
    values: NDArray[Any],
    undetect: NDArray[Any],
    rays: NDArray[Any],
    gates: NDArray[Any],
    weights: NDArray[Any],
    share: NDArray[Any],
    heights: NDArray[Any],
    gain: float,
    offset: float,
    shi: NDArray[Any],
    covered: NDArray[Any],
    top: NDArray[Any],
) -> None:
    """Add what one sweep sees; sweeps come from the lowest to the highest."""
    for i in range(shi.shape[0]):
        ray = rays[i]
        if ray < 0:
            continue
        for j in range(shi.shape[1]):
            gate = gates[j]
            if gate < 0:
                continue
            dbz = float(values[ray, gate])
            if math.isnan(dbz):
                if undetect[ray, gate]:
                    covered[i, j] += share[j]
                continue
            covered[i, j] += share[j]
            shi[i, j] += weights[j] * energy_flux(gain * dbz + offset)
            if dbz >= ECHO_TOP:
                top[i, j] = heights[j]
