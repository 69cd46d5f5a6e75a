"""Contact sheets: drawn for every kind of weather, without pyplot, and the same each time."""

from __future__ import annotations

import subprocess
import sys
import weakref
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from PIL import Image

from dynamo.errors import DataError
from dynamo.radar.figure import write_contact_sheet
from dynamo.radar.figure_marks import motion_at
from dynamo.radar.figure_window import thinned
from dynamo.radar.grid import Geometry, Grid
from dynamo.radar.motion import Motion

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
PLACE = Geometry(-97.0, 33.0, 0.01, -0.01, 80, 60)


def storms(count, fill=50.0):
    grids = []
    for i in range(count):
        values = np.full((60, 80), np.nan)
        values[20:40, 5 * i : 5 * i + 20] = fill
        time = NOON + timedelta(minutes=5 * i)
        grids.append(Grid.from_values(values, PLACE, time, undetect=np.isnan(values), lead_minutes=5.0 * i))
    return grids


def red_pixels(path):
    with Image.open(path) as image:
        rgb = np.asarray(image.convert("RGB")).astype(int)
    return int(((rgb[..., 0] > 240) & (rgb[..., 1] < 20) & (rgb[..., 2] < 20)).sum())


def steady(u, v, geometry=PLACE):
    parts = (np.full((3, 4), part, np.float32) for part in (u, v))
    return Motion(*parts, geometry, NOON, "constant", 1)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 9])
def test_any_number_of_grids_makes_a_sheet(tmp_path, count):
    """With polygons, arrows and a title; the storm is red."""
    sheet = tmp_path / "a.png"
    write_contact_sheet(sheet, storms(count), levels=(20, 45), motion=steady(1.5, 0.5), title="Storm of")
    assert red_pixels(sheet) > 5000


@pytest.mark.parametrize("fill", [np.nan, 75.0])
def test_calm_and_saturated_grids_make_a_sheet_too(tmp_path, fill):
    """Nothing to zoom to, and no motion anywhere."""
    write_contact_sheet(tmp_path / "a.png", storms(2, fill), levels=[45], motion=steady(0, 0))
    assert (tmp_path / "a.png").stat().st_size > 5000


def share_of(path, colour):
    """The share of an image's pixels that have a colour, more or less."""
    with Image.open(path) as image:
        rgb = np.asarray(image.convert("RGB")).astype(int)
    return (np.abs(rgb - colour).max(axis=-1) <= 3).mean()


GREY = (218, 220, 223)


@pytest.mark.parametrize("why", ["missing", "out_of_range"])
def test_what_is_not_known_is_grey(tmp_path, why):
    """And what is dry is not; the legend has the grey too."""
    half = np.broadcast_to(np.arange(80) < 40, (60, 80))
    values = np.full((60, 80), np.nan)
    given = {"undetect": ~half, "out_of_range": half} if why == "out_of_range" else {"undetect": ~half}
    write_contact_sheet(tmp_path / "dry.png", storms(1, np.nan))
    write_contact_sheet(tmp_path / "half.png", [Grid.from_values(values, PLACE, NOON, **given)])
    dry, unknown = share_of(tmp_path / "dry.png", GREY), share_of(tmp_path / "half.png", GREY)
    assert 0 < dry < 0.01
    assert unknown > 0.25


def test_what_is_not_known_draws_no_attention(tmp_path):
    """The window is that of the echoes, whatever lies around them."""
    (seen,) = storms(1)
    around = seen.values == 50
    nothing = Grid.from_values(np.where(around, 50.0, np.nan), PLACE, NOON, out_of_range=~around)
    for name, grid in (("seen", seen), ("nothing", nothing)):
        write_contact_sheet(tmp_path / f"{name}.png", [grid])
    assert red_pixels(tmp_path / "seen.png") == red_pixels(tmp_path / "nothing.png")


