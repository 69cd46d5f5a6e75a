"""Traces of weather: a radar workflow that starts every minute, and takes as much as there is echo."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from dynamo.fleet.simulator.trace import Job, Trace

__all__ = ["TRACES", "burst", "calm", "first", "onset", "squall", "weather"]

#: Seconds from a cycle to the next, and to when its jobs are due.
CYCLE = 60.0
#: Tiles of the domain, each a job of every cycle.
TILES = 180
#: Core-seconds of a tile without echo, and of one that is full of it: a 200-fold spread.
LEAST, MOST = 0.2, 40.0
#: No tile takes longer than this, so that each can be in time.
LONGEST = 45.0
#: Square kilometres of a tile, and bytes of its input where all of it is echo.
AREA, BYTES = 2500.0, 4.0e6

#: Seconds from the start, and a source of random numbers -> how much of the domain is storm, 0 to 1; below 0 there is
#: nothing to run for.
Weather = Callable[[float, np.random.Generator], float]


def weather(name: str, sky: Weather, hours: float, seed: int, tail: float = 900.0) -> Trace:
    """Return the trace of a workflow that runs each minute under a sky.

    Each cycle has a job for each tile; its work is that of the tile's echo area, which is known before it runs, times
    a lognormal factor of which nothing is (a factor of 1.3). Jobs come within 3 s of the minute, and are due at the
    next.

    Parameters
    ----------
    name
        Of the trace.
    sky
        How much storm there is, and when.
    hours
        How long cycles start; the trace goes on for `tail` seconds.
    seed
        Of the weather.
    """
    generator = np.random.default_rng([seed, *name.encode()])
    jobs: list[Job] = []
    for cycle in range(int(hours * 3600 / CYCLE)):
        begin = cycle * CYCLE
        storm = sky(begin, generator)
        tiles = _tiles(storm, generator)
        release = begin + float(generator.uniform(0.0, 3.0))
        factors = np.exp(generator.normal(-0.04, 0.28, TILES))
        if storm < 0.0:
            continue
        for echo, factor in zip(tiles.tolist(), factors.tolist(), strict=True):
            work = min((LEAST + (MOST - LEAST) * echo) * factor, LONGEST)
            known = {"echo_km2": AREA * echo, "bytes": BYTES * (0.05 + 0.95 * echo)}
            jobs.append(Job("tile", release, begin + CYCLE, work, run=f"cycle {cycle}", features=known))
    return Trace.of(name, jobs, hours * 3600 + tail, period=CYCLE)


def _tiles(storm: float, generator: np.random.Generator) -> np.ndarray:
    """Return the echo of each tile, 0 to 1: few have much, and more of them the more storm there is."""
    wet = generator.random(TILES)
    much = generator.beta(0.6, 1.6, TILES)
    return np.where(wet < max(storm, 0.0), much, 0.0)


def calm(seed: int = 0) -> Trace:
    """Two hours with next to nothing in the sky."""
    return weather("calm", lambda _at, generator: float(generator.uniform(0.0, 0.03)), 2.0, seed)


def onset(seed: int = 0) -> Trace:
    """Half an hour of calm, then storms that grow for twenty minutes and stay for an hour and a half."""

    def sky(at: float, generator: np.random.Generator) -> float:
        grown = min(1.0, max(0.0, (at - 1800.0) / 1200.0))
        return 0.02 + 0.7 * grown * float(generator.uniform(0.85, 1.15))

    return weather("onset", sky, 2.5, seed)


def squall(seed: int = 0) -> Trace:
    """A squall line: within five minutes the whole domain, for forty minutes; then an hour of the rain behind it."""

    def sky(at: float, generator: np.random.Generator) -> float:
        rises = (at - 2400.0) / 300.0
        behind = max(0.0, (at - 4800.0) / 900.0)
        line = min(1.0, max(0.0, rises)) * math.exp(-behind)
        rain = 0.25 if 4800.0 <= at < 8400.0 else 0.0
        return min(1.0, 0.02 + max(line, rain) * float(generator.uniform(0.9, 1.1)))

    return weather("squall", sky, 3.0, seed)


def burst(seed: int = 0) -> Trace:
    """Two hours in which nothing runs, and then half an hour of all that there can be: scale from zero."""

    def sky(at: float, generator: np.random.Generator) -> float:
        return float(generator.uniform(0.8, 1.0)) if 7200.0 <= at < 9000.0 else -1.0

    return weather("burst", sky, 3.0, seed)


def first(seed: int = 0) -> Trace:
    """Four hours in which storms come and go, of about 8 cores of mean work: as the fleet's first simulation was."""
    generator = np.random.default_rng([seed, 4])
    edges, at = [], 0.0
    while at < 4 * 3600.0:
        at += float(generator.exponential(1500.0))
        edges.append(at)

    def sky(at: float, cycle: np.random.Generator) -> float:
        passed = sum(1 for edge in edges if edge <= at)
        return float(cycle.uniform(0.35, 0.7)) if passed % 2 else float(cycle.uniform(0.0, 0.02))

    return weather("first", sky, 4.0, seed, tail=120.0)


#: Name to what makes the trace from a seed.
TRACES: dict[str, Callable[[int], Trace]] = {
    "calm": calm,
    "onset": onset,
    "squall": squall,
    "burst": burst,
    "first": first,
}
