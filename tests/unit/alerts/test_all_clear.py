"""All clears: who is told that it is over, when places and rules change while the storm is there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dynamo.alerts.alert import Alert
from dynamo.alerts.asked import Asked, asked
from dynamo.alerts.lifecycle import Cycle
from dynamo.alerts.match import Match
from dynamo.alerts.store import AlertStore
from dynamo.alerts.subscriber import Rule, Subscribers

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
SQUARE = {"type": "Polygon", "coordinates": [[[4.0, 52.0], [5.0, 52.0], [5.0, 53.0], [4.0, 52.0]]]}
THERE = Asked(4.5, 52.5, 45.0, 10.0)
HOME = THERE._replace(lon=9.0, lat=48.0)


@pytest.fixture
def store(tmp_path):
    """A store in an empty journal."""
    with AlertStore(tmp_path / "journal.db") as store:
        yield store


def at(minute: float) -> datetime:
    """Return a time after the start."""
    return START + timedelta(minutes=minute)


def match(way: str = "", **more) -> Match:
    """Return a match at the place that is told first."""
    found = Match(
        "s", 4.5, 52.5, "STORM", 45.0, "dBZ", at(20), at(30), inside=False, distance_km=3.0, bearing_deg=90.0,
        within_km=10.0, narrowest_km=10.0, way=way, polygons=SQUARE, source="digest",
    )  # fmt: skip
    return found._replace(**more)


def judge(store: AlertStore, minute: float, matches: list[Match], **ways: Asked) -> list[Alert]:
    """Judge the cycle of a minute, where the ways to one subscriber ask for this (`all` names none)."""
    now = {("s", "" if way == "all" else way): rule for way, rule in ways.items()}
    cycle = Cycle("flow", f"r{minute}", "STORM", at(minute), at(minute), channels=("mail", "phone"))
    return store.judge(cycle, matches, asking=lambda _: now).alerts


def sent(store: AlertStore, told: list[Alert]) -> list[tuple[str, str]]:
    """Return what each channel gets."""
    return [(alert.kind, delivery.channel) for alert in told for delivery in store.deliveries(alert.id)]


def test_a_place_that_is_not_looked_at_any_more_is_not_told_to_be_clear(store):
    """A posted position lapsed below the storm: that it is quiet at home says nothing of it."""
    (new,) = judge(store, 0, [match()], all=THERE._replace(posted=True))
    for minute in (1, 2, 3, 4, 59):
        assert judge(store, minute, [], all=HOME) == []
    assert store.lapsed(new.episode) is None
    assert judge(store, 60, [], all=HOME) == []
    assert store.lapsed(new.episode) == (at(60), "its place is not looked at any more")
    assert store.active() == {}


def test_a_place_out_of_the_distance_that_was_asked_for_is_another(store):
    """Five kilometres away it may be quiet while a storm that had come within two is still there."""
    near = THERE._replace(within_km=2.0)
    judge(store, 0, [match(within_km=2.0, narrowest_km=2.0, distance_km=1.0)], all=near._replace(posted=True))
    assert [judge(store, n, [], all=near._replace(lat=52.55)) for n in (1, 2, 3)] == [[], [], []]
    told = [judge(store, n, [], all=near._replace(lat=52.505)) for n in (4, 5, 6)]
    assert [[alert.kind for alert in one] for one in told] == [[], [], ["cancelled"]]


def test_cycles_that_did_not_look_do_not_count_to_the_all_clear(store):
    """He posts again where he was: three in a row that looked must be clear."""
    judge(store, 0, [match()], all=THERE)
    told = [judge(store, minute, [], all=HOME if minute in (3, 4) else THERE) for minute in range(1, 8)]
    assert [[alert.kind for alert in one] for one in told] == [[], [], [], [], [], [], ["cancelled"]]


def test_who_posts_that_he_is_elsewhere_is_out_of_it(store):
    """Also who is where he was, or almost, by the file."""
    for first, rule in ((0, HOME._replace(posted=True)), (10, THERE._replace(lat=52.55))):
        judge(store, first, [match(ends=at(first + 30))], all=THERE)
        (over,) = [alert for n in (1, 2, 3) for alert in judge(store, first + n, [], all=rule)]
        assert (over.kind, over.lon, over.lat) == ("cancelled", rule.lon, rule.lat)


def test_a_storm_at_the_place_of_the_file_goes_on_with_the_episode(store):
    """What is told there is looked at again."""
    (new,) = judge(store, 0, [match()], all=THERE)
    told = judge(store, 1, [match(lon=9.0, lat=48.0)], all=HOME)
    told += [alert for n in (2, 3, 4) for alert in judge(store, n, [], all=HOME)]
    assert [(a.kind, a.episode, a.lon) for a in told] == [
        ("updated", new.episode, 9),
        ("cancelled", new.episode, 9),
    ]


def test_each_channel_that_was_told_hears_that_it_is_over_when_its_rules_are_taken_apart(store):
    """The first new way goes on with the episode; another channel is told of it until it has one of its own."""
    judge(store, 0, [match()], all=THERE)
    told = [alert for n in (1, 2, 3, 4) for alert in judge(store, n, [], mail=THERE, phone=THERE)]
    assert sent(store, told) == [("cancelled", "mail"), ("cancelled", "phone")]
    assert store.active() == {}


def test_a_channel_that_only_waits_for_the_all_clear_hears_no_updates(store):
    """They are for another rule than its own."""
    judge(store, 0, [match()], all=THERE)
    told = judge(store, 1, [match("mail", level=55)], mail=THERE, phone=THERE)
    assert sent(store, told) == [("updated", "mail")]
    told = [alert for n in (2, 3, 4) for alert in judge(store, n, [], mail=THERE, phone=THERE)]
    assert sent(store, told) == [("cancelled", "mail"), ("cancelled", "phone")]


def test_a_channel_that_is_told_of_its_own_rule_hears_once_that_it_is_over(store):
    """In its own episode."""
    judge(store, 0, [match()], all=THERE)
    told = judge(store, 1, [match("phone")], mail=THERE, phone=THERE)
    assert sent(store, told) == [("new", "phone")]
    told = [alert for n in (2, 3, 4) for alert in judge(store, n, [], mail=THERE, phone=THERE)]
    assert sorted(sent(store, told)) == [("cancelled", "mail"), ("cancelled", "phone")]
    assert store.active() == {}


def test_who_is_not_asked_for_by_any_rule_of_now_hears_nothing(store):
    """The phone's rule is gone: of what it asked for nothing is known."""
    judge(store, 0, [match()], all=THERE)
    told = [alert for n in (1, 2, 3) for alert in judge(store, n, [], mail=THERE)]
    assert sent(store, told) == [("cancelled", "mail")]


def test_each_channel_hears_that_it_is_over_when_its_rules_become_one_for_all(store):
    """Each in its own episode, after cycles in a row without a match of that rule."""
    judge(store, 0, [match("mail"), match("phone")], mail=THERE, phone=THERE)
    assert judge(store, 1, [], all=THERE) == judge(store, 2, [], all=THERE) == []
    assert sent(store, judge(store, 3, [match()], all=THERE)) == [("updated", "mail"), ("updated", "phone")]
    told = [judge(store, n, [], all=THERE) for n in (4, 5, 6)]
    assert [sorted(sent(store, one)) for one in told] == [
        [], [], [("cancelled", "mail"), ("cancelled", "phone"), ("cancelled", "phone")],
    ]  # fmt: skip
    assert store.active() == {}


def test_a_rule_asks_where_its_subscriber_said_he_is():
    """Of the others it is not said."""
    people = Subscribers.of([("a", 1, 2), ("b", 3, 4)], [Rule("STORM")])
    found = asked(replace(people, posted=frozenset({"b"})), "STORM", {"a", "b"})
    assert {name: one.posted for (name, _), one in found.items()} == {"a": False, "b": True}
