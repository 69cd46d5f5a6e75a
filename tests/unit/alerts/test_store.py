"""The alert store: one transaction for what is told and for its deliveries; what is asked of it afterwards."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import product, takewhile
from pathlib import Path

import numpy as np
import orjson
import pytest

from dynamo.alerts.alert import Alert
from dynamo.alerts.asked import Asked
from dynamo.alerts.lifecycle import Cycle
from dynamo.alerts.match import Match
from dynamo.alerts.records import Lapse
from dynamo.alerts.seen import seen_map
from dynamo.alerts.store import AlertStore
from dynamo.errors import InternalError, UserError, WorkspaceError
from dynamo.journal import Journal, Workspace
from dynamo.journal.database import Database
from dynamo.journal.old_alerts import forget_alerts
from dynamo.journal.retention import Freed, collect

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
SQUARE = {"type": "Polygon", "coordinates": [[[4.0, 52.0], [5.0, 52.0], [5.0, 53.0], [4.0, 52.0]]]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal is."""
    return tmp_path / "journal.db"


@pytest.fixture
def store(path: Path):
    """A store in an empty journal."""
    with AlertStore(path) as store:
        yield store


def at(minute: float) -> datetime:
    """Return a time after the start."""
    return START + timedelta(minutes=minute)


def cycle(minute: float, **other) -> Cycle:
    """Return the cycle of a minute."""
    values = {"channels": ("hook", "mail")} | other
    return replace(Cycle("flow", f"run-{minute}", "STORM", at(minute), at(minute + 0.1)), **values)


def match(subscriber: str = "s", onset: float = 20, level: float = 45, **more) -> Match:
    """Return a match; times are minutes after the start."""
    values = {"hazard": "STORM", "ends": at(onset + 10), "within_km": 10.0, "narrowest_km": 10.0} | more
    return Match(
        subscriber, 4.5, 52.5, level=level, units="dBZ", onset=at(onset), inside=False, distance_km=3.0,
        bearing_deg=90.0, polygons=SQUARE, source="digest", **values,
    )  # fmt: skip


def rows(path: Path, sql: str) -> list[tuple]:
    """Ask the journal."""
    with closing(sqlite3.connect(path)) as db:
        return db.execute(sql).fetchall()


def judge(store: AlertStore, cycle: Cycle, matches: list[Match], **more) -> list[Alert]:
    """Judge a cycle; return what is told."""
    return store.judge(cycle, matches, **more).alerts


