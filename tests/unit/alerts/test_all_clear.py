"""All clears: who is told that it is over, when places and rules change while the storm is there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dynamo.alerts.alert import Alert
from dynamo.alerts.asked import Asked, asked
from dynamo.alerts.lifecycle import Cycle
from dynamo.alerts.match import Match
from dynamo.alerts.records import Lapse
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


def judge(
    store: AlertStore,
    minute: float,
    matches: list[Match],
    *,
    left: bool = True,
    above: tuple[float, float] | None = None,
    channels: tuple[str, ...] = ("mail", "phone"),
    **ways: Asked,
) -> list[Alert]:
    """Judge the cycle of a minute, where the ways to one subscriber ask for this (`all` names none).

    `left` says whether the hazard has left all places but the one that it is `above`.
    """
    now = {("s", "" if way == "all" else way): rule for way, rule in ways.items()}
    cycle = Cycle("flow", f"r{minute}", "STORM", at(minute), at(minute), channels=channels)
    looking = lambda places: [way for way, place in places.items() if not left or place == above]  # noqa: E731
    return store.judge(cycle, matches, asking=lambda _: now, looking=looking).alerts


def sent(store: AlertStore, told: list[Alert]) -> list[tuple[str, str]]:
    """Return what each channel gets."""
    return [(alert.kind, delivery.channel) for alert in told for delivery in store.deliveries(alert.id)]


@pytest.mark.parametrize("km", [0.05, 500])
def test_nothing_is_over_while_it_is_where_it_was_told(store, km):
    """A posted position lapsed below the storm: that it is quiet at home, be it next door, says nothing of it."""
    home = THERE._replace(lat=52.5 - km / 111)
    (new,) = judge(store, 0, [match()], all=THERE._replace(posted=True))
    for minute in (1, 2, 3, 4, 59):
        assert judge(store, minute, [], left=False, all=home) == []
    assert store.lapsed(new) == []
    assert judge(store, 60, [], left=False, all=home) == []
    assert store.lapsed(new) == [
        Lapse(
            at(60), "it is still where its subscriber was, and he is elsewhere by the file", ("mail", "phone")
        )
    ]
    assert store.active() == {}


def test_it_is_over_when_it_has_left_both_places(store):
    """Three cycles in a row, which say so of the place of now."""
    judge(store, 0, [match()], all=THERE._replace(posted=True))
    told = [judge(store, minute, [], left=minute not in (1, 4), all=HOME) for minute in range(1, 8)]
    assert [[(alert.kind, alert.lon) for alert in one] for one in told] == [[]] * 6 + [[("cancelled", 9.0)]]


@pytest.mark.parametrize("by_file", [THERE, HOME])
@pytest.mark.parametrize("is_told", [True, False])
def test_nothing_is_over_while_it_is_where_it_was_last_near_him(store, by_file, is_told):
    """It went with him, too near to be told again; then his position lapsed, be he told there or elsewhere before."""
    there = (4.5, 52.5 + 9 / 111)
    judge(store, 0, [match()], all=THERE._replace(posted=True))
    judge(store, 1, [match(lat=there[1])], all=THERE._replace(lat=there[1], posted=True))
    if is_told:  # where he is
        judge(store, 2, [match(lat=there[1], level=60)], all=THERE._replace(lat=there[1], posted=True))
    for minute in (3, 4, 5, 6):
        assert judge(store, minute, [], above=there, all=by_file) == []
    told = [judge(store, minute, [], all=by_file) for minute in (7, 8, 9)]
    assert [[alert.kind for alert in one] for one in told] == [[], [], ["cancelled"]]


def test_where_it_was_near_him_before_it_was_told_again_does_not_count(store):
    """He was told where he is since: the places before are past."""
    there = THERE._replace(lat=52.55)
    judge(store, 0, [match()], all=THERE._replace(posted=True))
    judge(store, 1, [match(lat=there.lat)], all=there._replace(posted=True))
    judge(store, 2, [match(level=60)], all=THERE._replace(posted=True))
    told = [judge(store, n, [], above=(there.lon, there.lat), all=HOME) for n in (3, 4, 5)]
    assert [alert.kind for one in told for alert in one] == ["cancelled"]


def test_nobody_looks_anywhere_else_unless_it_can_be_said(store):
    """Without a way to look, nothing is known of another place."""
    judge(store, 0, [match()], all=THERE)
    for minute in (1, 2, 3, 4):
        cycle = Cycle("flow", f"r{minute}", "STORM", at(minute), at(minute), channels=("mail", "phone"))
        assert store.judge(cycle, [], asking=lambda _: {("s", ""): HOME}).alerts == []


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
    """Each by its own rule, in the episode of which it was told."""
    (new,) = judge(store, 0, [match()], all=THERE)
    told = judge(store, 1, [match("mail", level=55)], mail=THERE, phone=THERE)
    assert sent(store, told) == [("updated", "mail")]
    told += [alert for n in (2, 3, 4) for alert in judge(store, n, [], mail=THERE, phone=THERE)]
    assert sent(store, told) == [("updated", "mail"), ("cancelled", "phone"), ("cancelled", "mail")]
    assert {alert.episode for alert in told} == {new.episode}
    assert [[r.id for r in alert.references] for alert in told] == [[new.id], [new.id], [new.id, told[0].id]]
    assert len({alert.id for alert in told}) == 3
    assert store.active() == {}


def test_no_channel_is_told_anew_when_its_rules_are_taken_apart(store):
    """What it was told together with others counts; an update is of its own rule, and refers to what it knows."""
    (new,) = judge(store, 0, [match()], all=THERE)
    both = [match("mail"), match("phone")]
    assert judge(store, 1, both, mail=THERE, phone=THERE) == []
    more = judge(store, 2, [match("mail"), match("phone", level=60)], mail=THERE, phone=THERE)
    assert sent(store, more) == [("updated", "phone")]
    assert [(a.episode, a.revision, a.references[0].id) for a in more] == [(new.episode, 1, new.id)]
    assert {alert.id for alert in store.alerts(active=True)} == {new.id, more[0].id}


def test_a_rule_that_is_gone_and_comes_back_finds_its_episode(store):
    """What the phone was told waits, until it expires; no other channel hears of that."""
    (new,) = judge(store, 0, [match()], all=THERE)
    assert [judge(store, n, [match("mail")], mail=THERE) for n in (1, 2)] == [[], []]
    assert judge(store, 3, [match()], all=THERE) == []
    told = [alert for n in (4, 5, 6) for alert in judge(store, n, [], all=THERE)]
    assert sent(store, told) == [("cancelled", "mail"), ("cancelled", "phone")]
    assert {alert.episode for alert in told} == {new.episode}


def test_who_is_not_asked_for_by_any_rule_of_now_hears_nothing(store):
    """The phone's rule is gone: of what it asked for nothing is known."""
    judge(store, 0, [match()], all=THERE)
    told = [alert for n in (1, 2, 3) for alert in judge(store, n, [], mail=THERE)]
    assert sent(store, told) == [("cancelled", "mail")]
    assert judge(store, 60, [], mail=THERE) == []
    assert store.active() == {}


