"""Contact sheets: drawn for every kind of weather, without pyplot, and the same each time."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from PIL import Image

from dynamo.errors import DataError
from dynamo.radar.contour import contour
from dynamo.radar.figure import write_contact_sheet
from dynamo.radar.grid import Geometry, Grid

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


@pytest.mark.parametrize("count", [1, 2, 3, 5, 9])
def test_any_number_of_grids_makes_a_sheet(tmp_path, count):
    """With polygons, arrows and a title; the storm is red."""
    grids = storms(count)
    bands = [contour(g, (20, 45)) for g in grids]
    motion = np.full((60, 80), 15.0), np.full((60, 80), -5.0)
    write_contact_sheet(tmp_path / "a.png", grids, bands=bands, motion=motion, title="Storm")
    assert red_pixels(tmp_path / "a.png") > 5000


@pytest.mark.parametrize("fill", [np.nan, 75.0])
def test_calm_and_saturated_grids_make_a_sheet_too(tmp_path, fill):
    """Nothing to zoom to, and no motion anywhere."""
    grids = storms(2, fill)
    bands = [contour(g, [45]) for g in grids]
    still = np.zeros((60, 80)), np.zeros((60, 80))
    write_contact_sheet(tmp_path / "a.png", grids, bands=bands, motion=still)
    assert (tmp_path / "a.png").stat().st_size > 5000


def test_rain_and_projected_grids_make_a_sheet(tmp_path):
    """Another quantity, another CRS, another format."""
    geometry = Geometry(2e6, -6e5, 2000, -2000, 80, 60, "+proj=laea +lat_0=55 +lon_0=10")
    grids = [replace(g, geometry=geometry, quantity="rain_rate") for g in storms(3)]
    write_contact_sheet(tmp_path / "a.svg", grids, bands=[contour(g, [10]) for g in grids], zoom=False)
    assert "rain rate, mm h-1" in (tmp_path / "a.svg").read_text()


def test_the_same_grids_give_the_same_bytes(tmp_path):
    """No date in the file."""
    for name in ("a.png", "b.png"):
        write_contact_sheet(tmp_path / name, storms(2))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_grids_that_do_not_belong_together_are_refused(tmp_path):
    """None, two shapes, two quantities, too few bands."""
    one = storms(1)[0]
    moved = replace(one, geometry=replace(PLACE, x0=-90.0))
    for grids, bands, message in (
        ([], None, "at least one grid"),
        ([one, moved], None, "does not fit the first"),
        ([one, replace(one, quantity="rain_rate")], None, "cannot mix"),
        ([one], [], "0 lists of bands for 1 grids"),
    ):
        with pytest.raises(DataError, match=message):
            write_contact_sheet(tmp_path / "a.png", grids, bands=bands)


def test_neither_pyplot_nor_a_plotting_library_is_imported_by_the_products():
    """Images, polygons and animations must not pay for matplotlib; contact sheets not for pyplot."""
    code = (
        "import sys, dynamo.radar.contour, dynamo.radar.geojson, dynamo.radar.image, dynamo.radar.animation, "
        "dynamo.radar.figure;"
        "print(sorted(set('matplotlib PIL shapely xarray pandas'.split()) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
