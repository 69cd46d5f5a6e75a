"""The outbox: whose turn it is, what is dropped, and what is kept."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynamo.delivery.channel import Outcome
from dynamo.delivery.outbox import Outbox
from dynamo.delivery.records import Batch, Tried
from dynamo.delivery.retry import Patience, Verdict, judge
from dynamo.delivery.sender import BUDGET
from dynamo.errors import UserError
from dynamo.journal.database import Database

SENT = Outcome("sent", "ok", 200), Verdict("sent")
REFUSED = Outcome("refused", "no", 404), Verdict("dead", reason="refused: HTTP 404 no")
ENDS = {"sent": SENT, "refused": REFUSED, "again": None}


@pytest.fixture
def outbox(rows):
    """As one sender sees it."""
    with Outbox(rows.path, "one") as found:
        yield found


def again(due, status=503, aside=False):
    return Outcome("again", "busy", status), Verdict("waiting", due, aside=aside, failures=1, pause=due)


def ids(batches):
    return {batch.channel: [item.id for item in batch.items] for batch in batches}


def settle(outbox, clock, batch: Batch, *ends, release=True):
    """Record how the first deliveries of a batch ended."""
    tried = [
        Tried(batch.channel, item.seq, clock(), 0.1, *end)
        for item, end in zip(batch.items, ends, strict=False)
    ]
    outbox.record(tried, [batch.channel] if release else [], clock())


def test_each_channel_gives_what_is_due_in_order(outbox, rows, clock):
    """Consecutive deliveries of one channel come together."""
    for channel in "abab":
        rows.add(channel)
    rows.add("a", due=5)
    rows.add("a")
    assert ids(outbox.claim(clock(), healthy=9)) == {"a": ["m1", "m3"], "b": ["m2", "m4"]}
    assert outbox.claim(clock(), healthy=9) == []


def test_a_channel_whose_first_is_not_due_gives_nothing(outbox, rows, clock):
    """A later one never overtakes."""
    rows.add(due=5)
    rows.add()
    assert outbox.claim(clock(), healthy=9) == []
    assert outbox.ready(failing=False) == clock() + 5
    clock.now += 5
    assert ids(outbox.claim(clock(), healthy=9)) == {"here": ["m1", "m2"]}


def test_one_that_failed_waits_and_holds_back_those_after_it(outbox, rows, clock):
    """And counts as failing until it succeeds."""
    rows.add(), rows.add()
    (batch,) = outbox.claim(clock(), healthy=9)
    settle(outbox, clock, batch, again(clock() + 2))
    clock.now += 1
    assert outbox.claim(clock(), healthy=9, failing=9) == []
    clock.now += 1
    assert outbox.claim(clock(), healthy=9) == []
    (batch,) = outbox.claim(clock(), healthy=0, failing=9)
    assert batch.failing
    assert [(i.id, i.tries, i.begun) for i in batch.items] == [("m1", 1, clock() - 2)]
    settle(outbox, clock, batch, SENT)
    (batch,) = outbox.claim(clock(), healthy=9)
    settle(outbox, clock, batch, SENT)
    assert rows.states() == {"m1": "sent", "m2": "sent"}
    assert rows.queues() == []
    assert rows.tries("m1") == [(1, "again", 503, "busy"), (2, "sent", 200, "ok")]


def test_a_lease_is_taken_over_when_it_runs_out(outbox, rows, clock):
    """Not before; and not by its own sender while it has the channel in hand."""
    rows.add()
    outbox.claim(clock(), healthy=9)
    with Outbox(rows.path, "two") as other:
        clock.now += 4.9
        assert other.claim(clock(), healthy=9) == []
        outbox.renew(clock())
        clock.now += 4.9
        assert other.claim(clock(), healthy=9) == []
        clock.now += 0.2
        assert outbox.claim(clock(), healthy=9, busy=["here"]) == []
        assert ids(other.claim(clock(), healthy=9)) == {"here": ["m1"]}


def test_what_a_sender_says_that_lost_its_lease_counts_only_when_it_arrived(outbox, rows, clock):
    """It may not let another's channel go, nor revive what was settled."""
    rows.add(), rows.add()
    (mine,) = outbox.claim(clock(), healthy=9)
    clock.now += 6
    with Outbox(rows.path, "two") as other:
        (theirs,) = other.claim(clock(), healthy=9)
        settle(other, clock, theirs, SENT, again(clock() + 60), release=False)
        settle(outbox, clock, mine, again(clock() + 1), SENT)
        assert rows.states() == {"m1": "sent", "m2": "sent"}
        assert len(rows.tries("m1")) == 2
        settle(other, clock, theirs)
        assert rows.queues() == []


