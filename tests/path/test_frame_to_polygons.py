"""From frames to polygons, with numbers worked out by hand.

A block of 10 x 6 cells at 40 dBZ moves 2 columns east and 1 row south a minute over a grid of 0.01 degrees. After
10 minutes its west edge has gone from column 20 to column 40, its north edge from row 20 to row 30.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import shapely
from dynamo.workflows.nowcast import workflow as chain
from PIL import Image

from dynamo.radar.grid import Geometry, Grid
from dynamo.radar.netcdf import read_grid, write_grid

GEOMETRY = Geometry(-98.0, 33.0, 0.01, -0.01, 100, 80)
START = datetime(2026, 3, 25, 5, tzinfo=UTC)


def frame(minute: int) -> Grid:
    values = np.full(GEOMETRY.shape, -32.0)
    row, column = 20 + minute, 20 + 2 * minute
    values[row : row + 6, column : column + 10] = 40.0
    return Grid.from_values(
        values, GEOMETRY, START + timedelta(minutes=minute), undetect=values < 0, source="hand"
    )


@pytest.fixture(scope="module")
def products(tmp_path_factory):
    """Call the tasks one after another, as plain functions."""
    folder = tmp_path_factory.mktemp("path")
    for minute in range(6):
        write_grid(folder / f"frame_{minute}.nc", frame(minute))
    frames = [folder / f"frame_{minute}.nc" for minute in range(6)]
    chain.ingest(frames, folder / "frames.nc", folder / "latest.nc")
    chain.estimate_motion(folder / "frames.nc", folder / "motion.nc", method="constant")
    chain.extrapolate(folder / "latest.nc", folder / "motion.nc", folder / "grid.nc", lead=5)
    chain.plot(folder / "grid.nc", folder / "image.png", folder / "image.json")
    chain.contour(folder / "grid.nc", folder / "polygons.geojson", levels=[35.0, 50.0], min_points=0)
    return folder


def test_the_grid_is_the_block_moved_on(products):
    """Ten minutes after the start the 60 cells of 40 dBZ stand 20 columns and 10 rows from where they began."""
    grid = read_grid(products / "grid.nc")
    assert (grid.time, grid.lead_minutes) == (START + timedelta(minutes=10), 5.0)
    rows, columns = np.nonzero(grid.values > 35)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (30, 35, 40, 49)
    assert len(rows) == 60


def test_the_polygon_runs_half_a_cell_outside_the_outer_centres(products):
    """One polygon at 35 dBZ, none at 50: its edges lie half-way to the first dry cells, its corners are cut."""
    collection = json.loads((products / "polygons.geojson").read_bytes())
    (feature,) = collection["features"]
    west, south, east, north = shapely.geometry.shape(feature["geometry"]).bounds
    # Columns 40 to 49, centres -97.60 to -97.51; rows 30 to 35, centres 32.70 to 32.65.
    assert (west, east) == (pytest.approx(-97.605), pytest.approx(-97.505))
    assert (south, north) == (pytest.approx(32.645), pytest.approx(32.705))
    assert feature["properties"]["level"] == 35.0
    assert feature["properties"]["hazard"] == "STORM"
    assert feature["properties"]["valid_time"] == "2026-03-25T05:10:00Z"
    assert feature["properties"]["lead_minutes"] == 5.0


def test_its_area_is_that_of_sixty_cells_less_the_cut_corners(products):
    """Each of the 4 corners lacks a triangle of 1/8 cell: 59.5 cells of 1.1132 cos(32.675) x 1.1090 km."""
    collection = json.loads((products / "polygons.geojson").read_bytes())
    (feature,) = collection["features"]
    # WGS 84 at 32.675 N: 0.01 degrees of latitude are 1.10905 km, of longitude 1.11320 km on the equator's circle
    # of the ellipsoid times cos(lat) / sqrt(1 - e^2 sin^2(lat)).
    phi = math.radians(32.675)
    width = 1.11320 * math.cos(phi) / math.sqrt(1 - 0.00669438 * math.sin(phi) ** 2)
    assert feature["properties"]["area_km2"] == pytest.approx(59.5 * width * 1.10905, rel=1e-3)


def test_the_ring_is_valid_closed_and_counter_clockwise(products):
    """RFC 7946: the first position is the last, and the interior lies to the left."""
    collection = json.loads((products / "polygons.geojson").read_bytes())
    ring = collection["features"][0]["geometry"]["coordinates"][0]
    assert ring[0] == ring[-1]
    assert shapely.LinearRing(ring).is_ccw
    assert shapely.Polygon(ring).is_valid
    assert (
        len(ring) == 2 * (10 + 6) + 1
    )  # one crossing on each of the 32 edges to dry cells, and the closing one


def test_the_image_shows_the_block_where_the_sidecar_says(products):
    """The centre of the block is opaque at the pixel that its place has in the image; far off it is clear."""
    image = Image.open(products / "image.png").convert("RGBA")
    bounds = json.loads((products / "image.json").read_text())
    west, south, east, north = bounds["bounds"]

    def mercator(lat: float) -> float:
        return math.log(math.tan(math.pi / 4 + math.radians(lat) / 2))

    def alpha(lon: float, lat: float) -> int:
        x = int((lon - west) / (east - west) * image.width)
        y = int((mercator(north) - mercator(lat)) / (mercator(north) - mercator(south)) * image.height)
        return image.getpixel((x, y))[3]

    assert alpha(-97.555, 32.675) == 255
    assert alpha(-97.8, 32.8) == 0
