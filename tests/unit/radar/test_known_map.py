"""The map of what is known, as it is written and read."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from dynamo.alerts.hazard import read_hazards
from dynamo.radar.geojson import hazard_properties, write_geojson
from dynamo.radar.grid import Geometry, Grid
from dynamo.radar.known_map import known_map

TIME = datetime(2026, 6, 1, 12, tzinfo=UTC)
STEREOGRAPHIC = "+proj=stere +lat_0=90 +lat_ts=60 +lon_0=10 +x_0=0 +y_0=0 +datum=WGS84"


def made(geometry: Geometry, known: np.ndarray) -> Grid:
    """Return a grid without echo that is known in some cells."""
    return Grid.from_values(np.full(geometry.shape, np.nan, "f4"), geometry, TIME, undetect=known)


def test_cells_of_two_kilometres_hold_the_share_that_is_known():
    """In ninths, from north to south and west to east."""
    known = np.zeros((40, 40), dtype=bool)
    known[:8] = True
    known[8:12, :20] = True
    said = known_map(made(Geometry(4.0, 52.0, 0.005, -0.005, 40, 40), known))
    assert len(said["rows"]) == 11
    assert len(said["rows"][0]) == 7
    assert said["rows"][:2] == ["9999999"] * 2
    assert said["rows"][-7:] == ["0000000"] * 7
    assert said["rows"][2][0] > said["rows"][2][-1]
    assert said["bounds"] == [3.9975, 51.8025, 4.1975, 52.0025]


def test_no_side_has_more_than_a_few_hundred_cells_nor_more_than_the_grid():
    """A continent is told coarsely, and no detail is made up."""
    wide = known_map(made(Geometry(0.0, 60.0, 0.02, -0.5, 1500, 3), np.ones((3, 1500), dtype=bool)))
    assert (len(wide["rows"]), len(wide["rows"][0])) == (3, 256)
    assert set("".join(wide["rows"])) == {"9"}


def test_a_grid_of_metres_is_told_in_degrees_and_what_lies_beyond_it_is_not_known(tmp_path):
    """Who reads it finds the same places known as the grid."""
    geometry = Geometry(-200_000, -3_000_000, 1000, -1000, 300, 300, STEREOGRAPHIC)
    known = np.zeros((300, 300), dtype=bool)
    known[:150] = True
    grid = made(geometry, known)
    write_geojson(tmp_path / "a.geojson", [], properties=hazard_properties(grid), known_map=known_map(grid))
    seen = read_hazards(tmp_path / "a.geojson").seen
    for column, row, share in ((150, 75, 1.0), (150, 225, 0.0), (150, 149.5, 0.5), (-40, 75, 0.0)):
        lon, lat = (float(one[0]) for one in geometry.lonlat(np.array([column]), np.array([row])))
        assert seen.near(lon, lat, 10.0) == pytest.approx(share, abs=0.08)


def test_a_grid_with_a_pole_in_it_has_none():
    """No box of degrees holds it."""
    geometry = Geometry(-150_000, 150_000, 1000, -1000, 300, 300, STEREOGRAPHIC)
    assert known_map(made(geometry, np.ones((300, 300), dtype=bool))) is None