def test_what_expired_is_dropped_when_its_turn_comes(outbox, rows, clock):
    """Also an all clear; what comes after it is sent."""
    rows.add(expires=1), rows.add(kind="cancelled", expires=1), rows.add()
    clock.now += 2
    assert ids(outbox.claim(clock(), healthy=9)) == {"here": ["m3"]}
    assert rows.states() == {"m1": "dropped", "m2": "dropped", "m3": "waiting"}
    assert rows.reason("m1") == "expired"


def test_a_channel_of_which_all_is_dropped_has_no_turn_any_more(outbox, rows, clock):
    """No lease is left behind."""
    rows.add(expires=1)
    clock.now += 2
    assert outbox.claim(clock(), healthy=9) == []
    assert rows.queues() == []
    rows.add()
    assert ids(outbox.claim(clock(), healthy=9)) == {"here": ["m2"]}


def test_one_that_failed_is_superseded_by_a_later_one_of_its_episode(outbox, rows, clock):
    """Another episode or another channel supersedes nothing, nor is a first try spared."""
    rows.add(episode="e"), rows.add(episode="f"), rows.add("there", "e", "updated")
    (batch,) = outbox.claim(clock(), healthy=1)
    settle(outbox, clock, batch, again(clock()))
    assert ids(outbox.claim(clock(), healthy=0, failing=1)) == {"here": ["m1"]}
    settle(outbox, clock, batch, again(clock()))
    rows.add(episode="e", kind="updated")
    (batch,) = outbox.claim(clock(), healthy=0, failing=1)
    settle(outbox, clock, batch, SENT)
    assert ids(outbox.claim(clock(), healthy=1)) == {"here": ["m4"]}
    assert rows.states()["m2"] == "sent"
    assert rows.reason("m1") == "superseded by a later alert of its episode"


@pytest.mark.parametrize(
    ("end", "told"),
    [(SENT, True), (again(0.0, None), True), (again(0.0, 500), True), (again(0.0, 503), False),
     (again(0.0, 429), False), (REFUSED, False)],
)  # fmt: skip
def test_an_all_clear_goes_to_whom_the_alert_may_have_reached(outbox, rows, clock, end, told):
    """Only a clear no says that it did not."""
    rows.add(episode="e"), rows.add(episode="e", kind="cancelled")
    (batch,) = outbox.claim(clock(), healthy=9)
    assert [item.id for item in batch.items] == ["m1"]
    settle(outbox, clock, batch, end)
    batches = outbox.claim(clock(), healthy=9, failing=9)
    assert ids(batches) == ({"here": ["m2"]} if told else {})
    if not told:
        assert rows.reason("m2") == "nothing of its episode reached this channel"


def test_an_all_clear_is_kept_when_nothing_is_known_of_its_episode(outbox, rows, clock):
    """Earlier alerts may have been cleaned away."""
    rows.add(episode="e", kind="cancelled")
    assert ids(outbox.claim(clock(), healthy=9)) == {"here": ["m1"]}


def test_an_all_clear_that_fails_is_tried_again(outbox, rows, clock):
    """Nothing supersedes it."""
    rows.add(episode="e", kind="cancelled"), rows.add(episode="e")
    (batch,) = outbox.claim(clock(), healthy=9)
    settle(outbox, clock, batch, again(clock()))
    assert ids(outbox.claim(clock(), healthy=9, failing=9)) == {"here": ["m1"]}


def test_a_closed_channel_keeps_what_comes_as_dead_letters(outbox, rows, clock):
    """With the reason; later ones too."""
    rows.add(), rows.add()
    (batch,) = outbox.claim(clock(), healthy=9)
    gone = Outcome("refused", "gone", 410, close=True), Verdict("dead", reason="refused: HTTP 410 gone")
    settle(outbox, clock, batch, gone)
    assert outbox.claim(clock(), healthy=9) == []
    rows.add()
    assert outbox.claim(clock(), healthy=9) == []
    assert set(rows.states().values()) == {"dead"}
    assert rows.reason("m3") == "the channel is closed: gone"


