"""Subscribers who post where they are stand there, for as long as it holds."""

from __future__ import annotations

import time

import numpy as np

from dynamo.alerts.subscriber import Rule, Subscribers
from dynamo.runfile.alerts import AlertsRule, MatchRule, PositionsRule
from dynamo.watch import people as module
from dynamo.watch.people import People

ROWS = "id,lon,lat\na,-97,32\nb,-98,33\n"


def people(folder, posted, **more):
    """People of a file, and what they posted: (lon, lat, age in seconds) by id."""
    (folder / "people.csv").write_text(ROWS)
    rule = AlertsRule("people.csv", [MatchRule("STORM", 45.0, 10.0)], **more)

    def since(moment):
        now = time.time()
        return {name: (lon, lat) for name, (lon, lat, age) in posted.items() if now - age > moment}

    return People(rule, folder, [], since)


def places(known):
    known.look()
    known.look()
    now = known.now()
    return dict(zip(now.ids, zip(now.lon.tolist(), now.lat.tolist(), strict=True), strict=True))


def test_who_posted_stands_there_and_the_others_where_the_file_says(tmp_path):
    """What is posted of nobody in the file counts for nothing."""
    known = people(tmp_path, {"b": (-99.5, 34.5, 10), "x": (1, 1, 10)})
    assert places(known) == {"a": (-97, 32), "b": (-99.5, 34.5)}
    assert (known.known.lon.tolist(), known.known.lat.tolist()) == ([-97, -98], [32, 33])
    assert (known.now().posted, known.known.posted) == ({"b"}, frozenset())


def test_a_position_holds_as_long_as_the_run_file_says(tmp_path):
    """An hour, or else; then the file's does again."""
    posted = {"b": (-99.5, 34.5, 3590)}
    known = people(tmp_path, posted)
    assert places(known)["b"] == (-99.5, 34.5)
    posted["b"] = (-99.5, 34.5, 3610)
    assert places(known)["b"] == (-98, 33)
    longer = people(tmp_path, posted, positions=PositionsRule(keep=4000.0))
    assert places(longer)["b"] == (-99.5, 34.5)


def test_the_same_people_are_the_same_object(tmp_path):
    """So that what is made of a million of them is made once."""
    posted = {"b": (-99.5, 34.5, 10)}
    known = people(tmp_path, posted)
    assert known.now() is known.now()
    posted["b"] = (-99.6, 34.5, 5)
    assert places(known)["b"] == (-99.6, 34.5)
    posted.clear()
    assert known.now() is known.known


def test_who_moved_stays_there_when_the_file_is_read_anew(tmp_path):
    """Also where the order in it is another; who is not in it any more is nobody."""
    known = people(tmp_path, {"b": (-99.5, 34.5, 10)})
    known.now()
    (tmp_path / "people.csv").write_text("id,lon,lat\nc,-90,30\nb,-98,33\na,-97,32\n")
    assert places(known) == {"c": (-90, 30), "b": (-99.5, 34.5), "a": (-97, 32)}
    assert "c" in known
    (tmp_path / "people.csv").write_text("id,lon,lat\na,-97,32\n")
    assert places(known) == {"a": (-97, 32)}
    assert "b" not in known


def test_a_thousand_positions_among_very_many_cost_one_copy(tmp_path, monkeypatch):
    """Not one for each: the columns of rules are shared, those of places are copied once."""
    count = 100_000
    all_of_them = Subscribers.of([(f"s{n}", 0.0, 0.0) for n in range(count)], [Rule("STORM")])
    monkeypatch.setattr(module, "read_people", lambda *_: (all_of_them, ()))
    known = people(tmp_path, {f"s{n}": (n / 1000, 1.0, 10) for n in range(0, count, 100)})
    now = known.now()
    assert np.count_nonzero(now.lat) == 1000
    assert now.lon[99_900] == 99.9
    assert now.ids is all_of_them.ids
    assert now.owner is all_of_them.owner
