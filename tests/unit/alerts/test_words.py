"""Alerts in plain words: what comes where and when, on one line, whatever names come from outside."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamo.alerts.alert import Alert, Reference
from dynamo.alerts.words import compass, describe, hazard_words, headline, now_of, plain, sentence

SENT = datetime(2024, 5, 1, 7, 39, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ALERT = Alert(
    id="a2", episode="e1", revision=0, kind="new", feed="nowcast", run="r1", subscriber="Baylor Medical Center",
    lon=-96.78, lat=32.79, hazard="STORM", level=45.0, units="dBZ", issued=SENT - MINUTE, sent=SENT,
    onset=SENT + 12 * MINUTE, ends=SENT + 20 * MINUTE, inside=False, distance_km=3.24, bearing_deg=225.0,
    within_km=10.0, expires=SENT + 30 * MINUTE,
)  # fmt: skip
OVER = replace(ALERT, kind="cancelled", onset=None, ends=None, polygons=None)


@pytest.mark.parametrize(
    ("hazard", "level", "units", "said"),
    [
        ("HAIL", 20.0, "mm", "HAIL 20 mm"),
        ("HAIL", 3.5, "1", "HAIL (hail)"),
        ("HAIL", 5.0, "1", "HAIL (large hail)"),
        ("HAIL", 3.0, "", "HAIL (graupel or small hail)"),
        ("HAIL", 1.0, "1", "HAIL 1"),
        ("WIND", 20.0, "m s-1", "WIND 20 m s-1"),
        ("FOG", 2.0, "1", "FOG 2"),
    ],
)
def test_classes_are_told_in_words_and_numbers_with_their_units(hazard, level, units, said):
    """Nobody knows what hail of 3.5 is."""
    assert hazard_words(replace(ALERT, hazard=hazard, level=level, units=units)) == said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "STORM 45 dBZ comes within 10 km of Baylor Medical Center in 12 min (07:51 UTC)"),
        ({"within_km": 0.0}, "STORM 45 dBZ reaches Baylor Medical Center in 12 min (07:51 UTC)"),
        (
            {"kind": "updated", "level": 52.5},
            "Update: STORM 52.5 dBZ comes within 10 km of Baylor Medical Center in 12 min (07:51 UTC)",
        ),
        ({"onset": SENT - 5 * MINUTE}, "STORM 45 dBZ is within 10 km of Baylor Medical Center now"),
        ({"onset": SENT, "within_km": 0.0}, "STORM 45 dBZ is at Baylor Medical Center now"),
        (
            {"onset": SENT + MINUTE / 2},
            "STORM 45 dBZ comes within 10 km of Baylor Medical Center in less than a minute (07:39 UTC)",
        ),
        (
            {"onset": SENT - 9 * MINUTE, "ends": SENT - 2 * MINUTE},
            "STORM 45 dBZ was within 10 km of Baylor Medical Center at least until 07:37 UTC",
        ),
        ({"onset": None, "ends": None}, "STORM 45 dBZ within 10 km of Baylor Medical Center"),
        (
            {"within_km": 16.09344, "onset": SENT},
            "STORM 45 dBZ is within 16.09 km of Baylor Medical Center now",
        ),
        ({"kind": "cancelled"}, "All clear: no STORM 45 dBZ or more within 10 km of Baylor Medical Center"),
        (
            {"kind": "cancelled", "within_km": 0.0},
            "All clear: no STORM 45 dBZ or more at Baylor Medical Center",
        ),
        (
            {"exercise": True, "within_km": 0.0},
            "EXERCISE: STORM 45 dBZ reaches Baylor Medical Center in 12 min (07:51 UTC)",
        ),
    ],
)
def test_a_headline_says_what_comes_where_and_when(changes, said):
    """Near, at the place, here already, over, and marked where it is an exercise."""
    assert headline(replace(ALERT, **changes)) == said


def test_a_sentence_is_the_headline_without_its_marks():
    """For a line that says elsewhere what kind of alert it is."""
    for kind in ("new", "updated", "cancelled"):
        alert = replace(ALERT, kind=kind, exercise=True)
        assert headline(alert).endswith(sentence(alert))
        assert ":" not in sentence(alert).partition("(")[0]


def test_times_are_utc_whatever_zone_they_came_in():
    """An alert of Central time says the same."""
    central = timezone(timedelta(hours=-5))
    local = replace(ALERT, onset=ALERT.onset.astimezone(central), sent=SENT.astimezone(central))
    assert headline(local) == headline(ALERT)


def test_minutes_of_old_data_are_counted_from_its_analysis():
    """A case of years ago that is played again comes in minutes, not minus years."""
    again = replace(ALERT, sent=SENT + timedelta(days=700))
    assert now_of(again) == ALERT.issued
    assert " in 13 min (2024-05-01 07:51 UTC)" in headline(again)
    here = headline(replace(again, onset=ALERT.issued))
    assert here == "STORM 45 dBZ is within 10 km of Baylor Medical Center at 2024-05-01 07:38 UTC"
    assert now_of(replace(ALERT, sent=SENT + timedelta(minutes=50))) == SENT + timedelta(minutes=50)


def test_the_text_tells_level_times_distance_direction_and_what_was_told_before():
    """In the order in which it matters."""
    before = (Reference("a0", SENT - 9 * MINUTE), Reference("a1", SENT - 4 * MINUTE))
    assert describe(replace(ALERT, kind="updated", revision=2, references=before)).splitlines() == [
        (
            "STORM 45 dBZ or more within 10 km of Baylor Medical Center from 2024-05-01 07:51 UTC, "
            "at least until 2024-05-01 07:59 UTC."
        ),
        "At its nearest it is 3.2 km to the SW.",
        "First told at 2024-05-01 07:30 UTC. This replaces the alert of 2024-05-01 07:35 UTC (a1).",
        "Made of radar data of 2024-05-01 07:38 UTC. Do not rely on this after 2024-05-01 08:09 UTC.",
    ]


def test_the_text_says_so_when_it_is_over_or_no_danger_at_all():
    """An all clear names what is over; an exercise says first that it is one."""
    assert "It passes over the place itself." in describe(replace(ALERT, inside=True))
    lines = describe(replace(OVER, exercise=True)).splitlines()
    assert lines[0] == "This is an exercise: nobody is in danger."
    assert lines[1] == (
        "All clear for Baylor Medical Center: there is no STORM 45 dBZ or more "
        "within 10 km of Baylor Medical Center any more."
    )
    assert "nearest" not in describe(OVER)


@pytest.mark.parametrize(
    ("bearing", "point"),
    [(0, "N"), (11.2, "N"), (11.3, "NNE"), (90, "E"), (225, "SW"), (348.8, "N"), (360, "N")],
)
def test_the_compass_has_sixteen_points(bearing, point):
    """Each stands for 22.5 degrees around it."""
    assert compass(bearing) == point


@given(st.text())
def test_plain_text_is_one_line_that_every_form_may_hold(text):
    """No control or format character, no broken half of a character, nothing that ends a line; twice is once."""
    said = plain(text)
    assert said.splitlines() in ([], [said])
    assert not {unicodedata.category(c) for c in said if c not in "\u200c\u200d"} & {
        "Cc",
        "Cf",
        "Cs",
        "Zl",
        "Zp",
    }
    assert plain(said) == said
    said.encode()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Clinic\r\nBcc: all@example.org", "Clinic Bcc: all@example.org"),
        ("\x1b[2Jgone", "[2Jgone"),
        ("Krankenhaus  Süd", "Krankenhaus Süd"),
        ("abc\u202exyz\ud800\ufffe\x00", "abc xyz"),
        ("क्\u200dष", "क्\u200dष"),
        ("", ""),
    ],
)
def test_names_keep_what_is_text(text, said):
    """Line breaks, terminal codes and text turned around go; letters of all scripts stay."""
    assert plain(text) == said


@given(st.text(), st.text(), st.text(max_size=8))
def test_a_headline_is_always_one_line(subscriber, hazard, units):
    """Whatever the names are."""
    alert = replace(ALERT, subscriber=subscriber, hazard=hazard, units=units)
    assert len(headline(alert).splitlines()) == 1
    assert hazard_words(alert) == plain(hazard_words(alert))
