"""Sweeps of radars' files with all their moments: ``python benchmarks/read_sweeps.py``.

Real files of each format, from disk to arrays of float32: milliseconds of CPU of the fastest of some calls after the
first, for all moments and for reflectivity alone. The peers, Py-ART and xradar, read the same files in processes of
their own; Py-ART gives the fields that it has names for, xradar loads all. Neither reads CASA. Where there are no
sample files nothing is measured.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from dynamo.radar.readers import read_sweeps
from frames import SAMPLES
from peer import figure, measured
from rows import Row, main

#: What it is, to the files that are read in turn, and whether peers know the format.
FILES = {
    "NEXRAD, a volume of 11 cuts": ("hail/KLBB20160601_150025_V06", True),
    "CfRadial, a volume of 20 files": ("hail/MLL*.nc", True),
    "ODIM, a volume of 14 sweeps": ("hail/40_20181220_060630.pvol.h5", True),
    "CASA addison, 360 x 1920 gates, gzip": ("casa/addison.tx-20170329-073040.netcdf.gz", False),
    "CASA cleburne, 359 x 401 gates, gzip": ("casa/cleburne.tx-20170329-073002.netcdf.gz", False),
    "CASA denton, 723 x 501 gates, gzip": ("casa/denton.tx-20170329-073801.netcdf.gz", False),
}


def cpu(function, times: int) -> float:
    """Milliseconds of CPU of the fastest of some calls."""
    spent = []
    for _ in range(times):
        start = time.process_time()
        function()
        spent.append(time.process_time() - start)
    return 1000 * min(spent)


def measure(quick: bool) -> Iterator[Row | str]:
    """Each format."""
    times = 2 if quick else 5
    for name, (pattern, known) in FILES.items():
        paths = sorted(SAMPLES.glob(pattern))
        if not paths:
            yield f"no {pattern} at {SAMPLES}: set DYNAMO_SAMPLES"
            continue
        peers = {
            library: figure(measured("read_polar.py", library, times, *paths), "seconds", 1000)
            for library in (("Py-ART", "xradar") if known else ())
        }
        sweeps = [sweep for path in paths for sweep in read_sweeps(path)]
        count = sum(len(sweep.moments) for sweep in sweeps)
        ours = cpu(lambda files=paths: [read_sweeps(p) for p in files], times)
        some = cpu(lambda files=paths: [read_sweeps(p, moments=["reflectivity"]) for p in files], times)
        yield Row(
            f"read {name}",
            ours,
            "ms",
            None,
            peers,
            tuple(peers),
            f"{len(sweeps)} sweeps, {count} moments; reflectivity alone {some:.0f} ms",
        )


if __name__ == "__main__":
    main(__doc__, measure)
