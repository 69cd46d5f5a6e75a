"""Severe hail index, size and POSH by pyhail: ``pyhail_shi.py VOLUME BAND H0 H20 NEAR FAR TIMES``.

VOLUME is what ``benchmarks/shi.py`` writes. Prints the seconds of the fastest call after the first, and the largest
index.
"""

import json
import sys
import time

import numpy as np
from pyhail import mesh_ppi

path, band = sys.argv[1:3]
freezing, minus20, near, far = map(float, sys.argv[3:7])
data = np.load(path)
count = data["elevations"].size


def once():
    """One call; it changes the reflectivities it is given."""
    fields = [data[f"z{k}"] for k in range(count)]
    start = time.perf_counter()
    found = mesh_ppi.main(
        fields,
        list(data["elevations"]),
        [data["azimuths"]] * count,
        [data[f"ranges{k}"] for k in range(count)],
        float(data["altitude"]),
        [freezing, minus20],
        radar_band=band,
        min_range=near / 1000,
        max_range=far / 1000,
        mesh_method="witt1998",
    )
    return time.perf_counter() - start, float(np.nanmax(found[1]["data"]))


once()  # compiles
calls = [once() for _ in range(int(sys.argv[7]))]
print(json.dumps({"seconds": min(seconds for seconds, _ in calls), "shi": calls[0][1]}))
