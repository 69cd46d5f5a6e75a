"""A fleet follows its work, and whatever fails: no machine that nobody knows of, none bought twice, no job lost."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dynamo.fleet.machine import Tags
from dynamo.fleet.refusals import (
    AuthError,
    NoCapacityError,
    OutcomeUnknownError,
    QuotaError,
    UnavailableError,
)
from dynamo.fleet.slice import NodeGroup, NodeOffer, ProviderRule, Slice, SliceLimits
from dynamo.testing import Fault


def group(*sizes: str, **more) -> NodeGroup:
    """Return a node group that may have eight machines, of these sizes, the first preferred."""
    offers = tuple(NodeOffer("c", size) for size in sizes or ("two",))
    return NodeGroup(offers, **{"max": 8, "idle": 60.0, **more})


def a_slice(limits: SliceLimits | None = None, providers=("c",), **nodes: NodeGroup) -> Slice:
    """Return a slice of providers that are clouds in memory."""
    rules = {name: ProviderRule("memory") for name in providers}
    return Slice("dfw", rules, nodes or {"workers": group()}, limits=limits or SliceLimits())


@pytest.fixture
def make(worlds):
    """Return what makes worlds, by default of one cloud and one node group."""
    return lambda slice_=None: worlds(slice_ or a_slice())


def all_done(world, within: float = 3600.0) -> None:
    """Let time pass until each job is done and nothing is left; each ran to its end once."""
    end = world.now + within
    while world.now < end and (world.pool.waiting() or world.pool.running() or world.there or world.stages()):
        world.turn()
    assert not world.pool.waiting()
    assert not world.pool.running()
    assert not world.there
    assert world.stages() == []


def test_the_last_decision_is_that_of_the_last_turn(make):
    """Also where it does nothing: who asks why nothing is bought is told what is so now."""
    world = make(a_slice(SliceLimits(usd_per_hour=0.5)))
    world.pool.submit("lead", 40, count=12, within=300)
    world.run(100)
    (row,) = world.ledger.decisions(last=5)
    assert row.at == world.now
    assert row.decision["reasons"] == ["not all could be bought: limits.usd_per_hour"]
    assert not world.there


def test_a_burst_is_worked_off_and_nothing_is_left(make):
    """From an empty pool: workers come, do the jobs, are drained and gone after a while without any."""
    world = make()
    world.run(60)
    assert not world.there
    world.pool.submit("lead", 40, count=12, within=300)
    world.run(80)
    assert world.stages() == ["joined"] * 6
    assert len(world.there) == 6
    all_done(world)
    assert all(one.ended and one.starts == 1 for one in world.pool.jobs.values())
    story = [event.what for event in world.ledger.events() if event.token == world.ledger.events()[0].token]
    assert story == ["requested", "booting", "joined", "draining", "stopping", "destroy", "gone"]
    assert len(world.starter.gone) == 6


def test_what_is_warm_stays(make):
    """Workers that are kept for what may come are there before anything has come."""
    world = make(a_slice(workers=group(warm=2)))
    world.run(900)
    assert world.stages() == ["joined"] * 2


@pytest.mark.parametrize("moment", ["before", "within", "after"])
def test_a_crash_at_any_step_of_an_order_loses_no_machine(make, moment):
    """Before the call, between it and its answer, and before the answer is written down."""
    world = make()
    world.run(30)
    world.pool.submit("lead", 60, count=2)
    if moment == "before":  # the intent is written, and the call never made
        ordered = []
        world.controller.clouds.order = lambda provider, spec: ordered.append(spec)
        world.run(10)
        assert len(ordered) == 1
    elif moment == "within":
        world.cloud.fail("create", done=True)
        world.run(10)
    else:
        world.run(10)
    assert world.stages() == ["requested"]
    assert len(world.there) == (0 if moment == "before" else 1)
    world.kill()
    world.run(20)
    assert len(world.there) == (0 if moment == "before" else 1)
    all_done(world)
    assert all(one.starts == 1 for one in world.pool.jobs.values())


def test_a_crash_at_any_moment_of_a_burst(make):
    """The controller dies in each turn, as it is busiest: nothing is bought twice or lost."""
    world = make()
    world.pool.submit("lead", 60, count=9, within=600)
    for _ in range(30):
        world.turn()
        world.kill()
        assert len(world.there) <= 5
        assert not world.unknown()
    all_done(world)
    assert all(one.starts == 1 for one in world.pool.jobs.values())


def test_a_provider_that_is_down_for_ten_minutes(make):
    """What is there works on, nothing is believed to be gone, and nothing is ordered twice."""
    world = make()
    world.pool.submit("lead", 900, count=4)
    world.run(120)
    machines = {one.id for one in world.there}
    assert len(machines) == 2
    with world.cloud.down():
        world.pool.submit("lead", 100, count=4)
        world.run(600)
        assert {one.id for one in world.there} == machines
        assert world.controller.clouds.troubles["c"] == "list: the cloud does not answer"
        assert world.stages().count("joined") == 2
    world.run(2200)
    assert not world.controller.clouds.troubles
    all_done(world)
    assert all(one.starts == 1 for one in world.pool.jobs.values())


def test_one_cloud_that_is_down_holds_up_no_other(make):
    """Work is bought where it can be, at once."""
    world = make(a_slice(providers=("c", "d"), a=group("two"), b=replace(group("two"), offers=())))
    other = replace(group("two").offers[0], provider="d")
    world.slice = a_slice(
        providers=("c", "d"), workers=replace(group("two"), offers=(group().offers[0], other))
    )
    world.controller.edit(world.slice)
    world.run(30)
    world.pool.cloud = world.clouds["d"]
    with world.clouds["c"].down():
        world.pool.submit("lead", 60, count=2)
        world.run(60)
        assert len(world.clouds["d"].there()) == 1


def test_a_provider_that_hangs_holds_up_nothing(make):
    """A turn waits for no answer."""
    world = make()
    world.run(30)
    hang = threading.Event()
    world.cloud.faults.append(Fault("list", times=100, before=lambda: hang.wait(60)))
    try:
        for _ in range(2):
            world.now += 10
            world.controller.ask()
            world.controller.turn()
        assert not world.controller.clouds._asked["c"][1].done
    finally:
        hang.set()


def test_a_collector_that_was_restarted_takes_nobody_away(make):
    """It knows nobody for a minute: no worker is let go or bought for that, and jobs go on."""
    world = make()
    world.pool.submit("lead", 400, count=8)
    world.run(120)
    machines = {one.id for one in world.there}
    assert len(machines) == 4
    world.pool.restarted = world.now
    world.run(60)
    assert {one.id for one in world.there} == machines
    assert world.stages() == ["joined"] * 4
    all_done(world)
    assert all(one.starts == 1 for one in world.pool.jobs.values())


def test_a_listing_that_is_empty_by_mistake_takes_nobody_away(make):
    """Also where the collector was just restarted and knows nobody either."""
    world = make()
    world.pool.submit("lead", 600, count=8)
    world.run(120)
    world.cloud.vanish = 12
    world.pool.restarted = world.now
    world.run(120)
    assert world.stages() == ["joined"] * 4
    assert len(world.there) == 4
    all_done(world)
    assert all(one.starts == 1 for one in world.pool.jobs.values())


def test_a_pool_that_is_down_lets_nobody_go(make):
    """What is idle may not be: nobody knows."""
    world = make()
    world.pool.submit("lead", 60, count=4)
    world.run(120)
    world.pool.down = True
    world.run(1200)
    assert len(world.there) == 2
    assert world.controller.hearing.trouble == "the pool does not answer"
    world.pool.down = False
    all_done(world)


@pytest.mark.parametrize("kind", [QuotaError, NoCapacityError])
def test_where_an_offer_is_refused_the_next_one_is_asked(make, kind):
    """And the first rests, longer each time, and comes back."""
    world = make(a_slice(workers=group("two", "four")))
    world.run(30)
    fault = world.cloud.fail("create", kind("no more of these"), times=1)
    world.pool.submit("lead", 600, count=2)
    world.run(30)
    assert fault.times == 0
    assert [one.size for one in world.there] == ["four"]
    assert world.controller.standing.rests["workers/c/two/on-demand"].why == "no more of these"
    world.run(200)
    world.pool.submit("lead", 100, count=6)
    world.run(60)
    assert {one.size for one in world.there} == {"two", "four"}


def test_a_cloud_with_no_room_is_asked_seldom(make):
    """Not in each turn."""
    world = make()
    world.cloud.capacity = 0
    world.pool.submit("lead", 60, count=2)
    world.run(3600)
    assert 3 <= world.cloud.calls.count("create") <= 6
    world.cloud.capacity = 10
    all_done(world, 7200)


def test_what_somebody_must_mend_is_asked_once(make):
    """Wrong credentials: the offer rests for half an hour, or until somebody has mended them and says so."""
    world = make()
    world.run(30)
    with world.cloud.failing("create", AuthError("the key is not valid")):
        world.pool.submit("lead", 60, count=2)
        world.run(600)
    assert world.cloud.calls.count("create") == 1
    assert [rest.why for rest in world.controller.standing.rests.values()] == ["the key is not valid"]
    world.kill()
    world.run(60)
    assert world.cloud.calls.count("create") == 1
    world.slice = a_slice(workers=group(max=7))
    world.controller.edit(world.slice)  # somebody mended it, and saved it
    all_done(world)


def test_a_machine_that_boots_and_never_joins_is_taken_away(make):
    """After three of them the group is out of service, and says why."""
    world = make()
    world.pool.never = {f"m-{n}" for n in range(1, 100)}
    world.pool.submit("lead", 60, count=6)
    world.run(2000)
    assert world.cloud.calls.count("create") == 3
    assert not world.there
    world.pool.submit("lead", 60, count=8)
    world.run(3600)
    assert world.cloud.calls.count("create") == 4
    assert "4 machines in a row came to nothing" in world.controller.standing.out["workers"].why


def test_a_machine_that_dies_with_a_job(make):
    """Its job runs again, on another."""
    world = make()
    world.pool.submit("lead", 200, count=2)
    world.run(100)
    (one,) = world.there
    world.cloud.lose(one.id)
    all_done(world)
    assert sorted(job.starts for job in world.pool.jobs.values()) == [2, 2]
    assert [w.failed for w in world.ledger.workers(ended_after=0)] == [True, False]


def test_a_slice_that_is_edited_while_the_fleet_grows(make):
    """A smaller one buys no more, and lets go what it has no place for; jobs are not thrown out."""
    world = make()
    world.pool.submit("lead", 100, count=16)
    world.run(30)
    assert len(world.there) == 8
    world.controller.edit(a_slice(workers=group(max=2)))
    world.run(30)
    assert len(world.there) <= 8
    world.controller.edit(a_slice(others=group("four", max=2)))
    world.run(60)
    assert {one.group for one in world.ledger.workers() if one.stage in {"joined", "booting"}} <= {"others"}
    all_done(world)


def test_a_cloud_that_has_no_room_after_the_order(make):
    """OpenStack takes an order and fails it later: its offer rests, and the group is not blamed for bad boots."""
    world = make(a_slice(workers=group("two", "four")))
    world.run(30)
    world.pool.submit("lead", 600, count=4)

    def full(world) -> None:
        for one in list(world.cloud.machines.values()):
            if one.size == "two" and one.state != "failed":
                failed = replace(one, state="failed", reason="No valid host was found", no_room=True)
                world.cloud.machines[one.id] = failed

    for _ in range(30):
        full(world)
        world.turn()
    assert [one.size for one in world.there] == ["four"]
    assert world.cloud.calls.count("create") < 8
    assert not world.controller.standing.bad
    assert not world.controller.standing.out


def test_a_cloud_whose_clock_is_wrong(make):
    """An hour ahead or behind: nothing is old or new because of it."""
    for skew in (3600.0, -3600.0):
        world = make()
        world.cloud.skew = skew
        world.pool.submit("lead", 60, count=4)
        world.run(120)
        assert world.stages() == ["joined"] * 2
        all_done(world)


def test_a_machine_that_nobody_knows_is_taken_away_or_adopted(make):
    """One that does nothing is taken away; one that works is kept, and let go like any other."""
    world = make()
    world.run(30)
    idle = world.cloud.ghost(Tags("dfw", "workers", "idle"))
    world.pool.never.add(idle.id)
    world.cloud.ghost(Tags("dfw", "nowhere", "lost"))
    stranger = world.cloud.ghost(Tags("other", "workers", "stranger"))
    busy = world.cloud.ghost(Tags("dfw", "workers", "busy"))
    world.cloud.machines[busy.id] = replace(busy, size="two")
    world.run(800)
    assert {one.tags.token for one in world.there} <= {"busy", "stranger"}
    assert next(event.why for event in world.ledger.events(token="busy")).startswith("adopted")
    world.run(300)
    assert [one.id for one in world.there] == [stranger.id]


def test_a_machine_that_nobody_knows_counts_against_the_limits(make):
    """Nothing is bought beside it that would exceed them."""
    world = make(a_slice(SliceLimits(cores=6)))
    world.run(30)
    one = world.cloud.ghost(Tags("dfw", "workers", "unknown"))
    world.cloud.machines[one.id] = replace(one, size="four")
    world.pool.never.add(one.id)
    world.pool.submit("lead", 600, count=6)
    world.run(60)
    assert sorted(one.size for one in world.there) == ["four", "two"]
    world.pool.submit("lead", 1200, count=6)
    world.run(800)
    assert sorted(one.size for one in world.there) == ["two"] * 3


def test_a_journal_that_was_lost(make):
    """All machines are ghosts then: those that work are adopted, none is bought for them."""
    world = make()
    world.pool.submit("lead", 900, count=6)
    world.run(120)
    machines, ordered = {one.id for one in world.there}, world.cloud.calls.count("create")
    world.lose_journal()
    world.start()
    world.run(300)
    assert machines == {one.id for one in world.there}
    assert world.cloud.calls.count("create") == ordered, "the work of those that are there was ordered again"
    assert not world.unknown()
    all_done(world)
    assert all(one.starts == 1 for one in world.pool.jobs.values())


def test_a_controller_that_dies_again_and_again_still_sees_what_is_wrong(make):
    """A machine that nobody knows, and one that is gone: what it noticed before counts, though it begins anew."""
    world = make()
    world.pool.submit("lead", 3000, count=2)
    world.run(120)
    (one,) = world.there
    world.cloud.lose(one.id)
    ghost = world.cloud.ghost(Tags("dfw", "workers", "ghost"))
    world.pool.never.add(ghost.id)
    for _ in range(100):
        world.turn()
        world.kill()
    events = [(event.token, event.what) for event in world.ledger.events()]
    assert (one.tags.token, "gone") in events
    assert ghost.id not in {there.id for there in world.there}
    assert len(world.there) == 1


def test_a_spot_market_that_takes_everything_back(make):
    """Each machine is gone at once, again and again: jobs are done in the end."""
    world = make()
    world.pool.submit("lead", 90, count=8, within=3600)
    for _ in range(3):
        world.run(100)
        for one in list(world.cloud.machines):
            world.cloud.lose(one)
    all_done(world, 7200)
    assert all(one.ended for one in world.pool.jobs.values())


def test_the_budget_of_an_hour(make):
    """As many as it pays for, however many are wanted."""
    world = make(a_slice(SliceLimits(usd_per_hour=3.0)))
    world.pool.submit("lead", 300, count=40)
    world.run(300)
    assert len(world.there) == 3
    assert "usd_per_hour" in " ".join(world.controller.decision.reasons)


def test_the_budget_of_a_day_is_not_exceeded(make):
    """What runs is let go before it is; the next day begins with another."""
    world = make(a_slice(SliceLimits(usd_per_day=2.0)))
    world.pool.submit("lead", 9000, count=16)
    spent = 0.0
    for _ in range(int(7200 / world.interval)):
        world.turn()
        spent = sum(one.cost(START_OF_DAY, world.now) for one in world.ledger.workers(ended_after=0))
        assert spent <= 2.0 + 1e-9
    assert spent > 1.5
    assert not world.there
    world.now = START_OF_DAY + 86_400.0
    world.run(60)
    assert world.there


START_OF_DAY = 86_400.0 * 20_000


def test_a_policy_that_lets_everybody_go_cannot_do_so_at_one_blow(make):
    """Five in a minute, or a quarter, and none below the least."""
    from dynamo.fleet.decision import Decision, Release

    world = make(a_slice(workers=group(min=8)))
    world.run(120)
    assert len(world.there) == 8

    class Mad:
        name = "mad"

        def decide(self, view, history):
            return Decision(releases=tuple(Release(one.token, "I feel like it") for one in view.workers))

    world.controller.policy = Mad()
    world.run(300)
    assert len(world.there) == 8


def test_what_a_policy_keeps_in_mind_is_there_after_a_crash(make):
    """As is what was learned of boots, costs and refusals."""
    world = make()
    world.pool.submit("lead", 40, count=4)
    world.run(300)
    world.controller.hearing.keep(world.now)
    before = world.controller.standing
    assert before.boots
    world.kill()
    assert world.controller.standing == before
    assert world.controller.hearing.predictor.predict("lead").known


def test_each_decision_can_be_made_again(make):
    """From what the journal holds of it."""
    from dynamo.fleet.view_json import decision_data, view_of

    world = make()
    world.run(20)
    world.pool.submit("lead", 40, count=4, within=100)
    world.run(10)
    (row,) = world.ledger.decisions()
    again = world.policy.decide(view_of(row.view), {})
    assert decision_data(again)["buys"] == row.decision["buys"] != []


def test_an_answer_that_is_lost_and_a_machine_that_is_listed_late(make):
    """The cloud made it, said nothing, and does not list it for a while: it is not ordered twice."""
    world = make()
    world.run(30)
    world.cloud.hidden = 60.0
    world.cloud.fail("create", OutcomeUnknownError("no answer"), done=True)
    world.pool.submit("lead", 300, count=2)
    world.run(200)
    assert len(world.there) == 1
    assert world.cloud.calls.count("create") == 1
    all_done(world)


def test_an_order_of_which_nobody_knows_and_no_machine_came(make):
    """It is given up, and given anew with another token."""
    world = make()
    world.run(30)
    world.cloud.fail("create", OutcomeUnknownError("no answer"), done=False)
    world.pool.submit("lead", 60, count=2)
    world.run(100)
    assert not world.there
    all_done(world)
    assert len(world.ledger.workers(ended_after=0)) == 2


def test_a_destroy_that_fails_is_tried_until_the_listing_is_empty(make):
    """A machine whose end failed is not forgotten."""
    world = make()
    world.pool.submit("lead", 30, count=2)
    world.run(90)
    with world.cloud.failing("destroy", UnavailableError("not now")):
        world.run(600)
        assert world.stages() == ["stopping"]
        assert len(world.there) == 1
    world.run(120)
    assert not world.there
    assert world.stages() == []


def lose_two(world):
    """Have two machines vanish."""
    for one in list(world.cloud.machines)[:2]:
        world.cloud.lose(one)


def come(world):
    """Have a machine that nobody ordered."""
    one = world.cloud.ghost(Tags("dfw", "workers", f"ghost-{len(world.cloud.calls)}"))
    world.cloud.machines[one.id] = replace(one, size="two")


def fail(verb, times, error=None, *, done=False):
    """Return what has calls of a verb fail."""
    return lambda world: world.cloud.fail(verb, error, times=times, done=done)


def test_a_policy_that_fails_does_not_stop_the_fleet(make):
    """Plain queue depth decides as long as it does, and it is told."""
    world = make()
    world.run(20)

    class Broken:
        name = "broken"

        def decide(self, view, history):
            raise ZeroDivisionError("no cores")

    good = world.controller.policy
    world.controller.policy = Broken()
    world.pool.submit("lead", 100, count=2)
    world.run(60)
    assert len(world.there) == 1
    assert "the policy broken failed (ZeroDivisionError: no cores)" in world.controller.trouble
    assert any(event.what == "policy failed" for event in world.ledger.events())
    world.controller.policy = good
    all_done(world)
    assert world.controller.trouble == ""


def test_a_slice_that_may_have_less_lets_the_rest_go(make):
    """Also while there is work: five in a minute, and their jobs are done first."""
    world = make(a_slice(SliceLimits(usd_per_hour=8.0)))
    world.pool.submit("lead", 2000, count=16)
    world.run(120)
    assert len(world.there) == 8
    world.slice = a_slice(SliceLimits(usd_per_hour=8.0), workers=group(max=2))
    world.controller.edit(world.slice)
    world.run(30)
    assert world.stages().count("draining") == 5
    world.run(120)
    assert world.stages().count("joined") == 2
    all_done(world, 14_400)
    assert all(one.starts == 1 for one in world.pool.jobs.values())


def test_one_key_that_is_not_valid_does_not_stop_other_clouds(make):
    """The next offer is asked at once."""
    there = replace(group("two").offers[0], provider="d")
    both = replace(group("two"), offers=(group().offers[0], there))
    world = make(a_slice(providers=("c", "d"), workers=both))
    world.run(30)
    world.pool.cloud = world.clouds["d"]
    with world.clouds["c"].failing("create", AuthError("the key is not valid")):
        world.pool.submit("lead", 60, count=2)
        world.run(60)
        assert len(world.clouds["d"].there()) == 1


def test_orders_of_which_nobody_hears_are_no_supply(make):
    """The cloud that has them is down: work is bought elsewhere, though they still count against the limits."""
    there = replace(group("two").offers[0], provider="d")
    both = replace(group("two"), offers=(group().offers[0], there))
    world = make(a_slice(providers=("c", "d"), workers=both))
    world.run(30)
    world.pool.cloud = world.clouds["d"]
    world.clouds["c"].fail("create", OutcomeUnknownError("no answer"))
    world.pool.submit("lead", 60, count=2)
    world.run(20)
    with world.clouds["c"].down():
        world.run(400)
        assert world.clouds["d"].calls.count("create") >= 1
        assert not world.pool.waiting()


def test_a_machine_that_is_listed_late_is_bought_once(make):
    """The cloud said that it made it, and lists it a minute later."""
    world = make()
    world.run(30)
    world.cloud.hidden = 60.0
    world.pool.submit("lead", 300, count=2)
    world.run(150)
    assert len(world.there) == 1
    assert world.cloud.calls.count("create") == 1
    all_done(world)


def test_a_lost_journal_and_a_pool_that_is_down_take_nobody_away(make):
    """All are unknown, and nobody says who works: they are left alone until somebody does."""
    world = make()
    world.pool.submit("lead", 2500, count=6)
    world.run(120)
    machines = {one.id for one in world.there}
    world.lose_journal()
    world.pool.down = True
    world.start()
    world.run(400)
    assert {one.id for one in world.there} == machines
    world.pool.down = False
    world.pool.restarted = world.now
    world.run(300)
    assert {one.id for one in world.there} == machines
    assert not world.unknown()
    all_done(world, 7200)
    assert all(one.starts == 1 for one in world.pool.jobs.values())


def test_an_empty_listing_while_the_pool_is_down_exceeds_no_limit(make):
    """Nothing is bought for those who are missed, and they go on when all answer again."""
    world = make(a_slice(SliceLimits(cores=4)))
    world.pool.submit("lead", 900, count=4)
    world.run(120)
    machines = {one.id for one in world.there}
    world.cloud.vanish, world.pool.down = 12, True
    world.run(120)
    world.pool.down = False
    world.run(60)
    assert {one.id for one in world.there} == machines
    all_done(world)
    assert all(one.starts == 1 for one in world.pool.jobs.values())


FAULTS = {
    "kill": lambda world: world.kill(),
    "lose": lose_two,
    "restart": lambda world: setattr(world.pool, "restarted", world.now),
    "empty": lambda world: setattr(world.cloud, "vanish", 4),
    "pool down": lambda world: setattr(world.pool, "down", True),
    "no room": lambda world: setattr(world.cloud, "capacity", 1),
    "down": fail("list", 3, UnavailableError("down")),
    "refused": fail("create", 3, QuotaError("no more")),
    "lost answer": fail("create", 2, done=True),
    "no answer": fail("create", 2),
    "destroy fails": fail("destroy", 3, UnavailableError("not now")),
    "ghost": come,
    "more": lambda world: world.pool.submit("lead", 30, count=3, within=120),
    "nothing": lambda world: None,
}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(sorted(FAULTS)), min_size=1, max_size=12), st.integers(1, 6))
@example(
    ["refused", "destroy fails", "destroy fails", "restart", "empty", "pool down"], 2
)  # both views are wrong
def test_whatever_comes_together(tmp_path_factory, world_type, faults, steps):
    """Any faults in any order: in the end each job is done, nothing is left, and no limit was exceeded on the way."""
    limits = SliceLimits(cores=12, usd_per_hour=6.0)
    world = world_type(tmp_path_factory.mktemp("world"), a_slice(limits, workers=group("two", "four")))
    try:
        world.pool.submit("lead", 70, count=6, within=600)
        for fault in faults:
            world.cloud.capacity, world.pool.down = 10**6, False
            FAULTS[fault](world)
            world.run(steps * world.interval)
        world.cloud.capacity, world.pool.down = 10**6, False
        all_done(world, 14_400)
    finally:
        world.close()
