"""Contours: valid, nested, oriented, closed along the edge, and as large as the cells they hold."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from itertools import pairwise

import netCDF4
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pyproj import Geod

from dynamo.errors import DataError
from dynamo.radar import outline
from dynamo.radar.contour import contour
from dynamo.radar.grid import Geometry, Grid

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
LEVELS = (20, 35, 45, 55)
LAEA = "+proj=laea +lat_0=55 +lon_0=10 +x_0=1950000 +y_0=-2100000 +units=m +ellps=WGS84"
SAMPLES = (
    "casa_dfw_merged_1min_40x400x400.nc",
    "mrms_texas_2min_36x1000x1000.nc",
    "opera_cirrus_widespread_5min_13x1000x1000.nc",
)


def degree_grid(values, *, x0=-97.0, y0=33.0, step=0.01):
    """A grid in degrees; NaN is nothing detected."""
    values = np.asarray(values, dtype="f4")
    ny, nx = values.shape
    return Grid.from_values(values, Geometry(x0, y0, step, -step, nx, ny), NOON, undetect=np.isnan(values))


def sample_grid(folder, name, index=-1):
    with netCDF4.Dataset(folder / "grids" / name) as file:
        file.set_auto_maskandscale(False)
        variable = file["reflectivity"]
        raw = variable[index]
        none = raw == variable._FillValue
        values = raw * np.float32(variable.scale_factor) + np.float32(variable.add_offset)
        if "lat" in file.variables:
            geometry = Geometry.from_coordinates(file["lon"][:], file["lat"][:])
        else:
            geometry = Geometry(2_146_500.0, -609_500.0, 1000.0, -1000.0, *raw.shape[::-1], LAEA)
    return Grid.from_values(values, geometry, NOON, undetect=none)


def check_valid(band):
    """Every polygon valid, every ring closed, outer rings counter-clockwise and holes clockwise."""
    polygons = band.to_shapely()
    assert shapely.is_valid(polygons).all()
    assert not shapely.is_empty(polygons).any()
    assert all(shapely.is_ccw(shapely.get_exterior_ring(p)) for p in polygons)
    assert not any(shapely.is_ccw(hole) for p in polygons for hole in p.interiors)
    starts, ends = band.ring_offsets[:-1], band.ring_offsets[1:] - 1
    assert (band.coordinates[starts] == band.coordinates[ends]).all()
    assert (np.diff(band.ring_offsets) >= 4).all()
    return polygons


def mixed_squares(inside):
    """How many squares of four cell centres, those at the rim included, are neither all inside nor all
    outside."""
    wide = np.pad(inside, 1, mode="edge").astype(int)
    four = wide[:-1, :-1] + wide[:-1, 1:] + wide[1:, :-1] + wide[1:, 1:]
    return int(((four > 0) & (four < 4)).sum())


def cell_areas(geometry):
    """Area of the cells of a grid in degrees, km2, (ny, 1): from PROJ's geodesics, one cell a row."""
    geod = Geod(ellps="WGS84")
    half = -geometry.dy / 2
    west, east = geometry.x0 - geometry.dx / 2, geometry.x0 + geometry.dx / 2
    return np.array(
        [
            [
                abs(geod.polygon_area_perimeter([west, east, east, west], [y - half] * 2 + [y + half] * 2)[0])
                / 1e6
            ]
            for y in geometry.y
        ]
    )


def holds_cell_centres(grid, band):
    """Which cell centres lie inside the band's polygons, by shapely."""
    column, row = np.meshgrid(np.arange(grid.geometry.nx), np.arange(grid.geometry.ny))
    lon, lat = grid.geometry.lonlat(column, row)
    # One prepared geometry: polygons of a band do not overlap, an island lies in the hole of another.
    whole = shapely.multipolygons(band.to_shapely())
    shapely.prepare(whole)
    return shapely.contains_xy(whole, lon, lat)


quantised = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9),
    elements=st.sampled_from([math.nan, 0.0, 19.5, 20.0, 20.5, 34.5, 35.0, 44.5, 45.0, 54.5, 55.0, 75.0]),
)
anything = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9),
    elements=st.floats(-32, 80, width=32) | st.sampled_from([math.nan, math.inf, 20.0, 35.0]),
)


