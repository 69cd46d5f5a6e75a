"""A policy on trial: the acting one decides as without it, and what the other would have done and cost is known."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace

import pytest

from dynamo.errors import UserError
from dynamo.fleet.decision import Buy, Decision, Release
from dynamo.fleet.explain import explain
from dynamo.fleet.policies.keda import Keda
from dynamo.fleet.policies.phantom import Phantom
from dynamo.fleet.policies.queue_depth import QueueDepth
from dynamo.fleet.policies.shadow import SHADOW, Shadow, beside
from dynamo.fleet.policies.static import Static
from dynamo.fleet.policies.work import WorkPerDeadline
from dynamo.fleet.slice import NodeGroup, NodeOffer, ProviderRule, Slice, SliceLimits
from dynamo.fleet.status import status_data
from dynamo.fleet.status_words import status_words
from dynamo.fleet.view import Group, Limits, Load, Offer, View, Worker

OFFER = Offer("w/c/two", "w", "c", 2, usd_per_hour=3.6, boot=30.0, minimum=60.0)
GROUPS = {"w": Group("w", max=8, idle=60.0)}
DAY = 86_400.0 * 20_000


def load(jobs: int, due: float = 900.0, work: float = 100.0) -> Load:
    """Return waiting jobs."""
    return Load("tile", DAY + due, jobs, 0, work * jobs, work * jobs, longest=work)


def view(at: float = 0.0, *loads: Load, **more) -> View:
    """Return a view with one offer, some seconds after the beginning of a day."""
    return View(DAY + at, loads=loads, offers=[OFFER], groups=GROUPS, **more)


def kept(shadow: Shadow, *views: View, history=None) -> dict:
    """Return what is known of the candidate after these views; what is kept between them is JSON."""
    decision = None
    for one in views:
        decision = shadow.decide(one, history or {})
        history = json.loads(json.dumps(decision.history))
    return history[SHADOW]


@dataclass(frozen=True)
class Says:
    """A policy that decides the same whatever it sees."""

    decision: Decision
    name: str = "says"

    def decide(self, view, history):
        """Say it."""
        return self.decision


class Broken:
    """A policy that fails."""

    name = "broken"

    def decide(self, view, history):
        """Fail."""
        raise ZeroDivisionError("by nought")


@pytest.fixture
def world(worlds):
    """A fleet of one cloud, by queue depth."""
    group = NodeGroup((NodeOffer("c", "two"),), max=8, idle=60.0)
    return worlds(
        Slice("dfw", {"c": ProviderRule("memory")}, {"workers": group}, limits=SliceLimits(cores=16))
    )


def storm(world) -> dict:
    """Let a burst pass, and return how the fleet stands then."""
    world.run(60)
    world.pool.submit("lead", 40, count=12, within=300)
    world.run(600)
    return status_data(world.controller, world.now)


def test_the_acting_policy_decides_as_without_a_shadow():
    """Turn for turn, with the history that it has itself."""
    acting, shadow = WorkPerDeadline(), Shadow(WorkPerDeadline(), QueueDepth())
    alone, beside_it = {}, {}
    for n in range(60):
        now = view(10.0 * n, load(1 + n % 7, 10.0 * n + 60))
        one, other = acting.decide(now, alone), shadow.decide(now, beside_it)
        alone, beside_it = one.history, other.history
        assert replace(one, history={}) == replace(other, history={})
        assert {key: value for key, value in beside_it.items() if key != SHADOW} == alone
    assert shadow.name == "work"


def test_a_candidate_that_is_the_acting_policy_costs_what_that_costs(world):
    """So the fleet that is not there is like the one that is: as many orders, as many dollars, as long too few."""
    world.controller.use(Shadow(world.policy, QueueDepth()))
    said = storm(world)["shadow"]
    ours, other = said["acting"], said["candidate"]
    assert ours["orders"] == other["orders"] == 6
    assert ours["usd"] == pytest.approx(other["usd"], rel=0.2)
    assert ours["usd"] > 0
    assert ours["missing"] == pytest.approx(other["missing"], abs=20.0)
    assert said["seconds"] == 650.0
    assert not world.there


def test_a_candidate_that_keeps_workers_costs_more_and_nothing_of_it_is_there(world):
    """Ten cores all the time are five machines from the first turn on, of which none is ordered."""
    world.controller.use(Shadow(world.policy, Static(10)))
    said = storm(world)["shadow"]
    assert (said["candidate"]["orders"], said["candidate"]["cores"]) == (5, 10.0)
    assert said["candidate"]["usd"] == pytest.approx(5 * 1.0 * 640 / 3600, rel=0.1)
    assert said["acting"]["orders"] == 6
    assert len(world.ledger.workers(ended_after=0.0)) == 6


def test_a_candidate_that_fails_stops_nothing_and_is_told(world):
    """The storm is worked off all the same, and the fault stands in the status and in the decision."""
    world.controller.use(Shadow(world.policy, Broken()))
    data = storm(world)
    assert all(job.ended is not None for job in world.pool.jobs.values())
    assert data["shadow"]["failed"] == "ZeroDivisionError: by nought"
    assert not data["troubles"]
    lines = status_words("dfw", data, "me", [], [], world.now)
    assert "  shadow    broken FAILED: ZeroDivisionError: by nought; nothing else comes of it" in lines
    row = world.ledger.decisions()[0]
    assert row.decision["history"][SHADOW]["failed"] == "ZeroDivisionError: by nought"


@pytest.mark.parametrize(
    ("decision", "why"),
    [
        (Decision(target=math.nan), "ValueError: it wants nan cores"),
        (Decision(target=math.inf), "ValueError: it wants inf cores"),
        (Decision((Buy("no/such", 1, ""),)), "KeyError: 'no/such'"),
        (Decision(history={"a": object()}), "TypeError"),
        (Decision(reasons=None), "TypeError"),
        (None, "AttributeError"),
    ],
)
def test_a_decision_that_makes_no_sense_is_a_fault_of_the_candidate(decision, why):
    """Whatever it is; and what is kept can be written down."""
    said = kept(Shadow(QueueDepth(), Says(decision)), view(0.0, load(4)), view(10.0, load(4)))
    assert said["failed"].startswith(why)


def test_a_candidate_that_works_again_is_not_told_of_any_more():
    """And goes on with the fleet that it had."""
    first = kept(Shadow(QueueDepth(), Static(4, Broken.name)), view(0.0), view(40.0))
    history = {SHADOW: first}
    broken = kept(Shadow(QueueDepth(), Broken()), view(50.0), history=history)
    assert broken["fleet"] == first["fleet"]
    again = kept(Shadow(QueueDepth(), Static(4, Broken.name)), view(60.0), history={SHADOW: broken})
    assert "failed" not in again
    assert again["trial"]["candidate"]["orders"] == 2


def test_limits_bounds_and_budgets_hold_for_a_candidate_too():
    """Of a hundred machines eight are allowed by the group, three by the cores, one by the budget of the day."""
    much = Says(Decision((Buy(OFFER.key, 100, "much"),), target=200.0))
    for limits, count in (
        (Limits(), 8),
        (Limits(cores=6.0), 3),
        (Limits(usd_per_hour=8.0), 2),
        (Limits(usd_per_day=1.0), 1),
    ):
        said = kept(Shadow(QueueDepth(), much), view(0.0, limits=limits), view(10.0, limits=limits))
        assert said["trial"]["candidate"]["orders"] == count


def test_who_the_budget_of_the_day_lets_go_is_gone():
    """Eight machines of 3.60 dollars an hour would be 4.80 in ten minutes: within 2 dollars they are not kept."""
    at = [view(10.0 * n, limits=Limits(usd_per_day=100.0 if n < 4 else 2.0)) for n in range(40)]
    said = kept(Shadow(QueueDepth(), Static(16)), *at)
    assert said["trial"]["candidate"]["orders"] >= 8
    assert said["trial"]["candidate"]["usd"] < 2.0


def test_a_trial_begins_with_the_workers_that_there_are():
    """What they cost before it is nobody's; from then on both pay for them."""
    real = [Worker("a" * 32, "w", OFFER.key, "ready", DAY - 600, DAY - 630, 2, 1, paid_until=DAY)]
    later = [replace(real[0], paid_until=DAY + 100)]
    said = kept(Shadow(Static(2), Static(2)), view(0.0, workers=real), view(100.0, workers=later))
    for side in ("acting", "candidate"):
        assert said["trial"][side]["orders"] == 0
        assert said["trial"][side]["usd"] == pytest.approx(0.1)


