"""Square kilometres of hazards, against geodesy of another make."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo.alerts.extent import around, extent
from dynamo.alerts.hazard import HazardField
from dynamo.errors import UserError

NOON = datetime(2017, 3, 29, 12, tzinfo=UTC)
GEOD = pyproj.Geod(ellps="WGS84")


def field(*parts):
    """Polygons with their levels."""
    polygons = np.array([polygon for _, polygon in parts], dtype=object)
    levels = np.array([level for level, _ in parts], "f8")
    return HazardField("STORM", "dBZ", NOON, NOON, 0.0, levels, polygons)


def circle(lon, lat, km):
    """A circle by geodesics."""
    azimuths = np.arange(0, 360, 0.25)
    east, north, _ = GEOD.fwd(
        np.full(azimuths.shape, lon),
        np.full(azimuths.shape, lat),
        azimuths,
        np.full(azimuths.shape, km * 1000),
    )
    return shapely.Polygon(np.column_stack([lon + (np.array(east) - lon + 180) % 360 - 180, north]))


def geodesic(polygon):
    """Square kilometres by Karney's method."""
    return abs(GEOD.geometry_area_perimeter(polygon)[0]) / 1e6


@settings(deadline=None, max_examples=50)
@given(lon=st.floats(-180, 180), lat=st.floats(-70, 70), km=st.floats(0.5, 300))
def test_the_area_of_a_circle_is_that_of_geodesy(lon, lat, km):
    """A thousandth at most, wherever it is and however large; and it is all of itself."""
    polygon = circle(lon, lat, km)
    found = extent(field((45, polygon)), 45)
    assert found == pytest.approx(geodesic(polygon), rel=1e-3)
    assert extent(field((45, polygon)), 45, around([(lon, lat)], km)) == pytest.approx(found, rel=2e-3)


@settings(deadline=None, max_examples=50)
@given(lon=st.floats(-180, 180), lat=st.floats(-60, 60), km=st.floats(1, 200))
def test_what_is_within_is_what_a_circle_holds(lon, lat, km):
    """Of a box around it; two places at one place count once, and one far away not at all."""
    box = shapely.segmentize(shapely.box(lon - 8, lat - 4, lon + 8, lat + 4), 0.05)
    found = extent(field((45, box)), 45, around([(lon, lat), (lon, lat), (lon + 90, lat)], km))
    assert found == pytest.approx(geodesic(circle(lon, lat, km)), rel=2e-3)
    assert found == pytest.approx(math.pi * km * km, rel=5e-3)


def test_holes_are_no_area_and_nested_levels_count_once():
    """The lowest level that reaches the asked one; below all of them nothing changes."""
    outer, inner = circle(-97, 33, 20), circle(-97, 33, 10)
    ring = shapely.Polygon(outer.exterior.coords, [inner.exterior.coords])
    nested = field((35, outer), (45, inner), (55, circle(-97, 33, 2)))
    assert extent(field((45, ring)), 45) == pytest.approx(math.pi * 300, rel=2e-3)
    assert extent(nested, 45) == extent(nested, 40) == pytest.approx(math.pi * 100, rel=2e-3)
    assert extent(nested, -50) == extent(nested, 35) == pytest.approx(math.pi * 400, rel=2e-3)
    assert extent(nested, 60) == extent(field(), 5) == 0


def test_a_storm_across_the_antimeridian_is_found_from_both_sides():
    """As one piece with longitudes beyond 180, or cut in two there, as RFC 7946 has it."""
    uncut = circle(179.9, 0, 50)
    parts = shapely.intersection(uncut, shapely.box(0, -9, 180, 9)), shapely.transform(
        shapely.intersection(uncut, shapely.box(180, -9, 200, 9)), lambda p: p - [360, 0]
    )  # fmt: skip
    for place in ((179.9, 0.0), (-180.1, 0.0)):
        near = around([place], 20)
        assert extent(field((45, uncut)), 45, near) == pytest.approx(math.pi * 400, rel=1e-2)
        assert extent(field(*((45, part) for part in parts)), 45, near) == pytest.approx(
            math.pi * 400, rel=1e-2
        )


def test_a_circle_over_a_pole_is_refused():
    """It has no polygon in degrees."""
    with pytest.raises(UserError, match="reach a pole"):
        around([(10, 89)], 200)
