"""Contours against other ways to make them, in the same run: ``python benchmarks/contour.py [--size
N]``.

Four weathers on one grid (calm, scattered cells, a squall line, widespread rain) and real frames where
there are any. Each row: milliseconds for the filled bands of six levels, as polygons, by dynamo, by
matplotlib and shapely, by geojsoncontour where it is installed, and the ratio. The last line is dynamo's
worst weather against its average.
"""

from __future__ import annotations

import argparse
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from dynamo.radar.contour import contour
from dynamo.radar.geojson import dumps, hazard_properties
from dynamo.radar.grid import Geometry, Grid

LEVELS = (5, 15, 20, 35, 45, 55)
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def weathers(size):
    """Half-dB reflectivity of four kinds of weather, (size, size) each; NaN where there is none."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:size, :size] / size

    def rough(slope, largest=1.0):
        """Noise with a spectrum k^-slope, as rain has (2 to 3), and nothing larger than a part of the
        grid."""
        k = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)) * size
        amplitude = np.where(k >= 1 / largest, np.maximum(k, 1) ** (-(slope + 1) / 2), 0)
        field = np.fft.irfft2(amplitude * np.exp(2j * np.pi * rng.random(k.shape)), s=(size, size))
        return field / field.std()

    texture = 4 * rough(2.5, 0.05)
    cells = np.full((size, size), -40.0)
    for _ in range(40):
        cy, cx, width = *rng.uniform(0.05, 0.95, 2), rng.uniform(0.004, 0.02)
        cells = np.maximum(cells, 58 - 12 * ((x - cx) ** 2 + (y - cy) ** 2) / width**2)
    front = np.abs(x - 0.45 - 0.15 * np.sin(3 * y)) / 0.03
    fields = {
        "calm": np.full((size, size), -40.0),
        "average": cells + texture,
        "line": 56 - 11 * front + 2 * texture,
        "widespread": 18 + 11 * rough(2.5),
    }
    return {name: np.where(f >= 0, np.round(2 * f) / 2, np.nan).astype("f4") for name, f in fields.items()}


def real_frames():
    """Last frames of the sample sequences, as they lie on disk."""
    root = (
        Path(os.environ.get("DYNAMO_SAMPLES", Path(__file__).resolve().parents[2] / "shared" / "data"))
        / "grids"
    )
    for path in sorted(root.glob("*.nc")):
        import netCDF4

        with netCDF4.Dataset(path) as file:
            yield path.name.split("_")[0], np.ma.filled(file["reflectivity"][-1].astype("f4"), np.nan)


def best(function, times):
    """Milliseconds of the fastest of some calls: the one that other processes disturbed least."""
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        function()
        spent.append(time.perf_counter() - start)
    return 1000 * min(spent)


def with_matplotlib(values):
    """contourf, its rings, and shapely to sort holes from outer rings, as most scripts do."""
    import shapely
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure()
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    found = []
    for level in LEVELS:
        path = axes.contourf(values, levels=[level, 1e9]).get_paths()[0]
        rings = [ring for ring in path.to_polygons(closed_only=True) if len(ring) > 3]
        found.append(
            shapely.build_area(shapely.multilinestrings([shapely.linestrings(r) for r in rings]))
            if rings
            else None
        )
    return found


def with_contourpy(values):
    """The tracer inside matplotlib, without its figure; levels half a step lower, for valid rings."""
    import contourpy
    import shapely

    generator = contourpy.contour_generator(z=values, fill_type="ChunkCombinedOffsetOffset")
    found = []
    for level in LEVELS:
        points, rings, polygons = (chunk[0] for chunk in generator.filled(level - 0.25, np.inf))
        if points is not None:
            found.append(shapely.from_ragged_array(shapely.GeometryType.POLYGON, points, (rings, polygons)))
    return found


def with_geojsoncontour(values):
    """The library of that name, on the same contourf."""
    import geojsoncontour
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure()
    FigureCanvasAgg(figure)
    filled = figure.add_subplot().contourf(values, levels=[*LEVELS, 1e9])
    return geojsoncontour.contourf_to_geojson(filled, ndigits=5)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=1000, help="rows and columns of the made-up weathers")
    parser.add_argument("--times", type=int, default=5, help="calls, of which the fastest counts")
    arguments = parser.parse_args()
    peers = {"contourpy+shapely": with_contourpy, "matplotlib+shapely": with_matplotlib}
    try:
        import geojsoncontour  # noqa: F401
    except ImportError:
        print("geojsoncontour: not installed, left out\n")
    else:
        peers["geojsoncontour"] = with_geojsoncontour
    print(f"{len(LEVELS)} levels, milliseconds, fastest of {arguments.times}")
    heads = "".join(f"{name:>20}{'ratio':>7}" for name in peers)
    print(f"{'weather':<12}{'cells':>12}{'points':>9}{'dynamo':>9}{'+JSON':>9}{heads}")
    ours = {}
    for name, values in [*weathers(arguments.size).items(), *real_frames()]:
        ny, nx = values.shape
        place = Geometry(-98, 34, 0.01, -0.01, nx, ny)
        grid = Grid.from_values(values, place, NOON, undetect=np.isnan(values))
        bands, properties = contour(grid, LEVELS), hazard_properties(grid)
        ours[name] = best(lambda g=grid: contour(g, LEVELS), arguments.times)
        written = best(lambda b=bands, p=properties: dumps(b, properties=p), arguments.times)
        points = sum(len(band.coordinates) for band in bands)
        line = f"{name:<12}{f'{ny} x {nx}':>12}{points:>9}{ours[name]:>9.1f}{written:>9.1f}"
        filled = np.nan_to_num(values, nan=-32.0)
        for function in peers.values():
            theirs = best(lambda f=function, v=filled: f(v), 2)
            line += f"{theirs:>20.0f}{theirs / ours[name]:>7.1f}"
        print(line, flush=True)
    worst = max(ours.values())
    print(
        f"\nworst weather against average: {worst / ours['average']:.1f}   against calm: {worst / ours['calm']:.1f}"
    )


if __name__ == "__main__":
    main()