def set_deliveries(path: Path, state: str, where: str = "1") -> None:
    """Let deliveries end, each with one try."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(f"UPDATE deliveries SET state = '{state}', ended = due + 2, tries = 1 WHERE {where}")
        db.execute(
            "INSERT OR IGNORE INTO tries SELECT id, 1, due, 0.5, 'sent', 200, 'ok' FROM deliveries"
            " WHERE state <> 'waiting'"
        )


def episode(store: AlertStore, first: float, *subscribers: str) -> list[Alert]:
    """Judge a storm that comes and goes from a minute on."""
    told = judge(store, cycle(first), [match(s, first) for s in subscribers])
    for n in range(1, 4):
        told += judge(store, cycle(first + n), [])
    return told


def test_what_is_told_is_recorded_with_its_deliveries(store, path):
    """An alert reads back as it was returned; one delivery for each channel is due now, until it expires."""
    (alert,) = judge(store, cycle(0), [match()])
    assert store.alerts() == [alert]
    assert store.alerts()[0].to_json() == alert.to_json()
    deliveries = store.deliveries(alert.id)
    assert [d.id for d in deliveries] == [f"{alert.id}@hook", f"{alert.id}@mail"]
    assert {(d.state, d.due, d.expires, d.ended, d.tries) for d in deliveries} == {
        ("waiting", alert.sent, alert.expires, None, ())
    }
    (record,) = store.cycles("run-0")
    assert (record.outcome, record.issued, record.judged, record.feed) == ("judged", at(0), at(0.1), "flow")
    (body,) = rows(path, "SELECT body FROM messages")[0]
    assert orjson.loads(body) == orjson.loads(orjson.dumps(alert.to_json()))


def test_numbers_of_numpy_are_recorded_too(store):
    """A match that comes out of arrays is as good as another."""
    found = match()._replace(lon=np.float64(4.5), level=np.float32(45), inside=np.bool_(1))
    (alert,) = judge(store, cycle(0), [found])
    assert store.alerts() == [alert]
    assert judge(store, cycle(1), [found]) == []


def test_a_run_is_judged_once(store, path):
    """The same run again gives nothing, whatever it brings; nor does it with another store on the same file."""
    judge(store, cycle(0), [match()])
    before = rows(path, "SELECT * FROM cycles") + rows(path, "SELECT * FROM deliveries")
    with AlertStore(path) as other:
        assert judge(other, cycle(0, now=at(9)), [match("t"), match(level=60)]) == []
    assert rows(path, "SELECT * FROM cycles") + rows(path, "SELECT * FROM deliveries") == before


def test_late_data_are_recorded_and_tell_nothing(store):
    """Older or equal data of another run are late; another feed or hazard has its own newest."""
    judge(store, cycle(5), [match()])
    assert judge(store, cycle(4), [match("t")]) == []
    assert judge(store, cycle(5, run="again"), [match("t")]) == []
    assert [store.cycles(run)[0].outcome for run in ("run-5", "run-4", "again")] == ["judged", "late", "late"]
    assert store.newest("flow", "STORM") == at(5)
    assert len(judge(store, cycle(4, feed="other", run="r"), [match("t")])) == 1
    assert len(judge(store, cycle(4, hazard="HAIL"), [match("t", hazard="HAIL")])) == 1
    assert {(c.feed, c.hazard, c.issued) for c in store.newest_cycles()} == {
        ("flow", "STORM", at(5)), ("other", "STORM", at(4)), ("flow", "HAIL", at(4)),
    }  # fmt: skip
    assert store.active() == {("flow", "STORM"): 1, ("other", "STORM"): 1, ("flow", "HAIL"): 1}


def test_an_unknown_cycle_is_the_newest_but_clears_nothing(store):
    """What saw nothing is recorded as such, and what came before it is late."""
    judge(store, cycle(0), [match()])
    for n in range(1, 9):
        assert judge(store, cycle(n, known_share=0.0), []) == []
    assert store.cycles("run-8")[0].outcome == "unknown"
    assert store.newest("flow", "STORM") == at(8)
    assert store.active() == {("flow", "STORM"): 1}


def test_the_all_clear_goes_to_all_who_were_told(store):
    """A new channel hears of it too, and the old ones not once more; then nothing is under way."""
    judge(store, cycle(0, channels=("hook",)), [match()])
    (new,) = judge(store, cycle(1), [match()])
    assert new.kind == "new"
    assert [d.channel for d in store.deliveries(new.id)] == ["mail"]
    told = [judge(store, cycle(n), []) for n in (2, 3, 4, 5)]
    assert [len(t) for t in told] == [0, 0, 2, 0]
    assert sorted(d.channel for a in told[2] for d in store.deliveries(a.id)) == ["hook", "mail"]
    assert store.active() == {}


def test_the_most_urgent_is_sent_first(store, path):
    """Deliveries wait in the order in which people are hit, the hardest first, and the all clear last."""
    judge(store, cycle(0), [match("over")])
    found = [match("later", 30), match("weak", 10), match("hard", 10, 55)]
    told = [a for n in (1, 2, 3) for a in judge(store, cycle(n), found if n == 3 else [])]
    assert [a.subscriber for a in told] == ["hard", "weak", "later", "over"]
    sent = rows(path, "SELECT alert FROM deliveries WHERE channel = 'hook' ORDER BY seq")
    assert [alert for (alert,) in sent][1:] == [a.id for a in told]


def test_matches_that_do_not_fit_are_our_fault(store, path):
    """Two matches of one subscriber, or one of another hazard, are refused and leave nothing."""
    with pytest.raises(InternalError, match="two matches of STORM for subscriber 's'"):
        judge(store, cycle(0), [match(), match()])
    with pytest.raises(InternalError, match="a match of HAIL"):
        judge(store, cycle(0), [match(hazard="HAIL")])
    assert rows(path, "SELECT * FROM cycles") == []
    assert len(judge(store, cycle(0), [match()])) == 1


def test_a_full_disk_leaves_nothing_and_the_cycle_can_be_judged_again(small_disk, fill_disk):
    """Where the transaction does not fit, it is as if it had not begun."""
    many = [match(f"s{n}") for n in range(3000)]
    with AlertStore(small_disk / "journal.db") as store:
        judge(store, cycle(0), [match()])
        fill_disk(small_disk / "big")
        with pytest.raises(WorkspaceError, match="full"):
            judge(store, cycle(1), many)
        assert store.cycles("run-1") == []
        (small_disk / "big").unlink()
        assert len(judge(store, cycle(1), many)) == 3000


def test_alerts_are_on_the_disk_when_they_are_judged(store):
    """The connection waits for the disk at each commit: a power cut takes back nothing that was sent."""
    assert store._db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_an_exercise_is_sent_and_leaves_no_trace_in_the_life_of_alerts(store):
    """A test goes to the channels of the pretended match; the episode of that place does not change."""
    judge(store, cycle(0), [match()])
    test = store.exercise(match(), "flow", at(1), ["hook"])
    again = store.exercise(match(), "flow", at(1), ["hook"])
    assert test.exercise
    assert test.id != again.id
    assert store.alert(test.id) == test
    assert [d.state for d in store.deliveries(test.id)] == ["waiting"]
    assert judge(store, cycle(1), [match()]) == []
    assert [a.exercise for a in store.alerts(active=True)] == [False]


def test_alerts_are_listed_by_what_is_asked(store):
    """By subscriber, hazard, time and number, the latest first; active are the last of what is under way."""
    first = episode(store, 0, "s")
    second = judge(store, cycle(10), [match("s", 30), match("t", 30)])
    second += judge(store, cycle(11), [match("s", 30, 55), match("t", 30)])
    hail = judge(store, cycle(12, hazard="HAIL"), [match(hazard="HAIL")])
    assert store.alerts(limit=1) == hail
    assert len(store.alerts()) == 6
    assert store.alerts(hazard="HAIL") == hail
    assert [a.subscriber for a in store.alerts(subscriber="t")] == ["t"]
    assert len(store.alerts(since=first[-1].sent)) == 5
    active = {(a.subscriber, a.hazard, a.kind) for a in store.alerts(active=True)}
    assert active == {("s", "STORM", "updated"), ("t", "STORM", "new"), ("s", "HAIL", "new")}
    assert [a.kind for a in store.alerts(active=True, subscriber="s", hazard="STORM")] == ["updated"]


def test_an_alert_is_found_by_the_beginning_of_its_id(store):
    """Exactly, or the last alert of the one episode that begins so; else the possible ones are named."""
    new, cancelled = episode(store, 0, "s")
    assert store.alert(new.id) == new
    assert store.alert(new.episode[:12]) == cancelled
    assert store.episode(new.episode) == [new, cancelled]
    many = judge(store, cycle(9), [match(f"s{n}") for n in range(40)])
    shared = next(a.id[0] for a in many if sum(b.id[0] == a.id[0] for b in many) > 1)
    with pytest.raises(UserError, match=f"'{shared}' may be any of {shared}"):
        store.alert(shared)
    for name in ("", "x", new.id + "0", "%"):
        with pytest.raises(UserError, match="no alert"):
            store.alert(name)


def test_deliveries_come_with_their_tries(store, path):
    """The audit reads each delivery and what was answered; dead letters are listed by channel."""
    new, cancelled = episode(store, 0, "s")
    set_deliveries(path, "sent", "channel = 'hook'")
    set_deliveries(path, "dead", f"channel = 'mail' AND alert = '{new.id}'")
    hook, mail = store.deliveries(new.id)
    assert (hook.state, mail.state) == ("sent", "dead")
    (tried,) = hook.tries
    assert (tried.n, tried.at, tried.seconds, tried.outcome, tried.status) == (1, new.sent, 0.5, "sent", 200)
    assert hook.ended == new.sent + timedelta(seconds=2)
    assert [d.id for d in store.dead_letters()] == [mail.id]
    assert store.dead_letters("mail") == [mail]
    assert store.dead_letters("hook") == []
    (queue,) = store.queues()
    assert (queue.channel, queue.waiting, queue.oldest) == ("mail", 1, cancelled.sent)


def test_what_is_over_and_sent_is_forgotten(store, path):
    """An old episode goes with deliveries and tries, unless one waits; a live one stays, and each newest cycle."""
    old = episode(store, 0, "s", "t")
    judge(store, cycle(5, hazard="HAIL"), [match(hazard="HAIL")])
    store.exercise(match(), "flow", at(5), ["hook", "mail"])
    episode(store, 60, "u")
    set_deliveries(path, "sent", f"alert <> '{old[0].id}'")
    before = at(30).timestamp()
    assert forget_alerts(path, before=before, dry_run=True) == 3
    assert forget_alerts(path, before=before) == 3
    assert {a.subscriber for a in store.alerts()} == {old[0].subscriber, "s", "u"}
    assert [a.kind for a in store.episode(old[0].episode)] == ["new", "cancelled"]
    assert [a.kind for a in store.alerts(hazard="HAIL")] == ["new"]
    assert store.cycles("run-0") == []
    assert [c.run for c in store.newest_cycles()] == ["run-5", "run-63"]
    set_deliveries(path, "dead", "state = 'waiting'")
    assert forget_alerts(path, before=before) == 2
    assert judge(store, cycle(0), [match()]) == []
    assert store.cycles("run-0")[0].outcome == "late"
    left = rows(path, "SELECT count(*) FROM deliveries")[0][0]
    assert rows(path, "SELECT count(*) FROM tries")[0][0] == left == 2 * len(store.alerts())


def test_an_episode_of_a_feed_that_is_judged_no_more_is_forgotten(store, path):
    """Its last alert was made and expired before all that is kept."""
    (new,) = judge(store, cycle(0), [match()])
    set_deliveries(path, "sent")
    for before in (new.sent, new.expires):
        assert forget_alerts(path, before=before.timestamp()) == 0
    later = new.expires.timestamp() + 1
    assert forget_alerts(path, before=later, dry_run=True) == 1
    assert store.active() == {("flow", "STORM"): 1}
    assert forget_alerts(path, before=later) == 1
    assert store.active() == {}


@pytest.mark.parametrize("after", ["SELECT a.id", "DELETE FROM episodes"])
def test_an_episode_is_forgotten_whole_or_not_at_all(store, path, monkeypatch, after):
    """Also where a cycle is judged meanwhile that would go on with it: what it tells refers to what is there."""
    (new,) = judge(store, cycle(0), [match()])
    set_deliveries(path, "sent")
    execute, told = Database.execute, []

    def meanwhile(database, sql, parameters=()):
        cursor = execute(database, sql, parameters)
        if database is store._db or told or after not in sql:
            return cursor
        found = cursor.fetchall()
        told.extend(judge(store, cycle(60), [match(onset=70, level=60.0)]))
        return found

    monkeypatch.setattr(Database, "execute", meanwhile)
    forget_alerts(path, before=new.expires.timestamp() + 1)
    assert told
    left = store.alerts()
    assert {one.episode for one in left} == {one.episode for one in left if one.kind == "new"}
    assert {one.id for one in told} <= {one.id for one in left}


def test_an_episode_that_still_counts_to_its_all_clear_is_kept(store, path):
    """A feed of an hour, and little is kept: its newest cycle is young, or was judged lately, so it goes on."""
    told = judge(store, cycle(0), [match()])
    set_deliveries(path, "sent")
    for hour in (1, 2):
        assert judge(store, cycle(60 * hour), []) == []
        for minute, dry_run in product((0, 0.1), (True, False)):
            before = at(60 * hour + minute).timestamp()
            assert forget_alerts(path, before=before, dry_run=dry_run) == 0
    (over,) = judge(store, cycle(180), [])
    assert (over.kind, over.episode) == ("cancelled", told[0].episode)
    assert rows(path, "SELECT * FROM lapsed") == []


def test_cycles_of_other_hazards_keep_no_episode(store, path):
    """Each feed and hazard is judged by itself."""
    judge(store, cycle(0), [match()])
    set_deliveries(path, "sent")
    judge(store, cycle(180, hazard="HAIL"), [])
    judge(store, cycle(180, run="r", feed="other"), [])
    assert forget_alerts(path, before=at(120).timestamp()) == 1
    assert store.active() == {}


def test_an_episode_is_forgotten_whole(store, path):
    """While its last alert is young, the first is kept too: it is referred to."""
    told = episode(store, 0, "s")
    set_deliveries(path, "sent")
    assert forget_alerts(path, before=told[-1].sent.timestamp()) == 0
    assert forget_alerts(path, before=told[-1].sent.timestamp() + 1) == 2
    assert store.alerts() == []


def test_a_dead_letter_that_is_replayed_meanwhile_stays(store, path, monkeypatch):
    """What begins to wait between the look and the removal is not removed."""
    episode(store, 0, "s")
    set_deliveries(path, "dead")
    monkeypatch.setattr("dynamo.journal.old_alerts._OLD", "SELECT id FROM alerts WHERE ?1 > 0")
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE deliveries SET state = 'waiting' WHERE channel = 'mail'")
    assert forget_alerts(path, before=1e10) == 0
    assert len(store.alerts()) == 2


def test_gc_forgets_alerts(tmp_path):
    """``dynamo gc`` counts and removes them with the rest."""
    workspace = Workspace.open(tmp_path / "ws")
    with AlertStore(workspace.journal) as store, Journal(workspace.journal) as journal:
        episode(store, 0, "s")
        set_deliveries(workspace.journal, "sent")
        for dry_run in (True, False):
            assert collect(workspace, journal, before=at(99).timestamp(), dry_run=dry_run) == Freed(
                0, 0, 0, 0, 2
            )
        assert store.alerts() == []


def test_nobody_is_told_all_clear_below_a_radar_that_failed(store):
    """While less is seen than lately nothing counts as clear; after an hour less is usual, and all clear comes."""
    judge(store, cycle(0, known_share=0.6), [match(onset=60)])
    for minute in range(1, 61):
        assert judge(store, cycle(minute, known_share=0.4), []) == []
    told = [
        alert.kind for minute in range(61, 65) for alert in judge(store, cycle(minute, known_share=0.4), [])
    ]
    assert told == ["cancelled"]


def below(west: str, east: str) -> dict[str, tuple]:
    """Return how much is known in a western and an eastern half, in ninths, and in all."""
    share = (int(west) + int(east)) / 18
    return {"known_share": share, "seen": (seen_map((3.5, 52, 5.5, 53), [west + east]),)}


def test_who_is_below_a_radar_that_is_out_hears_no_all_clear_and_others_do(store):
    """However long it lasts: what is known where he is decides, if products say it. It is over when that is seen."""
    west, east = match("west", onset=5)._replace(lon=4.0), match("east", onset=5)._replace(lon=5.0)
    first = judge(store, cycle(0, **below("9", "9")), [west, east])
    assert len(first) == 2
    cycles = [store.judge(cycle(n, **below("9", "0")), []) for n in range(1, 5)]
    assert [(a.kind, a.subscriber, a.issued) for one in cycles for a in one.alerts] == [
        ("cancelled", "west", at(3))
    ]
    assert [(one.outcome, one.unseen, one.less) for one in cycles] == [("judged", 1, True)] * 4
    assert [judge(store, cycle(n, **below("9", "0")), []) for n in range(5, 91, 5)] == [[]] * 18
    told = [judge(store, cycle(n, **below("0", "9")), []) for n in (91, 92)]
    told += [judge(store, cycle(93, **below("9", "0")), []), judge(store, cycle(94, **below("0", "9")), [])]
    assert [[a.subscriber for a in one] for one in told] == [[], [], [], ["east"]]
    why = store.clearing(told[-1][0])
    assert [one.issued for one in why.cycles] == [at(91), at(92), at(94)], "only those that saw it"


def test_states_of_an_older_version_go_on(store, path):
    """It only counted the cycles that were clear."""
    (alert,) = judge(store, cycle(0), [match(onset=5)])
    (text,) = rows(path, "SELECT state FROM episodes")[0]
    old = orjson.loads(text)[:-1]
    old[2] = 2
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE episodes SET state = ?", (orjson.dumps(old).decode(),))
    (over,) = judge(store, cycle(1), [])
    assert (over.kind, over.episode) == ("cancelled", alert.episode)
    assert (store.clearing(over).count, [one.issued for one in store.clearing(over).cycles]) == (3, [at(1)])


def test_of_little_that_is_known_as_a_rule_as_much_is_enough(store):
    """A radar that sees the wind in a hundredth of its field can say that it is over where it sees it."""
    judge(
        store, cycle(0, known_share=0.001, seen=below("1", "9")["seen"]), [match(onset=5)._replace(lon=4.0)]
    )
    little = [judge(store, cycle(n, known_share=0.001, seen=below("0", "9")["seen"]), []) for n in (1, 2, 3)]
    cycles = [store.judge(cycle(n, known_share=0.001, seen=below("1", "0")["seen"]), []) for n in (4, 5, 6)]
    assert (little, [one.less for one in cycles]) == ([[], [], []], [False] * 3)
    assert [a.kind for one in cycles for a in one.alerts] == ["cancelled"]


def test_half_of_what_was_known_when_he_was_told_is_too_little(store):
    """The hazard may be in the half of the circle that is not seen now; then it ends without a word."""
    near = match(onset=5)._replace(lon=4.45, within_km=30.0)
    (alert,) = judge(store, cycle(0, **below("9", "9")), [near])
    assert [judge(store, cycle(n, **below("9", "0")), []) for n in (1, 2, 3, 200)] == [[]] * 4
    assert [one.reason for one in store.lapsed(alert)] == ["too little is known to say that it is over"]


def test_where_he_was_told_must_be_seen_too_unless_he_said_that_he_left(store):
    """A file that was edited is no reason to be told that it is over below a radar that is out."""
    for name, posted, kinds in (("left", False, []), ("said", True, ["cancelled"])):
        one = match(name, onset=5)._replace(lon=4.0)
        judge(store, cycle(0, run=f"{name}-0", feed=name, **below("9", "9")), [one])
        ask = {(name, ""): Asked(5.0, 52.5, 45, 10.0, posted)}
        told = [
            store.judge(
                cycle(n, run=f"{name}-{n}", feed=name, **below("0", "9")), [], asking=lambda _, ask=ask: ask,
                looking=lambda _: (),
            ).alerts
            for n in (1, 2, 3)
        ]  # fmt: skip
        assert [a.kind for alerts in told for a in alerts] == kinds


def test_a_run_of_which_too_little_was_known_is_judged_again_and_tells_what_is_more(store, path):
    """It was gone on with after a crash. Once enough is known that is final; the audit has each time."""
    (first,) = judge(store, cycle(0, known_share=0.0), [match("a")])
    assert judge(store, cycle(0, known_share=0.0, now=at(0.2)), [match("a")]) == []
    whole = cycle(0, now=at(0.3))
    told = judge(store, whole, [match("a"), match("b"), match("c", level=50)])
    assert sorted((one.subscriber, one.kind) for one in told) == [("b", "new"), ("c", "new")]
    again = store.judge(whole, [match("a", level=60), match("d")])
    assert (again.outcome, again.alerts) == (None, [])
    assert [(one.outcome, one.known, one.judged) for one in store.cycles("run-0")] == [
        ("unknown", 0.0, at(0.1)),
        ("unknown", 0.0, at(0.2)),
        ("judged", 1.0, at(0.3)),
    ]
    assert [one.known for one in store.newest_cycles()] == [1.0]
    (worse,) = judge(store, cycle(1), [match("a", level=50), match("b"), match("c")])
    assert (worse.episode, worse.revision) == (first.episode, 1)
    set_deliveries(path, "sent")
    forget_alerts(path, before=at(1).timestamp())
    assert store.cycles("run-0") == []


def test_a_run_that_is_judged_again_counts_as_clear_once(store):
    """Not at all where newer data was judged meanwhile."""
    judge(store, cycle(0), [match()])
    for again in (
        cycle(1, known_share=0.0),
        cycle(1),
        cycle(1),
        cycle(2, known_share=0.0),
        cycle(3),
        cycle(2),
    ):
        assert judge(store, again, []) == []
    assert store.judge(cycle(2), [match(level=60)]).outcome is None
    assert [one.outcome for one in store.cycles("run-2")] == ["unknown"]
    assert [alert.kind for alert in judge(store, cycle(4), [])] == ["cancelled"]


@pytest.mark.parametrize("clear", [0, 2])
def test_what_expires_while_too_little_is_seen_ends_without_a_word(store, clear):
    """No all clear comes for it hours later; cycles that were clear before do not hasten it."""
    (alert,) = judge(store, cycle(0), [match()])
    for minute in range(1, 120, 4):
        assert judge(store, cycle(minute, known_share=float(minute < 4 * clear)), []) == []
    assert store.active() == {("flow", "STORM"): 1}
    told = [
        one
        for minute in (120, 121, 500, 501, 502)
        for one in judge(store, cycle(minute, known_share=float(minute > 121)), [])
    ]
    assert (told, store.active()) == ([], {})
    reason = "too little is known to say that it is over"
    assert store.lapsed(alert) == [Lapse(at(120.1), reason, ("hook", "mail"))]
    (again,) = judge(store, cycle(503), [match(onset=510)])
    assert (again.kind, again.episode == alert.episode) == ("new", False)


@pytest.mark.parametrize("minute", range(15, 61, 15))
def test_one_cycle_that_sees_too_little_keeps_nobody_from_an_all_clear(store, minute):
    """At whatever time it comes, also when the last alert has just expired."""
    judge(store, cycle(0), [match()])
    cycles = [cycle(n, known_share=float(n != minute)) for n in range(15, 76, 15)]
    told = [(one.kind, n.issued) for n in cycles for one in judge(store, n, [])]
    assert told == [("cancelled", at(60 if minute <= 45 else 45))]


def test_a_little_less_than_usual_is_enough(store):
    """A sector that is missing now and then holds back no all clear."""
    judge(store, cycle(0, known_share=0.6), [match()])
    told = [alert.kind for minute in (1, 2, 3) for alert in judge(store, cycle(minute, known_share=0.56), [])]
    assert told == ["cancelled"]


def test_each_way_has_an_episode_of_its_own(store):
    """The phone hears of what its rule asks for, and gets its all clear while the desk's storm is still there."""
    phone, desk = match(way="phone", level=50), match(way="desk", level=30, within_km=50.0)
    new = judge(store, cycle(0), [phone, desk])
    assert [[d.channel for d in store.deliveries(a.id)] for a in new] == [["phone"], ["desk"]]
    assert len({a.episode for a in new}) == 2
    (updated,) = judge(store, cycle(1), [phone, desk._replace(level=40)])
    assert [d.channel for d in store.deliveries(updated.id)] == ["desk"]
    told = [a for n in (2, 3, 4) for a in judge(store, cycle(n), [desk])]
    assert [(a.kind, a.episode) for a in told] == [("cancelled", new[0].episode)]
    assert store.active() == {("flow", "STORM"): 1}


