"""Subscribers whom no alert can reach."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from dynamo.alerts.hazard import HazardField
from dynamo.alerts.policy import Policy
from dynamo.alerts.subscriber import Rule, Subscribers
from dynamo.watch.beyond import beyond
from dynamo.watch.judge import Judge, Products

NOW = datetime(2026, 3, 25, 5, tzinfo=UTC)
TEXAS = (-98.0, 31.8, -96.1, 33.4)
RULES = [Rule("STORM", 20, 10, 60, "phone"), Rule("STORM", 45, 30, 60, "phone")]


def fields(*bounds):
    """Fields of storms with these bounds, without a polygon."""
    none = np.empty(0, object)
    return [HazardField("STORM", "dBZ", NOW, NOW, 0, np.empty(0), none, bounds=box) for box in bounds]


def people(*places, rules=RULES):
    return Subscribers.of([(f"p{n}", lon, lat) for n, (lon, lat) in enumerate(places)], rules)


@pytest.mark.parametrize(
    "place",
    [
        (-97, 32.5),
        (-98, 31.8),
        (-96, 33.5),
        (-97, 33.66),
    ],  # inside, at a corner, and within the wider of two rules
)
def test_who_may_be_reached_is_not_told_of(place):
    """At the place itself or within what any of his rules asks for."""
    assert beyond(people(place), fields(TEXAS)) == ""


def test_who_cannot_be_reached_is_named():
    """Swapped, with a lost sign, and too far: all by name, or how many more."""
    said = beyond(people((32.5, -90), (97, 32.5), (-97, 34), (-97, 32.5)), fields(TEXAS, TEXAS))
    assert said == (
        "3 subscribers cannot be told of STORM by this run file, farther from the field of its products (longitude"
        " -98 to -96.1, latitude 31.8 to 33.4) than the distance asked for: 'p0', 'p1', 'p2'"
    )
    many = people(*[(10, 50)] * 8)
    assert beyond(many, fields(TEXAS)).endswith("'p0', 'p1', 'p2', 'p3', 'p4' and 3 more")


def test_who_posts_where_he_is_is_on_a_journey():
    """He may come back; that he is far is no slip of the file."""
    two = replace(people((10, 50), (11, 50)), posted=frozenset({"p0"}))
    assert beyond(two, fields(TEXAS)).endswith("asked for: 'p1'")


def test_nobody_is_beyond_what_is_not_known():
    """Where one of the products does not say its bounds, or nobody asks for this hazard."""
    assert beyond(people((10, 50)), fields(TEXAS, None)) == ""
    assert beyond(people((10, 50), rules=[Rule("HAIL")]), fields(TEXAS)) == ""


def test_a_field_across_the_antimeridian():
    """Its bounds go on beyond 180 degrees."""
    across = (178.0, -20.0, 183.0, -15.0)
    assert beyond(people((-178, -17), (179, -17)), fields(across)) == ""
    assert "'p0'" in beyond(people((-170, -17)), fields(across))


def test_it_is_told_once(tmp_path, caplog):
    """In the log, with the first products that say their bounds, and again for a file that was read anew."""
    caplog.set_level(logging.WARNING)
    who = [people((10, 50))]
    judge = Judge(tmp_path / "journal.db", "a.yaml", lambda: who[0], ["phone"], ["*.geojson"], Policy())
    with closing(judge):
        for n, place in enumerate([(10, 50), None, (-97, 32), (11, 50), None]):
            # Who moves is another object with the same ids.
            who[0] = replace(who[0], lon=who[0].lon + 1) if place is None else people(place)
            path = tmp_path / f"{n}.geojson"
            path.write_text(
                '{"type": "FeatureCollection", "hazard": "STORM", "units": "dBZ", "known_share": 1, "features": [],'
                f' "valid_time": "2026-03-25T05:0{n}:00Z", "field_bounds": {list(TEXAS)}}}'
            )
            judge(Products(str(n), str(tmp_path), [str(path)]))
    assert sum("cannot be told" in line for line in caplog.messages) == 2
