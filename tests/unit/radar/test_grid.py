"""The internal form of a grid."""

from datetime import UTC, datetime

import numpy as np
import pytest

from dynamo.errors import DataError
from dynamo.radar.grid import Cell, Geometry, Grid

GEOMETRY = Geometry(-98.0, 33.0, 0.01, -0.02, 4, 3)
LAEA = Geometry(1000.0, 9000.0, 1000.0, -1000.0, 4, 3, "EPSG:3035")
TIME = datetime(2026, 3, 25, 5, tzinfo=UTC)


def field(geometry: Geometry = GEOMETRY) -> Grid:
    values = np.full(geometry.shape, np.nan)
    values[0, 0], values[1, 1] = 30.0, np.inf
    undetect = np.zeros(geometry.shape, bool)
    undetect[2, :2] = True
    outside = np.zeros(geometry.shape, bool)
    outside[:, 3] = True
    return Grid.from_values(
        values, geometry, TIME, undetect=undetect, out_of_range=outside, lead_minutes=5.0, source="made"
    )


def test_the_three_kinds_of_nothing_stay_apart():
    """An echo, nothing found, no value, and nobody looking are four statuses; only the first two are known."""
    grid = field()
    assert grid.status[0, 0] == Cell.ECHO
    assert grid.status[2, 0] == Cell.UNDETECT
    assert grid.status[1, 1] == grid.status[0, 1] == Cell.MISSING
    assert (grid.status[:, 3] == Cell.OUT_OF_RANGE).all()
    assert grid.values[2, 0] == -32.0
    assert np.isnan(grid.values[grid.status >= Cell.MISSING]).all()
    assert grid.known.sum() == 3


@pytest.mark.parametrize("geometry", [GEOMETRY, LAEA])
def test_xarray_and_back_changes_nothing(geometry):
    """A CF dataset carries everything that a grid holds."""
    grid = field(geometry)
    back = Grid.from_xarray(grid.to_xarray())
    np.testing.assert_array_equal(back.values, grid.values)
    np.testing.assert_array_equal(back.status, grid.status)
    assert back.geometry.difference(geometry) == "" or back.geometry.crs != geometry.crs
    assert (back.time, back.lead_minutes, back.source) == (TIME, 5.0, "made")


def test_the_dataset_speaks_cf():
    """Names, units, flags and the grid mapping are those of the conventions."""
    dataset = field().to_xarray()
    assert dataset["reflectivity"].attrs["standard_name"] == "equivalent_reflectivity_factor"
    assert dataset["cell_status"].attrs["flag_meanings"] == "echo undetect missing out_of_range"
    assert dataset["lat"].attrs["units"] == "degrees_north"
    assert dataset["crs"].attrs["grid_mapping_name"] == "latitude_longitude"


def test_indices_and_coordinates_are_inverse():
    """A point goes to its cell and back, on degrees and on a projection."""
    for geometry in (GEOMETRY, LAEA):
        lon, lat = geometry.lonlat(np.array([2.25]), np.array([1.5]))
        column, row = geometry.indices(lon, lat)
        assert column[0] == pytest.approx(2.25, abs=1e-5)
        assert row[0] == pytest.approx(1.5, abs=1e-5)


def test_the_difference_of_two_grids_is_told_in_words():
    """Another size, another place and another projection are each named."""
    assert GEOMETRY.difference(GEOMETRY) == ""
    assert "5 x 4 cells instead of 3 x 4" in GEOMETRY.difference(Geometry(-98.0, 33.0, 0.01, -0.02, 4, 5))
    assert "cells" in GEOMETRY.difference(Geometry(-97.0, 33.0, 0.01, -0.02, 4, 3))
    assert "EPSG:3035" in GEOMETRY.difference(LAEA)


def test_a_cell_at_33_north_is_as_wide_as_the_cosine_says():
    """0.01 degrees of longitude are 0.93 km at 33 N, 0.02 degrees of latitude 2.22 km."""
    width, height = GEOMETRY.cell_size_km()
    assert width == pytest.approx(0.9327, abs=1e-3)
    assert height == pytest.approx(2.2239, abs=1e-3)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Geometry(0, 0, 1, 1, 2, 2), "not a north-up grid"),
        (lambda: Geometry.from_coordinates(np.array([0, 1, 3.0]), np.array([1, 0.0])), "not evenly spaced"),
        (lambda: Geometry.from_coordinates(np.array([0.0]), np.array([1, 0.0])), "at least 2 x 2"),
        (lambda: Grid.from_values(np.zeros((2, 2)), GEOMETRY, TIME), "do not fit"),
        (lambda: Grid.from_values(np.zeros((3, 4)), GEOMETRY, TIME.replace(tzinfo=None)), "aware"),
        (
            lambda: Grid.from_values(np.zeros((3, 4)), GEOMETRY, TIME, quantity="rain_rate").to_xarray()["x"],
            "x",
        ),
    ],
)
def test_what_is_no_grid_is_refused(make, says):
    """Each refusal says what is wrong."""
    with pytest.raises((DataError, KeyError), match=says):
        make()
