"""The life cycle: what one subscriber is told, cycle after cycle, and what stays untold."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamo.alerts.alert import Alert
from dynamo.alerts.asked import Asked
from dynamo.alerts.lifecycle import REFERENCES, Cycle, decide, exercise, judgement
from dynamo.alerts.match import Match
from dynamo.alerts.policy import Policy
from dynamo.alerts.state import State
from dynamo.alerts.words import headline
from dynamo.errors import InternalError, UserError

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
SQUARE = {"type": "Polygon", "coordinates": [[[4, 52], [5, 52], [5, 53], [4, 52]]]}
POLICY = Policy()


def at(minute: float) -> datetime:
    """Return a time after the start."""
    return START + timedelta(minutes=minute)


def match(onset: float = 20, ends: float = 30, level: float = 45, **more) -> Match:
    """Return a match; times are minutes after the start."""
    values = {"inside": False, "within_km": 10, "narrowest_km": 10, "lon": 4.5, "lat": 52.5} | more
    return Match(
        "s", hazard="STORM", level=level, units="dBZ", onset=at(onset), ends=at(ends),
        distance_km=3, bearing_deg=90, polygons=SQUARE, source="digest", **values,
    )  # fmt: skip


class Feed:
    """One subscriber of one feed, judged minute after minute."""

    def __init__(self, policy: Policy = POLICY) -> None:
        self.policy, self.state, self.newest = policy, None, None
        self.told: list[Alert] = []
        self.channels: tuple[str, ...] = ("hook",)
        self.asked: Asked | None = None

    def judge(self, minute: float, found: Match | None, known: float = 1.0) -> str:
        """Judge one cycle; return the kind of the alert it makes, or an empty text."""
        cycle = Cycle("flow", f"run-{minute}", "STORM", at(minute), at(minute + 0.1), known)
        cycle = replace(cycle, channels=self.channels)
        if judgement(cycle, self.newest, self.policy) == "late":
            return ""
        self.newest = cycle.issued
        if self.state is not None:  # as the journal keeps it
            loaded = State.load(self.state.dump())
            assert loaded.dump() == self.state.dump()
            self.state = loaded
        self.state, alert = decide(self.state, found, cycle, self.policy, self.asked)
        self.told += [alert] if alert else []
        return alert.kind if alert else ""

    def kinds(self, *matches: Match | None) -> list[str]:
        """Judge one match a minute from the start."""
        return [self.judge(n, found) for n, found in enumerate(matches)]


def test_an_alert_says_a_distance_to_the_metre():
    """And a direction to a tenth of a degree, north as 0: more is noise."""
    feed = Feed()
    feed.judge(0, match()._replace(distance_km=3.00049999, bearing_deg=359.96))
    assert (feed.told[0].distance_km, feed.told[0].bearing_deg) == (3.0, 0.0)


def test_a_storm_comes_grows_and_goes():
    """First new, at a higher level updated, and cancelled after three clear cycles; each names all before it."""
    feed = Feed()
    kinds = feed.kinds(None, match(), match(), match(level=55), match(), None, None, None, None)
    assert kinds == ["", "new", "", "updated", "", "", "", "cancelled", ""]
    new, updated, cancelled = feed.told
    assert [a.revision for a in feed.told] == [0, 1, 2]
    assert [a.id for a in feed.told] == [f"{new.episode}-{n}" for n in range(3)]
    assert [r.id for r in cancelled.references] == [new.id, updated.id]
    assert [r.sent for r in cancelled.references] == [new.sent, updated.sent]
    assert (new.references, len(updated.references)) == ((), 1)
    assert (cancelled.onset, cancelled.ends, cancelled.inside, cancelled.polygons) == (
        None,
        None,
        False,
        None,
    )
    assert (cancelled.level, cancelled.units, cancelled.lon, cancelled.distance_km) == (55, "dBZ", 4.5, 3)
    assert cancelled.expires == cancelled.issued + timedelta(days=1)
    assert (new.polygons, new.source, new.onset, new.run) == (SQUARE, "digest", at(20), "run-1")
    assert new.expires == at(30) + timedelta(seconds=POLICY.expiry)
    assert feed.state is None


def test_a_level_that_comes_and_goes_is_told_once():
    """45, 50, 45, 50: the 50 rings once."""
    feed = Feed()
    assert feed.kinds(*[match(level=45), match(level=50)] * 20) == ["new", "updated"] + [""] * 38


def test_an_edge_that_flickers_does_not_ring():
    """Two clear cycles between matches neither end an episode nor begin another."""
    assert Feed().kinds(*[match(), None, None] * 10) == ["new"] + [""] * 29


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (match(onset=14.9), "updated"),
        (match(onset=15), ""),
        (match(onset=25), ""),
        (match(ends=45), ""),
        (match(ends=45.1), "updated"),
        (match(ends=20), ""),
        (match(inside=True), "updated"),
        (match(level=44), ""),
        (match(level=45.5), "updated"),
        (match(lon=4.6), ""),
        (match(lon=4.7), "updated"),
        (match(narrowest_km=5), "updated"),
        (match(narrowest_km=15, within_km=15), ""),
    ],
)
def test_what_is_worth_an_update(found, kind):
    """Sooner or longer by more than a step, inside, a higher level, a narrower rule, or at another place."""
    assert Feed().kinds(match(), found) == ["new", kind]


def test_what_has_come_cannot_come_sooner():
    """Once the told onset has passed, times are compared no more; until then one that has come already rings."""
    feed = Feed()
    assert feed.kinds(match(onset=2), match(onset=1), match(onset=2), match(onset=-30)) == ["new", "", "", ""]
    assert Feed().kinds(match(onset=20), match(onset=1)) == ["new", "updated"]


def test_times_are_compared_not_lead_minutes():
    """A storm that comes as it was told, one minute sooner each minute, rings once."""
    assert Feed().kinds(*[match()] * 15) == ["new"] + [""] * 14


def test_two_that_alternate_do_not_ring_in_turn():
    """One is higher, the other inside, sooner or longer: each is told once, not whenever the other was before."""
    high = match(onset=40, ends=50, level=55)
    for other in (match(inside=True, ends=50), match(ends=64), match(narrowest_km=5)):
        feed = Feed()
        feed.kinds(*[high, other] * 18)
        assert len(feed.told) <= 3


def test_a_hazard_that_stays_is_told_again_before_the_alert_expires():
    """While it stays, it rings at most once in each step of the end, and no alert expires unreplaced."""
    feed = Feed()
    for minute in range(240):
        feed.judge(minute, match(onset=minute, ends=minute + 30, level=45 + minute % 2))
        assert feed.told[-1].expires > at(minute)
    longer = 240 / 15
    assert len(feed.told) <= 2 * longer
    feed = Feed()
    for minute in range(240):
        feed.judge(minute, match(onset=minute, ends=minute))
        assert feed.told[-1].expires > at(minute)
    assert len(feed.told) <= longer


def test_after_a_long_silence_it_is_told_anew():
    """Where the data came back after the alert had expired, the hazard is told again, in the same episode."""
    feed = Feed()
    assert feed.judge(0, match(ends=30)) == "new"
    assert feed.judge(59, match(onset=59, ends=40)) == ""
    assert feed.judge(60, match(onset=60, ends=40)) == "updated"
    assert feed.told[1].episode == feed.told[0].episode


def test_a_radar_that_sees_nothing_gives_no_all_clear():
    """Cycles of unknown fields do not count as clear; what is seen in them is told."""
    feed = Feed()
    assert feed.judge(0, match(), known=0.0) == "new"
    assert [feed.judge(n, None, known=0.01) for n in range(1, 60)] == [""] * 59
    assert [feed.judge(60 + n, None) for n in range(3)] == ["", "", "cancelled"]
    unseen = Cycle("flow", "r", "STORM", START, START, 0.0)
    assert judgement(unseen, None, Policy(least_known=0)) == "unknown"


def test_the_same_beginning_has_the_same_id_and_another_has_another():
    """Ids depend on feed, subscriber, hazard and time of the data, not on when it was judged."""
    base = Cycle("flow", "run", "STORM", START, START)
    later = replace(base, now=at(90), run="other")
    others = [replace(base, feed="f"), replace(base, hazard="HAIL"), replace(base, issued=at(1))]

    def first(cycle: Cycle, found: Match) -> str:
        alert = decide(None, found, cycle, POLICY)[1]
        assert alert is not None
        return alert.id

    assert first(base, match()) == first(later, match())
    ids = [first(c, match()) for c in others]
    ids += [first(base, match()._replace(subscriber="t")), first(base, match(way="hook"))]
    assert len({first(base, match()), *ids}) == 6


def test_the_channels_of_an_episode_are_kept_to_its_end():
    """Also when the feed has others."""
    feed = Feed()
    feed.channels = ("b", "a")
    feed.judge(0, match())
    feed.channels = ("c",)
    assert feed.kinds(match(level=20)) == [""]
    assert feed.judge(1, match(level=55)) == "updated"
    assert list(feed.state.channels) == ["a", "b"]


def test_a_way_of_its_own_has_one_channel():
    """What comes to the feed's other channels is nothing to it."""
    feed = Feed()
    assert feed.judge(0, match(way="phone")) == "new"
    feed.channels = ("hook", "mail")
    assert feed.judge(1, match(way="phone")) == ""
    assert list(feed.state.channels) == ["phone"]


