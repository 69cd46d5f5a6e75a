"""What all chains make of a grid: an image with its sidecar, polygons, a legend."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import orjson
import pytest
from dynamo.workflows.products import contour, draw, legend, plot
from PIL import Image

from dynamo.radar.grid import Geometry, Grid
from dynamo.radar.netcdf import read_grid, write_grid
from dynamo.radar.quantities import QUANTITIES

NOON = datetime(2024, 5, 1, 12, 5, tzinfo=UTC)
ABOUT = {"radars": "north", "absent_radars": "south", "freezing_level_m": 4100.0}


def blob(path: Path, quantity: str = "hail_class", **attributes) -> Path:
    """Write a grid that rises to 5 in its middle, and is unknown at its western edge."""
    row, column = np.mgrid[:40, :50]
    values = np.rint(np.clip(5 - np.hypot(row - 20, column - 25) / 3, 0, 5))
    values[:, :3] = np.nan
    grid = Grid.from_values(
        values, Geometry(-97.9, 33.4, 0.005, -0.005, 50, 40), NOON, undetect=values == 0, quantity=quantity,
        source="north", attributes=attributes,
    )  # fmt: skip
    write_grid(path, grid)
    return path


def test_polygons_say_what_they_warn_of_and_what_the_grid_says_of_itself(tmp_path):
    """The kind of hazard and the units come with each polygon, what to doubt with the collection."""
    contour(
        blob(tmp_path / "a.nc", **ABOUT), tmp_path / "a.geojson", levels=[3.5], min_points=4, hazard="HAIL"
    )
    made = orjson.loads((tmp_path / "a.geojson").read_bytes())
    assert (made["hazard"], made["units"], made["known_share"]) == ("HAIL", "1", 0.94)
    assert made["about"] == ABOUT
    (feature,) = made["features"]
    assert (feature["properties"]["hazard"], feature["properties"]["level"]) == ("HAIL", 3.5)
    assert feature["properties"]["area_km2"] == pytest.approx(np.pi * 4.5**2 * 0.556 * 0.464, rel=0.1)
    assert "about" not in feature["properties"]


def test_the_image_says_it_too(tmp_path):
    """Both the sidecar and the text of the PNG, so that neither is taken for more than it is."""
    plot(blob(tmp_path / "a.nc", **ABOUT), tmp_path / "a.png", tmp_path / "a.json")
    assert orjson.loads((tmp_path / "a.json").read_bytes())["about"] == ABOUT
    with Image.open(tmp_path / "a.png") as image:
        assert orjson.loads(str(image.text["about"])) == ABOUT


def test_a_grid_that_says_nothing_of_itself_has_no_such_member(tmp_path):
    """Products of before stay as they were."""
    grid = blob(tmp_path / "a.nc")
    contour(grid, tmp_path / "a.geojson", levels=[3.5])
    plot(grid, tmp_path / "a.png", tmp_path / "a.json")
    assert "about" not in orjson.loads((tmp_path / "a.geojson").read_bytes())
    assert "about" not in orjson.loads((tmp_path / "a.json").read_bytes())


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_every_quantity_has_its_image_and_legend(tmp_path, quantity):
    """There is a palette for each, so no chain must bring its own."""
    grid = blob(tmp_path / "a.nc", quantity)
    plot(grid, tmp_path / "a.png", tmp_path / "a.json")
    legend(grid, tmp_path / "legend.png")
    assert orjson.loads((tmp_path / "a.json").read_bytes())["units"] == QUANTITIES[quantity].units
    with Image.open(tmp_path / "legend.png") as image:
        assert image.size[1] == 320


@pytest.mark.parametrize("empty", [False, True])
def test_a_map_for_people_is_drawn_also_of_nothing(tmp_path, empty):
    """A clear day is a product like any other."""
    grid = blob(tmp_path / "a.nc")
    if empty:
        seen = read_grid(grid)
        nothing = Grid.from_values(
            np.full(seen.geometry.shape, np.nan), seen.geometry, NOON, quantity="hail_class",
            undetect=np.ones(seen.geometry.shape, bool),
        )  # fmt: skip
        write_grid(grid, nothing)
    draw(grid, tmp_path / "map.png", levels=[3.5], title="Hail at")
    with Image.open(tmp_path / "map.png") as image:
        assert min(image.size) > 300
        assert len(np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0)) > 20
