"""Sweeps on grids, and composites."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamo.errors import DataError
from dynamo.radar.composite import composite, composites
from dynamo.radar.gates import cells, on_grid
from dynamo.radar.grid import Cell, Geometry, Grid
from dynamo.radar.polar import (
    Sweep,
    beam_height,
    default_geometry,
    slant_range,
    to_grid,
)
from dynamo.radar.quantity import to_reflectivity

START = datetime(2017, 3, 29, 7, 30, tzinfo=UTC)
TINY = Geometry(0.0, 1.0, 0.1, -0.1, 2, 2)


def make_sweep(azimuths=None, *, values=None, undetect=None, elevation=2.0, first=1000.0, gates=300) -> Sweep:
    azimuths = np.arange(0.5, 360) if azimuths is None else azimuths
    shape = (len(azimuths), gates)
    values = np.full(shape, 30.0, "f4") if values is None else values
    return Sweep(
        azimuths, first + 100.0 * np.arange(gates), elevation, {"reflectivity": values},
        np.zeros(shape, bool) if undetect is None else undetect, 33.0, -97.0, 200.0, START, "test.tx",
    )  # fmt: skip


def one_cell(status: Cell, value: float, **more) -> Grid:
    values = np.full((2, 2), value, "f4")
    return Grid.from_values(
        values if status == Cell.ECHO else values * np.nan, TINY, more.pop("time", START),
        undetect=np.full((2, 2), status == Cell.UNDETECT),
        out_of_range=np.full((2, 2), status == Cell.OUT_OF_RANGE), **more,
    )  # fmt: skip


def test_each_cell_takes_the_gate_that_lies_on_it():
    """A gate holds azimuth + range in km; every cell gets what an independent geodesic says, to a gate."""
    azimuths = np.roll(np.arange(0.5, 360), 77)
    ranges = 1000 + 100.0 * np.arange(300)
    sweep = make_sweep(azimuths, values=(azimuths[:, None] + ranges / 1000).astype("f4"))
    geometry = Geometry(-97.4, 33.35, 0.005, -0.004, 160, 170)
    grid = to_grid(sweep, geometry)
    lon, lat = np.meshgrid(geometry.x, geometry.y)
    azimuth, _, ground = pyproj.Geod(ellps="WGS84").inv(
        np.full_like(lon, -97), np.full_like(lat, 33), lon, lat
    )
    slant = ground / np.cos(np.radians(2.0))
    inside = (slant > 1000) & (slant < 30800)
    assert (grid.status[inside] == Cell.ECHO).all()
    want = np.floor(azimuth % 360) + 0.5 + slant / 1000
    off = np.abs(grid.values - want)[inside]
    assert np.quantile(off, 0.97) <= 0.08
    assert off[off < 300].max() <= 1.1  # at the border of two rays either may be taken
    assert (grid.status[slant > 31200] == Cell.OUT_OF_RANGE).all()
    assert (grid.status[slant < 900] == Cell.OUT_OF_RANGE).all()
    assert grid.attributes == {"radar": "test.tx", "site": "33.000 -97.000", "elevation": 2.0}


def test_a_gap_between_rays_is_missing_and_not_filled():
    """Rays 10 to 20 degrees lost: beyond three quarters of a spacing from the next ray nothing is known."""
    azimuths = np.concatenate([np.arange(0.0, 10.5), np.arange(20.0, 360)])
    grid = to_grid(make_sweep(azimuths), Geometry(-97.4, 33.3, 0.004, -0.004, 200, 150))
    lon, lat = np.meshgrid(grid.geometry.x, grid.geometry.y)
    azimuth, _, ground = pyproj.Geod(ellps="WGS84").inv(
        np.full_like(lon, -97), np.full_like(lat, 33), lon, lat
    )
    ring = (ground > 5000) & (ground < 28000)
    in_gap = ring & (azimuth > 10.9) & (azimuth < 19.1)
    assert in_gap.sum() > 50
    assert (grid.status[in_gap] == Cell.MISSING).all()
    assert (grid.status[ring & ((azimuth < 10.5) | (azimuth > 19.5))] == Cell.ECHO).all()


def test_rays_that_were_sent_twice_open_no_gaps():
    """A sweep of which every ray came three times is as full as the plain one."""
    azimuths = np.repeat(np.arange(0.5, 360), 3)
    grid = to_grid(make_sweep(azimuths), Geometry(-97.1, 33.1, 0.004, -0.004, 50, 50))
    assert (grid.status != Cell.MISSING).all()


def test_what_a_gate_is_stays_what_it_is():
    """Undetected gates become UNDETECT, gates without a value MISSING."""
    values = np.full((360, 300), np.nan, "f4")
    undetect = np.zeros((360, 300), bool)
    undetect[:180] = True
    grid = to_grid(make_sweep(values=values, undetect=undetect), Geometry(-97.1, 33.1, 0.004, -0.004, 50, 50))
    east = grid.status[20:30, 35:45]
    west = grid.status[20:30, 5:15]
    assert (east == Cell.UNDETECT).all()
    assert (west == Cell.MISSING).all()


@given(st.permutations(range(36)))
def test_the_order_of_rays_does_not_matter(order):
    """Rays come from the signal processor in any order."""
    values = np.arange(36, dtype="f4")[:, None] * np.ones((1, 300), "f4")
    azimuths = np.arange(5.0, 360, 10)
    geometry = Geometry(-97.2, 33.2, 0.02, -0.02, 20, 20)
    plain = to_grid(make_sweep(azimuths, values=values), geometry)
    mixed = to_grid(make_sweep(azimuths[list(order)], values=values[list(order)]), geometry)
    np.testing.assert_array_equal(plain.values, mixed.values)


def test_beam_path_after_doviak_and_zrnic():
    """At 0.5 degrees and 100 km the beam is 1.46 km high; height and slant range agree with each other."""
    assert beam_height(np.array([100e3]), 0.5)[0] == pytest.approx(1460, abs=5)
    slant = np.array([1e3, 50e3, 230e3])
    radius = 4 / 3 * 6371000
    ground = radius * np.arcsin(slant * np.cos(np.radians(3)) / (radius + beam_height(slant, 3.0)))
    np.testing.assert_allclose(slant_range(ground, 3.0), slant, rtol=1e-9)


def test_default_geometry_covers_every_gate():
    """All gates lie inside, less than two cells from the edge, on steps of half a kilometre."""
    geometry = default_geometry([make_sweep()])
    points = pyproj.Geod(ellps="WGS84").fwd(
        *np.broadcast_arrays(-97.0, 33.0, np.arange(0.0, 360, 90), 30900.0)
    )
    column, row = geometry.indices(np.asarray(points[0]), np.asarray(points[1]))
    assert column.min() >= -0.5
    assert row.min() >= -0.5
    assert column.max() <= geometry.nx - 0.5
    assert row.max() <= geometry.ny - 0.5
    assert geometry.nx < 2 * 31 / 0.5 + 4
    assert geometry.cell_size_km() == pytest.approx((0.5, 0.5), rel=0.02)
    with pytest.raises(DataError, match="no sweeps"):
        default_geometry([])


def test_longitudes_of_0_to_360_degrees_are_those_of_everybody():
    """Some files count eastwards only: each gate lies where it lies, and no sweep is empty for it."""
    sweep = make_sweep()
    same = replace(sweep, longitude=263.0)
    assert same.longitude == -97.0
    geometry = Geometry(-97.4, 33.35, 0.005, -0.004, 160, 170)
    np.testing.assert_array_equal(cells(same, geometry), cells(sweep, geometry))
    assert default_geometry([same]) == default_geometry([sweep])


@pytest.mark.parametrize("first", [179.9, -179.9])
def test_radars_on_both_sides_of_the_date_line_make_one_small_grid(first):
    """It goes on beyond 180 degrees; every gate of both has its cell there, whichever comes first."""
    sweeps = [replace(make_sweep(), longitude=longitude) for longitude in (first, -first)]
    geometry = default_geometry(sweeps)
    assert geometry.nx < 200
    for sweep in sweeps:
        assert (cells(sweep, geometry) >= 0).all()
        grid = on_grid(sweep, geometry, "reflectivity")
        assert np.isfinite(grid.values).mean() > 0.3


@given(st.lists(st.sampled_from(list(Cell)), min_size=1, max_size=5), st.randoms())
def test_a_composite_knows_what_any_of_its_grids_knows(kinds: list[Cell], rng: random.Random):
    """Echo wins over undetect, that over missing, that over out of range; of echoes the strongest."""
    values = [rng.uniform(-20, 60) for _ in kinds]
    made = composite([one_cell(k, v) for k, v in zip(kinds, values, strict=True)])
    assert (made.status == min(kinds)).all()
    echoes = [v for k, v in zip(kinds, values, strict=True) if k == Cell.ECHO]
    want = max(echoes) if echoes else (-32 if Cell.UNDETECT in kinds else np.nan)
    np.testing.assert_allclose(made.values, want, rtol=1e-6, atol=1e-6)


def test_frames_hold_the_latest_sweep_of_each_radar_and_tilt():
    """Nothing from after the frame's time, nothing that has been replaced, nothing too old."""

    def sweep(radar: str, elevation: float, second: int, value: float) -> Grid:
        return one_cell(
            Cell.ECHO, value, time=START + timedelta(seconds=second),
            attributes={"radar": radar, "elevation": elevation},
        )  # fmt: skip

    grids = [
        sweep("a", 2.0, 5, 50.0), sweep("a", 2.02, 55, 10.0), sweep("a", 4.5, 30, 20.0),
        sweep("b", 2.0, 61, 40.0), sweep("a", 2.0, 200, 5.0),
    ]  # fmt: skip
    random.Random(1).shuffle(grids)
    made = composites(grids)
    minutes = [(g.time - START).total_seconds() / 60 for g in made]
    assert minutes == [1, 2, 4]
    assert [float(g.values[0, 0]) for g in made] == [20.0, 40.0, 5.0]
    assert [g.attributes["sweeps"] for g in made] == [2, 2, 1]
    assert composites([]) == []