def test_the_all_clear_says_what_is_asked_for_now():
    """Place, distance and lowest level are those of the rules of today, not those of the alert."""
    feed = Feed(Policy(clear_after=1))
    feed.judge(0, match(level=35, within_km=50, narrowest_km=50))
    feed.asked = Asked(4.6, 52.6, 45.0, 10.0)
    assert feed.judge(1, None) == "cancelled"
    over = feed.told[-1]
    assert (over.lon, over.lat, over.level, over.within_km) == (4.6, 52.6, 45, 10)
    assert "no STORM 45 dBZ or more within 10 km of s" in headline(over)
    feed.judge(2, match(level=52))
    feed.asked = Asked(4.5, 52.5, -math.inf, 10.0)
    feed.judge(3, None)
    assert feed.told[-1].level == 52  # any level was asked for


def test_who_moves_is_told_at_the_new_place_and_not_at_each_metre():
    """A car on its way through a storm rings once in 10 km; what is compared begins anew there."""
    feed = Feed()
    for minute in range(60):
        feed.judge(minute, match(ends=90, level=50, lat=52 + minute * 0.01))  # 1.1 km a minute
    assert [alert.kind for alert in feed.told] == ["new"] + ["updated"] * 6
    assert [round(alert.lat, 2) for alert in feed.told] == [52.0, 52.09, 52.18, 52.27, 52.36, 52.45, 52.54]
    assert feed.judge(60, match(ends=90, level=35, lat=53)) == "updated"
    assert feed.judge(61, match(ends=90, level=45, lat=53)) == "updated"  # the 50 were of another place


