"""The wind of single sweeps: ``python benchmarks/wind.py``.

Real sweeps of three X-band radars, and all 14 tilts of an S-band radar: milliseconds of CPU to unfold the velocities of
them, to put a sweep on the network's grid, and of all that lies between the file and the grid; the fastest of some
calls after the first. The peer is Py-ART's region based dealiasing, with the same velocities, and its
`map_gates_to_grid` on as many cells, in a process of its own. Where there are no sample files nothing is measured.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from dynamo.radar.dealias import dealias
from dynamo.radar.grid import Geometry
from dynamo.radar.polar import Sweep
from dynamo.radar.readers import read_sweeps
from dynamo.radar.registry import read_registry
from dynamo.radar.wind import MINIMUM, wind_grid, wind_speed
from frames import SAMPLES
from peer import figure, measured
from rows import Row, main

#: The grid of the CASA network's wind: north-west corner, steps, cells.
NETWORK = Geometry(-98.49228, 33.906425, 0.00804, -0.00675, 373, 373)

#: What it is, to its file. The Nyquist velocities are 47.3, 19.2, 65 (from the registry) and 39 m/s.
FILES = {
    "addison, X band, 360 x 1920": "casa/addison.tx-20170329-073831.netcdf.gz",
    "cleburne, X band, 359 x 401": "casa/cleburne.tx-20170329-073802.netcdf.gz",
    "denton, X band, 723 x 501": "casa/denton.tx-20170329-073801.netcdf.gz",
    "Captains Flat, S band, 14 tilts of 360 x 598": "hail/40_20181220_060630.pvol.h5",
}


def cpu(function: Callable[[], object], times: int) -> float:
    """Milliseconds of CPU of the fastest of some calls after one."""
    function()
    spent = []
    for _ in range(times):
        start = time.process_time()
        function()
        spent.append(time.process_time() - start)
    return 1000 * min(spent)


def read(path: Path) -> list[Sweep]:
    """The sweeps of a file that hold velocities, with what the registry knows."""
    known = read_registry()
    sweeps = read_sweeps(path, moments=("velocity", *MINIMUM))
    return [known.of(s).calibrated(s) for s in sweeps if "velocity" in s.moments]


def good(sweep: Sweep) -> Sweep:
    """Without the gates that the wind takes no heed of, in order of azimuth: both get the same to unfold."""
    v = sweep.moments["velocity"].copy()
    for name, least in MINIMUM.items():
        v[~(sweep.moments.get(name, np.full_like(v, np.inf)) >= least)] = np.nan
    order = np.argsort(sweep.azimuths % 360)
    azimuths = sweep.azimuths[order] % 360
    return replace(sweep, azimuths=azimuths, moments={"velocity": v[order]}, undetect=sweep.undetect[order])


def peers_of(sweeps: list[Sweep], times: int) -> tuple[float | str, float | str]:
    """Milliseconds that Py-ART takes to unfold all sweeps, and to grid one; or why there are none."""
    with tempfile.TemporaryDirectory() as folder:
        for number, sweep in enumerate(sweeps):
            np.savez(
                Path(folder) / f"{number:02d}.npz", azimuths=sweep.azimuths, ranges=sweep.ranges,
                elevation=sweep.elevation, nyquist=sweep.nyquist, velocity=sweep.moments["velocity"],
            )  # fmt: skip
        found = measured("pyart_wind.py", folder, times)
    return figure(found, "dealias", 1000), figure(found, "grid", 1000)


def measure(quick: bool) -> Iterator[Row | str]:
    """Each file."""
    times = 2 if quick else 7
    for name, pattern in FILES.items():
        path = SAMPLES / pattern
        if not path.is_file():
            yield f"no {path}: set DYNAMO_SAMPLES"
            continue
        sweeps = [good(sweep) for sweep in read(path)]
        unfold, grid = peers_of(sweeps, times)
        yield Row(
            f"unfold {name}", cpu(lambda s=sweeps: [dealias(one) for one in s], times), "ms",
            100.0 * len(sweeps), {"Py-ART, region based": unfold}, ("Py-ART, region based",),
        )  # fmt: skip
        speeds = wind_speed(sweeps[0])
        over = NETWORK if "X band" in name else replace(NETWORK, x0=148.0, y0=-34.4)
        yield Row(
            f"grid {name.split(',')[0]}, one sweep, 373 x 373",
            cpu(lambda s=speeds, g=over: wind_grid(s, g, above="radar"), times), "ms", None,
            {"Py-ART, map_gates_to_grid": grid}, ("Py-ART, map_gates_to_grid",),
            "the highest of the gates in each cell; Py-ART: nearest",
        )  # fmt: skip
        whole = cpu(lambda p=path, g=over: [wind_grid(wind_speed(s), g) for s in read(p)], times)
        yield Row(f"file to grid, {name}", whole, "ms", 1000.0 * len(sweeps))


if __name__ == "__main__":
    main(__doc__, measure)
