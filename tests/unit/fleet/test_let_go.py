"""Who is let go: not twice as many as may, and for good once the pool refuses him; what was paid is counted."""

from __future__ import annotations

import threading
from dataclasses import replace

from dynamo.fleet.decision import Decision, Release
from dynamo.fleet.guard import RELEASES, spent_today
from dynamo.fleet.machine import Tags
from dynamo.fleet.slice import NodeGroup, NodeOffer, ProviderRule, Slice, SliceLimits
from dynamo.testing import Fault


def a_slice(most: int = 8, limits: SliceLimits | None = None, fewest: int = 0) -> Slice:
    """Return a slice of so many machines of two cores."""
    group = NodeGroup((NodeOffer("c", "two"),), max=most, min=fewest, idle=60.0)
    return Slice("dfw", {"c": ProviderRule("memory")}, {"workers": group}, limits=limits or SliceLimits())


class Greedy:
    """A policy that lets all go."""

    name = "greedy"

    def decide(self, view, _history):
        """Let all go."""
        return Decision(
            releases=tuple(Release(one.token, "greed") for one in view.workers if one.stage == "ready")
        )


def test_what_an_edit_takes_and_what_a_policy_takes_are_one_share(worlds):
    """Fewer machines and a policy that wants nobody, in one turn: five go, as in any minute."""
    world = worlds(a_slice(20))
    world.pool.submit("lead", 3000, count=40)
    world.run(200)
    assert world.stages() == ["joined"] * 20
    world.slice = a_slice(10)
    world.controller.edit(world.slice)
    world.controller.use(Greedy())
    world.turn()
    assert world.stages().count("draining") == RELEASES


def test_workers_that_were_believed_to_be_gone_go_on_with_their_jobs(worlds):
    """For six minutes the cloud lists nothing and the pool does not answer: nobody was refused meanwhile."""
    world = worlds(a_slice())
    world.pool.submit("lead", 4000, count=12, within=9000)
    world.run(200)
    before = {one.id for one in world.there}
    world.cloud.vanish, world.pool.down = 10**6, True
    world.run(360)
    assert world.stages() == []
    world.cloud.vanish, world.pool.down = 0, False
    world.run(120)
    assert world.stages() == ["joined"] * len(before)
    assert {one.id for one in world.there} == before
    assert all(one.starts == 1 for one in world.pool.jobs.values())


def test_a_worker_that_was_gone_for_long_is_refused_and_taken_away_when_it_is_listed_again(worlds):
    """After a quarter of an hour its token opens nothing any more."""
    world = worlds(a_slice())
    world.pool.submit("lead", 9000, count=2, within=20_000)
    world.run(200)
    (one,) = world.there
    world.cloud.vanish, world.pool.down = 10**6, True
    world.run(1500)
    assert one.tags.token in world.starter.gone
    world.cloud.vanish, world.pool.down = 0, False
    world.run(120)
    assert one.id not in {other.id for other in world.there}


def test_orders_that_wait_for_their_turn_are_not_given_again(worlds):
    """A provider that makes few at a time takes minutes for a burst: what is under way counts as bought."""
    world = worlds(a_slice(64))
    world.run(20)
    go_on = threading.Event()
    world.cloud.faults.append(Fault("create", times=10**6, before=go_on.wait))
    world.pool.submit("lead", 600, count=24, within=3000)
    for _ in range(20):
        world.now += world.interval
        world.controller.ask()
        world.controller.hearing.wait(5.0)
        world.controller.turn()
    assert world.stages() == ["requested"] * 12
    go_on.set()
    world.settle()
    world.run(60)
    assert len(world.there) == 12


def test_a_machine_of_an_order_that_was_taken_back_counts_in_the_budget(worlds):
    """Its answer was lost, somebody lets it go before it is listed: it was made, and is paid for."""
    world = worlds(a_slice(limits=SliceLimits(usd_per_day=3.0)))
    world.run(30)
    world.pool.submit("lead", 60, count=2)
    world.cloud.fail("create", done=True)
    world.turn()
    world.controller.release(world.controller.roster.live, "somebody asked for it")
    world.pool.jobs.clear()
    world.run(300)
    assert world.stages() == []
    assert len(world.cloud.orders) == 1
    (gone,) = world.ledger.workers(ended_after=0.0)
    assert gone.machine
    assert spent_today([gone], world.now) >= 1.0 / 60


def test_a_drain_that_takes_long_is_asked_for_once(worlds):
    """A pool whose drains take minutes is not given more of them than there are workers."""
    world = worlds(a_slice())
    world.pool.submit("lead", 3000, count=8)
    world.run(200)
    go_on, asked = threading.Event(), []

    def slow(token: str) -> None:
        asked.append(token)
        go_on.wait()

    world.pool.drain = slow
    for _ in range(3):
        for one in world.controller.roster.live:
            world.controller.hearing.drain(one.token)
    go_on.set()
    world.settle()
    assert sorted(asked) == sorted(one.token for one in world.controller.roster.live)


def test_who_joined_while_nobody_looked_teaches_nothing_of_boots(worlds):
    """A controller that was down for two hours takes no boot for one of two hours."""
    world = worlds(a_slice())
    world.run(20)
    world.pool.submit("lead", 20_000, count=12)
    world.run(20)
    world.settle()
    world.ledger.close()
    world.now += 7200
    world.pool.step()
    world.start()
    world.run(60)
    assert world.stages() == ["joined"] * 6
    assert not world.controller.standing.boots


def test_machines_that_are_adopted_are_as_many_as_the_group_may_have_and_die_in_time(worlds):
    """Of ten that nobody knows eight have a place, and each is as old as it is."""
    group = replace(a_slice().nodes["workers"], lifetime=3600.0)
    world = worlds(replace(a_slice(), nodes={"workers": group}))
    for n in range(10):
        made = world.cloud.ghost(Tags("dfw", "workers", f"ghost{n}"), age=600.0)
        world.cloud.machines[made.id] = replace(made, size="two")
    world.pool.submit("lead", 3000, count=20)
    began = world.now
    world.run(300)
    ours = world.ledger.workers()
    assert [one.stage for one in ours] == ["joined"] * 8
    assert all(began - 600.0 + 3240.0 <= one.dies <= began - 600.0 + 3600.0 for one in ours)
    assert len(world.there) == 8
