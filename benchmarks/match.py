"""A million subscribers against a thousand polygons: ``python benchmarks/match.py``.

Three kinds of weather over 400 km x 400 km, ten lead times of a hundred polygons each, in three nested levels:
scattered storms that few are near; many storms; and widespread rain, where most are inside. Seconds and peak
memory of a process of its own (``--child``), which also measures the peer on the same places and polygons: an
STRtree of shapely asked for `dwithin` in degrees, with a cosine for the latitude, as a first script would do
it. It gives pairs only: no exact distances, no times, no matches. The plain double loop is measured on some pairs
and scaled up.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import shapely

from dynamo.alerts.hazard import HazardField
from dynamo.alerts.match import match
from dynamo.alerts.subscriber import Rule, Subscribers
from dynamo.alerts.subscribers_file import read_subscribers
from rows import Row, best, main

#: Weather to the radius of its polygons in km, and what it is called.
WEATHER = {"scattered": 3, "many": 12, "widespread": 40}
LEADS, POINTS, WITHIN_KM = 10, 200, 10.0
LON, LAT, KM = -97.0, 32.5, 111.2


def storms(radius, count):
    """Fields of nested, uneven polygons that move a little with each lead time."""
    rng = np.random.default_rng(5)
    angle = np.linspace(0, 2 * np.pi, POINTS, endpoint=False)
    issued = datetime(2026, 3, 25, 5, tzinfo=UTC)
    centres = rng.uniform(-180, 180, (count // LEADS // 3 + 1, 2))
    waves = 1 + 0.3 * np.sin(np.outer(rng.integers(2, 7, len(centres)), angle) + rng.uniform(0, 6))
    waves += 0.02 * rng.standard_normal(waves.shape)
    fields = []
    for lead in range(LEADS):
        polygons, levels = [], []
        for level, size in ((20, 1.0), (35, 0.6), (45, 0.3)):
            for (x, y), wave in zip(centres + lead, waves, strict=True):
                ring = np.column_stack(
                    [x + radius * size * wave * np.cos(angle), y + radius * size * wave * np.sin(angle)]
                )
                polygons.append(shapely.Polygon(ring / (KM * np.cos(np.radians(LAT)), KM) + (LON, LAT)))
                levels.append(float(level))
        keep = slice(0, count // LEADS)
        fields.append(
            HazardField(
                "STORM",
                "dBZ",
                issued,
                issued + timedelta(minutes=lead),
                float(lead),
                np.array(levels)[keep],
                np.array(polygons, dtype=object)[keep],
            )
        )
    return fields


def places(count):
    """Positions all over the domain, half of them in towns."""
    rng = np.random.default_rng(7)
    at = rng.uniform(-200, 200, (count, 2))
    towns = rng.uniform(-180, 180, (50, 2))
    half = count // 2
    at[:half] = towns[rng.integers(0, len(towns), half)] + 5 * rng.standard_normal((half, 2))
    at = at / (KM * np.cos(np.radians(LAT)), KM) + (LON, LAT)
    return [(f"s{n}", lon, lat) for n, (lon, lat) in enumerate(at.tolist())]


def tree(subscribers, fields):
    """The peer: pairs of a polygon and a place within so many degrees, by shapely's STRtree."""
    squeeze = np.array([np.cos(np.radians(LAT)), 1.0])
    points = shapely.points(np.column_stack([subscribers.lon, subscribers.lat]) * squeeze)
    polygons = shapely.transform(np.concatenate([f.polygons for f in fields]), lambda at: at * squeeze)
    shapely.prepare(polygons)
    found = shapely.STRtree(points).query(polygons, predicate="dwithin", distance=WITHIN_KM / KM)
    return len(np.unique(found[1]))


def loop(subscribers, fields, pairs=2_000):
    """Seconds of a double loop over all pairs, from some of them."""
    polygons = np.concatenate([f.polygons for f in fields])
    points = shapely.points(subscribers.lon[:50], subscribers.lat[:50])
    start = time.perf_counter()
    done = 0
    for point in points:
        for polygon in polygons[: pairs // 50]:
            done += 1
            shapely.dwithin(polygon, point, WITHIN_KM / KM)
    return (time.perf_counter() - start) / done * len(subscribers) * len(polygons)


def peak():
    """Largest resident memory of this process so far, MB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def child(weather, count, polygons):
    """Print the figures of one kind of weather."""
    subscribers = Subscribers.of(places(count), [Rule("STORM", 20, WITHIN_KM, 60, "phone")])
    fields = storms(WEATHER[weather], polygons)
    match(subscribers, fields[:1])
    before = peak()
    found: list[int] = []

    def once():
        matched = match(subscribers, fields)
        found[:] = [len(matched), sum(m.inside for m in matched)]

    seconds = best(once, 3)
    most = peak()
    start = time.perf_counter()
    near = tree(subscribers, fields)
    told = {"tree": time.perf_counter() - start, "loop": loop(subscribers, fields)}
    told |= {"seconds": seconds, "peak": most, "before": before, "near": near}
    print(json.dumps(told | {"matched": found[0], "inside": found[1]}))


def reading(count):
    """Seconds to read a CSV file of so many subscribers."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "subscribers.csv"
        lines = [f"{i},{lon:.6f},{lat:.6f},10,STORM,35,30,phone" for i, lon, lat in places(count)]
        head = "id,lon,lat,distance_km,hazard,min_level,max_lead_minutes,channel"
        path.write_text("\n".join([head, *lines]) + "\n", "utf-8")
        del lines
        return best(lambda: read_subscribers(path), 2)


def measure(quick: bool) -> Iterator[Row]:
    """Each weather, then reading."""
    count, polygons = (50_000, 100) if quick else (1_000_000, 1_000)
    for weather in WEATHER:
        line = [sys.executable, __file__, "--child", weather, str(count), str(polygons)]
        told = json.loads(subprocess.run(line, check=True, stdout=subprocess.PIPE).stdout)
        yield Row(
            f"{count:,} subscribers x {polygons:,} polygons, {weather}",
            told["seconds"],
            "s",
            5,
            {
                "STRtree, dwithin in degrees: pairs only": told["tree"],
                "a double loop, by some of its pairs": told["loop"],
            },
            note=f"{told['matched']:,} matched, {told['inside']:,} of them inside; in degrees {told['near']:,}; "
            f"peak memory {told['peak']:.0f} MB, {told['before']:.0f} of it before",
        )
    yield Row(f"CSV of {count:,} subscribers, read and checked", reading(count), "s")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        main(__doc__, measure)
