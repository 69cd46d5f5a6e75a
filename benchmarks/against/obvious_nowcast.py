"""The obvious script for one nowcast cycle: pysteps, matplotlib, geojsoncontour.

``obvious_nowcast.py OUT DRAWN STEPS FRAME...``: forecasts 31 lead times from NetCDF frames, oldest first, of
which STEPS make 30 minutes, and writes a grid, an image and polygons for DRAWN of them, evenly spread. Prints
the seconds of each part; those of the drawn lead times as for all 31.
"""

import contextlib
import io
import json
import sys
import time
from pathlib import Path

import geojsoncontour
import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import netCDF4
import numpy as np

with contextlib.redirect_stdout(io.StringIO()):
    from pysteps.extrapolation.semilagrangian import extrapolate
    from pysteps.motion.lucaskanade import dense_lucaskanade

LEADS = 31
LEVELS = [20, 35, 45, 55]


def load(path):
    """One frame: reflectivity (lat, lon) with no echo as 0 dBZ, and its axes."""
    with netCDF4.Dataset(path) as file:
        values = np.ma.filled(np.squeeze(file["reflectivity"][:]).astype(float), 0.0)
        return np.nan_to_num(values), file["lon"][:].data, file["lat"][:].data


def draw(folder, lead, values, lon, lat):
    """Write the three products of a lead time."""
    with netCDF4.Dataset(folder / f"{lead:02d}.nc", "w") as file:
        file.createDimension("lat", len(lat))
        file.createDimension("lon", len(lon))
        file.createVariable("reflectivity", "f4", ("lat", "lon"), zlib=True)[:] = values
        file.createVariable("lat", "f8", ("lat",))[:] = lat
        file.createVariable("lon", "f8", ("lon",))[:] = lon
    figure = plt.figure(figsize=(len(lon) / 100, len(lat) / 100), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.pcolormesh(lon, lat, np.ma.masked_less(values, 5), vmin=0, vmax=75, cmap="turbo", shading="nearest")
    figure.savefig(folder / f"{lead:02d}.png", transparent=True)
    plt.close(figure)
    figure = plt.figure()
    filled = plt.contourf(lon, lat, values, levels=[*LEVELS, 1000])
    geojson = geojsoncontour.contourf_to_geojson(contourf=filled, ndigits=5)
    (folder / f"{lead:02d}.geojson").write_text(geojson)
    plt.close(figure)


def main(folder, drawn, steps, paths):
    start = time.perf_counter()
    frames = [load(path) for path in paths]
    _, lon, lat = frames[-1]
    values = np.stack([frame[0] for frame in frames])
    loaded = time.perf_counter()
    motion = dense_lucaskanade(values[-3:])
    moved = time.perf_counter()
    leads = [steps * (n + 1) / (LEADS - 1) for n in range(LEADS - 1)]
    forecast = extrapolate(values[-1], motion, leads, allow_nonfinite_values=True)
    forecast = np.nan_to_num(np.concatenate([values[-1:], forecast]))
    extrapolated = time.perf_counter()
    chosen = sorted({round(x) for x in np.linspace(0, LEADS - 1, drawn)})
    for lead in chosen:
        draw(folder, lead, forecast[lead], lon, lat)
    ended = time.perf_counter()
    found = {
        "read": loaded - start,
        "motion": moved - loaded,
        "extrapolation": extrapolated - moved,
        "products": (ended - extrapolated) * LEADS / len(chosen),
    }
    print(json.dumps(found | {"cycle": sum(found.values())}))


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(exist_ok=True)
    main(target, int(sys.argv[2]), float(sys.argv[3]), sys.argv[4:])