@settings(deadline=None)
@given(quantised | anything)
def test_any_field_gives_valid_polygons_that_hold_exactly_the_cells_at_or_above_the_level(values):
    """A cell's centre is inside a band if and only if its value reaches the level; also where they are
    equal."""
    grid = degree_grid(values)
    for band in contour(grid, LEVELS):
        check_valid(band)
        inside = grid.values >= band.level
        np.testing.assert_array_equal(holds_cell_centres(grid, band), inside)


@settings(deadline=None)
@given(quantised | anything)
def test_any_field_gives_areas_within_half_of_each_mixed_square(values):
    """In a square that an outline crosses, polygon and cells differ by half of it at most; elsewhere not at
    all."""
    grid = degree_grid(values, y0=0.02, step=0.01)
    cell = float(cell_areas(grid.geometry).mean())
    for band in contour(grid, LEVELS):
        inside = grid.values >= band.level
        allowed = 0.5 * mixed_squares(inside) + 1e-3
        assert abs(band.area_km2 / cell - inside.sum()) <= allowed


@settings(deadline=None)
@given(quantised | anything)
def test_bands_nest(values):
    """What is inside a band is inside every lower one, to the last decimal."""
    bands = contour(degree_grid(values), LEVELS)
    for low, high in pairwise(bands):
        below, above = shapely.union_all(low.to_shapely()), shapely.union_all(high.to_shapely())
        assert shapely.difference(above, shapely.buffer(below, 3e-5)).is_empty


@pytest.mark.parametrize("name", SAMPLES)
def test_real_frames_give_valid_polygons_of_the_area_of_their_cells(samples, name):
    """Lines cross half-way on average: area agrees within a quarter of the mixed squares."""
    grid = sample_grid(samples, name)
    areas = cell_areas(grid.geometry) if grid.geometry.is_geographic else np.ones((grid.geometry.ny, 1))
    for band in contour(grid, LEVELS):
        inside = grid.values >= band.level
        check_valid(band)
        allowed = mixed_squares(inside) * areas.mean() / 4
        assert band.area_km2 == pytest.approx((inside * areas).sum(), abs=allowed + 1e-9)


@pytest.mark.parametrize("name", SAMPLES)
def test_real_frames_hold_their_cells_and_leave_out_their_holes(samples, name):
    """On real data, too, a cell's centre is inside exactly where the value reaches the level."""
    grid = sample_grid(samples, name)
    for band in contour(grid, (35, 45)):
        np.testing.assert_array_equal(holds_cell_centres(grid, band), grid.values >= band.level)


@pytest.mark.parametrize("many", [0, 10**9])
def test_levels_do_not_depend_on_each_other(samples, monkeypatch, many):
    """A level gives the same polygons alone, among others, and among so many that they are traced one by one."""
    monkeypatch.setattr(outline, "_MANY", many)
    rough = degree_grid(np.random.default_rng(3).uniform(0, 70, (60, 70)))
    for grid in (sample_grid(samples, SAMPLES[0]), rough):
        for band in contour(grid, (5, 20, 35, 45, 55, 75), min_points=8):
            (alone,) = contour(grid, [band.level], min_points=8)
            for name in ("coordinates", "ring_offsets", "polygon_offsets", "polygon_area_km2"):
                np.testing.assert_array_equal(getattr(band, name), getattr(alone, name))
            check_valid(band)


def test_more_levels_than_a_byte_can_count():
    """300 levels are 300 nested bands."""
    grid = degree_grid(np.add.outer(np.arange(20), np.arange(30)) * 1.5)
    bands = contour(grid, np.linspace(1, 70, 300))
    assert len(bands) == 300
    areas = [band.area_km2 for band in bands]
    assert all(low >= high > 0 for low, high in pairwise(areas))


def test_nothing_gives_bands_without_polygons():
    """Clear air and all missing: one empty band a level."""
    clear = degree_grid(np.full((30, 40), np.nan))
    missing = Grid.from_values(np.full((30, 40), np.nan), clear.geometry, NOON)
    for grid in (clear, missing):
        bands = contour(grid, LEVELS)
        assert [b.level for b in bands] == list(LEVELS)
        assert [len(b) for b in bands] == [0] * 4
        assert all(b.area_km2 == 0 and len(b.to_shapely()) == 0 for b in bands)


def test_a_saturated_grid_gives_its_full_rectangle():
    """All cells inside: one ring of five positions along the outer cell edges, with the ellipsoid's area."""
    grid = degree_grid(np.full((30, 40), 60.0))
    (band,) = contour(grid, [45])
    (polygon,) = check_valid(band)
    assert polygon.bounds == pytest.approx(grid.geometry.extent)
    assert len(polygon.exterior.coords) == 5
    assert band.area_km2 == pytest.approx(float(40 * cell_areas(grid.geometry).sum()), rel=1e-5)