ASKED = Asked(4.5, 52.5, 45.0, 10.0)


def asks(*ways: tuple[str, str], rule: Asked = ASKED):
    """Return who asks for what, whoever is asked for."""
    return lambda names: {way: rule for way in ways if way[0] in names}


def test_the_all_clear_of_a_narrower_rule_has_its_distance(store):
    """Rules were changed while the storm was there."""
    judge(store, cycle(0), [match(level=35, within_km=50.0)])
    for n in (1, 2, 3):
        told = judge(store, cycle(n), [], asking=asks(("s", "")))
    assert [(a.kind, a.level, a.within_km) for a in told] == [("cancelled", 45, 10)]


def test_an_episode_of_which_nothing_is_known_ends_when_it_expires(store, path):
    """Who left the file is told nothing, and is no longer listed; the audit knows why."""
    (new,) = judge(store, cycle(0), [match()])
    assert new.expires == at(60)
    for minute in (1, 2, 3, 4, 59):
        assert judge(store, cycle(minute), [], asking=asks()) == []
    assert store.active() == {("flow", "STORM"): 1}
    assert store.lapsed(new) == []
    assert judge(store, cycle(60), [], asking=asks()) == []
    assert store.active() == {}
    assert store.alerts(active=True) == []
    assert store.lapsed(new) == [Lapse(at(60.1), "nobody asks for it any more", ("hook", "mail"))]
    assert [a.kind for a in judge(store, cycle(61), [match()])] == ["new"]
    set_deliveries(path, "sent")
    assert forget_alerts(path, before=at(30).timestamp()) == 1
    assert rows(path, "SELECT * FROM lapsed") == []