def test_what_boots_is_there_when_such_machines_are_and_who_is_drained_ends_with_his_job():
    """Two machines of 30 s; one has a job of 100 s, the other none."""
    fleet, _ = Phantom().obey(Decision((Buy(OFFER.key, 2, ""),)), view(0.0))
    assert [one.stage for one in fleet.after(view(20.0)).workers] == ["booting", "booting"]
    there = fleet.after(view(30.0, load(1)))
    seen = there.seen(view(30.0, load(1)))
    assert [(one.stage, one.busy, one.idle_since) for one in seen.workers] == [
        ("ready", 1, None),
        ("ready", 0, DAY + 30.0),
    ]
    both = Decision(releases=tuple(Release(one.token, "enough") for one in seen.workers))
    gone, done = there.obey(both, seen)
    assert len(done.releases) == 2
    assert [one.token for one in gone.after(view(40.0)).workers] == ["phantom-0"]
    assert not gone.after(view(130.0)).workers


def test_nobody_is_let_go_on_a_view_that_is_not_trusted():
    """As with the real fleet."""
    fleet, _ = Phantom().obey(Decision((Buy(OFFER.key, 2, ""),)), view(0.0))
    seen = fleet.after(view(30.0)).seen(view(30.0, trusted=False))
    all_ = Decision(releases=tuple(Release(one.token, "") for one in seen.workers))
    assert fleet.obey(all_, seen)[1].releases == ()