def test_one_cell_gives_a_diamond_of_half_its_area():
    """A lone strong echo: four crossings half-way to its neighbours."""
    values = np.full((5, 5), np.nan)
    values[2, 3] = 60
    grid = degree_grid(values)
    (band,) = contour(grid, [45])
    (polygon,) = check_valid(band)
    assert set(polygon.exterior.coords) == {
        (-96.97, 32.985),
        (-96.965, 32.98),
        (-96.97, 32.975),
        (-96.975, 32.98),
    }
    assert band.area_km2 == pytest.approx(0.5 * float(cell_areas(grid.geometry)[2, 0]), rel=1e-3)


def test_a_cell_in_the_corner_is_closed_along_the_edge():
    """At the rim an outline follows the outer edge of the cells, corner included."""
    values = np.full((4, 4), np.nan)
    values[0, 0] = 60
    (band,) = contour(degree_grid(values), [45])
    (polygon,) = check_valid(band)
    corners = {(-97.005, 33.005), (-96.995, 33.005), (-97.005, 32.995)}
    assert set(polygon.exterior.coords) == corners | {(-97.0, 32.995), (-96.995, 33.0)}


def test_an_island_in_a_lake_is_a_polygon_of_its_own():
    """Rings in rings: the lake is a hole of the outer polygon, the island another polygon, and bounds
    tell."""
    values = np.full((11, 11), 50.0)
    values[2:9, 2:9] = 0
    values[4:7, 4:7] = 50
    values[5, 5] = 0
    (band,) = contour(degree_grid(values), [45])
    outer, island = check_valid(band)
    assert len(outer.interiors) == len(island.interiors) == 1
    assert shapely.contains_xy(outer, -96.99, 32.99)
    assert not shapely.contains_xy(outer, -96.97, 32.97)
    assert shapely.contains_xy(island, -96.96, 32.96)
    assert not shapely.contains_xy(island, -96.95, 32.95)


def test_missing_cells_inside_a_storm_are_holes():
    """No value is no hazard: missing and out of range are below every level, and break nothing."""
    values = np.full((9, 9), 50.0)
    values[3, 3] = np.nan
    far = np.zeros((9, 9), dtype=bool)
    far[:, 6:] = True
    grid = Grid.from_values(values, Geometry(0, 0, 0.01, -0.01, 9, 9), NOON, out_of_range=far)
    (band,) = contour(grid, [45])
    (polygon,) = check_valid(band)
    assert len(polygon.interiors) == 1
    assert polygon.bounds[2] == pytest.approx(0.055)


def test_the_value_of_nothing_detected_moves_no_outline():
    """Between an echo and none the outline runs half-way, at -32 dBZ as at -10 dBZ."""
    values = np.full((6, 6), -10.0)
    values[2:4, 2:4] = 50
    one = contour(degree_grid(values), [45])
    values[values < 0] = np.nan
    np.testing.assert_array_equal(contour(degree_grid(values), [45])[0].coordinates, one[0].coordinates)


def test_small_polygons_are_left_out_but_no_hole_is_filled():
    """`min_points` counts the positions of the outer ring only."""
    values = np.full((12, 12), 50.0)
    values[3, 3] = np.nan
    values[:, 7:] = np.nan
    values[5, 10] = 50
    assert len(contour(degree_grid(values), [45])[0]) == 2
    (band,) = contour(degree_grid(values), [45], min_points=6)
    (polygon,) = check_valid(band)
    assert len(polygon.interiors) == 1
    (none,) = contour(degree_grid(values), [45], min_points=100)
    assert len(none) == 0


def test_a_projected_grid_is_traced_in_its_own_plane_and_placed_in_degrees():
    """Corners of a saturated LAEA grid lie where PROJ puts them, and its area is the plane's (equal-area)."""
    grid = Grid.from_values(
        np.full((40, 50), 50.0), Geometry(2e6, -1e6, 1000, -1000, 50, 40, LAEA), NOON, source="test"
    )
    (band,) = contour(grid, [45])
    (polygon,) = check_valid(band)
    lon, lat = grid.geometry.lonlat(np.array([-0.5, 49.5]), np.array([-0.5, 39.5]))
    places = {(round(x, 5), round(y, 5)) for x, y in zip(lon, lat, strict=True)}
    assert places <= set(polygon.exterior.coords)
    assert band.area_km2 == pytest.approx(2000, rel=1e-4)