def test_polygons_are_recorded_once_for_all_who_are_near(store, path):
    """Each alert reads back with its own; they go with the last alert of their run."""
    other = {"type": "Polygon", "coordinates": [[[1.0, 2.0], [3.0, 2.0], [3.0, 4.0], [1.0, 2.0]]]}
    odd = '"polygons":null \\"polygons\\":null'
    found = [match("a"), match(odd), match("c")._replace(polygons=other), match("d")._replace(polygons=None)]
    told = judge(store, cycle(0), found)
    assert sorted(rows(path, "SELECT run, body FROM pictures")) == sorted(
        ("run-0", orjson.dumps(polygons).decode()) for polygons in (SQUARE, other)
    )
    for alert in told:
        assert store.alert(alert.id) == alert
    (mended,) = [alert for alert in store.alerts() if alert.subscriber == odd]
    assert mended.polygons == SQUARE
    for n in (1, 2, 3):
        judge(store, cycle(n), [])
    set_deliveries(path, "sent")
    assert forget_alerts(path, before=at(30).timestamp()) == 8
    assert rows(path, "SELECT * FROM pictures") == []


def test_what_no_product_speaks_of_ends_when_it_expires(store):
    """Kinds that are spoken of, other feeds, and alerts that hold stay."""
    (storm,) = judge(store, cycle(0), [match()])
    judge(store, cycle(0, feed="other", run="r"), [match()])
    judge(store, cycle(0, hazard="HAIL"), [match(hazard="HAIL")])
    store.lapse("flow", {"HAIL"}, at(59), at(59))
    assert len(store.active()) == 3
    for _ in range(2):
        store.lapse("flow", {"HAIL"}, at(60), at(60.1))
        assert store.active() == {("flow", "HAIL"): 1, ("other", "STORM"): 1}
    assert store.lapsed(storm) == [Lapse(at(60.1), "no product speaks of it any more", ("hook", "mail"))]


