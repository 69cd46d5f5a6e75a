"""Size and probability of hail of whole volumes: ``python benchmarks/shi.py``.

Three real volumes, read before: milliseconds of the fastest of some calls for severe hail index, size, probabilities
and echo top from 5 to 150 km. The peer, pyhail, gives index, size and one probability of the same reflectivities in a
process of its own; it takes rays by their numbers, so they are matched for it before, outside its time. Where there
are no sample volumes nothing is measured.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np

from dynamo.radar.hail import REACH, hail
from dynamo.radar.polar import BINS_PER_DEGREE, nearest_rays
from dynamo.radar.readers import read_sweeps
from dynamo.radar.volume import volumes
from frames import SAMPLES
from peer import figure, measured
from rows import Row, best, main

#: Radar to its files, its band, and the heights of 0 and -20 degrees C.
VOLUMES = {
    "Monte Lema": ("MLL*.nc", "C", (4087.0, 6803.0)),
    "Captains Flat": ("40_20181220_060630.pvol.h5", "S", (3900.0, 6900.0)),
    "Lubbock": ("KLBB20160601_150025_V06", "S", (4000.0, 7000.0)),
}


def for_the_peer(volume, path):
    """Write reflectivities with rays matched to those of the lowest sweep."""
    turns = np.sort(volume.sweeps[0].azimuths % 360)
    bins = np.rint(turns * BINS_PER_DEGREE).astype(int) % (360 * BINS_PER_DEGREE)
    arrays = {"azimuths": turns, "elevations": volume.elevations, "altitude": volume.sweeps[0].altitude}
    for k, sweep in enumerate(volume.sweeps):
        rays = nearest_rays(sweep.azimuths)[bins]
        arrays[f"z{k}"] = np.where(rays[:, None] < 0, np.nan, sweep.moments["reflectivity"][rays])
        arrays[f"ranges{k}"] = sweep.ranges
    np.savez(path, **arrays)


def measure(quick: bool) -> Iterator[Row | str]:
    """Each volume."""
    folder = SAMPLES / "hail"
    if not folder.is_dir():
        yield f"no sample volumes at {folder}: set DYNAMO_SAMPLES"
        return
    for name, (files, band, levels) in VOLUMES.items():
        start = time.perf_counter()
        sweeps = [s for p in sorted(folder.glob(files)) for s in read_sweeps(p, moments=("reflectivity",))]
        (volume,) = volumes(sweeps, timedelta(minutes=15))
        reading = time.perf_counter() - start
        told = hail(volume, *levels, band=band).moments["shi"]
        seconds = best(lambda v=volume, at=levels, b=band: hail(v, *at, band=b), 3 if quick else 20)
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "volume.npz"
            for_the_peer(volume, path)
            theirs = measured("pyhail_shi.py", path, band, *levels, *REACH, 2 if quick else 5)
        seen = "not measured" if isinstance(theirs, str) else f"{theirs['shi']:.1f}"
        yield Row(
            f"hail of a volume of {name}, {len(volume.sweeps)} tilts",
            1000 * seconds,
            "ms",
            100,
            {"pyhail: index, size, POSH": figure(theirs, "seconds", 1000)},
            ("pyhail: index, size, POSH",),
            f"{told.shape[0]} x {told.shape[1]} columns; largest index {np.nanmax(told):.1f}, by pyhail {seen}; "
            f"read in {1000 * reading:.0f} ms",
        )


if __name__ == "__main__":
    main(__doc__, measure)
