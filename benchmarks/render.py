"""Images against matplotlib, in the same run: ``python benchmarks/render.py [--size N ...]``.

Each row: milliseconds to write one grid as a transparent palette PNG by dynamo (on the grid's own rows, and
placed on EPSG:3857 for web maps), by `matplotlib.image.imsave` and by `pcolormesh` on a figure without
axes; ratios are against dynamo's web image. Then 31 of them as an APNG and as a GIF.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from dynamo.radar.animation import write_animation
from dynamo.radar.grid import Geometry, Grid
from dynamo.radar.image import write_png
from dynamo.radar.palette import colours

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def rain(size):
    """Half-dB reflectivity of scattered showers, (size, size); NaN where there is none."""
    field = cv2.GaussianBlur(
        np.random.default_rng(7).normal(size=(size, size)).astype("f4"), (0, 0), size / 60
    )
    field = 12 + 18 * field / field.std()
    return np.where(field >= 0, np.round(2 * field) / 2, np.nan).astype("f4")


def best(function, times):
    """Milliseconds of the fastest of some calls: the one that other processes disturbed least."""
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        function()
        spent.append(time.perf_counter() - start)
    return 1000 * min(spent)


def with_imsave(path, values):
    """Colour every cell, then write RGBA."""
    from matplotlib.colors import ListedColormap
    from matplotlib.image import imsave

    imsave(
        path,
        np.ma.masked_invalid(values),
        cmap=ListedColormap(colours("reflectivity").rgb / 255),
        vmin=0,
        vmax=75.5,
    )


def with_pcolormesh(path, values):
    """The obvious script: a mesh on a figure as large as the grid, without axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure

    ny, nx = values.shape
    figure = Figure(figsize=(nx / 100, ny / 100), dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    colour = ListedColormap(colours("reflectivity").rgb / 255)
    axes.pcolormesh(np.ma.masked_invalid(values[::-1]), cmap=colour, vmin=0, vmax=75.5)
    figure.savefig(path, transparent=True)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, nargs="+", default=[400, 1000], help="rows and columns")
    parser.add_argument("--times", type=int, default=7, help="calls, of which the fastest counts")
    arguments = parser.parse_args()
    peers = {"imsave": with_imsave, "pcolormesh": with_pcolormesh}
    print(f"one image, milliseconds, fastest of {arguments.times}")
    print(
        f"{'cells':>12}{'own rows':>10}{'web':>8}",
        *(f"{p:>12}{'ratio':>7}" for p in peers),
        f"{'31: APNG':>12}{'GIF':>8}",
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.png"
        for size in arguments.size:
            values = rain(size)
            geometry = Geometry(-98, 34, 4.0 / size, -4.0 / size, size, size)
            grid = Grid.from_values(values, geometry, NOON, undetect=np.isnan(values))
            own = best(lambda g=grid: write_png(path, g, crs=None), arguments.times)
            web = best(lambda g=grid: write_png(path, g), arguments.times)
            line = f"{f'{size} x {size}':>12}{own:>10.1f}{web:>8.1f}"
            for function in peers.values():
                theirs = best(lambda f=function, v=values: f(path, v), 2)
                line += f" {theirs:>12.0f}{theirs / web:>7.0f}"
            for suffix, width in ((".png", 13), (".gif", 8)):
                movie = path.with_name(f"movie{suffix}")
                line += f"{best(lambda m=movie, g=grid: write_animation(m, [g] * 31), 2):>{width}.0f}"
            print(line, flush=True)


if __name__ == "__main__":
    main()
