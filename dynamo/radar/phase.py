"""Differential phase: as measured in, what the path of the beam has added out, and its slope.

A radar gives differential phase in one of three conventions, 0 to 180, -180 to 180 or 0 to 360 degrees, and starts
from a phase of its own (the "system's"). Here folds are taken out along each ray, the system's phase is taken off,
and a line is laid by least squares through the gates of a sliding window: its value in the middle is the phase,
half its slope is the specific differential phase KDP (half, because the beam goes there and back). Where the gates
scatter too much around the line there is neither. A window holds five gates at least: where gates are longer than a
fifth of `PhaseLimits.window`, KDP is that of a longer way. Nothing can go wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dynamo.compiled import compiled, kept

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dynamo.radar.polar import Sweep

__all__ = ["Phase", "PhaseLimits", "period_of", "propagation", "system_phase", "unwrap"]


# Cross-correlation of rain: insects, whose phase is any, have less.
RAIN = 0.95


@dataclass(frozen=True, slots=True)
class PhaseLimits:
    """How phase is read.

    Parameters
    ----------
    window
        Length of the sliding window, m.
    cross_correlation
        Gates that are less correlated are left out, where the moment is there.
    scatter
        Degrees: where gates scatter more around the line there is no phase.
    """

    window: float = 3000.0
    cross_correlation: float = 0.85
    scatter: float = 12.0


@dataclass(frozen=True, slots=True, eq=False)
class Phase:
    """What was read.

    Parameters
    ----------
    phase
        ``(nray, ngate)`` degrees, two-way, of the path alone; NaN where there is none.
    slope
        ``(nray, ngate)`` specific differential phase, degrees per km, one-way; NaN where there is none.
    system
        Degrees that were taken off; NaN where they could not be told, and so no phase could.
    period
        Degrees after which the file's phase starts anew.
    """

    phase: NDArray[np.float32]
    slope: NDArray[np.float32]
    system: float
    period: float


def period_of(phase: NDArray[np.floating]) -> float:
    """Return the degrees after which differential phase starts anew: 180 where all values lie in 0 to 180, else 360.

    A radar that sends both polarisations in turn knows its phase but for half a turn.
    """
    known = phase[np.isfinite(phase)]
    return 180.0 if known.size and known.min() >= -0.5 and known.max() <= 180.5 else 360.0


def propagation(
    sweep: Sweep, limits: PhaseLimits, *, period: float = 360.0, system: float | None = None
) -> Phase | None:
    """Return the phase that the path has added; None where a sweep has no differential phase.

    Parameters
    ----------
    sweep
        After `dynamo.radar.quality.clean`.
    limits
        How phase is read.
    period
        Degrees after which the phase starts anew.
    system
        Degrees, the radar's own; None: from the first gates with echo of all rays.
    """
    measured = sweep.moments.get("differential_phase")
    if measured is None:
        return None
    good = np.abs(measured) < 1000  # what is more is no angle, but a sign for something that nobody knows
    good &= ~_stuck(measured, good)
    if "reflectivity" in sweep.moments:
        good &= np.isfinite(sweep.moments["reflectivity"])
    rain = good
    correlation = sweep.moments.get("cross_correlation")
    if correlation is not None:
        good &= ~(correlation < limits.cross_correlation)
        rain = good & (correlation > RAIN)
    step = float(sweep.ranges[1] - sweep.ranges[0]) / 1000
    own = system_phase(measured, rain, period) if system is None else system
    if np.isnan(own):
        own = system_phase(measured, good, period)
    half = max(2, round(limits.window / 2000 / step))
    phase, slope = _fitted(measured.astype("f4", copy=False), good, own, period, step, half, limits.scatter)
    return Phase(phase, slope, own, period)


def _stuck(phase: NDArray[np.floating], good: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return where a radar gave the same number time and again in place of a phase.

    Near the antenna one radar was seen to say 180.0 or 270.0 for kilometres. Such a value, to a tenth of a degree,
    holds more than a hundredth of all gates, and 20 times as many as any other within 5 degrees: that of a quiet
    radar with coarse steps does not. A made-up phase without any noise is taken for stuck where it is constant.
    """
    tenths = (np.rint(phase[good].astype("f8") * 10) % 3600).astype(np.int32)
    counts = np.bincount(tenths, minlength=3600)
    around = np.concatenate([counts[-50:], counts, counts[:50]])
    stuck = np.zeros(counts.size, dtype=np.bool_)
    for value in np.flatnonzero(counts > 0.01 * max(1, tenths.size)):
        beside = np.concatenate([around[value : value + 50], around[value + 51 : value + 101]])
        stuck[value] = counts[value] > 20 * beside.max()
    where = np.zeros_like(good)
    where[good] = stuck[tenths]
    return where