def test_a_place_at_the_date_line_has_not_moved_around_the_earth():
    """From 180 to -180 degrees is no way at all."""
    assert Feed().kinds(match(lon=180.0), match(lon=-180.0), match(lon=-179.99)) == ["new", "", ""]
    assert Feed().kinds(match(lon=4.5, lat=90.0), match(lon=170.0, lat=90.0)) == ["new", ""]


def test_an_exercise_is_marked_and_of_no_episode():
    """Two tests at the same time differ, and say that they are tests."""
    one = exercise(match(), "flow", START, "a", POLICY)
    two = exercise(match(), "flow", START, "b", POLICY)
    assert one.exercise
    assert (one.kind, one.revision, one.references, one.run) == ("new", 0, (), "")
    assert len({one.id, two.id, one.episode, two.episode}) == 4


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"clear_after": 0}, "at least 1, not 0"),
        ({"arrival_step": -1}, "not negative"),
        ({"moved_km": -1}, "not negative"),
        ({"expiry": 60}, "would expire, after 60 s"),
        ({"least_known": 5}, "share from 0 to 1, not 5"),
    ],
)
def test_a_policy_out_of_range_is_refused(wrong, said):
    """Each value says what it should be."""
    with pytest.raises(UserError, match=said):
        Policy(**wrong)


@pytest.mark.parametrize("text", ["", "[]", "{}", "3", "[1, 2]"])
def test_a_damaged_state_is_named(text):
    """What is no state is an `InternalError`, not a strange failure later."""
    with pytest.raises(InternalError, match="cannot be read"):
        State.load(text)


FOUND = st.one_of(
    st.none(),
    st.builds(
        lambda lead, stays, **more: (lead, stays, more),
        st.integers(0, 30),
        st.integers(0, 30),
        level=st.sampled_from((20, 35, 45, 55)),
        inside=st.booleans(),
        narrowest_km=st.sampled_from((5, 10)),
    ),
)
CYCLES = st.lists(st.tuples(FOUND, st.sampled_from((1.0, 1.0, 0.0))), max_size=80)