@pytest.mark.parametrize(
    "geometry",
    [
        Geometry(179.9, 10, 0.01, -0.01, 21, 11),
        Geometry(-180.1, 10, 0.01, -0.01, 21, 11),
        Geometry(-10_000, 5_000, 1000, -1000, 21, 11, "+proj=aeqd +lat_0=60 +lon_0=180 +ellps=WGS84"),
    ],
)
def test_polygons_are_cut_at_the_antimeridian(geometry):
    """RFC 7946, section 3.1.9: a storm over the date line is two polygons that touch it."""
    grid = Grid.from_values(np.full((11, 21), 50.0), geometry, NOON)
    (band,) = contour(grid, [45])
    polygons = check_valid(band)
    assert len(polygons) == 2
    assert min(p.bounds[0] for p in polygons) == -180
    assert max(p.bounds[2] for p in polygons) == 180
    assert all(p.bounds[2] - p.bounds[0] < 1 for p in polygons)


def test_longitudes_of_0_to_360_become_negative_in_the_west():
    """A grid at 262 degrees east is one at 98 degrees west."""
    grid = degree_grid(np.full((3, 4), 50.0), x0=262.0)
    (polygon,) = check_valid(contour(grid, [45])[0])
    assert polygon.bounds == pytest.approx((-98.005, 32.975, -97.965, 33.005))


def test_a_polygon_around_a_pole_is_refused():
    """Longitude and latitude cannot draw it as a ring; the message says what to do."""
    geometry = Geometry(-10_000, 10_000, 1000, -1000, 21, 21, "+proj=stere +lat_0=90 +ellps=WGS84")
    with pytest.raises(DataError, match="encloses a pole"):
        contour(Grid.from_values(np.full((21, 21), 50.0), geometry, NOON), [45])


@pytest.mark.parametrize("level", [-32.0, -50.0, math.nan, math.inf])
def test_a_level_that_clear_air_reaches_is_refused(level):
    """At or below the floor everything would be inside; nan and infinity say nothing."""
    with pytest.raises(DataError, match="above -32"):
        contour(degree_grid(np.zeros((3, 3))), [level])


def test_too_few_decimals_are_refused_and_fine_grids_get_more():
    """A cell must span a hundred steps of the rounding."""
    grid = degree_grid([[np.nan, 50.0, np.nan], [50.0, np.nan, 50.0]], step=0.0002)
    with pytest.raises(DataError, match="use 6 or more"):
        contour(grid, [45], decimals=5)
    (band,) = contour(grid, [45])
    assert band.decimals == 6
    check_valid(band)


def test_rain_rate_is_contoured_too():
    """Between none and twice the level or more the outline runs half-way."""
    values = np.zeros((5, 5), dtype="f4")
    values[2, 2] = 40
    grid = Grid.from_values(values, Geometry(0, 0, 0.01, -0.01, 5, 5), NOON, quantity="rain_rate")
    (band,) = contour(grid, [10])
    assert band.to_shapely()[0].bounds == pytest.approx((0.015, -0.025, 0.025, -0.015))


def test_contourpy_finds_the_same_outlines(samples):
    """An independent tracer, told the same distances, finds as many polygons and holes and the same area."""
    import contourpy

    grid = sample_grid(samples, SAMPLES[0])
    for level in (5, 20, 35):
        inside = np.where(grid.values >= level, 1.0, -1.0)
        # A hair below nought, so that contourpy joins a saddle whose mean is nought, as is done here.
        points, offsets = contourpy.contour_generator(
            z=np.pad(inside, 1, constant_values=-1.0), fill_type="OuterOffset"
        ).filled(-1e-9, math.inf)
        binary = Grid.from_values(inside * 60, grid.geometry, NOON)
        (band,) = contour(binary, [level])
        assert len(band) == len(points)
        assert len(band.ring_offsets) - 1 == sum(len(o) - 1 for o in offsets)
        theirs = sum(
            shapely.Polygon(p[: o[1]], [p[a:b] for a, b in pairwise(o[1:])]).area
            for p, o in zip(points, offsets, strict=True)
        )
        cell = float(cell_areas(grid.geometry).mean())
        assert band.area_km2 == pytest.approx(theirs * cell, rel=0.01)