def system_phase(
    phase: NDArray[np.floating], good: NDArray[np.bool_], period: float, first: int = 20
) -> float:
    """Return the radar's own phase in degrees, from where its rays begin: a tenth of them begins lower.

    A ray begins with the circular mean of its first good gates; one with fewer than `first` does not count. Rays that
    meet rain before their first good gate begin higher, so the median would be too high. Where no ray has so many,
    five are enough, and where none has five nothing is known: NaN, and with it no phase and no attenuation.
    """
    early = good & (np.cumsum(good, axis=1, dtype=np.int32) <= first)
    full = early.sum(axis=1) >= first
    if not full.any():
        return system_phase(phase, good, period, first=5) if first > 5 else float("nan")
    unit = np.exp(2j * np.pi / period * phase[full][early[full]]).reshape(-1, first).sum(axis=1)
    middle = np.angle((unit / np.maximum(np.abs(unit), 1e-9)).sum())
    off = np.angle(unit * np.exp(-1j * middle))
    return float((middle + np.quantile(off, 0.1)) * period / (2 * np.pi))


@compiled
def unwrap(
    phase: NDArray[np.float32],
    good: NDArray[np.bool_],
    system: float,
    period: float,
    step: float,
    out: NDArray[np.float32],
) -> None:
    """Fill `out` with the phase of a ray without folds and without the system's, where it is good.

    Each gate takes the turn that brings it nearest to what the gates of the last half kilometre say. The first ones are
    looked for from 0.35 of a period below the system's phase to 0.65 above, as phase rises along the path.
    """
    share = min(1.0, step / 0.5)
    around = 0.15 * period
    for gate in range(phase.size):
        if good[gate]:
            value = phase[gate] - system
            value += period * np.rint((around - value) / period)
            out[gate] = value
            around += share * (value - around)


@compiled
def _line(sums: NDArray[np.float64], gate: int, half: int) -> tuple[float, float, float, float]:
    """Return number of values, value at the gate, slope per gate and scatter of the line through its window."""
    low, high = max(0, gate - half), min(sums.shape[1] - 1, gate + half + 1)
    n = sums[0, high] - sums[0, low]
    if n < 3:
        return n, np.nan, np.nan, np.nan
    x, y = (sums[1, high] - sums[1, low]) / n, (sums[2, high] - sums[2, low]) / n
    xx = (sums[3, high] - sums[3, low]) / n - x * x
    xy = (sums[4, high] - sums[4, low]) / n - x * y
    yy = (sums[5, high] - sums[5, low]) / n - y * y
    if xx < 0.5:
        return n, np.nan, np.nan, np.nan
    slope = xy / xx
    return n, y + slope * (gate - x), slope, np.sqrt(max(0.0, yy - slope * xy))


@compiled
def _sum(values: NDArray[np.float32], sums: NDArray[np.float64]) -> None:
    """Fill running sums of 1, x, y, xx, xy, yy, with x the number of the gate."""
    for gate in range(values.size):
        for k in range(6):
            sums[k, gate + 1] = sums[k, gate]
        y = values[gate]
        if np.isfinite(y):
            sums[0, gate + 1] += 1
            sums[1, gate + 1] += gate
            sums[2, gate + 1] += y
            sums[3, gate + 1] += gate * gate
            sums[4, gate + 1] += gate * y
            sums[5, gate + 1] += y * y


@kept
def _fitted(
    measured: NDArray[np.float32],
    good: NDArray[np.bool_],
    system: float,
    period: float,
    step: float,
    half: int,
    scatter: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return phase and its one-way slope per km, each ``(nray, ngate)``, of lines through sliding windows.

    Gates that are off a first line by more than twice its scatter are left out of the second, if by 5 degrees at
    least. Half of a window must be good, and at the ends of an echo half of that half.
    """
    rays, gates = measured.shape
    phase = np.full((rays, gates), np.nan, dtype=np.float32)
    slopes = np.full((rays, gates), np.nan, dtype=np.float32)
    values = np.empty(gates, dtype=np.float32)
    sums = np.zeros((6, gates + 1))
    for ray in range(rays):
        values[:] = np.nan
        unwrap(measured[ray], good[ray], system, period, step, values)
        _sum(values, sums)
        kept_values = values.copy()
        for gate in range(gates):
            if np.isfinite(values[gate]):
                _, level, _, off = _line(sums, gate, half)
                if np.isfinite(level) and abs(values[gate] - level) > max(5.0, 2 * off):
                    kept_values[gate] = np.nan
        _sum(kept_values, sums)
        for gate in range(gates):
            n, level, slope, off = _line(sums, gate, half)
            if n >= half and off <= scatter:
                phase[ray, gate] = level
                slopes[ray, gate] = slope / (2 * step)
    return phase, slopes