def judge_all(feed: Feed, cycles, *, again: bool = False) -> None:
    """Judge a list of cycles; `again`: each twice, and after it the one before, with other contents."""
    for minute, (found, known) in enumerate(cycles):
        made = found and match(minute + found[0], minute + found[0] + found[1], **found[2])
        feed.judge(minute, made, known)
        if again:
            state = feed.state
            assert feed.judge(minute, match(level=99), 1.0) == ""
            assert feed.judge(minute - 1, None, 1.0) == ""
            assert feed.state is state


def test_a_long_episode_does_not_make_long_alerts():
    """What is referred to is what was told first and what was told last, so that a day of updates stays small."""
    feed = Feed()
    kinds = feed.kinds(*(match(minute, minute + 10, lat=52.5 + minute % 2) for minute in range(60)))
    assert kinds == ["new", *["updated"] * 59]
    for alert in feed.told:
        before = feed.told[: alert.revision]
        known = before if len(before) <= REFERENCES else [before[0], *before[1 - REFERENCES :]]
        assert [r.id for r in alert.references] == [a.id for a in known]
        assert [r.sent for r in alert.references] == [a.sent for a in known]
    assert len(feed.told[-1].references) == REFERENCES


@given(CYCLES)
def test_episodes_are_whole(cycles):
    """No new without a cancelled before, revisions by one, earlier ones referenced, and an end after clear cycles."""
    feed = Feed()
    judge_all(feed, [*cycles, *[(None, 1.0)] * 3])
    assert feed.state is None
    episode: list[Alert] = []
    for alert in feed.told:
        assert (alert.kind == "new") == (not episode)
        assert alert.revision == len(episode)
        known = episode if len(episode) <= REFERENCES else [episode[0], *episode[1 - REFERENCES :]]
        assert [r.id for r in alert.references] == [a.id for a in known]
        assert [r.sent for r in alert.references] == [a.sent for a in known]
        assert alert.expires > alert.issued
        assert Alert.from_json(alert.to_json()) == alert
        episode = [] if alert.kind == "cancelled" else [*episode, alert]
    assert not episode
    assert len({a.id for a in feed.told}) == len(feed.told)


@given(CYCLES, st.integers(1, 5))
def test_cancelled_means_seen_clear(cycles, n):
    """Each cancelled comes at the n-th cycle without a match that saw enough, since the last match."""
    feed = Feed(Policy(clear_after=n))
    clear = 0
    for minute, (found, known) in enumerate(cycles):
        before = len(feed.told)
        made = found and match(minute + found[0], minute + found[0] + found[1], **found[2])
        active = feed.state is not None
        feed.judge(minute, made, known)
        clear = 0 if found else clear + (known > 0 and active)
        kinds = [a.kind for a in feed.told[before:]]
        assert (kinds == ["cancelled"]) == (active and not found and known > 0 and clear == n)
        clear = 0 if kinds == ["cancelled"] else clear


@given(CYCLES)
def test_late_and_repeated_cycles_change_nothing(cycles):
    """Every cycle judged twice, and old ones in between, tell what the plain sequence tells."""
    plain, disturbed = Feed(), Feed()
    judge_all(plain, cycles)
    judge_all(disturbed, cycles, again=True)
    assert disturbed.told == plain.told
    assert disturbed.state == plain.state


@given(CYCLES, st.randoms(use_true_random=False))
def test_shuffled_cycles_are_as_if_the_late_had_not_come(cycles, chance):
    """In whatever order the cycles of a day arrive, only those count that are newer than all before."""
    made = [
        (minute, found and match(minute + found[0], minute + found[0] + found[1], **found[2]), known)
        for minute, (found, known) in enumerate(cycles)
    ]
    chance.shuffle(made)
    shuffled, ordered = Feed(), Feed()
    newest = -1
    for one in made:
        shuffled.judge(*one)
        if one[0] > newest:
            newest = one[0]
            ordered.judge(*one)
    assert shuffled.told == ordered.told


@given(CYCLES)
def test_it_never_rings_without_a_rise(cycles):
    """Between two tellings that it stays longer, each alert tells more of something than all since: few can."""
    feed = Feed(Policy(clear_after=1000))
    judge_all(feed, cycles)
    # Levels, inside, two distances, and onsets within 30 minutes by more than 5; and ends, each 15 minutes.
    longer = 1 + (len(cycles) + 60) // 15
    assert len(feed.told) <= longer * (1 + 3 + 1 + 1 + 6)