def test_replay_sends_dead_letters_again_in_their_old_order(outbox, rows, clock):
    """Before what came after them, with their tries kept; a closed channel is opened."""
    for _ in range(3):
        rows.add()
    (batch,) = outbox.claim(clock(), healthy=9)
    gone = Outcome("refused", "gone", 410, close=True), Verdict("dead", reason="refused: HTTP 410 gone")
    settle(outbox, clock, batch, REFUSED, REFUSED, gone)
    assert outbox.replay("m2", clock()) == 1
    assert outbox.replay(None, clock()) == 2
    assert outbox.replay(None, clock()) == 0
    rows.add()
    (batch,) = outbox.claim(clock(), healthy=9)
    assert [(i.id, i.tries, i.begun) for i in batch.items] == [(f"m{n}", 0, None) for n in (1, 2, 3, 4)]
    settle(outbox, clock, batch, *[SENT] * 4)
    assert [n for n, *_ in rows.tries("m1")] == [1, 2]


def test_replay_takes_an_alert_too_and_says_what_is_no_dead_letter(outbox, rows, clock):
    """A wrong id is told."""
    rows.add()
    outbox.bury("here", "test", clock())
    assert outbox.replay("a1", clock()) == 1
    with pytest.raises(UserError, match="m1 is no dead letter: it is waiting"):
        outbox.replay("m1", clock())
    for wrong in ("x", ""):
        with pytest.raises(UserError, match=f"nothing that was given up is named {wrong!r}"):
            outbox.replay(wrong, clock())


def test_replay_takes_the_beginning_of_a_name(outbox, rows, clock):
    """A whole name goes before it; of what may be any of several, all are told."""
    for _ in range(12):
        rows.add()
    outbox.bury("here", "test", clock())
    with pytest.raises(UserError, match="'a' may be any of a1, a10, a11, a12, a2, "):
        outbox.replay("a", clock())
    with pytest.raises(UserError, match="'m' may be any of m1, m10, "):
        outbox.replay("m", clock())
    assert outbox.replay("m1", clock()) == 1
    with pytest.raises(UserError, match="m1 is no dead letter"):
        outbox.replay("m1", clock())
    rows.db.execute("UPDATE deliveries SET alert = alert || '-0', id = id || '-0@here'")
    assert outbox.replay("a2", clock()) == 1
    assert outbox.replay("m3-0@h", clock()) == 1
    assert {name for name, state in rows.states().items() if state == "waiting"} == {
        f"m{n}-0@here" for n in (1, 2, 3)
    }


def test_a_channel_is_opened_with_its_dead_letters_alone(outbox, rows, clock):
    """In their old order; also where nothing of it is left, and where it is not closed."""
    for channel in ("a", "a", "b"):
        rows.add(channel)
    for channel in ("a", "b"):
        rows.db.execute("INSERT INTO closed_channels VALUES (?, 0, 'gone')", (channel,))
        outbox.bury(channel, "gone", clock())
    assert outbox.open("a", clock()) == 2
    assert ids(outbox.claim(clock(), healthy=9)) == {"a": ["m1", "m2"]}
    rows.db.execute("DELETE FROM deliveries WHERE channel = 'b'")
    assert outbox.open("b", clock()) == 0
    rows.add("b")
    assert ids(outbox.claim(clock(), healthy=9)) == {"b": ["m4"]}
    assert outbox.open("b", clock()) == 0


def test_what_is_replayed_while_its_channel_is_under_way_has_its_turn_next(outbox, rows, clock):
    """The lease is not touched."""
    rows.add(), rows.add()
    (batch,) = outbox.claim(clock(), healthy=9)
    settle(outbox, clock, batch, REFUSED, release=False)
    with Outbox(rows.path, "two") as other:
        other.replay("m1", clock())
        assert other.claim(clock(), healthy=9) == []
    settle(
        outbox,
        clock,
        Batch(
            "here",
            batch.items[1:],
        ),
        SENT,
    )
    assert ids(outbox.claim(clock(), healthy=9)) == {"here": ["m1"]}


def test_what_was_overtaken_by_its_successor_is_not_replayed(outbox, rows, clock):
    """A receiver never hears old news after new, nor of an episode that is over."""
    rows.add(episode="e"), rows.add(episode="e", kind="updated"), rows.add(episode="f")
    (batch,) = outbox.claim(clock(), healthy=9)
    settle(outbox, clock, batch, REFUSED, SENT, REFUSED)
    rows.add(episode="f", kind="cancelled")
    assert outbox.claim(clock(), healthy=9) == []  # the all clear is dropped
    outbox.replay(None, clock())
    assert outbox.claim(clock(), healthy=9) == []
    assert rows.reason("m1") == "superseded by a later alert of its episode"
    assert rows.reason("m3") == "superseded: its episode is over"