def test_composites_refuse_what_does_not_fit():
    """Another geometry, and a step of no length, are errors."""
    other = Grid.from_values(np.zeros((3, 3)), Geometry(0.0, 1.0, 0.1, -0.1, 3, 3), START)
    with pytest.raises(DataError, match="does not lie"):
        composite([one_cell(Cell.ECHO, 1.0), other])
    with pytest.raises(DataError, match="positive"):
        composites([other], every=timedelta(0))
    with pytest.raises(DataError, match="no grids"):
        composite([])


def test_a_sweep_checks_itself():
    """Uneven gates, wrong shapes and azimuths that are no numbers do not get further."""
    with pytest.raises(DataError, match="'undetect' is"):
        make_sweep(undetect=np.zeros((2, 2), bool))
    with pytest.raises(DataError, match="azimuth"):
        make_sweep(np.array([0.0, np.nan, 3.0]))
    with pytest.raises(DataError, match=r"no moment 'reflectivty'.*did you mean 'reflectivity'"):
        to_grid(make_sweep(), TINY, moment="reflectivty")


def test_rain_becomes_reflectivity_by_the_power_law():
    """10 mm/h is 10 log10(300 10^1.4) = 38.77 dBZ; no rain stays UNDETECT, the rest stays unknown."""
    rate = np.array([[10.0, 0.0], [np.nan, 1.0]])
    rain = Grid.from_values(rate, TINY, START, undetect=rate == 0, quantity="rain_rate")
    grid = to_reflectivity(rain)
    np.testing.assert_allclose(grid.values, [[38.771, -32], [np.nan, 24.771]], atol=1e-3)
    np.testing.assert_array_equal(grid.status, rain.status)
    assert to_reflectivity(grid) is grid
    assert to_reflectivity(rain, a=200, b=1.6).values[0, 0] == pytest.approx(39.01, abs=0.01)
    with pytest.raises(DataError, match="positive"):
        to_reflectivity(rain, a=0)
