"""The highest radial wind near the ground: of made sweeps whose wind is known, and of the CASA network's own."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyproj
import pytest

from dynamo.errors import DataError, UserError
from dynamo.radar.gates import cells, highest
from dynamo.radar.grid import Cell, Geometry, Grid
from dynamo.radar.polar import Sweep, beam_height, cell_heights
from dynamo.radar.readers import read_sweeps
from dynamo.radar.rolling import DAMAGED
from dynamo.radar.wind import strongest, wind_grid, wind_speed

START = datetime(2017, 3, 29, 7, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
AZIMUTHS = np.arange(0.5, 360)
RANGES = 100 + 100.0 * np.arange(300)
GEOMETRY = Geometry(-97.3, 33.25, 0.008, -0.0067, 75, 75)


def sweep_of(velocity, *, nyquist=12.0, elevation=2.0, radar="test.tx", **moments) -> Sweep:
    velocity = np.broadcast_to(np.asarray(velocity, "f4"), (360, 300))
    folded = ((velocity + nyquist) % (2 * nyquist) - nyquist).astype("f4")
    given = {name: np.broadcast_to(np.asarray(value, "f4"), (360, 300)) for name, value in moments.items()}
    return Sweep(
        AZIMUTHS, RANGES, elevation, {"velocity": folded, "reflectivity": np.full((360, 300), 30, "f4"), **given},
        np.zeros((360, 300), bool), 33.0, -97.0, 200.0, START, radar, nyquist=nyquist,
    )  # fmt: skip


def westerly(speed: float):
    """The radial part of a wind from the west."""
    return speed * np.sin(np.radians(AZIMUTHS))[:, None]


def speed_at(grid: Grid, lon: float, lat: float) -> float:
    column, row = grid.geometry.indices(np.array(lon), np.array(lat))
    return float(grid.values[round(float(row)), round(float(column))])


def test_a_wind_from_the_west_is_seen_along_the_beam_only():
    """30 m/s, folded twice, is 30 m/s to the east and west of the radar, and about nothing to its north and south."""
    grid = wind_grid(wind_speed(sweep_of(westerly(30.0))), GEOMETRY)
    for lon, lat, speed in ((-96.93, 33.0, 30), (-97.07, 33.0, 30), (-97.0, 33.06, 0), (-97.0, 32.94, 0)):
        assert speed_at(grid, lon, lat) == pytest.approx(speed, abs=4)  # a cell spans 6 degrees here
    assert (grid.quantity, grid.source, grid.time) == ("wind_speed", "test.tx", START)
    assert grid.attributes == {"radar": "test.tx", "site": "33.000 -97.000", "elevation": 2.0}


@pytest.mark.parametrize(("above", "low", "high"), [("sea", 0.0, 400.0), ("radar", 200.0, 600.0)])
def test_only_where_the_beam_is_in_the_band_is_the_wind_known(above, low, high):
    """With the antenna at 200 m the band ends at 400 m above it, or at 600; beyond, no radar looks."""
    grid = wind_grid(wind_speed(sweep_of(westerly(30.0))), GEOMETRY, above=above)
    lon, lat = np.meshgrid(GEOMETRY.x, GEOMETRY.y)
    *_, ground = pyproj.Geod(ellps="WGS84").inv(np.full_like(lon, -97), np.full_like(lat, 33), lon, lat)
    height = beam_height(ground / np.cos(np.radians(2.0)), 2.0)
    margin = 30.0  # m: a cell is 750 m wide, over which the beam rises by 26 m
    inside = (height > low + margin) & (height < high - margin) & (ground > 800)
    outside = (height < low - margin) | (height > high + margin)
    assert (grid.status[inside] == Cell.ECHO).all()
    assert (grid.status[outside] == Cell.OUT_OF_RANGE).all()
    assert inside.any()
    assert outside.any()


def test_a_beam_that_never_comes_into_the_band_tells_nothing():
    """Straight up, and a radar on a mountain: a grid all the same, of which nothing is known."""
    for sweep in (
        sweep_of(westerly(30.0), elevation=89.0),
        replace(sweep_of(westerly(30.0)), altitude=2000.0),
    ):
        grid = wind_grid(wind_speed(sweep), GEOMETRY, band=(200.0, 250.0))
        assert (grid.status == Cell.OUT_OF_RANGE).all()
        assert grid.attributes["radar"] == "test.tx"


def test_a_beam_that_sinks_through_the_band_and_rises_again_counts_only_within():
    """Of a radar on a hill that looks down: what lies between its two ways through the band is under it."""
    ranges = 500 + 500.0 * np.arange(300)
    height = beam_height(ranges, -0.5, 700.0)
    under = height < 430.0
    assert under.any()
    assert height[-1] > 560.0
    sweep = Sweep(
        AZIMUTHS, ranges, -0.5, {"wind_speed": np.where(under, 33.0, np.full((360, 1), 10.0)).astype("f4")},
        np.zeros((360, 300), bool), 33.0, -97.0, 700.0, START, "test.tx", nyquist=12.0,
    )  # fmt: skip
    geometry = Geometry(-98.5, 34.3, 0.02, -0.02, 150, 130)
    grid = wind_grid(sweep, geometry, band=(430.0, 560.0))
    assert np.nanmax(grid.values) == 10.0
    hole = cell_heights(sweep, geometry) < 420.0
    assert hole.any()
    assert (grid.status[hole] == Cell.OUT_OF_RANGE).all()


@pytest.mark.parametrize(("above", "altitude"), [("sea", 0.0), ("radar", 1500.0)])
@pytest.mark.parametrize("value", [10.0, np.nan])
def test_a_single_gate_in_the_band_tells_its_wind(value, above, altitude):
    """Looking up steeply, with gates of 1 km: known where there is a wind, else missing, not out of range."""
    ranges = 500 + 1000.0 * np.arange(20)
    sweep = Sweep(
        AZIMUTHS, ranges, 30.0, {"wind_speed": np.full((360, 20), value, "f4")}, np.zeros((360, 20), bool),
        33.0, -97.0, altitude, START, "test.tx", nyquist=12.0,
    )  # fmt: skip
    height = beam_height(ranges, 30.0)
    assert ((height >= 200) & (height <= 600)).sum() == 1
    grid = wind_grid(sweep, Geometry(-97.02, 33.02, 0.001, -0.001, 41, 41), above=above)
    seen = grid.status != Cell.OUT_OF_RANGE
    assert seen.sum() > 20
    assert (grid.status[seen] == (Cell.MISSING if np.isnan(value) else Cell.ECHO)).all()


def test_no_echo_is_not_no_wind():
    """In the band, but without anything that reflects: missing, never "nothing detected"."""
    calm = sweep_of(np.where(AZIMUTHS[:, None] < 180, westerly(30.0), np.nan) + np.zeros(300))
    grid = wind_grid(wind_speed(calm), GEOMETRY)
    assert speed_at(grid, -96.93, 33.0) == pytest.approx(30, abs=2.5)
    column, row = (round(float(n)) for n in GEOMETRY.indices(np.array(-97.07), np.array(33.0)))
    assert grid.status[row, column] == Cell.MISSING
    assert not (grid.status == Cell.UNDETECT).any()


@pytest.mark.parametrize(
    ("moment", "poor"),
    [
        ("reflectivity", 4.9),
        ("cross_correlation", 0.79),
        ("signal_quality", 0.1),
        ("cross_correlation", np.nan),
    ],
)
def test_gates_of_poor_quality_do_not_count(moment, poor):
    """Each demand takes gates away where the moment is there, and asks for nothing where it is not."""
    values = np.where(AZIMUTHS[:, None] < 90, poor, 40.0 if moment == "reflectivity" else 0.99)
    speed = wind_speed(sweep_of(westerly(10.0), **{moment: values})).moments["wind_speed"]
    assert np.isnan(speed[:88]).all()
    assert np.isfinite(speed[92:-2, 2:-2]).all()
    without = sweep_of(westerly(10.0))
    without = replace(without, moments={"velocity": without.moments["velocity"]})
    assert np.isfinite(wind_speed(without).moments["wind_speed"]).all()
    assert np.isfinite(
        wind_speed(sweep_of(westerly(10.0), **{moment: values}), minimum={}).moments["wind_speed"]
    ).all()


def test_speeds_out_of_bounds_are_not_believed():
    """Above the highest and below the lowest they are missing, and do not colour their neighbours."""
    v = westerly(30.0) + np.zeros(300)
    v[80:100, 100:120] = 45.0
    speed = wind_speed(sweep_of(v, nyquist=50.0), speeds=(5.0, 38.0)).moments["wind_speed"]
    assert np.isnan(speed[84:96, 104:116]).all()
    assert np.nanmax(speed) <= 30.1
    assert np.nanmin(speed) >= 5.0
    v[260:280, 100:120] = -45.0
    towards = wind_speed(sweep_of(v, nyquist=50.0)).moments["wind_speed"]
    assert np.isnan(towards[264:276, 104:116]).all()


def test_smoothing_is_a_mean_over_rays_and_metres():
    """Of 3 rays and 500 m, around the circle; of one gate it changes nothing."""
    rng = np.random.default_rng(1)
    v = (20 + rng.normal(0, 1, (360, 300))).astype("f4")
    sweep = sweep_of(v, nyquist=60.0)
    speed = wind_speed(sweep, smooth=(3, 500.0)).moments["wind_speed"]
    for ray, gate in ((0, 10), (180, 150), (359, 200)):
        near = v[np.ix_([(ray - 1) % 360, ray, (ray + 1) % 360], range(gate - 2, gate + 3))]
        assert speed[ray, gate] == pytest.approx(near.mean(), abs=1e-3)
    np.testing.assert_allclose(wind_speed(sweep, smooth=(1, 0.0)).moments["wind_speed"], v, atol=1e-4)


def test_a_mean_over_an_even_number_of_rays_is_refused():
    """It would have no middle."""
    with pytest.raises(UserError, match="over 4 rays, must be an odd number"):
        wind_speed(sweep_of(westerly(10.0)), smooth=(4, 400.0))


def test_a_cell_takes_the_highest_of_all_its_gates():
    """A gust of a single gate is not lost in a cell that holds dozens."""
    sweep = sweep_of(westerly(1.0))
    speeds = np.full((360, 300), 5.0, "f4")
    speeds[90, 47] = 33.0
    grid = wind_grid(replace(sweep, moments={"wind_speed": speeds}), GEOMETRY)
    assert np.isclose(grid.values, 33.0).sum() == 1


def test_gates_lie_in_the_cells_where_a_geodesic_puts_them():
    """All around, near and far, in degrees and in metres of a projection; outside the grid nowhere."""
    sweep = sweep_of(0.0)
    azimuth, slant = np.meshgrid(AZIMUTHS, RANGES, indexing="ij")
    ground = np.arcsin(np.cos(np.radians(2.0)) * slant / (8494667 + beam_height(slant, 2.0))) * 8494667
    here = np.full_like(azimuth, -97.0), np.full_like(azimuth, 33.0)
    lon, lat, _ = pyproj.Geod(ellps="WGS84").fwd(*here, azimuth, ground)
    for geometry in (
        GEOMETRY,
        Geometry(-20500.0, 20500.0, 700.0, -700.0, 59, 59, "+proj=aeqd +lat_0=33 +lon_0=-97"),
    ):
        column, row = geometry.indices(lon, lat)
        number = cells(sweep, geometry)
        inside = number >= 0
        off = np.hypot(
            column[inside] - number[inside] % geometry.nx, row[inside] - number[inside] // geometry.nx
        )
        assert off.max() < 0.5 * np.sqrt(2) + 0.01
        expected = (np.abs(column - (geometry.nx - 1) / 2) < geometry.nx / 2) & (
            np.abs(row - (geometry.ny - 1) / 2) < geometry.ny / 2
        )
        assert (inside != expected).mean() < 0.001
    most = highest(
        replace(sweep, moments={"x": np.where(azimuth < 180, 7, np.nan).astype("f4")}), GEOMETRY, "x"
    )
    assert set(most[np.isfinite(most)]) == {7.0}


def sighting(minutes: float, speed: float = 20.0, radar="a.tx", elevation=2.0, **attributes) -> Grid:
    """A small grid of one sweep that ended so many minutes after the start."""
    tiny = Geometry(-97.0, 33.0, 0.01, -0.01, 2, 2)
    return Grid.from_values(
        np.full((2, 2), speed), tiny, START + minutes * MINUTE, quantity="wind_speed", source=radar,
        attributes={"radar": radar, "elevation": elevation, **attributes},
    )  # fmt: skip


def test_the_strongest_of_the_window_counts_and_says_what_it_is_made_of():
    """Not only the newest of a tilt; not what is older than the window, sent twice, or of a time to come."""
    grids = [
        sighting(0.2, 33.0), sighting(1.0, 25.0), sighting(3.9, 10.0), sighting(3.9, 10.0),
        sighting(3.0, 18.0, "b.tx"), sighting(60.0, 38.0, "c.tx"), sighting(0.1, 36.0, "d.tx"),
        sighting(2.0, np.nan, "e.tx"), sighting(0.0, np.nan, "", **{DAMAGED: "half.nc"}),
    ]  # fmt: skip
    made = strongest(grids, START + 5 * MINUTE, window=3.5 * MINUTE, expected=["a.tx", "f.tx"])
    assert made.time == START + 3.9 * MINUTE
    assert (made.values == 25.0).all()
    assert made.attributes == {
        "radars": "a.tx 07:33:54, b.tx 07:33:00, e.tx 07:32:00", "sweeps": 4.0, "oldest_sweep_s": 174.0,
        "absent_radars": "d.tx 07:30:06, f.tx", "ahead_radars": "c.tx 08:30:00", "empty_sweeps": "e.tx 07:32:00",
        "damaged_files": "half.nc",
    }  # fmt: skip
    mixed = strongest(reversed(grids), START + 5 * MINUTE, window=3.5 * MINUTE, expected=["f.tx", "a.tx"])
    np.testing.assert_array_equal(mixed.values, made.values)
    assert mixed.attributes == made.attributes


def test_in_clear_air_the_product_comes_and_nothing_is_known():
    """Sweeps without any wind are no fault; sweeps that are not there are."""
    made = strongest([sighting(0.5, np.nan), sighting(0.9, np.nan, "b.tx")], START + MINUTE)
    assert (made.status == Cell.MISSING).all()
    assert made.attributes["radars"] == "a.tx 07:30:30, b.tx 07:30:54"
    with pytest.raises(
        DataError,
        match=r"take the wind of; absent_radars: a.tx; ahead_radars: a.tx 08:30:00; damaged_files: x",
    ):
        strongest([sighting(60.0), sighting(0.0, np.nan, "", **{DAMAGED: "x"})], START + MINUTE)
    with pytest.raises(DataError, match="no sweep to take the wind of; there is none"):
        strongest([], START)


def test_the_squall_line_over_dallas(samples):
    """Cleburne, 29 March 2017: folded at 19.2 m/s, and in the band a wind of 15 to 30 m/s from east to west."""
    (sweep,) = read_sweeps(samples / "casa" / "cleburne.tx-20170329-073502.netcdf.gz")
    grid = wind_grid(wind_speed(sweep), Geometry(-98.49228, 33.906425, 0.00804, -0.00675, 373, 373))
    assert np.abs(sweep.moments["velocity"][np.isfinite(sweep.moments["velocity"])]).max() <= 19.3
    assert 400 < grid.known.sum() < 700
    assert 21 < np.nanmax(grid.values) < 30
    assert speed_at(grid, -97.389 + 0.09, 32.3716) > 18
    assert speed_at(grid, -97.389 - 0.09, 32.3716) > 18
