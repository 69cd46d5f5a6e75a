"""Bounds on distances, and matches of crowds, for which bounds are taken."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo.alerts.edges import Edges
from dynamo.alerts.hazard import HazardField
from dynamo.alerts.lattice import bounds
from dynamo.alerts.match import match
from dynamo.alerts.subscriber import Rule, Subscribers

ISSUED = datetime(2026, 3, 25, 5, tzinfo=UTC)


def _star(rng, points, size):
    angle = np.sort(rng.uniform(0, 2 * np.pi, points))
    outer = np.column_stack([np.cos(angle), np.sin(angle)]) * rng.uniform(size / 3, size, (points, 1))
    return shapely.Polygon(outer, [outer / 4])


def _places(rng, kind, count, ring):
    """Places all about; in one town; on one line; on the outline itself; all at one spot."""
    x, y = rng.uniform(-60_000, 60_000, (2, count))
    if kind == "town":
        x, y = 20_000 + x / 100, y / 100
    elif kind == "line":
        y = np.full(count, 7_000.0)
    elif kind == "outline":
        along = rng.uniform(0, 1, count)
        x, y = shapely.get_coordinates(shapely.line_interpolate_point(ring, along, normalized=True)).T
    elif kind == "spot":
        x, y = np.full(count, 31_000.0), np.full(count, -9_000.0)
    return x, y


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from([3, 40, 900]),
    st.sampled_from([30.0, 5_000.0, 40_000.0]),
    st.sampled_from(["everywhere", "town", "line", "outline", "spot"]),
    st.sampled_from([1, 30, 2_000]),
)
def test_no_distance_is_beyond_its_bounds(seed, points, size, kind, count):
    """Of any shape with a hole, for places that lie as they like, on an edge too."""
    rng = np.random.default_rng(seed)
    shape = _star(rng, points, size)
    outline = shapely.boundary(shape)
    x, y = _places(rng, kind, count, shapely.get_exterior_ring(shape))
    low, high = bounds(Edges(shape), x, y)
    far = shapely.distance(outline, shapely.points(x, y))
    assert (low <= far + 1e-6).all()
    assert (high >= far - 1e-6).all()
    assert (low >= 0).all()


def test_bounds_leave_little_open():
    """Of most places that are not at an edge the distance is known to a few per cent."""
    rng = np.random.default_rng(1)
    x, y = _places(rng, "everywhere", 20_000, None)
    low, high = bounds(Edges(_star(rng, 40, 15_000)), x, y)
    assert np.median((high - low) / high) < 0.03


@pytest.mark.parametrize("points", [3, 40, 3_000])
def test_who_knows_how_far_at_most_gets_the_same_nearest_point(points):
    """Also if what is known is the distance itself, or nothing."""
    rng = np.random.default_rng(points)
    edges = Edges(_star(rng, points, 30_000))
    x, y = _places(rng, "everywhere", 500, None)
    plain = np.array(edges.nearest(x, y))
    for high in (plain[0], plain[0] + rng.uniform(0, 5_000, 500), np.full(500, np.inf)):
        assert (np.array(edges.nearest(x, y, high)) == plain).all()


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
