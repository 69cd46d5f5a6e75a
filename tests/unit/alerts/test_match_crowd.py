"""Matches of crowds, of whom most are known by what is known of a neighbour."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo.alerts import matching
from dynamo.alerts.hazard import HazardField
from dynamo.alerts.match import match
from dynamo.alerts.subscriber import Rule, Subscribers

GEOD = pyproj.Geod(ellps="WGS84")
ISSUED = datetime(2026, 3, 25, 5, tzinfo=UTC)


def _star(rng, points, size):
    angle = np.sort(rng.uniform(0, 2 * np.pi, points))
    outer = np.column_stack([np.cos(angle), np.sin(angle)]) * rng.uniform(size / 3, size, (points, 1))
    return shapely.Polygon(outer, [outer / 4])


def _field(parts, lead):
    made = np.empty(len(parts), dtype=object)
    made[:] = [polygon for _, polygon in parts]
    levels = np.array([level for level, _ in parts], "f8")
    return HazardField("STORM", "dBZ", ISSUED, ISSUED + timedelta(minutes=lead), lead, levels, made)


def _weather(rng, lon, lat):
    """Fields of stars with holes, of one polygon twice, of boxes side by side."""
    stretch = np.array([1 / max(math.cos(math.radians(lat)), 0.02), 1.0])
    fields = []
    for lead in range(4):
        parts = []
        for level in (20.0, 35.0, 45.0):
            for _ in range(5):
                star = _star(rng, int(rng.integers(5, 60)), rng.uniform(0.05, 0.6))
                at = rng.uniform(-1, 1, 2)
                moved = shapely.transform(star, lambda p, at=at: (p + at) * stretch + (lon, lat))
                made = shapely.make_valid(moved, method="structure")
                parts += [(level, part) for part in shapely.get_parts(made) if part.geom_type == "Polygon"]
        parts.append(parts[0])
        for west in (0.0, 0.1):
            box = shapely.box(west, -0.1, west + 0.1, 0.1)
            parts.append((35.0, shapely.transform(box, lambda p: p * stretch + (lon, lat))))
        fields.append(_field(parts, lead))
    return fields, stretch


@settings(max_examples=12, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from([(-97.0, 33.0), (180.0, 0.0), (179.5, 65.0), (10.0, -88.0)]),
    st.sampled_from([(0.0,), (10.0,), (0.0, 3.0, 40.0), (800.0,)]),
)
def test_who_is_in_a_crowd_is_told_what_who_is_alone_is_told(seed, at, limits):
    """At any place of the earth, with any limits, on an edge and where two polygons meet, with levels and leads."""
    rng = np.random.default_rng(seed)
    fields, stretch = _weather(rng, *at)
    spots = rng.uniform(-1.6, 1.6, (2_500, 2))
    spots[:4] = [(0.1, 0.0), (0.0, 0.0), (0.1, 0.1), (0.05, 0.02)]
    outline = shapely.get_exterior_ring(fields[0].polygons[0])
    spots = spots * stretch + at
    spots[4:8] = shapely.get_coordinates(outline)[:4]
    lon, lat = (spots[:, 0] + 180) % 360 - 180, np.clip(spots[:, 1], -90, 90)
    places = list(zip(map(str, range(len(spots))), lon.tolist(), lat.tolist(), strict=True))
    rules = [Rule("STORM", 20 + 15 * n, limit, 3 - n) for n, limit in enumerate(limits)]
    crowd = {m.subscriber: m for m in match(Subscribers.of(places, rules), fields)}
    for place in places[:25]:
        alone = match(Subscribers.of([place], rules), fields)
        assert (place[0] in crowd) == bool(alone)
        for one in alone:
            other = crowd[one.subscriber]
            told = (one.level, one.onset, one.ends, one.inside, one.within_km, one.polygons)
            assert told == (
                other.level,
                other.onset,
                other.ends,
                other.inside,
                other.within_km,
                other.polygons,
            )
            assert one.distance_km == pytest.approx(other.distance_km, abs=1e-6)
            assert (
                math.cos(math.radians(one.bearing_deg - other.bearing_deg)) > 1 - 1e-9 or not one.distance_km
            )


def test_the_share_of_a_thread_changes_nothing(monkeypatch):
    """Many threads find what one finds, also where the last tile is not full."""
    rng = np.random.default_rng(4)
    fields, _ = _weather(rng, 10.0, 50.0)
    at = np.array([10.0, 50.0]) + rng.uniform(-1.6, 1.6, (1_000, 2))
    people = Subscribers.of([(str(n), *xy) for n, xy in enumerate(at.tolist())], [Rule("STORM", 20, 10)])
    alone = match(people, fields)
    monkeypatch.setattr(matching, "_SHARE", matching.TILE)
    assert match(people, fields) == alone


@pytest.mark.parametrize(
    ("km", "metres", "degrees"), [(1, 1e-3, 1e-4), (500, 1e-3, 1e-3), (1000, 0.03, 2e-3)]
)
def test_distance_and_bearing_are_those_of_the_geodesic(km, metres, degrees):
    """From anywhere on earth, in any direction, to a polygon so small that it is a point."""
    rng = np.random.default_rng(km)
    for lon, lat, towards in zip(
        rng.uniform(-180, 180, 40), rng.uniform(-85, 85, 40), rng.uniform(0, 360, 40), strict=True
    ):
        west, south, _ = GEOD.fwd(lon, lat, towards, km * 1000)
        dot = shapely.Polygon([(west, south), (west + 1e-9, south), (west, south + 1e-9)])
        people = Subscribers.of([("a", lon, lat)], [Rule("STORM", 20, km * 1.01)])
        (found,) = match(people, [_field([(20.0, dot)], 0)])
        assert found.distance_km * 1000 == pytest.approx(km * 1000, abs=metres)
        assert abs((found.bearing_deg - towards + 180) % 360 - 180) < degrees


@pytest.mark.parametrize("points", [3, 40, 3_000])
def test_the_nearest_edge_is_that_of_geos(points):
    """Of rings of any length with a hole, small enough that degrees are a plane, from within and without."""
    rng, place = np.random.default_rng(points), np.array([20.0, 0.0])
    star = shapely.make_valid(_star(rng, points, 0.02), method="structure")
    star = shapely.transform(max(shapely.get_parts(star), key=shapely.area), lambda at: at + place)
    at = place + rng.uniform(-0.04, 0.04, (300, 2))
    people = Subscribers.of([(str(n), *xy) for n, xy in enumerate(at.tolist())], [Rule("STORM", 20, 50)])
    found = match(people, [_field([(20.0, star)], 0)])
    # At the equator: metres of a degree of longitude and of latitude.
    flat = np.array([111_319.49, 110_574.28])
    geos = shapely.distance(shapely.transform(star, lambda p: p * flat), shapely.points(at * flat))
    assert [m.distance_km * 1000 for m in found] == pytest.approx(geos.tolist(), abs=0.05)
    assert [m.inside for m in found] == (geos == 0).tolist()


def test_who_is_on_a_corner_is_inside():
    """Though no distance be asked for; whatever his longitude is called."""
    box = shapely.box(10.0, 50.0, 10.01, 50.01)
    spots = [(10.0, 50.0), (10.0, 50.01), (10.01, 50.0), (10.01, 50.01), (370.005, 50.005), (-350, 50.0)]
    people = Subscribers.of([(str(n), *xy) for n, xy in enumerate(spots)], [Rule("STORM", 20, 0)])
    assert [m.inside for m in match(people, [_field([(20.0, box)], 0)])] == [True] * len(spots)


def test_a_polygon_whose_holes_overlap_is_matched_by_all_of_its_edges():
    """As others may write it: where two holes overlap it is inside again, and no edge is lost."""
    holes = [[(11, 51), (13, 51), (13, 53), (11, 53)], [(12, 52), (14, 52), (14, 54), (12, 54)]]
    odd = shapely.Polygon([(10, 50), (15, 50), (15, 55), (10, 55)], holes)
    spots = {"rim": (10.5, 50.5), "hole": (11.5, 51.5), "both": (12.5, 52.5), "beside": (9.99, 52.0)}
    people = Subscribers.of([(name, *at) for name, at in spots.items()], [Rule("STORM", 20, 5)])
    found = {m.subscriber: m.inside for m in match(people, [_field([(20.0, odd)], 0)])}
    assert found == {"rim": True, "both": True, "beside": False}


@pytest.mark.parametrize("nowhere", [(math.nan, 50.0), (10.0, math.nan), (math.inf, 50.0)])
def test_who_is_nowhere_hides_nothing_from_others(nowhere):
    """Though he counts as the neighbour of all."""
    box = shapely.box(10.0, 50.0, 10.01, 50.01)
    places = [(str(n), 10.005, 50.005) for n in range(200)] + [(f"x{n}", *nowhere) for n in range(200)]
    found = match(Subscribers.of(places, [Rule("STORM", 20, 5)]), [_field([(20.0, box)], 0)])
    assert [m.subscriber for m in found] == [str(n) for n in range(200)]