def test_rain_and_projected_grids_make_a_sheet(tmp_path):
    """Another quantity, another CRS, another format."""
    geometry = Geometry(2e6, -6e5, 2000, -2000, 80, 60, "+proj=laea +lat_0=55 +lon_0=10")
    grids = [replace(g, geometry=geometry, quantity="rain_rate") for g in storms(3)]
    write_contact_sheet(tmp_path / "a.svg", grids, levels=[10])
    assert "rain rate, mm h-1" in (tmp_path / "a.svg").read_text()


def test_the_same_grids_give_the_same_bytes(tmp_path):
    """No date in the file."""
    for name in ("a.png", "b.png"):
        write_contact_sheet(tmp_path / name, storms(2))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_one_grid_at_a_time_is_held(tmp_path):
    """The one that was drawn is gone when the next but one is asked for."""
    held = []

    def one_by_one():
        for number in range(6):
            assert sum(one() is not None for one in held) <= 1
            (grid,) = storms(1, 40.0 + number)
            held.append(weakref.ref(grid.values))
            yield grid

    write_contact_sheet(tmp_path / "a.png", one_by_one(), levels=[20])
    assert not any(one() is not None for one in held)


@pytest.mark.parametrize("pixels", [10, 33, 60, 120, 500])
def test_thinned_cells_stay_where_they_are(pixels):
    """What is shown covers the window with about two cells a pixel, each within half a step of its place."""
    geometry = Geometry(0.5, 999.5, 1.0, -1.0, 250, 1000)
    columns = np.broadcast_to(np.arange(250, dtype=np.uint8), (1000, 250))
    window = (17.3, 204.0, 241.9, 803.6)
    thin, (west, south, east, north) = thinned(columns, geometry, window, pixels)
    assert thin.shape[1] <= max(3 * pixels, 226)
    assert thin.shape[1] >= min(2 * pixels, 224)
    step = (east - west) / thin.shape[1]
    assert west <= window[0]
    assert north >= window[3]
    assert east >= window[2] - step / 2
    assert south <= window[1] + step / 2
    centres = west + step * (np.arange(thin.shape[1]) + 0.5)
    assert (np.abs(thin[0] + 0.5 - centres) <= max(step / 2, 0.5)).all()
    assert step == (north - south) / thin.shape[0]


def test_grids_that_do_not_belong_together_are_refused(tmp_path):
    """None, two shapes, two quantities, motion of another grid."""
    one = storms(1)[0]
    elsewhere = replace(PLACE, x0=-90.0)
    moved = replace(one, geometry=elsewhere)
    for grids, motion, message in (
        ([], None, "at least one grid"),
        ([one, moved], None, "does not fit the first"),
        ([one, replace(one, quantity="rain_rate")], None, "cannot mix"),
        ([one], steady(1, 1, elsewhere), "motion does not fit"),
    ):
        with pytest.raises(DataError, match=message):
            write_contact_sheet(tmp_path / "a.png", grids, motion=motion)


@pytest.mark.parametrize(("u", "v", "east", "north"), [(2, 0, 1, 0), (0, -2, 0, 1), (0, 0, 0, 0)])
def test_arrows_point_where_the_echoes_go(u, v, east, north):
    """Columns run east, rows south; off the grid there is no arrow."""
    lon, lat = np.array([-96.8, -96.21, -95.0]), np.array([32.8, 32.41, 32.8])
    eastward, northward, inside = motion_at(steady(u, v), lon, lat)
    assert (np.sign(eastward) == east).all()
    assert (np.sign(northward) == north).all()
    assert inside.tolist() == [True, True, False]


def test_neither_pyplot_nor_a_plotting_library_is_imported_by_the_products():
    """Images, polygons and animations must not pay for matplotlib; contact sheets not for pyplot."""
    code = (
        "import sys, dynamo.radar.contour, dynamo.radar.geojson, dynamo.radar.image, dynamo.radar.animation, "
        "dynamo.radar.figure;"
        "print(sorted(set('matplotlib PIL shapely xarray pandas'.split()) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
