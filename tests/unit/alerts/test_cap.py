"""Alerts as CAP 1.2: valid by the outside schema and by the rules that no schema holds, and read back."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import capvalidator
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamo.alerts.alert import Alert, Reference
from dynamo.alerts.cap import NAMESPACE, dumps, loads
from dynamo.alerts.words import describe, headline, plain
from dynamo.errors import DataError

SENT = datetime(2024, 5, 1, 7, 39, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RING = [[-97.0, 32.0], [-96.0, 32.0], [-96.0, 33.0], [-97.0, 33.0], [-97.0, 32.0]]
HOLE = [[-96.6, 32.4], [-96.6, 32.6], [-96.4, 32.6], [-96.4, 32.4], [-96.6, 32.4]]
OTHER = [[-95.0, 32.0], [-94.0, 32.000001], [-94.5, 33.0], [-95.0, 32.0]]
ALERT = Alert(
    id="a2", episode="e1", revision=0, kind="new", feed="nowcast", run="r1", subscriber="Baylor",
    lon=-96.78, lat=32.79, hazard="STORM", level=45.0, units="dBZ", issued=SENT - MINUTE, sent=SENT,
    onset=SENT + 12 * MINUTE, ends=SENT + 20 * MINUTE, inside=False, distance_km=3.24, bearing_deg=225.0,
    within_km=10.0, expires=SENT + 30 * MINUTE, polygons={"type": "Polygon", "coordinates": [RING]}, source="abc",
)  # fmt: skip
BEFORE = (Reference("a0", SENT - 9 * MINUTE), Reference("a 1,<&>", SENT - 4 * MINUTE))


def judge(alert, **options):
    """Run the outside validator over a message and return its root."""
    body = dumps(alert, **options)
    found = capvalidator.validate_cap_message(body, strict=False)
    assert found.passed, found.message
    return ET.fromstring(body)


def text(root, path):
    """Return the text at a path of plain names."""
    return root.findtext("/".join(f"{{{NAMESPACE}}}{name}" for name in path.split("/")))


def texts(root, name):
    """Return the texts of all elements of a name."""
    return [element.text for element in root.iter(f"{{{NAMESPACE}}}{name}")]


@pytest.mark.parametrize("kind", ["new", "updated", "cancelled"])
@pytest.mark.parametrize("exercise", [False, True])
@pytest.mark.parametrize("where", ["one", "two", "none"])
def test_every_alert_passes_the_outside_validator_and_comes_back(kind, exercise, where):
    """All kinds, exercises, and with and without polygons."""
    shapes = {
        "one": ALERT.polygons,
        "two": {"type": "MultiPolygon", "coordinates": [[RING], [OTHER]]},
        "none": None,
    }
    alert = replace(ALERT, kind=kind, exercise=exercise, polygons=shapes[where])
    if kind != "new":
        alert = replace(alert, references=BEFORE, revision=2)
    if kind == "cancelled":
        alert = replace(alert, onset=None, ends=None)
    root = judge(alert)
    assert text(root, "msgType") == {"new": "Alert", "updated": "Update", "cancelled": "Cancel"}[kind]
    assert text(root, "status") == ("Exercise" if exercise else "Actual")
    assert text(root, "info/headline") == headline(alert)
    assert text(root, "info/description") == describe(alert)
    assert loads(dumps(alert)) == alert


def test_times_have_a_numeric_offset_and_utc_is_minus_zero():
    """Section 3.3.2: never Z, no fractions of a second, UTC as -00:00."""
    root = judge(replace(ALERT, sent=SENT + timedelta(milliseconds=999)))
    assert text(root, "sent") == "2024-05-01T07:39:01-00:00"
    assert text(root, "info/onset") == "2024-05-01T07:51:01-00:00"
    assert text(root, "info/expires") == "2024-05-01T08:09:01-00:00"


def test_an_update_refers_to_each_earlier_message_as_that_named_itself():
    """Sender, identifier and time sent are those of the earlier message, to the letter."""
    earlier = []
    for reference in BEFORE:
        root = judge(replace(ALERT, id=reference.id, sent=reference.sent), sender="storms.example.org")
        earlier.append(",".join(text(root, name) for name in ("sender", "identifier", "sent")))
    root = judge(replace(ALERT, kind="updated", references=BEFORE), sender="storms.example.org")
    assert text(root, "references").split() == earlier


@given(st.text(min_size=1), st.text(min_size=1))
def test_identifiers_hold_nothing_that_the_standard_forbids(one, other):
    """Section 3.2.1: no spaces, commas, < or &; and two ids that differ as text stay different."""
    found = [
        text(ET.fromstring(dumps(replace(ALERT, id=each), sender=each)), "identifier") or ""
        for each in (one, other)
    ]
    for each in found:
        assert not re.search(r"[\s,<&]", each)
    assert (found[0] == found[1]) == (plain(one) == plain(other))


@given(st.text(), st.text(), st.text(max_size=10), st.text())
def test_any_name_gives_legal_xml(subscriber, hazard, units, feed):
    """Control characters, which XML 1.0 cannot hold at all, are taken out; markup is text."""
    alert = replace(ALERT, subscriber=subscriber, hazard=hazard, units=units, feed=feed)
    root = judge(alert)
    assert text(root, "info/headline") == headline(alert)
    assert text(root, "addresses").count('"') == 2
    assert loads(dumps(alert)).subscriber == plain(subscriber)


def test_polygons_are_closed_latitude_first_and_without_holes():
    """The outer ring alone: CAP has no holes."""
    open_ring = OTHER[:-1]
    alert = replace(ALERT, polygons={"type": "MultiPolygon", "coordinates": [[RING, HOLE], [open_ring]]})
    root = judge(alert)
    assert texts(root, "polygon") == [
        "32,-97 32,-96 33,-96 33,-97 32,-97",
        "32,-95 32.000001,-94 33,-94.5 32,-95",
    ]


def test_the_circle_is_the_place_and_the_distance_that_was_asked_for():
    """Latitude, longitude, radius in km; also of an all clear, which has no polygons."""
    for alert in (ALERT, replace(ALERT, kind="cancelled", polygons=None, onset=None, ends=None)):
        assert texts(judge(alert), "circle") == ["32.79,-96.78 10"]
        assert "within 10 km of Baylor" in texts(judge(alert), "areaDesc")
    tiny = replace(ALERT, lon=0.00000004, lat=-1e-9, within_km=0.0)
    assert texts(judge(tiny), "circle") == ["0,0 0"]


@pytest.mark.parametrize(
    ("lead", "urgency", "certainty"),
    [(-9, "Immediate", "Observed"), (-1, "Immediate", "Observed"), (10, "Immediate", "Likely"),
     (11, "Expected", "Likely"), (29, "Expected", "Likely"), (30, "Expected", "Possible"),
     (60, "Expected", "Possible"), (61, "Future", "Possible")],
)  # fmt: skip
def test_urgency_and_certainty_follow_the_lead_time(lead, urgency, certainty):
    """Urgency from now, certainty from the analysis, here a minute before."""
    root = judge(replace(ALERT, onset=SENT + lead * MINUTE))
    assert (text(root, "info/urgency"), text(root, "info/certainty")) == (urgency, certainty)


@pytest.mark.parametrize(
    ("level", "units", "severity"),
    [(20, "dBZ", "Minor"), (30, "dBZ", "Moderate"), (45, "dBZ", "Severe"), (55, "dBZ", "Extreme"),
     (10, "mm", "Moderate"), (30, "mm", "Severe"), (60, "mm", "Extreme"), (20, "m s-1", "Moderate"),
     (30, "m s-1", "Severe"), (40, "m s-1", "Extreme"), (45, "parsec", "Unknown"), (45, "", "Unknown")],
)  # fmt: skip
def test_severity_follows_the_level(level, units, severity):
    """By the table of its units; units that are not there say nothing."""
    assert text(judge(replace(ALERT, level=float(level), units=units)), "info/severity") == severity


def test_an_all_clear_and_an_unknown_time_say_so():
    """Over is Past, Minor and Observed; without an onset nothing is claimed."""
    over = judge(replace(ALERT, kind="cancelled", onset=None))
    said = [text(over, f"info/{name}") for name in ("urgency", "severity", "certainty", "responseType")]
    assert said == ["Past", "Minor", "Observed", "AllClear"]
    unknown = judge(replace(ALERT, onset=None))
    assert (text(unknown, "info/urgency"), text(unknown, "info/certainty")) == ("Unknown", "Unknown")


def test_names_of_ours_cannot_be_overridden_from_parameters():
    """The kind, the time and the polygons come from where CAP has them."""
    body = dumps(ALERT).replace(b"<valueName>source<", b"<valueName>kind<")
    assert loads(body) == replace(ALERT, source="")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<", b"\xff", b"<alert/>",
        *(f'<?xml version="1.0" encoding="{name}"?><alert/>'.encode() for name in ("foo", "big5", "idna", "hex")),
        f'<alert xmlns="{NAMESPACE}"/>'.encode(),
        f'<alert xmlns="{NAMESPACE}"><info/></alert>'.encode(),
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><alert>&x;</alert>',
        dumps(ALERT).replace(b">Alert<", b">Ack<"),
        dumps(ALERT).replace(b"<polygon>32", b"<polygon>north"),
        dumps(ALERT).replace(b"<valueName>level<", b"<valueName>lvl<"),
        dumps(replace(ALERT, references=BEFORE)).replace(b",a0,", b","),
        dumps(ALERT).replace(b"2024-05-01T07:39:01-00:00", b"noon"),
    ],
)  # fmt: skip
def test_what_is_no_message_of_ours_is_refused(body):
    """With what is wrong with it, never another error, and nothing is fetched."""
    with pytest.raises(DataError):
        loads(body)


def test_entities_that_grow_are_bounded():
    """A billion laughs are cut short by the parser."""
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "ha" * 50}">' for n in range(12))
    with pytest.raises(DataError):
        loads(f"<!DOCTYPE a [{entities}]><alert>&e11;</alert>".encode())