@pytest.mark.parametrize(
    ("at", "label", "spoilt"), [(2000.0, "keda", {}), (60.0, "dask", {}), (60.0, "keda", {"fleet": {"x": 1}})]
)
def test_a_trial_begins_anew(at, label, spoilt):
    """After a quarter of an hour without a decision, for another candidate, or where what was kept is strange."""
    before = kept(Shadow(QueueDepth(), Keda()), view(0.0, load(4)), view(50.0, load(4))) | spoilt
    after = kept(Shadow(QueueDepth(), Keda(name=label)), view(at, load(4)), history={SHADOW: before})
    assert before["trial"]["since"] == DAY
    assert after["trial"]["since"] == DAY + at
    assert after["trial"]["candidate"]["orders"] == 0


def test_a_restart_goes_on_with_the_trial(world):
    """The controller is killed in the midst of it."""
    shadow = Shadow(world.policy, Keda())
    world.controller.use(shadow)
    world.run(100)
    since = status_data(world.controller, world.now)["shadow"]["since"]
    world.policy = shadow
    world.kill()
    assert storm(world)["shadow"]["since"] == since


def test_a_candidate_is_written_as_for_the_simulator():
    """Name and settings; what there is not is told, and nothing is no candidate."""
    acting = QueueDepth()
    assert beside(acting, "") is acting
    made = beside(acting, "work:hold=300")
    assert made == Shadow(acting, WorkPerDeadline(hold=300, name="work:hold=300"))
    for text in ("kedda", "keda:speed=2", "keda:speed"):
        with pytest.raises(UserError):
            beside(acting, text)


def test_a_trial_is_told_in_words():
    """What it would do in `explain`, what came of it in `status`."""
    shadow = Shadow(QueueDepth(), Static(4, "static:cores=4"))
    first = shadow.decide(view(0.0), {})
    (line,) = [one for one in explain(first, view(0.0)).splitlines() if one.startswith("On trial")]
    assert line.startswith(
        "On trial, static:cores=4 with 0 cores of its own wants 4, and would buy 2 x w/c/two"
    )
    assert "On trial" not in explain(QueueDepth().decide(view(0.0), {}), view(0.0))
    second = shadow.decide(view(10.0), first.history)
    said = [one for one in explain(second, view(10.0)).splitlines() if one.startswith("On trial")]
    assert said[0].startswith(
        "On trial, static:cores=4 with 4 cores of its own wants 4, and would do nothing"
    )
    broken = Shadow(QueueDepth(), Broken()).decide(view(0.0), {})
    assert "On trial, broken failed: ZeroDivisionError: by nought. Nothing else comes of it." in explain(
        broken, view(0.0)
    )


def test_the_status_tells_a_trial_in_two_lines(world):
    """Against the one that decides."""
    world.controller.use(Shadow(world.policy, Static(10)))
    world.turn()
    early = status_words("dfw", status_data(world.controller, world.now), "me", [], [], world.now)
    assert "  shadow    static decides on trial from now on" in early
    data = storm(world)
    lines = status_words("dfw", data, "me", [], [], world.now).splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("  shadow "))
    assert lines[at].startswith("  shadow    static would pay 10 cores now, queue_depth pays 0; in 11 min ")
    assert " machines ordered against 6, too few cores in " in lines[at + 1]
