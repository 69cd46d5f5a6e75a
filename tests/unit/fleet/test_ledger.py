"""What is written of a fleet is there after a crash, and is no other slice's."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace

import pytest

from dynamo.fleet.ledger import Ledger
from dynamo.fleet.record import WorkerRecord


@pytest.fixture
def path(tmp_path):
    """Return where the journal is."""
    return tmp_path / "journal.db"


ONE = WorkerRecord(
    "t1", "dfw", "workers", "aws", "workers/aws/c7i/spot", "dfw-workers-t1", "requested", 10.5, 10.5, 4, 2**33,
    usd_per_hour=0.4, quantum=3600.0, minimum=3600.0, dies=9999.0, why="30 cores are wanted",
)  # fmt: skip


def test_a_worker_is_kept_as_it_is(path):
    """In all stages, with each of its events."""
    with Ledger(path, "dfw") as ledger:
        ledger.put(ONE)
        ledger.put(ONE.step("booting", 20, "made", machine="i-1"))
    with Ledger(path, "dfw") as ledger:
        (found,) = ledger.workers()
        assert found == replace(ONE, stage="booting", since=20, why="made", machine="i-1")
        assert [(e.at, e.what) for e in ledger.events()] == [(10.5, "requested"), (20, "booting")]
        ledger.put(found.step("gone", 30, "its provider lost it", failed=True))
        assert ledger.workers() == []
        assert ledger.workers(ended_after=30) == []
        (gone,) = ledger.workers(ended_after=29)
        assert (gone.stage, gone.ended, gone.failed) == ("gone", 30, True)
        assert ledger.worker("t1") == gone
        assert ledger.worker("t2") is None


def test_slices_do_not_see_each_other(path):
    """Not their workers, events, decisions, nor what they learned."""
    with Ledger(path, "dfw") as ledger:
        ledger.put(ONE)
        ledger.decided(1, "work", {}, {})
        ledger.learn("boots", {"x": 1})
    with Ledger(path, "other") as other:
        assert not other.workers()
        assert not other.events()
        assert not other.decisions()
        assert other.learned("boots") is None
        assert other.worker("t1") is None


def test_an_order_that_was_not_written_whole_was_not_given(path):
    """Nothing inside a change is there before its end."""
    with Ledger(path, "dfw") as ledger:
        with suppress(InterruptedError), ledger.change():
            ledger.put(ONE)
            raise InterruptedError
        assert not ledger.workers()
        assert not ledger.events()


def test_decisions_are_kept_with_what_they_were_made_from(path):
    """The latest first."""
    with Ledger(path, "dfw") as ledger:
        ledger.decided(1, "work", {"now": 1}, {"target": 4.0})
        ledger.decided(2, "queue", {"now": 2}, {"target": 5.0})
        assert [(d.at, d.policy, d.view, d.decision) for d in ledger.decisions(last=5)] == [
            (2, "queue", {"now": 2}, {"target": 5.0}),
            (1, "work", {"now": 1}, {"target": 4.0}),
        ]
        ledger.learn("boots", [1])
        ledger.learn("boots", [1, 2])
        assert ledger.learned("boots") == [1, 2]


def test_of_decisions_that_do_nothing_the_last_is_kept(path):
    """Those that do something stay, each after what was decided before it; of other slices nothing is touched."""
    idle, buys, lets_go = ({"buys": b, "releases": r} for b, r in (([], []), ([1], []), ([], [1])))
    with Ledger(path, "other") as ledger:
        ledger.decided(0, "work", {}, idle)
    with Ledger(path, "dfw") as ledger:
        for at, decision in enumerate((idle, idle, buys, idle, idle, lets_go, buys, idle, idle)):
            ledger.decided(at, "work", {}, decision)
        assert [row.at for row in ledger.decisions(last=20)] == [8, 6, 5, 2]
    with Ledger(path, "other") as ledger:
        assert len(ledger.decisions(last=5)) == 1


def test_what_a_decision_was_made_from_is_short_and_kept_for_a_time(path):
    """A view of a thousand workers is 300 KB of JSON; the decision itself, and its reasons, stay."""
    view = {"workers": [{"token": f"{n:032x}", "stage": "ready", "cores": 2} for n in range(1000)]}
    decision = {"buys": [["two", 1, "why"]], "releases": [], "reasons": ["much to do"]}
    with Ledger(path, "dfw") as ledger:
        for at in (1000.0, 2000.0):
            ledger.decided(at, "work", view, decision)
        assert [row.view for row in ledger.decisions(last=2)] == [view, view]
        (size,) = ledger._db.execute("SELECT max(length(view)) FROM fleet_decisions").fetchone()
        assert size < len(json.dumps(view)) / 5
        ledger.forget(500.0, views=1500.0)
        late, early = ledger.decisions(last=2)
        assert (late.view, early.view) == (view, {})
        assert early.decision == decision
        ledger.forget(500.0, views=2500.0)
        assert not ledger.decisions()[0].view


def test_a_view_that_an_older_dynamo_wrote_is_read(path):
    """As plain JSON."""
    with Ledger(path, "dfw") as ledger:
        ledger.decided(1.0, "work", {}, {"buys": [1], "releases": []})
        ledger._db.execute("UPDATE fleet_decisions SET view = '{\"now\": 5}'")
        assert ledger.decisions()[0].view == {"now": 5}


def test_what_was_noticed_is_as_old_as_it_was(path):
    """Time in which nobody looked does not count, but for a minute, nor does a clock that was set back meanwhile."""
    with Ledger(path, "dfw") as ledger:
        assert ledger.noticed(100) == {}
        ledger.notice(100, {"missing/a": 75.0})
    with Ledger(path, "dfw") as ledger:
        assert ledger.noticed(160) == {"missing/a": 75.0}
        assert ledger.noticed(5000) == {"missing/a": 4975.0}
        assert ledger.noticed(50) == {"missing/a": 25.0}


def test_what_is_old_is_forgotten_but_not_what_lives(path):
    """A worker that was ordered long ago and is there stays."""
    with Ledger(path, "dfw") as ledger:
        ledger.put(ONE)
        ledger.put(replace(ONE, token="t2").step("gone", 20, ""))
        ledger.decided(1, "work", {}, {})
        ledger.forget(before=100)
        assert [one.token for one in ledger.workers(ended_after=0)] == ["t1"]
        assert not ledger.events()
        assert not ledger.decisions()


def test_what_a_worker_costs_is_counted_in_billing_steps():
    """Of a window of time, so much as begins in it."""
    one = replace(ONE, quantum=60.0, minimum=120.0, usd_per_hour=3600.0)
    assert one.cost(0, 10) == 0
    assert one.cost(0, 10.5) == 120
    assert one.cost(0, 11) == 120
    assert one.cost(0, 10.5 + 121) == 180
    assert one.cost(10.5 + 60, 10.5 + 121) == 60
    ended = one.step("gone", 10.5 + 30, "", machine="i-1")
    assert ended.cost(0, 1e6) == 120
    assert ended.cost(10.5 + 30, 1e6) == 0
    assert one.paid_until(10.5 + 125) == 10.5 + 180
