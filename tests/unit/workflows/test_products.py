"""What all chains make of a grid: an image with its sidecar, polygons, a legend."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import orjson
import pytest
from dynamo.workflows.hail import hail, hail_size
from dynamo.workflows.products import contour, draw, legend, plot
from dynamo.workflows.wind import wind
from PIL import Image

from dynamo.radar.grid import Geometry, Grid
from dynamo.radar.netcdf import read_grid, write_grid
from dynamo.radar.palette import palette
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


@pytest.mark.parametrize("described", [hail, hail_size, wind])
def test_images_that_warn_show_what_is_not_known(tmp_path, described):
    """Where nothing is known must not look as where nothing is: the chains of hail and wind say so of each image."""
    graph = described.graph(["a.nc"])
    steps = [task for task in graph.tasks.values() if task.step in ("plot", "legend")]
    assert {task.step for task in steps} == {"plot", "legend"}
    assert all(task.params["veiled"] is True for task in steps)
    plot(blob(tmp_path / "a.nc"), tmp_path / "a.png", tmp_path / "a.json", veiled=True)
    with Image.open(tmp_path / "a.png") as image:
        alpha = np.asarray(image.convert("RGBA"))[..., 3]
    assert ((alpha[:, :3] > 0) & (alpha[:, :3] < 128)).all()
    assert (alpha[0, 3:] == 0).all()
    assert alpha[20, 25] == 255


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


def drawn(folder: Path, title: str = "Hail at", **attributes) -> np.ndarray:
    """Return the map for people of a grid that says this of itself, as RGB."""
    draw(blob(folder / "a.nc", **attributes), folder / "a.png", levels=[3.5], title=title)
    with Image.open(folder / "a.png") as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_a_map_for_people_shows_the_whole_grid_always(tmp_path):
    """Also where nothing is known: else the frame would jump with the echoes, from minute to minute."""
    pixels = drawn(tmp_path)
    row = pixels[pixels.shape[0] // 3]
    unknown = (abs(row - [217, 219, 222]) < 3).all(axis=1)  # the ink of what is not known, on the ground
    assert unknown.sum() == pytest.approx(3 / 50 * 6.0 * 110, abs=4)  # of a map that is 6 inches wide


def test_no_outline_buries_what_a_class_is(tmp_path):
    """Hail is often a few cells: all of its colour is seen."""
    pixels = drawn(tmp_path)
    hail = (pixels[:-250] == [0xE8, 0x55, 0x2D]).all(axis=-1) | (pixels[:-250] == [0x8B, 0x0F, 0x6B]).all(
        axis=-1
    )
    a_cell = (6.0 * 110 / 50) ** 2 / np.cos(np.radians(33.3))  # in Mercator, of a map that is 6 inches wide
    assert hail.sum() == pytest.approx(
        np.count_nonzero(read_grid(tmp_path / "a.nc").values >= 4) * a_cell, rel=0.02
    )


def test_a_long_title_is_not_cut_off(tmp_path):
    """It is smaller."""
    assert (drawn(tmp_path, "Radial wind, very near to the ground, at")[:75, -30:] == 255).all()


def test_a_map_for_people_tells_what_it_is_made_of(tmp_path):
    """Below it, wrapped; a word more of a radar that is absent is a line more."""
    heights = [
        drawn(tmp_path, **said).shape[0]
        for said in ({}, {"radars": "north"}, ABOUT, {**ABOUT, "warning": "no sounding serves. " * 10})
    ]
    assert [round((tall - heights[0]) / (110 * 0.145)) for tall in heights] == [0, 1, 2, 4]


def test_classes_have_names(tmp_path):
    """Beside the legend, and wider than numbers."""
    legend(blob(tmp_path / "a.nc"), tmp_path / "class.png")
    legend(blob(tmp_path / "b.nc", "mesh"), tmp_path / "size.png")
    with Image.open(tmp_path / "class.png") as named, Image.open(tmp_path / "size.png") as numbers:
        assert named.width > numbers.width + 30
    assert [palette("hail_class").words(v) for v in (1, 3.5, 4, 4.5)] == [
        "rain, snow", "hail", "hail", "large hail",
    ]  # fmt: skip