def test_an_episode_goes_on_where_its_rules_name_other_channels_than_before(store):
    """Nobody is told anew; only the channels of the new way hear the rest."""
    (new,) = judge(store, cycle(0), [match()])
    assert judge(store, cycle(1), [match(way="mail")], asking=asks(("s", "mail"))) == []
    (updated,) = judge(store, cycle(2), [match(way="mail", level=60)], asking=asks(("s", "mail")))
    assert (updated.episode, updated.revision) == (new.episode, 1)
    assert [d.channel for d in store.deliveries(updated.id)] == ["mail"]
    (other,) = judge(store, cycle(3), [match(level=60)], asking=asks(("s", "")))
    assert (other.episode, other.revision, other.references[0].id) == (new.episode, 1, new.id)
    assert [d.channel for d in store.deliveries(other.id)] == ["hook"]


def test_an_episode_goes_on_to_its_all_clear_in_another_way(store):
    """The new rule is not met, so it is over for the channel that it names."""
    (new,) = judge(store, cycle(0), [match()])
    told = [a for n in (1, 2, 3) for a in judge(store, cycle(n), [], asking=asks(("s", "mail")))]
    assert [(a.kind, a.episode) for a in told] == [("cancelled", new.episode)]
    assert [d.channel for d in store.deliveries(told[0].id)] == ["mail"]
    assert store.active() == {("flow", "STORM"): 1}, "the other channel, which nobody asks for"


