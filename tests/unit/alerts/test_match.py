"""Matching subscribers with hazards."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo.alerts.hazard import HazardField
from dynamo.alerts.match import match
from dynamo.alerts.subscriber import Rule, Subscribers
from dynamo.errors import DataError

GEOD = pyproj.Geod(ellps="WGS84")
ISSUED = datetime(2026, 3, 25, 5, tzinfo=UTC)
RULE = Rule("STORM", 20, 10.0, 60, "phone")


def _field(*polygons, lead=0, hazard="STORM", units="dBZ", source=""):
    """A field of (level, polygon)."""
    made = np.empty(len(polygons), dtype=object)
    made[:] = [polygon for _, polygon in polygons]
    levels = np.array([level for level, _ in polygons], "f8")
    valid = ISSUED + timedelta(minutes=lead)
    return HazardField(hazard, units, ISSUED, valid, lead, levels, made, None, source)


def _one(lon, lat, *fields, rules=(RULE,)):
    found = match(Subscribers.of([("a", lon, lat)], rules), fields)
    assert len(found) <= 1
    return found[0] if found else None


def _edge(polygon, lon, lat):
    """Metres to the nearest edge: all edges, in many points, by geodesics."""
    points = shapely.get_coordinates(shapely.segmentize(shapely.boundary(polygon), 0.001))
    return GEOD.inv(np.full(len(points), lon), np.full(len(points), lat), *points.T)[2].min()


def test_a_place_beside_a_storm_is_told_how_far_and_where():
    """Distance and bearing are those of the geodesic to the nearest edge."""
    found = _one(-97.05, 32.5, _field((45, shapely.box(-97, 32, -96, 33)), source="d"))
    assert found.distance_km == pytest.approx(GEOD.line_length([-97.05, -97], [32.5, 32.5]) / 1000, rel=1e-4)
    assert found.bearing_deg == pytest.approx(90, abs=0.1)
    assert (found.inside, found.level, found.units, found.within_km) == (False, 45, "dBZ", 10)
    assert (found.subscriber, found.lon, found.lat, found.hazard) == ("a", -97.05, 32.5, "STORM")
    assert (found.way, found.source) == ("phone", "d")
    assert found.polygons["type"] == "Polygon"
    assert shapely.geometry.shape(found.polygons).equals(shapely.box(-97, 32, -96, 33))


def test_a_place_in_a_hole_is_not_inside():
    """It is as far away as the edge of the hole."""
    ring = shapely.box(-97, 32, -96, 33).difference(shapely.box(-96.6, 32.4, -96.4, 32.6))
    found = _one(-96.5, 32.55, _field((20, ring)))
    assert (found.inside, round(found.distance_km, 1)) == (False, 5.5)
    assert _one(-96.5, 32.5, _field((20, ring)), rules=[Rule("STORM", 20, 5)]) is None


def test_severity_nests():
    """Inside of 20 and 45: the level is 45 and its polygon is told; between them it is the nearest 45 in reach."""
    low, high = shapely.box(-97, 32, -96, 33), shapely.box(-96.6, 32.4, -96.4, 32.6)
    field = _field((45, high), (20, low))
    found = _one(-96.5, 32.5, field)
    assert (found.level, found.inside, found.distance_km, found.bearing_deg) == (45, True, 0, 0)
    found = _one(-96.65, 32.5, field)
    assert (found.level, found.inside) == (45, True)
    assert shapely.geometry.shape(found.polygons).equals(high)
    assert _one(-96.9, 32.5, field).level == 20
    assert _one(-96.65, 32.5, field, rules=[Rule("STORM", 45, 10)]).inside is False
    assert _one(-96.65, 32.5, field, rules=[Rule("STORM", 50, 10)]) is None


def test_times_are_the_first_and_last_within_the_distance():
    """Of fields in any order, and only up to the lead time asked for."""
    fields = [
        _field((20, shapely.box(-98 + lead / 10, 32, -97.5 + lead / 10, 33)), lead=lead) for lead in range(20)
    ]
    found = _one(-97.05, 32.5, *reversed(fields), rules=[Rule("STORM", 20, 0)])
    assert [(t - ISSUED) / timedelta(minutes=1) for t in (found.onset, found.ends)] == [5, 9]
    found = _one(-97.05, 32.5, *fields, rules=[Rule("STORM", 20, 0, 7)])
    assert found.ends - ISSUED == timedelta(minutes=7)
    assert _one(-97.05, 32.5, *fields, rules=[Rule("STORM", 20, 0, 4)]) is None


def test_the_told_polygon_is_the_nearest_of_the_first_time_at_the_highest_level():
    """Whatever comes later or lies farther away."""
    far, near = shapely.box(-97, 32.0, -96.9, 32.1), shapely.box(-97, 32.2, -96.9, 32.3)
    later = shapely.box(-97, 32.14, -96.9, 32.16)
    found = _one(
        -96.95, 32.16, _field((20, far), (20, near), source="1"), _field((20, later), lead=5, source="2")
    )
    assert shapely.geometry.shape(found.polygons).equals(near)
    assert (found.source, found.inside) == ("1", True)


def test_rules_of_one_channel_make_one_match():
    """The widest and the narrowest distance that matched, the highest level of any."""
    rules = [
        Rule("STORM", 20, 30, 60, "phone"),
        Rule("STORM", 45, 5, 60, "phone"),
        Rule("HAIL", 1, 99, 60, "x"),
    ]
    low, high = shapely.box(-97, 32, -96, 33), shapely.box(-96.6, 32.4, -96.4, 32.6)
    found = _one(-96.62, 32.5, _field((20, low), (45, high)), rules=rules)
    assert (found.way, found.within_km, found.narrowest_km) == ("phone", 30, 5)
    assert (found.level, found.inside) == (45, True)
    assert _one(-96.9, 32.5, _field((20, low), (45, high)), rules=rules[1:]) is None


def test_rules_of_different_channels_are_matched_apart():
    """What one asks for decides nothing for the other; subscribers stay in their order."""
    rules = [
        Rule("STORM", 45, 10, 60, "phone"),
        Rule("STORM", 20, 50, 60, "desk"),
        Rule("STORM", 20, 5, 60, "desk"),
    ]
    low, high = shapely.box(-97, 32, -96, 33), shapely.box(-96.6, 32.4, -96.4, 32.6)
    places = [("far", -95.6, 32.5), ("near", -96.65, 32.5), ("inside", -96.5, 32.5)]
    found = match(Subscribers.of(places, rules), [_field((20, low), (45, high))])
    assert [(m.subscriber, m.way) for m in found] == [
        ("far", "desk"), ("near", "phone"), ("near", "desk"), ("inside", "phone"), ("inside", "desk"),
    ]  # fmt: skip
    desk = [(m.level, m.within_km, m.narrowest_km, m.inside) for m in found if m.way == "desk"]
    assert desk == [(20, 50, 50, False), (45, 50, 5, True), (45, 50, 5, True)]
    phone = [(m.level, m.within_km, m.inside, round(m.distance_km)) for m in found if m.way == "phone"]
    assert phone == [(45, 10, False, 5), (45, 10, True, 0)]


def test_a_rule_without_a_hazard_asks_for_every_kind():
    """One match for each kind, by name; no channel is none."""
    box = shapely.box(-97, 32, -96, 33)
    fields = [
        _field((1, box), hazard=hazard, units=units) for hazard, units in (("WIND", "m s-1"), ("HAIL", "mm"))
    ]
    found = match(Subscribers.of([("a", -96.5, 32.5)], [Rule()]), fields)
    assert [(m.hazard, m.units, m.way) for m in found] == [("HAIL", "mm", ""), ("WIND", "m s-1", "")]


def test_nothing_matches_nothing():
    """No fields, no polygons, no subscribers, no rules: no matches."""
    box = shapely.box(-97, 32, -96, 33)
    assert _one(0, 0) is None
    assert _one(0, 0, _field()) is None
    assert _one(0, 0, _field((20, box))) is None
    assert _one(0, 0, _field((20, box)), rules=[]) is None
    assert match(Subscribers.of([], [RULE]), [_field((20, box))]) == []


def test_one_kind_has_one_unit():
    """Levels in two units cannot be compared."""
    with pytest.raises(DataError, match="'STORM' come in several units: dBZ, mm"):
        _one(0, 0, _field(), _field(units="mm"))


@pytest.mark.parametrize("lat", [0.0, 60.0, 84.0])
def test_the_antimeridian_is_no_edge_of_the_world(lat):
    """A place at 179.99 is near a polygon that ends at -179.99, at any latitude, as it would be elsewhere."""
    found = _one(179.99, lat, _field((20, shapely.box(-179.99, lat - 0.1, -179.5, lat + 0.1))))
    home = _one(-0.01, lat, _field((20, shapely.box(0.01, lat - 0.1, 0.5, lat + 0.1))))
    assert found.distance_km == pytest.approx(home.distance_km, rel=1e-6)
    assert found.bearing_deg == pytest.approx(home.bearing_deg, rel=1e-5)


def test_a_pole_is_a_place():
    """Somebody beyond the pole is near."""
    found = _one(180, 89.99, _field((20, shapely.box(-10, 89.0, 10, 89.95))))
    assert found.distance_km == pytest.approx(6.7, abs=0.05)


def test_hazards_all_over_the_earth_are_matched_each_in_its_part():
    """Fields may span continents."""
    lons = np.arange(-175, 180, 25.0)
    boxes = [(20, shapely.box(lon, lat, lon + 1, lat + 1)) for lon in lons for lat in (-60, 0, 70)]
    places = [(f"{lon}/{lat}", lon + 0.5, lat - 0.05) for lon in lons for lat in (-60, 0, 70)]
    found = match(Subscribers.of(places, [RULE]), [_field(*boxes)])
    assert [m.subscriber for m in found] == [name for name, _, _ in places]
    assert all(5.4 < m.distance_km < 5.7 for m in found)
    assert all(min(m.bearing_deg, 360 - m.bearing_deg) < 1 for m in found)


def _shift(degrees):
    return lambda at: at + np.array([degrees, 0.0])


def _storm(rng, lon, lat, size):
    angle = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(5, 40)))
    radius = size * rng.uniform(0.4, 1, len(angle))
    outer = np.column_stack(
        [lon + radius * np.cos(angle) / math.cos(math.radians(lat)), lat + radius * np.sin(angle)]
    )
    hole = shapely.box(lon - size / 8, lat - size / 8, lon + size / 8, lat + size / 8)
    return shapely.make_valid(shapely.Polygon(outer), method="structure").difference(hole)


def _scene(seed, lon, lat, count):
    rng = np.random.default_rng(seed)
    spread = 1 / math.cos(math.radians(lat))
    fields = []
    for lead in range(3):
        parts = []
        for level in (20.0, 45.0):
            for _ in range(4):
                storm = _storm(
                    rng, lon + rng.uniform(-1, 1) * spread, lat + rng.uniform(-1, 1), rng.uniform(0.05, 0.5)
                )
                parts += [(level, p) for p in shapely.get_parts(storm) if p.geom_type == "Polygon"]
        fields.append(_field(*parts, lead=lead))
    at = np.column_stack([lon + rng.uniform(-1.5, 1.5, count) * spread, lat + rng.uniform(-1.5, 1.5, count)])
    return [(str(n), x, y) for n, (x, y) in enumerate(at.tolist())], fields


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([-70.0, 0.0, 33.0, 78.0]), st.sampled_from([3.0, 25.0]))
def test_matches_are_those_of_brute_force(seed, lat, within):
    """Every place against every polygon, by geodesics to points along all edges: the same within metres."""
    places, fields = _scene(seed, -97.0, lat, 10)
    crowd = [(f"c{n}", x, y) for n, (_, x, y) in enumerate(_scene(seed + 1, -97.0, lat, 400)[0])]
    found = {
        m.subscriber: m for m in match(Subscribers.of(places + crowd, [Rule("STORM", 20, within)]), fields)
    }
    for name, lon, lat_ in places:
        every = [
            (0.0 if p.contains(shapely.Point(lon, lat_)) else _edge(p, lon, lat_), level, f.valid_time)
            for f in fields
            for level, p in zip(f.levels, f.polygons, strict=True)
        ]
        if any(abs(metres - within * 1000) < 30 for metres, _, _ in every):
            continue  # a point every 100 m of an edge cannot tell
        near = [(metres, level, at) for metres, level, at in every if metres <= within * 1000]
        assert (name in found) == bool(near)
        if near:
            got = found[name]
            assert got.distance_km * 1000 == pytest.approx(min(m for m, _, _ in near), abs=60)
            assert got.level == max(level for _, level, _ in near)
            assert (got.onset, got.ends) == (min(t for _, _, t in near), max(t for _, _, t in near))
            assert got.inside == any(m == 0 for m, _, _ in near)


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 10**6))
def test_where_the_earth_is_cut_changes_nothing(seed):
    """The same storms and places turned to the antimeridian, there cut in two, give the same matches."""
    places, fields = _scene(seed, 0.0, 40.0, 150)
    turned = []
    for field in fields:
        parts = []
        for level, polygon in zip(field.levels, field.polygons, strict=True):
            east = shapely.transform(polygon, _shift(180))
            for side, shift in ((shapely.box(0, -90, 180, 90), 0), (shapely.box(180, -90, 360, 90), -360)):
                cut = shapely.transform(shapely.intersection(east, side), _shift(shift))
                own = [p for p in shapely.get_parts(cut) if p.geom_type == "Polygon" and not p.is_empty]
                parts += [(level, p) for p in own]
        turned.append(_field(*parts, lead=field.lead_minutes))
    there = [(name, (lon + 360) % 360 - 180, lat) for name, lon, lat in places]
    home = match(Subscribers.of(places, [RULE]), fields)
    away = match(Subscribers.of(there, [RULE]), turned)
    assert [m.subscriber for m in home] == [m.subscriber for m in away]
    for a, b in zip(home, away, strict=True):
        assert (a.level, a.onset, a.ends, a.inside) == (b.level, b.onset, b.ends, b.inside)
        assert a.distance_km == pytest.approx(b.distance_km, abs=1e-3)


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 10**6), st.randoms())
def test_the_order_of_subscribers_does_not_matter(seed, random):
    """Nor does who else is there."""
    places, fields = _scene(seed, 10.0, 50.0, 200)
    straight = {m.subscriber: m for m in match(Subscribers.of(places, [RULE]), fields)}
    mixed = random.sample(places, len(places))
    found = match(Subscribers.of(mixed, [RULE]), fields)
    assert [m.subscriber for m in found] == [name for name, _, _ in mixed if name in straight]
    for m in found + match(Subscribers.of(places[:20], [RULE]), fields):
        other = straight[m.subscriber]
        assert (m.level, m.onset, m.ends, m.inside) == (other.level, other.onset, other.ends, other.inside)
        assert m.distance_km == pytest.approx(other.distance_km, abs=1e-6)
        assert m.polygons == other.polygons


def test_a_large_polygon_is_told_with_few_points():
    """A message stays small; the match was made with all points."""
    angle = np.linspace(0, 2 * np.pi, 20_000, endpoint=False)
    ring = shapely.Polygon(np.column_stack([np.cos(angle), np.sin(angle)]))
    found = _one(0.5, 0.5, _field((20, ring)))
    assert len(found.polygons["coordinates"][0]) <= 500
    assert shapely.geometry.shape(found.polygons).symmetric_difference(ring).area < 0.01 * ring.area
