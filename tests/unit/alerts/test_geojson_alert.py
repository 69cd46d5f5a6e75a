"""Alerts as GeoJSON: valid by two outside judges, complete, and read back as they were."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import geojson_validator
import orjson
import pytest
from geojson_pydantic import Feature
from hypothesis import given
from hypothesis import strategies as st

from dynamo.alerts.alert import Alert, Reference
from dynamo.alerts.geojson import dumps, feature, loads
from dynamo.alerts.words import headline
from dynamo.errors import DataError

SENT = datetime(2024, 5, 1, 7, 39, 1, 250_000, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOLED = [
    [[-97.0, 32.0], [-96.0, 32.0], [-96.0, 33.0], [-97.0, 33.0], [-97.0, 32.0]],
    [[-96.6, 32.4], [-96.6, 32.6], [-96.4, 32.6], [-96.4, 32.4], [-96.6, 32.4]],
]
FAR = [[[-95.0, 32.0], [-94.0, 32.0], [-94.5, 33.0], [-95.0, 32.0]]]
SHAPES = {
    "one": {"type": "Polygon", "coordinates": HOLED},
    "two": {"type": "MultiPolygon", "coordinates": [HOLED, FAR]},
    "none": None,
}
ALERT = Alert(
    id="a2", episode="e1", revision=1, kind="updated", feed="nowcast", run="r1", subscriber="Baylor",
    lon=-96.78, lat=32.79, hazard="STORM", level=45.0, units="dBZ", issued=SENT - MINUTE, sent=SENT,
    onset=SENT + 12 * MINUTE, ends=SENT + 20 * MINUTE, inside=False, distance_km=3.24, bearing_deg=225.0,
    within_km=10.0, expires=SENT + 30 * MINUTE, references=(Reference("a1", SENT - MINUTE),),
    polygons=SHAPES["one"], source="abc",
)  # fmt: skip


def judge(body):
    """Run both outside judges over one Feature and return it."""
    said = orjson.loads(body)
    Feature.model_validate(said)
    assert geojson_validator.validate_structure(said) == {}
    if said["geometry"]["type"] != "Point":
        found = geojson_validator.validate_geometries(said)
        assert found["invalid"] == {}
        assert found["skipped_validation"] == []
        assert set(found["problematic"]) <= {"holes"}
    return said


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["new", "updated", "cancelled"])
def test_an_alert_is_a_valid_feature_and_comes_back_whole(shape, kind):
    """The hazard is the geometry, the place where there is none; all else is in the properties."""
    alert = replace(ALERT, kind=kind, polygons=SHAPES[shape])
    if kind == "cancelled":
        alert = replace(alert, onset=None, ends=None)
    said = judge(dumps(alert))
    assert said["geometry"] == (alert.polygons or {"type": "Point", "coordinates": [-96.78, 32.79]})
    assert said["id"] == said["properties"]["id"] == "a2"
    assert said["properties"]["headline"] == headline(alert)
    assert {**said["properties"], "polygons": alert.polygons}.items() >= alert.to_json().items()
    assert loads(dumps(alert)) == alert


@given(subscriber=st.text(), hazard=st.text(), exercise=st.booleans())
def test_any_name_is_written(subscriber, hazard, exercise):
    """As it is, in UTF-8; only half a character, which no UTF-8 can hold, becomes a question mark."""
    alert = replace(ALERT, subscriber=subscriber, hazard=hazard, exercise=exercise)
    again = loads(dumps(alert))
    assert again.subscriber == subscriber.encode("utf-8", "replace").decode()
    assert again.exercise is exercise


def test_half_a_character_is_written_as_a_question_mark():
    """It came from JSON that was broken; the alert must not be lost for that."""
    assert loads(dumps(replace(ALERT, subscriber="A\ud800"))).subscriber == "A?"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b'"text"', b"\xff", b'{"type": "Feature"}',
        b'{"type": "Feature", "geometry": null, "properties": {}}',
        b'{"type": "FeatureCollection", "features": []}',
        b"[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_alert_is_refused(body):
    """Whatever comes over the wire is a `DataError`, never another one."""
    with pytest.raises(DataError):
        loads(body)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("level", "high"), ("level", "nan"), ("level", None), ("lon", [1]), ("sent", "yesterday"), ("sent", None),
        ("sent", "2024-05-01T07:39:00"), ("sent", 7), ("kind", "other"), ("kind", []), ("references", 3),
        ("references", [{}]), ("inside", "perhaps"), ("inside", {}), ("revision", "one"), ("revision", 1e999),
        ("onset", "2024-05-01T07:39:00"), ("issued", ["2024"]),
    ],
)  # fmt: skip
def test_an_alert_with_a_value_of_another_kind_is_refused(name, value):
    """Every field is what it should be, or the whole is refused."""
    said = feature(ALERT)
    said["properties"][name] = value
    with pytest.raises(DataError):
        loads(orjson.dumps(said))


@pytest.mark.parametrize("name", sorted(set(ALERT.to_json()) - {"polygons"}))
def test_an_alert_that_lacks_something_is_refused(name):
    """No field is made up."""
    said = feature(ALERT)
    del said["properties"][name]
    with pytest.raises(DataError):
        loads(orjson.dumps(said))