def test_a_way_to_a_channel_that_was_not_told_adopts_nothing(store):
    """It is told anew; the old episode waits for its expiry."""
    judge(store, cycle(0), [match(way="phone")])
    (new,) = judge(store, cycle(1), [match(way="desk")], asking=asks(("s", "desk")))
    assert new.kind == "new"
    assert store.active() == {("flow", "STORM"): 2}


def test_it_is_said_how_a_cycle_was_judged(store):
    """With what was usual; of one that was judged before nothing."""
    assert store.judge(cycle(1, known_share=0.9), []).outcome == "judged"
    assert store.judge(cycle(1, known_share=0.9), []).outcome is None
    assert store.judge(cycle(0, known_share=0.9), []).outcome == "late"
    unknown = store.judge(cycle(2, known_share=0.5), [])
    assert (unknown.outcome, unknown.cycle.usual_share) == ("unknown", 0.9)
    assert store.cycles("run-2")[0].known == 0.5
    assert store.kinds("flow") == {"STORM"}


@pytest.mark.parametrize("fields", [18, 20])
def test_what_was_under_way_by_an_older_version_goes_on(store, path, fields):
    """Its states know nothing of branches, or of where the hazard was last near somebody."""
    (new,) = judge(store, cycle(0), [match()])
    with closing(sqlite3.connect(path)) as db, db:
        (text,) = db.execute("SELECT state FROM episodes").fetchone()
        db.execute("UPDATE episodes SET state = ?", (orjson.dumps(orjson.loads(text)[:fields]).decode(),))
    assert judge(store, cycle(1), [match()._replace(lat=52.55)]) == []
    (update,) = judge(store, cycle(2), [match(level=50)])
    assert (update.episode, update.revision) == (new.episode, 1)


def test_what_was_under_way_before_ways_goes_on(store, path, tmp_path):
    """A journal of an older version has states without ways and narrowest distances; a narrower one is no news then."""
    (new,) = judge(store, cycle(0), [match()])
    (state,) = rows(path, "SELECT json_remove(state, '$[20]', '$[19]', '$[18]', '$[17]') FROM episodes")[0]
    scripts = sorted(files("dynamo.journal").joinpath(".").glob("*.sql"))
    older = list(takewhile(lambda script: not script.stem.endswith("ways"), scripts))
    with closing(sqlite3.connect(tmp_path / "old.db")) as db, db:
        db.executescript("".join(script.read_text() for script in older))
        db.execute("INSERT INTO episodes VALUES ('flow', 'STORM', 's', ?)", (state,))
        db.execute(f"PRAGMA user_version = {len(older)}")
    with AlertStore(tmp_path / "old.db") as again:
        assert again.active() == {("flow", "STORM"): 1}
        assert judge(again, cycle(1), [match(narrowest_km=5.0)]) == []
        (updated,) = judge(again, cycle(2), [match(narrowest_km=5.0, level=55)])
        assert (updated.episode, updated.revision) == (new.episode, 1)
