"""Decisions are kept with what they were made from, so that they can be made again, and do not fill the disk."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace

import pytest

from dynamo.fleet.explain import explain
from dynamo.fleet.ledger import Ledger
from dynamo.fleet.policies.fallback import decided
from dynamo.fleet.policies.named import by_name
from dynamo.fleet.policies.shadow import SHADOW, beside
from dynamo.fleet.slice import NodeGroup, NodeOffer, ProviderRule, Slice, SliceLimits
from dynamo.fleet.view import Group, Load, Offer, View, Worker
from dynamo.fleet.view_json import decision_data, decision_of, inputs_data, outcome_data, view_data, view_of

OFFER = Offer("w/c/two", "w", "c", 2, 2**32, usd_per_hour=1.0)
MANY = View(
    now=86_400.0 * 20_000,
    loads=[Load("tile", 86_400.0 * 20_000 + 300, 500, 2000, 90_000.0, 99_000.0, longest=60.0)],
    workers=[
        Worker(uuid.uuid4().hex, "w", OFFER.key, "ready", 86_400.0 * 20_000, 86_400.0 * 20_000, 2, 2)
        for _ in range(1000)
    ],
    offers=[OFFER],
    groups={"w": Group("w", max=1500, idle=60.0)},
)


@pytest.fixture
def world(worlds):
    """A fleet of one cloud, by work and deadlines."""
    group = NodeGroup((NodeOffer("c", "two"),), max=8, idle=60.0)
    made = worlds(
        Slice("dfw", {"c": ProviderRule("memory")}, {"workers": group}, limits=SliceLimits(cores=16))
    )
    made.controller.use(beside(by_name("work"), "keda"))
    return made


def test_a_decision_that_is_read_back_can_be_made_again(world):
    """Of two storms, each turn that did something: the same view and the same in mind give the same decision."""
    for _ in range(2):
        world.run(60)
        world.pool.submit("lead", 40, count=12, within=300)
        world.run(900)
    rows = world.ledger.decisions(last=1000)
    done = {(bool(row.decision["buys"]), bool(row.decision["releases"])) for row in rows}
    assert {(True, False), (False, True)} <= done
    for row in rows:
        again, trouble = decided(by_name(row.policy), view_of(row.view), row.view["history"])
        kept = decision_of(row.decision)
        assert not trouble
        assert (again.buys, again.releases, again.reasons) == (kept.buys, kept.releases, kept.reasons)
        assert (again.target, again.figures) == (kept.target, kept.figures)
    assert any(row.view["history"] for row in rows)


def test_a_trial_makes_a_decision_no_longer(tmp_path):
    """Not by the fleet that is not there: the row has what `explain` says of it."""
    shadow, history = beside(by_name("work"), "queue_depth"), {}
    for _ in range(2):
        before, decision = history, shadow.decide(MANY, history)
        history = decision.history
    assert len(json.dumps(decision_data(decision))) > 100_000
    with Ledger(tmp_path / "journal.db", "dfw") as ledger:
        ledger.decided(MANY.now, "work", inputs_data(MANY, before), outcome_data(decision))
        (row,) = ledger.decisions()
        (size,) = ledger._db.execute("SELECT length(view) + length(decision) FROM fleet_decisions").fetchone()
    assert len(json.dumps(row.decision)) < 2000
    assert size < 50_000
    assert SHADOW not in row.view["history"]
    assert explain(decision_of(row.decision), view_of(row.view)) == explain(decision, MANY)


def test_a_decision_that_an_older_dynamo_wrote_is_told_and_thinned(tmp_path):
    """It has all that was in mind after it, the fleet of a trial too, and goes with what it was made from."""
    shadow = beside(by_name("work"), "queue_depth")
    decision = shadow.decide(MANY, {})
    old = decision_data(decision)
    del old["history"][SHADOW]["does"]["cores"]  # stood elsewhere
    with Ledger(tmp_path / "journal.db", "dfw") as ledger:
        ledger.decided(100.0, "work", view_data(MANY), old)
        (row,) = ledger.decisions()
        said = explain(decision_of(row.decision), view_of(row.view))
        assert "On trial, queue_depth wants 2,500, and would " in said
        ledger.forget(50.0, views=200.0)
        (row,) = ledger.decisions()
        assert row.view == {}
        assert decision_of(row.decision).history == {}
        assert decision_of(row.decision).reasons == decision.reasons


def test_what_is_thin_is_not_written_again(tmp_path):
    """A controller that was started anew knows not what it thinned before; the rows do."""
    for at in (100.0, 200.0):
        with Ledger(tmp_path / "journal.db", "dfw") as ledger:
            ledger.decided(at, "work", {"now": at}, {"buys": [1], "releases": []})
            before = ledger._db._db.total_changes
            ledger.forget(50.0, views=at + 50.0)
            assert ledger._db._db.total_changes - before == 1


def test_the_journal_grows_for_two_weeks_and_then_no_more(tmp_path):
    """What is forgotten makes room for what comes, so the file need not be made smaller."""
    view = inputs_data(replace(MANY, workers=MANY.workers[:50]), {})
    pages = []
    with Ledger(tmp_path / "journal.db", "dfw") as ledger:
        for hour in range(0, 24 * 45, 4):
            at = 3600.0 * hour
            with ledger.change():
                ledger.decided(at, "work", view, {"buys": [1], "releases": [], "reasons": ["why" * 500]})
                ledger.tell(at, "booting", "why" * 500, uuid.uuid4().hex)
                ledger.stands(at, {"at": at, "figures": [at] * 200})
                ledger.forget(at - 14 * 86_400.0, views=at - 86_400.0)
            pages.append(ledger._db.execute("PRAGMA page_count").fetchone()[0])
    fortnight = 14 * 6
    assert max(pages[2 * fortnight :]) <= max(pages[: 2 * fortnight])
    assert pages[fortnight] > pages[12]
