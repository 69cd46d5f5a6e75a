"""Radial velocities without folds, and without the gates that measured something else.

A radar knows velocities only up to multiples of twice its Nyquist velocity. `dealias` brings each gate to the multiple
that goes with its neighbours (`dynamo.radar.regions`), and what hangs together to that which goes with a wind: a field
that is fitted to the largest part of the sweep, with the weakest wind where several would do. `despeckle` takes out
gates that do not go with those around them (`dynamo.radar.specks`): noise, and errors of the dual-PRF technique, which
are no folds.

A `Sweep` enters and leaves; what was missing is missing. What can go wrong: no velocity in the sweep, or no Nyquist
velocity (`DataError`).

Limits: a sweep that shows one side of the circle only, with a wind along the beam of more than the Nyquist velocity,
looks like one with a weaker wind, and is taken for it. Between neighbouring gates a true difference of more than the
Nyquist velocity cannot be told from a fold.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dynamo.errors import DataError
from dynamo.radar.regions import RAYS, join
from dynamo.radar.specks import departures, support
from dynamo.radar.turn import places, spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dynamo.radar.polar import Sweep

__all__ = ["dealias", "despeckle"]

#: Folds that the whole of a component may be off by.
_WHOLE = np.arange(-4, 5)
#: How a fit weighs the square of a wind (and of its change over the range) against that of what it leaves over.
_CALM = 0.01
#: The square of how far winds are from a fit, typically, over that of how far they are from none: 10 and 20 m/s.
_TRUST = 0.25
#: So many gates a fit takes at most, and a component must have at least to be fitted.
_MANY, _FEW = 6000, 60


def dealias(sweep: Sweep, nyquist: float | None = None) -> Sweep:
    """Return a sweep whose radial velocities are unfolded.

    Parameters
    ----------
    sweep
        With the moment ``velocity``, m/s, positive away from the radar.
    nyquist
        m/s; None means that of the sweep.

    Raises
    ------
    DataError
        The sweep has no velocity, or nothing says its Nyquist velocity.

    Notes
    -----
    Regions are joined as `dynamo.radar.regions.join` says. A component of them may still be off as a whole: for each
    number of folds a wind that changes linearly with range, ``(u0 + u1 r) sin(azimuth) + (v0 + v1 r) cos(azimuth)``
    (velocity-azimuth display: Browning and Wexler 1968, Journal of Applied Meteorology 7, 105-113), is fitted by
    least squares with a small penalty on the wind itself, and the best is taken. Of the largest component this finds
    the wind; smaller ones go with that. At last each gate is brought next to the median of the 5 x 5 around it.
    """
    limit = sweep.nyquist if nyquist is None else nyquist
    folded = _velocity(sweep)
    if limit is None or not limit > 0:
        raise DataError(
            f"sweep of {sweep.radar}: the Nyquist velocity is {limit}, expected m/s above 0; where the file does not "
            "say it, write it into the registry of radars"
        )
    place, azimuths = places(sweep.azimuths, RAYS)
    v = spread(folded, place, azimuths.size)
    component, folds = join(v, float(limit))
    turns = folds + _whole(v, component, folds, np.radians(azimuths), limit)[component]
    unfolded = v + np.float32(2 * limit) * turns
    away = np.nan_to_num(departures(unfolded, float(limit), 6))
    unfolded += np.float32(2 * limit) * np.rint(away / np.float32(2 * limit))
    return replace(sweep, moments={**sweep.moments, "velocity": unfolded[place]})


def despeckle(sweep: Sweep, *, apart: float = 5.0, fewest: int = 13) -> Sweep:
    """Return a sweep without the velocities that too few of the 5 x 5 gates around go with.

    Parameters
    ----------
    sweep
        With unfolded ``velocity``.
    apart
        Gates go together that differ by so many m/s at most.
    fewest
        So many of the 25 must go with the one in the middle, itself counted. More than half: then it is no further
        than `apart` from their median, and noise, where neighbours agree by chance only, does not stay either.
    """
    place, azimuths = places(sweep.azimuths, 2)
    v = spread(_velocity(sweep), place, azimuths.size)
    v[support(v, float(apart)) < fewest] = np.nan
    return replace(sweep, moments={**sweep.moments, "velocity": v[place]})


def _velocity(sweep: Sweep) -> NDArray[np.float32]:
    try:
        return np.asarray(sweep.moments["velocity"], dtype="f4")
    except KeyError:
        known = ", ".join(sweep.moments) or "none"
        raise DataError(f"sweep of {sweep.radar}: holds no velocity; its moments: {known}") from None


def _whole(
    v: NDArray[np.float32],
    component: NDArray[np.int32],
    folds: NDArray[np.int16],
    azimuths: NDArray[np.floating],
    nyquist: float,
) -> NDArray[np.int16]:
    """Return by how many folds each component is off as a whole; the last is for gates of none."""
    out = np.zeros(int(component.max(initial=-1)) + 2, dtype=np.int16)
    there = np.flatnonzero(component.ravel() >= 0)
    if there.size < _FEW:
        return out
    names, sizes = np.unique(component.ravel()[there], return_counts=True)
    largest = names[sizes.argmax()]
    gates = there[component.ravel()[there] == largest]
    wind, off = _fitted(v, folds, azimuths, nyquist, gates)
    out[largest] = off
    rest = there[component.ravel()[there] != largest]
    if rest.size:
        # between what the wind would be and none at all: of a Gaussian round each, where both are highest
        likely = _model(azimuths, rest, v.shape) @ wind / (1 + _TRUST)
        owner = component.ravel()[rest]
        apart = (likely - _joined(v, folds, nyquist, rest)) / (2 * nyquist)
        sums = np.bincount(owner, weights=apart, minlength=out.size)
        counts = np.bincount(owner, minlength=out.size)
        out += np.rint(sums / np.maximum(counts, 1)).astype(np.int16)
    return out


def _fitted(
    v: NDArray[np.float32],
    folds: NDArray[np.int16],
    azimuths: NDArray[np.floating],
    nyquist: float,
    gates: NDArray[np.intp],
) -> tuple[NDArray[np.floating], int]:
    """Return the wind that goes with gates, and by how many folds they are off as a whole."""
    gates = gates[:: max(1, gates.size // _MANY)]
    model, seen = _model(azimuths, gates, v.shape), _joined(v, folds, nyquist, gates)
    normal = model.T @ model / gates.size + _CALM * np.eye(4)
    offers = seen[:, None] + 2 * nyquist * _WHOLE
    winds = np.linalg.solve(normal, model.T @ offers / gates.size)
    left = ((model @ winds - offers) ** 2).mean(axis=0) + _CALM * (winds**2).sum(axis=0)
    best = int(left.argmin())
    return winds[:, best], int(_WHOLE[best])


def _model(
    azimuths: NDArray[np.floating], gates: NDArray[np.intp], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Return what a unit of each part of the wind is at gates ``(n, 4)``; range runs from -1 to 1."""
    turn = azimuths[gates // shape[1]]
    along = 2 * (gates % shape[1]) / (shape[1] - 1) - 1
    return np.stack((np.sin(turn), np.cos(turn), along * np.sin(turn), along * np.cos(turn)), axis=1)


def _joined(
    v: NDArray[np.float32], folds: NDArray[np.int16], nyquist: float, gates: NDArray[np.intp]
) -> NDArray[np.float64]:
    return v.ravel()[gates] + 2 * nyquist * folds.ravel()[gates].astype("f8")
