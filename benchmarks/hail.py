"""From a sweep's file to hail polygons: ``python benchmarks/hail.py``.

The tasks of the hail chain one after another on one core, for each file of three CASA radars: classes on the network's
grid, image, polygons. Milliseconds of CPU, after one file that is not counted; the peak of memory of the process that
did all. What the same costs in a network at full load, with the nowcast beside it, is in `network.py`; gridding beside
Py-ART's in `wind.py`, volumes beside pyhail in `shi.py`.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from dynamo.workflows.hail.tasks import compose, identify
from dynamo.workflows.products import contour, plot

from frames import SAMPLES
from rows import Row, main

AREA, CELLS = (-97.99, 31.775, -96.16, 33.525), (366, 350)
RADARS = {"addison": "1920 gates", "cleburne": "401 gates", "denton": "501 gates"}
SOUNDINGS = sorted((SAMPLES / "sounding").glob("casa_current*"))


def chain(sweep: Path, folder: Path) -> tuple[float, float]:
    """Seconds of CPU to the classes of one sweep, and from there to its polygons."""
    begin = time.process_time()
    identify(sweep, folder / "classes.nc", soundings=SOUNDINGS, area=AREA, cells=CELLS)
    told = time.process_time()
    compose([folder / "classes.nc"], folder / "hail.nc")
    plot(folder / "hail.nc", folder / "hail.png", folder / "hail.json")
    contour(folder / "hail.nc", folder / "hail.geojson", levels=(3.5, 4.5), min_points=4, hazard="HAIL")
    return told - begin, time.process_time() - told


def sweeps_of(radar: str, most: int) -> None:
    """Print what the files of a radar took, as JSON; in a process of its own, for its memory."""
    files = sorted((SAMPLES / "casa").glob(f"{radar}*.gz"))[:most]
    with tempfile.TemporaryDirectory() as folder:
        first = chain(files[0], Path(folder))
        spent = [chain(file, Path(folder)) for file in files]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(json.dumps({"first": sum(first), "spent": spent, "peak": peak}))


def measure(quick: bool) -> Iterator[Row | str]:
    """Each radar."""
    if not (SAMPLES / "casa").is_dir():
        yield f"no sample sweeps at {SAMPLES}: set DYNAMO_SAMPLES"
        return
    for radar, size in RADARS.items():
        done = subprocess.run(
            [sys.executable, __file__, "--radar", radar, "2" if quick else "20"],
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        found = json.loads(done.stdout)
        spent = 1000 * np.array(found["spent"])
        note = f"{size}; {len(spent)} files; the first in a process {found['first']:.1f} s"
        yield Row(
            f"{radar}: file to polygons, median", float(np.median(spent.sum(axis=1))), "ms", 1000.0, note=note
        )
        yield Row(f"{radar}: file to polygons, worst", float(spent.sum(axis=1).max()), "ms", 1000.0)
        yield Row(f"{radar}: of it file to classes, median", float(np.median(spent[:, 0])), "ms")
        yield Row(f"{radar}: peak of memory", found["peak"], "MB", 500.0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--radar"]:
        sweeps_of(sys.argv[2], int(sys.argv[3]))
    else:
        main(__doc__, measure)
