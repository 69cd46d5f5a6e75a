"""Alerts as CloudEvents: parsed by the outside package in both modes, whatever the names, and read back."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_binary_event, from_structured_event
from hypothesis import given
from hypothesis import strategies as st

from dynamo.alerts.alert import Alert
from dynamo.alerts.cloudevents import binary, structured
from dynamo.alerts.forms import FORMS, read, write
from dynamo.alerts.geojson import feature
from dynamo.alerts.words import plain
from dynamo.errors import DataError

SENT = datetime(2024, 5, 1, 7, 39, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ALERT = Alert(
    id="a2", episode="e1", revision=0, kind="new", feed="my_chain.py:now cast", run="r1", subscriber="Baylor",
    lon=-96.78, lat=32.79, hazard="STORM", level=45.0, units="dBZ", issued=SENT - MINUTE, sent=SENT,
    onset=SENT + 12 * MINUTE, ends=SENT + 20 * MINUTE, inside=False, distance_km=3.24, bearing_deg=225.0,
    within_km=10.0, expires=SENT + 30 * MINUTE,
    polygons={"type": "Polygon", "coordinates": [[[-97.0, 32.0], [-96.0, 32.0], [-96.0, 33.0], [-97.0, 32.0]]]},
)  # fmt: skip
NAMES = [
    "Baylor",
    "Klinik Süd",
    '5 % "here" & there',
    "病院",
    "a\r\nce-type: other",
    "\x1b[2J",
    "A\ud800",
    "😀",
]


def parse(mode, alert):
    """Let the outside package read an event."""
    if mode == "structured":
        body, headers = structured(alert)
        return from_structured_event(HTTPMessage(headers, body))
    body, headers = binary(alert)
    return from_binary_event(HTTPMessage(headers, body))


@pytest.mark.parametrize("mode", ["structured", "binary"])
@pytest.mark.parametrize("kind", ["new", "updated", "cancelled"])
def test_the_outside_package_reads_what_is_told(mode, kind):
    """Id, source, type, subject, time and the GeoJSON as data."""
    alert = replace(ALERT, kind=kind)
    event = parse(mode, alert)
    assert event.get_specversion() == "1.0"
    assert event.get_id() == "a2"
    assert event.get_source() == "/dynamo/my_chain.py%3Anow%20cast"
    assert event.get_type() == f"dynamo.alert.{kind}"
    assert event.get_subject() == "Baylor"
    assert event.get_time() == SENT
    assert event.get_datacontenttype() == "application/geo+json"
    data = event.get_data()
    assert (data if isinstance(data, dict) else orjson.loads(data)) == feature(alert)


@pytest.mark.parametrize("mode", ["structured", "binary"])
def test_an_exercise_is_told_without_reading_the_data(mode):
    """It is an attribute of the event; of a real alert there is none."""
    event = parse(mode, replace(ALERT, exercise=True))
    assert str(event.get_extension("exercise")).lower() == "true"
    assert parse(mode, ALERT).get_extension("exercise") is None


@pytest.mark.parametrize("mode", ["structured", "binary"])
@pytest.mark.parametrize("name", NAMES)
def test_any_subscriber_is_the_subject(mode, name):
    """Line breaks and control characters, which the standard forbids, are taken out; the rest is kept."""
    assert parse(mode, replace(ALERT, subscriber=name)).get_subject() == plain(name)


def test_a_subscriber_without_a_letter_gives_no_subject():
    """The standard allows no empty one."""
    for mode in ("structured", "binary"):
        assert parse(mode, replace(ALERT, subscriber="\x00")).get_subject() is None


@given(st.text(), st.text())
def test_headers_are_printable_ascii_and_decode_to_what_was_meant(subscriber, feed):
    """HTTP binding, 3.1.3.2: space, double quote, percent and all beyond ASCII are percent-encoded UTF-8."""
    alert = replace(ALERT, subscriber=subscriber, feed=feed)
    _, headers = binary(alert)
    for name, value in headers.items():
        assert re.fullmatch(r"[!#-~]+", value), name
        assert re.fullmatch(r"[a-z-]+", name)
    assert parse("binary", alert).get_subject() == (plain(subscriber) or None)


@pytest.mark.parametrize("form", [f for f in FORMS if f != "text"])
def test_every_form_for_machines_is_read_back(form):
    """By what its headers say it is."""
    message = write(ALERT, form)
    assert read(message.body, message.headers) == (ALERT, form)
    assert message.suffix.startswith(".")


def test_content_types_have_parameters_and_other_names():
    """A charset is ignored, and plain JSON and XML are looked into."""
    for form, kind in (("geojson", "application/json"), ("cap", "text/xml"), ("cloudevents", None)):
        message = write(ALERT, form)
        headers = {"content-type": f"{(kind or message.content_type).upper()}; charset=UTF-8"}
        assert read(message.body, headers)[0] == ALERT


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"7", b"{}", b'{"specversion": "1.0"}', b'{"specversion": "0.3", "data": {}}',
     b'{"specversion": "1.0", "data": 3}', b'{"specversion": "1.0", "data": {"geometry": {}, "properties": {}}}'],
)  # fmt: skip
def test_what_is_no_event_of_an_alert_is_refused(body):
    """With what is wrong with it, never another error."""
    with pytest.raises(DataError):
        read(body, {"content-type": "application/cloudevents+json"})


@pytest.mark.parametrize("headers", [{}, {"content-type": "text/plain"}, {"content-type": "image/png"}])
def test_a_form_that_is_not_known_is_refused_by_name(headers):
    """Text is for people."""
    with pytest.raises(DataError, match="not told by"):
        read(b"", headers)
