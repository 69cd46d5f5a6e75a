"""Quality of gates: what is not weather is taken out of a sweep, by tests of whatever moments it has.

Each test looks at one thing: a low cross-correlation, a low signal quality, a signal that is hardly above the
noise, ground that stands still, differential phase that jumps about, and echoes of a few gates alone. The
thresholds are data (`Limits`; those of a band are in its scheme). A test whose moment is not there is left out, and
a sweep of reflectivity alone is cleaned of specks alone; which tests were made is told by the attribute ``quality``
of the sweep that is returned.

The power of weather and of clutter add up, so the weather in a rejected gate is not stronger than what was
measured. Where that is negligible the gate becomes "nothing detected"; elsewhere weather may hide in it, and it
becomes missing, so that in a composite another radar decides. Nothing can go wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from dynamo.compiled import kept
from dynamo.radar.turn import places

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dynamo.radar.polar import Sweep

    Mask = NDArray[np.bool_]

__all__ = ["Limits", "clean", "phase_texture", "specks"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Thresholds of the tests.

    Parameters
    ----------
    cross_correlation
        A gate is weather above it only.
    signal_to_noise
        And from here on, dB. A ratio that is the same everywhere was not measured, and is not asked.
    signal_quality, still, correlated
        What is less correlated than `correlated` is no weather if its signal quality is below `signal_quality`, and
        is ground if it is slower than `still`, m/s. (Rain in turbulence has a low signal quality too.) Without
        cross-correlation signal quality decides alone, and speed is not asked.
    phase_texture
        Degrees: differential phase that varies by more along 1 km is no weather.
    speck
        Echoes of fewer gates, their corners counted as touching, are specks: less of the sky near a radar than far
        away.
    negligible
        Below this reflectivity, dBZ, nothing worth a word can hide in a rejected gate.
    """

    cross_correlation: float = 0.75
    signal_to_noise: float = 1.0
    signal_quality: float = 0.2
    still: float = 0.5
    correlated: float = 0.9
    phase_texture: float = 45.0
    speck: int = 9
    negligible: float = 10.0


def clean(sweep: Sweep, limits: Limits, *, period: float = 360.0) -> Sweep:
    """Return a sweep without what is not weather, in all its moments.

    Parameters
    ----------
    sweep
        As measured.
    limits
        Of the tests.
    period
        Degrees after which differential phase starts anew (see `dynamo.radar.phase.period_of`).
    """
    rejected, tests = _not_weather(sweep, limits, period)
    reflectivity = sweep.moments.get("reflectivity")
    echo = ~rejected & (np.isfinite(reflectivity) if reflectivity is not None else ~sweep.undetect)
    rejected |= specks(echo, sweep.azimuths, limits.speck)
    undetect = sweep.undetect
    if reflectivity is not None:
        with np.errstate(invalid="ignore"):
            undetect = undetect | (rejected & (reflectivity < limits.negligible))
    moments = {name: np.where(rejected, np.float32(np.nan), values) for name, values in sweep.moments.items()}
    told = {**sweep.attributes, "quality": ", ".join([*tests, "specks"])}
    return replace(sweep, moments=moments, undetect=undetect, attributes=told)


def _not_weather(sweep: Sweep, limits: Limits, period: float) -> tuple[Mask, list[str]]:
    """Return which gates fail a test, and the names of the tests that could be made."""
    moments = sweep.moments
    failed: dict[str, Mask] = {}
    doubtful = np.ones(sweep.undetect.shape, dtype=np.bool_)
    with np.errstate(invalid="ignore"):
        if "cross_correlation" in moments:
            failed["cross_correlation"] = moments["cross_correlation"] <= limits.cross_correlation
            doubtful = ~(moments["cross_correlation"] >= limits.correlated)
        if "signal_quality" in moments:
            failed["signal_quality"] = doubtful & (moments["signal_quality"] < limits.signal_quality)
        if "signal_to_noise" in moments and _varies(moments["signal_to_noise"]):
            failed["signal_to_noise"] = moments["signal_to_noise"] < limits.signal_to_noise
        if "velocity" in moments and "cross_correlation" in moments:
            failed["velocity"] = doubtful & (np.abs(moments["velocity"]) < limits.still)
        if "differential_phase" in moments:
            texture = phase_texture(moments["differential_phase"], _gates(sweep, 500.0), period)
            failed["differential_phase"] = texture > limits.phase_texture
    rejected = np.zeros(sweep.undetect.shape, dtype=np.bool_)
    for mask in failed.values():
        rejected |= mask
    return rejected, list(failed)