def test_each_channel_goes_on_with_its_episode_when_its_rules_become_one_for_all(store):
    """Until it is over for both, the rule is one for each; then one for all again."""
    first = judge(store, 0, [match("mail")], mail=THERE, phone=THERE)
    told = judge(store, 1, [match()], all=THERE)
    assert sent(store, told) == [("new", "phone")]
    assert judge(store, 2, [match()], all=THERE) == []
    told += [alert for n in (3, 4, 5) for alert in judge(store, n, [], all=THERE)]
    assert sorted(sent(store, told[1:])) == [("cancelled", "mail"), ("cancelled", "phone")]
    assert {alert.episode for alert in told[1:]} == {first[0].episode, told[0].episode}
    assert store.active() == {}
    assert sent(store, judge(store, 6, [match()], all=THERE)) == [("new", "mail"), ("new", "phone")]


def test_a_channel_that_is_new_in_the_run_file_is_told_anew_and_the_others_are_not(store):
    """It has heard of nothing, and they of all."""
    cycle = Cycle("flow", "r0", "STORM", at(0), at(0), channels=("mail",))
    (new,) = store.judge(cycle, [match()], asking=lambda _: {}).alerts
    told = judge(store, 1, [match()], all=THERE)
    assert sent(store, told) == [("new", "phone")]
    assert told[0].episode != new.episode
    told = [alert for n in (2, 3, 4) for alert in judge(store, n, [], all=THERE)]
    assert sorted(sent(store, told)) == [("cancelled", "mail"), ("cancelled", "phone")]


def test_a_channel_that_is_back_in_the_run_file_hears_that_it_is_over(store):
    """While it was out, nobody asked for it; the others heard no more of that than that it was over for them."""
    (new,) = judge(store, 0, [match()], all=THERE)
    told = [alert for n in (1, 2, 3) for alert in judge(store, n, [], channels=("mail",), all=THERE)]
    assert sent(store, told) == [("cancelled", "mail")]
    told += [alert for n in (4, 5, 6) for alert in judge(store, n, [], all=THERE)]
    assert sent(store, told) == [("cancelled", "mail"), ("cancelled", "phone")]
    assert {alert.episode for alert in told} == {new.episode}
    assert store.active() == {}


@pytest.mark.parametrize("is_told", [True, False])
def test_what_lapsed_is_said_of_the_channels_for_which_it_did(store, is_told):
    """Of what was told to several it is said of that one only; another may hold still, or hear that it is over."""
    (new,) = judge(store, 0, [match()], all=THERE)
    if is_told:
        told = judge(store, 1, [match("mail"), match("phone", level=50)], mail=THERE, phone=THERE)
        assert sent(store, told) == [("updated", "phone")]
    assert judge(store, 60, [], mail=THERE) == []
    lapse = [Lapse(at(60), "nobody asks for it any more", ("phone",))]
    last = store.alerts(hazard="STORM")[0]
    assert [store.lapsed(one) for one in (new, last)] == [lapse, lapse]
    told = judge(store, 61, [match("mail")], mail=THERE)
    told += [alert for n in (62, 63, 64) for alert in judge(store, n, [], mail=THERE)]
    assert sent(store, told) == [("updated", "mail"), ("cancelled", "mail")]
    assert [store.lapsed(one) for one in (new, last, *told)] == [lapse, lapse, [], []]


def test_a_rule_asks_where_its_subscriber_said_he_is():
    """Of the others it is not said."""
    people = Subscribers.of([("a", 1, 2), ("b", 3, 4)], [Rule("STORM")])
    found = asked(replace(people, posted=frozenset({"b"})), "STORM", {"a", "b"})
    assert {name: one.posted for (name, _), one in found.items()} == {"a": False, "b": True}
