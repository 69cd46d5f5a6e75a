"""How a fleet stands, as it is written down; and what is counted of its jobs and of its last hour."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamo.fleet.endings import CLASSES, Ended, Endings
from dynamo.fleet.last_hour import elasticity_of
from dynamo.fleet.ledger import Ledger
from dynamo.fleet.offering import Offering
from dynamo.fleet.queue import Done
from dynamo.fleet.record import WorkerRecord
from dynamo.fleet.refusals import AuthError, NoCapacityError
from dynamo.fleet.simulator import elasticity
from dynamo.fleet.simulator.curve import Curve
from dynamo.fleet.slice import NodeGroup, NodeOffer, ProviderRule, Slice, SliceLimits
from dynamo.fleet.status import status_data
from dynamo.fleet.status_words import status_words
from dynamo.fleet.tally import BOUNDS, Tally

SIZES = (Offering("two", 2, 2**32, usd_per_hour=1.0), Offering("four", 4, 2**33, usd_per_hour=1.5))


@pytest.fixture
def world(worlds):
    """Return a fleet of one cloud with a budget a day."""
    group = NodeGroup((NodeOffer("c", "two"), NodeOffer("c", "four")), max=8, idle=60.0)
    rules = {"c": ProviderRule("memory")}
    return worlds(Slice("dfw", rules, {"workers": group}, limits=SliceLimits(usd_per_day=50)))


def stand(world) -> dict:
    """Return how it stands, as somebody else reads it from the journal."""
    data = status_data(world.controller, world.now)
    world.ledger.learn("status", data)
    world.ledger.stands(world.now, {key: data[key] for key in ("at", "demand", "supply", "usd_per_hour")})
    return world.ledger.learned("status")


def test_a_fleet_with_nothing_stands_at_nothing(world):
    """Before the pool was heard, and after."""
    data = stand(world)
    assert data["troubles"] == {"pool": "the pool has not answered yet"}
    assert not data["pool"]
    world.run(20)
    data = stand(world)
    assert data["pool"]
    assert data["troubles"] == data["out"] == data["rests"] == data["failures"] == data["boots"] == {}
    assert data["cores"] == data["demand"] == data["supply"] == data["work"] == data["usd_today"] == 0
    assert data["limits"] == {"usd_per_day": 50}  # what is infinite is not there
    assert data["offers"] == ["workers/c/four/on-demand", "workers/c/two/on-demand"]
    assert data["elasticity"] == {"theta_u": 0, "theta_o": 0, "tau_u": 0, "tau_o": 0}


def test_a_fleet_at_work(world):
    """Cores by stage and by group, what is needed, what it costs, what was late."""
    world.run(20)
    world.pool.submit("lead", 100, count=6, within=60)
    world.run(20)
    data = stand(world)
    assert data["cores_of"] == {"workers": {"booting": 6}}
    assert data["stages"] == {"booting": 3}
    assert (data["cores"], data["ready"], data["supply"], data["waiting"]) == (6, 0, 0, 6)
    assert data["demand"] > 0
    assert data["usd_per_hour"] == 3
    world.run(40)
    data = stand(world)
    assert (data["ready"], data["supply"], data["busy"], data["running"], data["overdue"]) == (6, 6, 6, 6, 0)
    world.run(20)
    assert stand(world)["overdue"] == 6
    world.run(100)
    data = stand(world)
    assert data["jobs"] == {"lead": {"done": 6, "due": 6, "late": 6}}
    assert data["lateness"] == {"lead": 1.0}
    assert data["boots"]["workers/c/two/on-demand"][0] == 3
    assert data["usd_today"] > 0
    assert data["elasticity"]["tau_u"] > 0
    assert json.loads(json.dumps(data)) == data
    words = status_words("dfw", data, "", world.ledger.workers(), world.ledger.history(), world.now)
    assert "lead 6 of 6 in the last hour; 6 jobs done" in words


def test_the_supply_is_of_cores_of_speed_1_that_are_in_the_pool(world):
    """Those too that drain, for their jobs still run; not those that boot."""
    world.controller.clouds.catalogue["c"] = [replace(one, speed=1.5) for one in SIZES]
    key = "workers/c/two/on-demand"
    for token, stage in enumerate(("requested", "booting", "joined", "draining", "stopping")):
        world.ledger.put(WorkerRecord(f"t{token}", "dfw", "workers", "c", key, "n", stage, 1.0, 1.0, 2, 1))
    world.ledger.put(
        WorkerRecord("old", "dfw", "was", "c", "of/an/older/slice", "n", "joined", 1.0, 1.0, 4, 1)
    )
    world.controller.roster.read(world.now)
    data = stand(world)
    assert data["supply"] == 2 * 1.5 + 2 * 1.5 + 4
    assert (data["cores"], data["ready"]) == (14, 6)
    assert data["cores_of"]["was"] == {"joined": 4}


def test_what_fails_is_told_by_its_group(world):
    """With the offers that rest, and groups out of service."""
    world.run(20)
    world.cloud.fail("create", NoCapacityError("no more of these"))
    world.pool.submit("lead", 600)
    world.run(20)
    data = stand(world)
    assert data["failures"] == {"workers": 1}
    assert data["rests"]["workers/c/two/on-demand"][1] == "no more of these"
    with world.cloud.failing("create", AuthError("the key is not valid")):
        world.pool.submit("lead", 600, count=20)
        world.run(30)
    assert "the key is not valid" in [why for _, why in stand(world)["rests"].values()]
    assert stand(world)["out"] == {}
    world.controller.standing = world.controller.standing.withdraw("workers", "nothing boots", world.now + 9)
    assert stand(world)["out"] == {"workers": "nothing boots"}


def test_a_paused_fleet_still_tells_its_queue(world):
    """What is needed is of now, and not of when it was paused."""
    world.run(20)
    world.controller.paused = True
    world.pool.submit("lead", 100, count=6, within=600)
    world.run(20)
    data = stand(world)
    assert (data["paused"], data["waiting"], data["cores"], data["target"]) == (True, 6, 0, 0)
    assert data["demand"] > 0


def test_history_is_of_the_time_that_is_asked_for(tmp_path):
    """The oldest first, and no more rows than asked for."""
    with Ledger(tmp_path / "journal.db", "dfw") as ledger:
        for at in (10.0, 20.0, 30.0):
            ledger.stands(at, {"at": at})
        assert [row["at"] for row in ledger.history(since=20.0)] == [20, 30]
        assert [row["at"] for row in ledger.history(last=1)] == [30]
        assert ledger.history(since=31.0) == []


def row(at: float, demand: float, supply: float) -> dict:
    return {"at": at, "demand": demand, "supply": supply}


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=1, max_size=30))
def test_the_last_hour_has_the_figures_of_the_simulator(values):
    """They are its own functions, over the same curves."""
    rows = [row(10.0 * n, demand, supply) for n, (demand, supply) in enumerate(values)]
    end = 10.0 * len(rows)
    times = np.arange(0.0, end + 1, 10.0)
    demand, supply = (Curve(times, np.array(one)) for one in zip(*values, strict=True))
    assert elasticity_of(rows, end, 60.0) == pytest.approx(
        {
            "theta_u": elasticity.under_provisioned(demand, supply),
            "theta_o": elasticity.over_provisioned(demand, supply),
            "tau_u": elasticity.under_timeshare(demand, supply),
            "tau_o": elasticity.over_timeshare(demand, supply),
        }
    )


def test_the_figures_of_the_last_hour_by_hand():
    """10 s with half of what is needed, 30 s with twice as much."""
    rows = [row(0, 4, 2), row(10, 4, 8)]
    assert elasticity_of(rows, 40, 60) == {"theta_u": 12.5, "theta_o": 75, "tau_u": 25, "tau_o": 75}


def test_time_without_a_controller_counts_for_nothing():
    """What it last saw holds for a minute, not for the night."""
    rows = [row(0, 4, 2), row(30_000, 4, 4)]
    assert elasticity_of(rows, 30_060, 60)["tau_u"] == 50


@pytest.mark.parametrize("rows", [[], [row(10, 1, 1)], [{"at": 0.0, "target": 3.0}], [row(20, 1, 2)]])
def test_without_any_time_there_are_no_figures(rows):
    """No rows, one of now, one of an older kind, one of a clock that was set back."""
    assert elasticity_of(rows, 10, 60) == {}


def done(ended: float, kind: str = "lead", due: float = float("inf")) -> Done:
    return Done("1.0", kind, 10.0, ended, due)


def test_jobs_are_counted_for_an_hour_and_for_ever():
    """With a deadline or without, in time or not."""
    endings = Endings()
    for one in (done(100), done(100, due=100), done(4000, due=3999), done(4000, "other kind")):
        endings.add(one)
    assert endings.hour(3600) == {"lead": Ended(3, 2, 1), "other kind": Ended(1, 0, 0)}
    assert endings.hour(4100) == {"lead": Ended(1, 1, 1), "other kind": Ended(1, 0, 0)}
    assert endings.hour(9000) == {}
    assert endings.total == {"lead": Ended(3, 2, 1), "other kind": Ended(1, 0, 0)}


def test_so_many_classes_have_a_name():
    """A class that has one keeps it."""
    endings = Endings()
    for number in range(CLASSES + 30):
        endings.add(done(0, f"class{number}"))
    endings.add(done(0, "class0"))
    assert len(endings.total) == CLASSES + 1
    assert endings.total["class0"].done == 2
    assert endings.total["other"].done == 30
    assert len(endings.hour(0)) == CLASSES + 30


ONE = WorkerRecord("t", "dfw", "g", "c", "o", "n", "requested", 100, 100, 2, 1, usd_per_hour=36.0)


def test_each_thing_that_becomes_of_a_worker_is_counted_once():
    """However often it is looked at."""
    tally = Tally([], 90)
    steps = [ONE]
    steps.append(steps[-1].step("booting", 110, "", machine="i"))
    steps.append(steps[-1].step("joined", 160, ""))
    steps.append(steps[-1].step("draining", 200, ""))
    steps.append(steps[-1].step("stopping", 210, ""))
    steps.append(steps[-1].step("gone", 220, ""))
    for one in steps:
        for _ in range(2):
            tally.look([one], one.since + 1)
    counts = tally.counts
    assert (counts.orders, counts.releases) == ({"o": 1}, {"g": 1})
    assert not counts.refusals
    assert not counts.failures
    assert counts.boots["o"].counts[BOUNDS.index(60.0)] == 1
    assert counts.boots["o"].seconds == 60
    assert counts.usd == pytest.approx(1.20)  # 120 s at a cent a second


def test_a_refusal_is_no_failure_and_none_is_a_release():
    """A refused order never had a machine; one that is lost while it drains has failed."""
    tally = Tally([], 90)
    tally.look([ONE], 101)
    tally.look([ONE.step("gone", 102, "no more of these", failed=True)], 102)
    assert (tally.counts.refusals, tally.counts.failures) == ({"o": 1}, {})
    two = replace(ONE, token="u", machine="i", stage="joined", joined=150)
    tally.look([two], 160)
    tally.look([two.step("stopping", 170, "", failed=True)], 170)
    tally.look([two.step("stopping", 170, "", failed=True).step("gone", 180, "")], 180)
    assert (tally.counts.refusals, tally.counts.failures) == ({"o": 1}, {"g": 1})
    assert not tally.counts.releases
    assert tally.counts.orders == {"o": 1}  # the other one was adopted


def test_what_was_before_is_not_counted():
    """A controller begins at 0, and dollars too."""
    old = replace(ONE, stage="booting", machine="i")
    tally = Tally([old], 300)
    tally.look([old.step("joined", 310, "")], 310)
    assert not tally.counts.orders
    assert sum(tally.counts.boots["o"].counts) == 1
    assert tally.counts.usd == pytest.approx(0.10)


@pytest.mark.parametrize("seconds", [0.0, 5.0, 5.1, 1800.0, 9999.0])
def test_a_boot_is_in_the_first_bucket_that_holds_it(seconds):
    """As Prometheus counts: no longer than the bound."""
    tally = Tally([ONE], 100)
    tally.look([ONE.step("joined", 100 + seconds, "")], 100 + seconds)
    counts = tally.counts.boots["o"].counts
    bounds = [*BOUNDS, float("inf")]
    assert [bound for bound, count in zip(bounds, counts, strict=True) if count] == [
        min(bound for bound in bounds if seconds <= bound)
    ]
