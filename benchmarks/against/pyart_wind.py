"""Velocities unfolded and gridded by Py-ART: ``pyart_wind.py FOLDER TIMES``, sweeps as ``.npz``.

Prints the seconds of CPU of the fastest unfolding of all sweeps, and of gridding the first, after one call of each.
"""

import json
import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np

os.environ["PYART_QUIET"] = "1"
warnings.simplefilter("ignore")
import pyart  # noqa: E402 - it prints a banner unless it is told not to, before

folder, times = Path(sys.argv[1]), int(sys.argv[2])


def radar_of(path):
    """A sweep as Py-ART's radar with one field."""
    sweep = np.load(path)
    velocity = sweep["velocity"]
    radar = pyart.testing.make_empty_ppi_radar(velocity.shape[1], velocity.shape[0], 1)
    radar.range["data"], radar.azimuth["data"] = sweep["ranges"], sweep["azimuths"]
    radar.elevation["data"][:] = radar.fixed_angle["data"][:] = float(sweep["elevation"])
    radar.add_field("velocity", {"data": np.ma.masked_invalid(velocity)})
    return radar, float(sweep["nyquist"])


def unfold(radar, nyquist):
    """The velocities without folds."""
    return pyart.correct.dealias_region_based(
        radar,
        vel_field="velocity",
        nyquist_vel=nyquist,
        centered=True,
        gatefilter=False,
        rays_wrap_around=True,
    )


def grid(radar, _nyquist):
    """One level of as many cells as the network's grid has, 280 km wide."""
    half = 140_000.0
    return pyart.map.map_gates_to_grid(
        (radar,), (1, 373, 373), ((400.0, 400.0), (-half, half), (-half, half)), fields=["velocity"],
        weighting_function="nearest",
    )  # fmt: skip


def cpu(function, radars):
    """Seconds of the fastest of some calls after one."""
    spent = []
    for _ in range(1 + times):
        start = time.process_time()
        for radar, nyquist in radars:
            function(radar, nyquist)
        spent.append(time.process_time() - start)
    return min(spent[1:])


radars = [radar_of(path) for path in sorted(folder.glob("*.npz"))]
print(json.dumps({"dealias": cpu(unfold, radars), "grid": cpu(grid, radars[:1])}))