def test_an_alert_that_cannot_be_read_is_a_dead_letter(outbox, rows, clock):
    """And holds back nobody."""
    rows.add(), rows.add(), rows.add()
    rows.db.execute("UPDATE alerts SET body = '{' WHERE id = 'a1'")
    rows.db.execute("UPDATE alerts SET body = '{}' WHERE id = 'a2'")
    assert ids(outbox.claim(clock(), healthy=9)) == {"here": ["m3"]}
    assert rows.reason("m1").startswith("cannot be read")


def test_a_result_of_a_delivery_that_was_cleaned_away_is_let_go(outbox, rows, clock):
    """Retention may have been faster."""
    rows.add()
    (batch,) = outbox.claim(clock(), healthy=9)
    rows.db.execute("PRAGMA foreign_keys = ON")
    rows.db.execute("DELETE FROM alerts")
    settle(outbox, clock, batch, SENT)
    assert rows.queues() == []
    assert outbox.waiting() == 0


def test_claiming_looks_at_no_more_than_it_takes(rows, clock):
    """Every statement of a turn uses an index."""
    from dynamo.delivery import statements as module

    statements = {
        module.TURN: (clock(), 0, "", 9), module.OF_LINE: ("a", 9), module.OF_ASIDE: ("a", 9, clock()),
        module.EMPTY: ("a",), module.LEASE: (1.0, "one", 0, "a"), module.RELEASE: ("a", "one"),
        module.SETTLE: (1.0, "sent", 0.0, 1.0, "", 0, 1, "sent"), module.HEALTH: (0, 0.0, 0, "a", "one"),
        module.READY: (0, ""),
    }  # fmt: skip
    for sql, parameters in statements.items():
        plan = [row[3] for row in rows.db.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]
        assert not [step for step in plan if step.startswith("SCAN") or "TEMP B-TREE" in step], (sql, plan)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.sampled_from(["add", "more", "claim", *ENDS, "wait"])), max_size=80
    )
)
def test_whatever_two_senders_do_only_what_is_set_aside_is_overtaken(rows, clock, acts):  # noqa: C901 - one list of acts
    """First arrivals are in the order of seq, but for that; of an episode they always are; at the end nothing waits."""
    for table in ("tries", "deliveries", "alerts", "queues"):
        rows.db.execute(f"DELETE FROM {table}")
    arrived: list[int] = []
    with Outbox(rows.path, "one") as one, Outbox(rows.path, "two") as two:
        hands: list[list] = [[], []]
        failures, claimed = [0, 0], [0.0, 0.0]

        def act(who, what):
            outbox, hand = (one, two)[who], hands[who]
            if what in {"add", "more"}:
                rows.add(episode=f"e{rows.number % 3}" if what == "more" else None, kind="updated")
            elif what == "wait":
                clock.now += 3
            elif what == "claim" and not hand:
                for batch in outbox.claim(clock(), healthy=1, failing=1):
                    hand.extend(batch.items)
                    failures[who], claimed[who] = batch.failures, clock()
            elif what in ENDS and hand:
                item = hand.pop(0)
                if what != "refused":  # what failed may have arrived
                    arrived.append(item.seq)
                outcome = Outcome("again", "lost") if what == "again" else ENDS[what][0]
                end = judge(
                    outcome, tries=item.tries + 1, begun=item.begun or clock(), now=clock(), chance=1.0,
                    patience=Patience(most=4.0), failures=failures[who], aside=item.aside,
                )  # fmt: skip
                failures[who] = end.failures
                # As the sender does: it begins no other after its budget, which is as long as its lease.
                hand[:] = [] if what == "again" or clock() > claimed[who] + BUDGET else hand
                tried = Tried("here", item.seq, clock(), 0.1, outcome, end)
                outbox.record([tried], [] if hand else ["here"], clock())

        for who, what in acts:
            act(who, what)
        hands[0].clear()  # one is killed
        while "waiting" in rows.states().values():
            for what in ("claim", "sent", "wait"):
                act(1, what)
    aside = {seq for (seq,) in rows.db.execute("SELECT seq FROM deliveries WHERE aside = 1")}
    first = list(dict.fromkeys(arrived))
    line = [seq for seq in first if seq not in aside]
    assert line == sorted(line)
    for (episode,) in rows.db.execute("SELECT DISTINCT episode FROM deliveries").fetchall():
        own = {seq for (seq,) in rows.db.execute("SELECT seq FROM deliveries WHERE episode = ?", (episode,))}
        told = [seq for seq in first if seq in own]
        assert told == sorted(told)
    assert rows.queues() == []


def test_a_newer_schema_is_made_by_the_journal(tmp_path):
    """The trigger of the queues survives the way in which migrations are split."""
    database = Database(tmp_path / "j.db", ())
    found = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
    database.close()
    assert found == [("deliveries_queued",)]
