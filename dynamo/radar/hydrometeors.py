"""Hydrometeors: what each gate of a sweep is full of, and how bad that is, by fuzzy logic on its moments.

`classified` takes a sweep as measured (calibrated where its calibration is known) through quality, phase and
attenuation to classes. The score of a class is the product of its memberships in reflectivity and temperature with
the weighted mean of those in what dual polarisation tells, a form of our own; the highest score wins. The classes,
functions and weights are data, in a `dynamo.radar.scheme.Scheme`.

A moment that is missing, in a gate or altogether, is left out of the mean. Without differential reflectivity nothing is
called hail, as hail and heavy rain then look alike.

What can go wrong: a sweep without reflectivity (`DataError`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dynamo.compiled import compiled, kept
from dynamo.errors import DataError
from dynamo.radar.attenuation import corrected
from dynamo.radar.phase import period_of, propagation
from dynamo.radar.polar import beam_height
from dynamo.radar.quality import clean, specks
from dynamo.radar.scheme import AXES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dynamo.radar.polar import Sweep
    from dynamo.radar.scheme import Scheme

    Values = NDArray[np.float32]

__all__ = ["classes", "classified", "hail_differential_reflectivity", "severity"]

# values of `hail_class` that the thresholds below lead to
HEAVY, DOUBTFUL, HAIL, LARGE = 2, 3, 4, 5

Temperature = Callable[["NDArray[np.floating]"], "NDArray[np.floating]"]


def classified(
    sweep: Sweep, scheme: Scheme, temperature_at: Temperature | None, *, system_phase: float | None = None
) -> Sweep:
    """Return a sweep with the moments `hail_class` and `hydrometeor`.

    Its other moments are cleaned, reflectivity and differential reflectivity with their attenuation put back.

    Parameters
    ----------
    sweep
        As measured, with reflectivity; all other moments are of use but not needed.
    scheme
        Of the radar's band.
    temperature_at
        Degrees Celsius at heights in m above sea level; None where nothing is known of it.
    system_phase
        The radar's own differential phase, degrees; None: from the sweep.

    Raises
    ------
    DataError
        The sweep has no reflectivity.
    """
    if "reflectivity" not in sweep.moments:
        there = ", ".join(sweep.moments) or "none at all"
        raise DataError(f"sweep of {sweep.radar}: hydrometeors need reflectivity; its moments: {there}")
    measured = sweep.moments.get("differential_phase")
    period = 360.0 if measured is None else period_of(measured)
    sweep = clean(sweep, scheme.quality, period=period)
    moments = dict(sweep.moments)
    path = propagation(sweep, scheme.phase, period=period, system=system_phase)
    if path is not None:
        sweep = corrected(sweep, path.phase, scheme.attenuation)
        moments = {**sweep.moments, "specific_differential_phase": path.slope}
    half = round(scheme.smoothing / 2 / float(sweep.ranges[1] - sweep.ranges[0]))
    variables = {
        name: smoothed(values, half) if name in ("differential_reflectivity", "cross_correlation") else values
        for name, values in moments.items()
        if name in AXES
    }
    if temperature_at is not None:
        heights = beam_height(sweep.ranges, sweep.elevation, sweep.altitude)
        variables["temperature"] = np.asarray(temperature_at(heights), dtype="f4")[None, :]
    moments["hydrometeor"] = classes(variables, scheme)
    worst = severity(moments["hydrometeor"], variables, scheme)
    with np.errstate(invalid="ignore"):
        hail = worst >= HAIL
    worst[specks(hail, sweep.azimuths, scheme.smallest_hail)] = DOUBTFUL
    moments["hail_class"] = worst
    return replace(sweep, moments=moments, attributes={**sweep.attributes, "scheme": scheme.name})


def classes(variables: dict[str, Values], scheme: Scheme) -> Values:
    """Return the number of the class of each gate.

    Parameters
    ----------
    variables
        Those of `dynamo.radar.scheme.AXES` that are known, each ``(nray, ngate)`` float32, NaN where it is not
        known; reflectivity is needed, and temperature may be ``(1, ngate)``.
    scheme
        Which classes there are.

    Returns
    -------
    NDArray
        ``(nray, ngate)`` float32. Classes count from 1; 0 is an echo that fits none; NaN where reflectivity is.
    """
    reflectivity = variables["reflectivity"]
    unknown = np.full((1, reflectivity.shape[1]), np.nan, dtype="f4")
    given = {name: np.ascontiguousarray(variables.get(name, unknown), dtype="f4") for name in AXES}
    axes = np.array(list(AXES.values()), dtype="f8")
    number: Values = _scored(
        given["reflectivity"],
        given["differential_reflectivity"],
        given["specific_differential_phase"],
        given["cross_correlation"],
        given["temperature"],
        axes,
        scheme.tables,
        scheme.weights,
    )
    return number


@compiled
def _score(
    values: Values, axes: NDArray[np.float64], tables: Values, weights: Values, scores: NDArray[np.float64]
) -> None:
    """Fill the score of each class for the values of a gate."""
    asked = 0.0
    scores[:] = 0.0
    for v in range(values.size):
        if weights[v] > 0 and np.isfinite(values[v]):
            asked += weights[v]
            place = _place(values[v], axes[v])
            for k in range(scores.size):
                scores[k] += weights[v] * tables[v, place, k]
    for k in range(scores.size):
        scores[k] = scores[k] / asked if asked > 0 else 1.0
    for v in range(values.size):
        if weights[v] == 0 and np.isfinite(values[v]):
            place = _place(values[v], axes[v])
            for k in range(scores.size):
                scores[k] *= tables[v, place, k]


@compiled
def _place(value: float, axis: NDArray[np.float64]) -> int:
    """Return where a value is tabulated."""
    return int(min(max(np.rint((value - axis[0]) / axis[1]), 0.0), axis[2] - 1))


@kept
def _scored(
    reflectivity: Values,
    ratio: Values,
    slope: Values,
    correlation: Values,
    temperature: Values,
    axes: NDArray[np.float64],
    tables: Values,
    weights: Values,
) -> Values:
    """Do the work of `classes`, gate by gate."""
    number = np.full(reflectivity.shape, np.nan, dtype=np.float32)
    values, scores = np.empty(5, dtype=np.float32), np.empty(tables.shape[2])
    for ray in range(reflectivity.shape[0]):
        for gate in range(reflectivity.shape[1]):
            if not np.isfinite(reflectivity[ray, gate]):
                continue
            values[0] = reflectivity[ray, gate]
            values[1] = ratio[min(ray, ratio.shape[0] - 1), gate]
            values[2] = slope[min(ray, slope.shape[0] - 1), gate]
            values[3] = correlation[min(ray, correlation.shape[0] - 1), gate]
            values[4] = temperature[min(ray, temperature.shape[0] - 1), gate]
            _score(values, axes, tables, weights, scores)
            winner = 0
            for k in range(scores.size):
                winner = k if scores[k] > scores[winner] else winner
            # what fits every class by less than a thousandth is told by none
            number[ray, gate] = winner + 1 if scores[winner] >= 0.001 else 0
    return number


def hail_differential_reflectivity(reflectivity: Values, ratio: Values) -> Values:
    """Return HDR in dB: how far reflectivity is above what rain of such drops reaches.

    Introduced by Aydin, Seliga and Balaji 1986, J. Climate Appl. Meteor. 25, 1475-1484. The numbers are those of the
    package pyhail: rain reaches 27 dBZ where differential reflectivity is 0 dB or less, 19 dBZ more for each dB up to
    1.74 dB, and 60 dBZ above.
    """
    rain = np.where(ratio <= 0, 27.0, np.where(ratio <= 1.74, 19 * ratio + 27, 60.0))
    return np.asarray(reflectivity - rain, dtype="f4")


def severity(hydrometeor: Values, variables: dict[str, Values], scheme: Scheme) -> Values:
    """Return `hail_class`: 0 not weather, 1 no hail, 2 heavy rain, 3 graupel or doubtful, 4 hail, 5 large hail.

    It is that of the class of hydrometeors, with these exceptions. Rain is heavy from the scheme's threshold on;
    then it may hold some hail where HDR is positive, and holds hail where reflectivity is above what rain alone
    reaches by HDR (60 dBZ). Hail is large where HDR is 21 dB or more: our own choice, where the fit of the package
    pyhail has 16.5 mm. Without differential reflectivity hail is doubtful.

    Parameters
    ----------
    hydrometeor
        ``(nray, ngate)`` as `classes` returns it.
    variables
        As for `classes`.
    scheme
        Its classes and thresholds.
    """
    found = np.array([1, *(each.severity for each in scheme.classes)], dtype="f4")
    liquid = np.array([False, *(each.liquid for each in scheme.classes)])
    known = np.isfinite(hydrometeor)
    number = hydrometeor[known].astype(np.intp)
    factor, more = scheme.to_s_band
    reflectivity = np.float32(factor) * variables["reflectivity"][known] + np.float32(more)
    measured = variables.get("differential_reflectivity")
    ratio = np.full_like(reflectivity, np.nan) if measured is None else measured[known]
    worst = found[number]
    with np.errstate(invalid="ignore"):
        heavy = liquid[number] & (reflectivity >= scheme.heavy)
        hdr = hail_differential_reflectivity(reflectivity, ratio)
        worst[heavy] = np.maximum(worst[heavy], HEAVY)
        worst[heavy & (hdr > 0)] = DOUBTFUL
        worst[heavy & (reflectivity >= scheme.rain_limit)] = HAIL
        worst[(worst == HAIL) & (hdr >= scheme.large)] = LARGE
    worst[(worst >= HAIL) & ~np.isfinite(ratio)] = DOUBTFUL
    result = np.full(hydrometeor.shape, np.nan, dtype="f4")
    result[known] = worst
    return result


@kept
def smoothed(values: Values, half: int) -> Values:
    """Return the mean of the values of 2 `half` + 1 gates of a ray; NaN where the gate itself has none.

    Parameters
    ----------
    values
        ``(nray, ngate)``, NaN where there is none.
    half
        Gates on each side.
    """
    rays, gates = values.shape
    out = np.full((rays, gates), np.nan, dtype=np.float32)
    for ray in range(rays):
        count, total = 0, 0.0
        for gate in range(-half, gates):
            enter, leave = gate + half, gate - half - 1
            if enter < gates and np.isfinite(values[ray, enter]):
                count += 1
                total += values[ray, enter]
            if leave >= 0 and np.isfinite(values[ray, leave]):
                count -= 1
                total -= values[ray, leave]
            if gate >= 0 and np.isfinite(values[ray, gate]):
                out[ray, gate] = total / count
    return out
