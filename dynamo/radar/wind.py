"""The highest radial wind near the ground: sweeps of radial velocity in, a grid of wind speed out.

A radar sees only the part of the wind that blows along its beam, towards it or away: what is mapped is a lower bound of
the wind speed, and across the beam it is nothing. Where several radars look, the highest counts, which is nearer to the
wind. It is seen only where the beam is in the band of heights and something reflects: everything else is unknown
and stays so. That no echo is there does not mean that no wind blows.

What can go wrong: a sweep without velocity or Nyquist velocity, grids that do not fit together, no sweep at all
(`DataError`), an even number of rays to smooth over (`UserError`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

import numpy as np

from dynamo.errors import DataError, UserError
from dynamo.radar.composite import composite, scans_of
from dynamo.radar.dealias import dealias, despeckle
from dynamo.radar.gates import on_grid
from dynamo.radar.grid import Cell, Geometry, Grid
from dynamo.radar.polar import Sweep, beam_height
from dynamo.radar.rolling import AHEAD, DAMAGED, made_of, names_of, newest_of, radar_of, roll_call, shared_by
from dynamo.radar.turn import places, spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BAND", "MINIMUM", "SMOOTH", "SPEEDS", "strongest", "wind_grid", "wind_speed"]

#: Heights of the beam's axis that count as near the ground, m.
BAND = (200.0, 600.0)
#: Speeds that are believed, m/s.
SPEEDS = (0.0, 38.0)
#: Over how many rays, and over how many metres along them, velocities are averaged.
SMOOTH = (3, 400.0)
#: What a gate must have at least, of the moments that the sweep holds: dBZ, 0 to 1, 0 to 1.
MINIMUM: Mapping[str, float] = {"reflectivity": 5.0, "cross_correlation": 0.8, "signal_quality": 0.2}


def wind_speed(
    sweep: Sweep,
    *,
    speeds: tuple[float, float] = SPEEDS,
    smooth: tuple[int, float] = SMOOTH,
    minimum: Mapping[str, float] = MINIMUM,
    apart: float = 5.0,
) -> Sweep:
    """Return the radial wind speed at each gate, as the one moment ``wind_speed`` (m/s) of a sweep.

    Parameters
    ----------
    sweep
        With ``velocity``, as measured, and a Nyquist velocity.
    speeds
        Lowest and highest that are believed, m/s.
    smooth
        Rays, an odd number, and metres that the mean of velocities is taken over; gates without one stay without.
    minimum
        Lowest values of other moments; one that the sweep lacks asks for nothing.
    apart
        Most gates around one must agree with it within so many m/s; see `dynamo.radar.dealias.despeckle`.

    Raises
    ------
    DataError
        The sweep has no velocity, or nothing says its Nyquist velocity.
    UserError
        The number of rays to smooth over is not odd.
    """
    if smooth[0] % 2 != 1:
        raise UserError(
            f"the mean of velocities is taken over {smooth[0]:g} rays, must be an odd number of them"
        )
    good = np.ones(sweep.undetect.shape, dtype=bool)
    for moment, least in minimum.items():
        if moment in sweep.moments:
            good &= sweep.moments[moment] >= least
    v = dict(sweep.moments)
    if "velocity" in v:
        v["velocity"] = np.where(good, v["velocity"], np.float32(np.nan))
    unfolded = despeckle(dealias(replace(sweep, moments=v)), apart=apart).moments["velocity"]
    low, high = speeds
    with np.errstate(invalid="ignore"):
        unfolded = np.where(np.abs(unfolded) <= high, unfolded, np.float32(np.nan))
        speed = np.abs(_mean(unfolded, sweep, *smooth))
        speed[~(speed >= low)] = np.nan
    return replace(sweep, moments={"wind_speed": speed}, undetect=np.zeros_like(sweep.undetect))


def wind_grid(
    sweep: Sweep,
    geometry: Geometry,
    *,
    band: tuple[float, float] = BAND,
    above: Literal["sea", "radar"] = "sea",
) -> Grid:
    """Put the wind speeds near the ground on a grid: in each cell the highest of its gates.

    Parameters
    ----------
    sweep
        As `wind_speed` returns it.
    geometry
        The grid to fill.
    band
        Lowest and highest height of the beam's axis, m, both counted in. The beam itself is wider than that: one of a
        degree and a half spans 260 m at 10 km.
    above
        What heights are above: the sea, or the antenna, which stands for the ground where no terrain is known.

    Returns
    -------
    Grid
        ``wind_speed``: where the beam is in the band but has no value, it is missing; elsewhere out of range.
    """
    start = sweep.altitude if above == "sea" else 0.0
    height = beam_height(sweep.ranges, sweep.elevation, start)
    inside = (height >= band[0]) & (height <= band[1])  # twice, where the beam first sinks, then rises
    found = np.flatnonzero(inside) if inside.any() else np.zeros(1, dtype=np.intp)
    first = min(found[0], inside.size - 2)  # a sweep needs two gates
    part = slice(first, max(found[-1] + 1, first + 2))
    speed = np.where(inside, sweep.moments["wind_speed"], np.float32(np.nan))
    outside = np.broadcast_to(~inside, sweep.undetect.shape)
    cut = replace(
        sweep, ranges=sweep.ranges[part], moments={"wind_speed": speed[:, part]}, undetect=outside[:, part]
    )
    grid = on_grid(cut, geometry, "wind_speed")
    out = grid.status == Cell.UNDETECT
    return replace(
        grid,
        values=np.where(out, np.float32(np.nan), grid.values),
        status=np.where(out, np.uint8(Cell.OUT_OF_RANGE), grid.status),
    )


def strongest(
    grids: Iterable[Grid],
    now: datetime,
    *,
    window: timedelta = timedelta(minutes=5),
    expected: Collection[str] = (),
) -> Grid:
    """Return the highest wind of all sweeps of a window, which says what it is made of.

    Unlike `dynamo.radar.rolling.rolling` it takes every sweep of the window, not only the newest of each radar
    and tilt, and it comes also where no wind is known: in clear air that is no fault.

    Parameters
    ----------
    grids
        Of single sweeps, as `wind_grid` makes them, in any order; those that stand for damaged files with the
        attribute `dynamo.radar.rolling.DAMAGED`.
    now, window, expected
        As for `dynamo.radar.rolling.rolling`.

    Returns
    -------
    Grid
        With the attributes ``radars`` (each with the time of its newest sweep), ``sweeps``, ``oldest_sweep_s``, and
        those of `dynamo.radar.rolling.RollCall`.

    Raises
    ------
    DataError
        There is no sweep of a time that has come; the message says of each why.
    """
    grids = list(grids)
    called = roll_call(grids, now, window=window, expected=expected)
    come = _once(g for g in grids if DAMAGED not in g.attributes and g.time <= now + AHEAD)
    if not come:
        reasons = "; ".join(f"{name}: {words}" for name, words in called.attributes.items())
        raise DataError(f"no sweep to take the wind of; {reasons or 'there is none'}")
    time = come[-1].time
    used = [g for g in come if time - window < g.time]
    names = names_of(come)
    newest, last = newest_of(used, names), newest_of(come, names)
    away = {*last, *set(expected) - {radar_of(g) for g in come}} - {*newest}
    absent = tuple(last.get(radar, radar) for radar in sorted(away))
    about: dict[str, str | float] = {
        **shared_by(used),
        **replace(called, absent=absent).attributes,  # a radar that saw no wind is not absent
        "radars": ", ".join(newest[radar] for radar in sorted(newest)),
        **made_of(used, time),
    }
    return replace(composite(used), time=time, attributes=about)


def _once(grids: Iterable[Grid]) -> list[Grid]:
    """Return sweeps in order of time, each once, however often it was sent."""
    grids = list(grids)
    scans = scans_of(grids)
    sweeps = {(g.time, scans[id(g)]): g for g in grids}
    return [sweeps[key] for key in sorted(sweeps)]


def _mean(v: NDArray[np.float32], sweep: Sweep, rays: int, metres: float) -> NDArray[np.float32]:
    """Return the mean over so many rays and metres at each gate that has a value, ``(nray, ngate)``."""
    import cv2

    gates = max(1, round(metres / float(sweep.ranges[1] - sweep.ranges[0])))
    half = rays // 2
    place, azimuths = places(sweep.azimuths, half)
    turned, n = spread(v, place, azimuths.size), azimuths.size
    around = np.concatenate((turned[n - half :], turned, turned[:half]))
    there = np.isfinite(around)
    size, edge = (2 * (gates // 2) + 1, 2 * half + 1), cv2.BORDER_CONSTANT
    total = cv2.boxFilter(np.where(there, around, np.float32(0)), -1, size, normalize=False, borderType=edge)
    count = cv2.boxFilter(there.astype("f4"), -1, size, normalize=False, borderType=edge)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(there, total / count, np.float32(np.nan))
    return np.asarray(mean[half : half + n][place], dtype="f4")