def _varies(values: NDArray[np.float32]) -> bool:
    known = values[np.isfinite(values)]
    return known.size > 0 and bool(known.min() < known.max())


def _gates(sweep: Sweep, metres: float) -> int:
    return max(2, round(metres / float(sweep.ranges[1] - sweep.ranges[0])))


@kept
def phase_texture(phase: NDArray[np.float32], half: int, period: float) -> NDArray[np.float32]:
    """Return how much differential phase varies along its ray, the same in any convention of angles.

    It is the circular standard deviation, sqrt(-2 ln R) with R the length of the mean of unit vectors (Mardia 1972,
    Statistics of Directional Data), over a window of 2 `half` + 1 gates, where half of them hold a value.

    Parameters
    ----------
    phase
        ``(nray, ngate)`` degrees, NaN where there is none.
    half
        Gates on each side.
    period
        Degrees.

    Returns
    -------
    NDArray
        ``(nray, ngate)`` degrees, NaN where too few gates hold a value.
    """
    rays, gates = phase.shape
    texture = np.full((rays, gates), np.nan, dtype=np.float32)
    turn = 2 * np.pi / period
    for ray in range(rays):
        count, east, north = 0, 0.0, 0.0
        for gate in range(-half, gates):
            # one gate enters the window of `gate`, one leaves it
            enter, leave = gate + half, gate - half - 1
            if enter < gates and np.isfinite(phase[ray, enter]):
                count += 1
                east += np.cos(phase[ray, enter] * turn)
                north += np.sin(phase[ray, enter] * turn)
            if leave >= 0 and np.isfinite(phase[ray, leave]):
                count -= 1
                east -= np.cos(phase[ray, leave] * turn)
                north -= np.sin(phase[ray, leave] * turn)
            if gate >= 0 and np.isfinite(phase[ray, gate]) and count > half:
                length = min(1.0, max(np.sqrt(east * east + north * north) / count, 1e-6))
                texture[ray, gate] = np.sqrt(-2 * np.log(length)) / turn
    return texture


def specks(echo: Mask, azimuths: NDArray[np.floating], smallest: int) -> Mask:
    """Return which gates belong to less than `smallest` that touch, around the circle, but across no lost ray.

    Parameters
    ----------
    echo
        ``(nray, ngate)``: where there is what is looked at.
    azimuths
        ``(nray,)`` degrees, in any order.
    smallest
        Number of gates; corners touch.
    """
    import cv2

    place, around = places(np.asarray(azimuths), 1)
    turned = np.zeros((around.size + 1, echo.shape[1]), dtype=np.uint8)
    turned[place] = echo
    turned[-1] = turned[0]  # the first ray once more, to close the circle
    count, labels = cv2.connectedComponents(turned, connectivity=8, ltype=cv2.CV_32S)
    whole = np.arange(count)
    for first, last in np.unique(np.stack([labels[0], labels[-1]], axis=1), axis=0):
        whole[whole == whole[last]] = whole[first]
    sizes = np.bincount(whole, weights=np.bincount(labels[:-1].ravel(), minlength=count))
    small = sizes[whole] < smallest
    small[0] = False
    found: Mask = small[labels[place]]
    return found
