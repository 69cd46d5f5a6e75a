"""What a provider has not said yet, or says anew, changes nothing for the machines that there are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dynamo.fleet.machine import Tags
from dynamo.fleet.network import NetworkSpec
from dynamo.fleet.policies.named import by_name
from dynamo.fleet.refusals import AuthError, OutcomeUnknownError, UnavailableError
from dynamo.fleet.slice import NetworkRule, NodeGroup, NodeOffer, ProviderRule, Slice
from dynamo.testing import CloudProvider

NETWORKS = {"data": NetworkRule("192.168.10.0/24", ("c",))}
SLICE = Slice(
    "dfw", {"c": ProviderRule("memory")}, {"workers": NodeGroup((NodeOffer("c", "two"),), max=16, idle=60.0)}
)
WIRED = replace(
    SLICE, networks=NETWORKS, nodes={"workers": replace(SLICE.nodes["workers"], networks=("data",))}
)


def wire(world) -> None:
    """Make the network of the slice."""
    world.cloud.provider().create_network(NetworkSpec(Tags("dfw", "data", "t1"), "192.168.10.0/24"))


def joined(world) -> set[str]:
    """Return who is at work."""
    return {one.token for one in world.ledger.workers() if one.stage == "joined"}


def busy(world) -> set[str]:
    """Have it learn how long jobs take, then give the workers more than they can do at once; return these."""
    world.policy = by_name("work")
    world.controller.use(world.policy)
    world.pool.submit("lead", 100, count=12, within=400)
    world.run(600)
    world.pool.submit("lead", 900, count=200)
    world.run(400)
    assert world.pool.waiting()
    assert len(joined(world)) > 4
    return joined(world)


def test_a_restart_before_a_provider_has_said_what_it_sells_lets_nobody_go(worlds):
    """Nobody knows what its workers are worth, and they are at work."""
    world = worlds(SLICE)
    there = busy(world)
    world.cloud.fail("offerings", UnavailableError("slow"), times=10**6)
    world.kill()
    world.controller.use(world.policy)
    world.run(400)
    assert there <= joined(world)


def test_spot_of_a_provider_that_is_silent_after_a_restart_is_not_bought_again_elsewhere(worlds):
    """Limits hold by the most that it may cost; that it costs so much is not known, and nothing takes over from it."""
    group = NodeGroup((NodeOffer("c", "two", purchase="spot"), NodeOffer("d", "two")), max=40, idle=60.0)
    rules = {"c": ProviderRule("memory"), "d": ProviderRule("memory")}
    world = worlds(replace(SLICE, providers=rules, nodes={"workers": group}))
    two = world.clouds["c"].sizes[0]
    world.clouds["c"].sizes = (two, replace(two, usd_per_hour=0.2, purchase="spot"))
    world.clouds["d"].sizes = (replace(two, usd_per_hour=0.4),)
    busy(world)
    there = {name: len(cloud.there()) for name, cloud in world.clouds.items()}
    assert there["c"] > 4
    world.clouds["c"].fail("offerings", UnavailableError("slow"), times=10**6)
    world.kill()
    world.controller.use(world.policy)
    world.run(100)
    assert len(world.clouds["d"].there()) <= there["d"]


def test_a_network_that_a_running_slice_is_given_is_made_and_lets_nobody_go(worlds):
    """Nothing is bought until it is there, a crash in the middle makes no second one, and new ones are in it."""
    world = worlds(SLICE)
    there = busy(world)
    world.slice = WIRED
    world.controller.edit(WIRED)
    with world.cloud.failing("create_network", UnavailableError("not now")):
        world.run(600)
        assert there <= joined(world)
        assert len(world.there) < 16
    with world.cloud.failing("create_network", OutcomeUnknownError("the answer was lost"), done=True):
        world.kill()
        world.controller.use(world.policy)
        world.turn()
        assert len(world.there) < 16
    before = {one.id for one in world.there}
    world.pool.submit("lead", 900, count=200, within=1200)
    world.run(60)
    assert len(world.there) == 16
    (network,) = world.cloud.networks
    assert {world.cloud.orders[one.id].networks for one in world.there if one.id not in before} == {
        (network,)
    }


@pytest.mark.parametrize("error", [AuthError("it may not be shaped"), UnavailableError("it does not answer")])
def test_a_network_that_is_there_serves_though_it_cannot_be_changed(worlds, error):
    """An edit that its cloud refuses, or a cloud that is slow to shape: machines come in a storm, and go after it."""
    world = worlds(WIRED)
    world.run(60)
    slower = replace(WIRED, networks={"data": replace(NETWORKS["data"], bandwidth=1e8)})
    with world.cloud.failing("create_network", error):
        world.controller.edit(slower)
        world.pool.submit("lead", 100, count=40)
        world.run(100)
        assert world.there
        world.slice = slower
        world.kill()
        world.pool.submit("lead", 100, count=40)
        world.run(100)
        assert len(world.there) > 4
        assert str(error) in str(world.controller.clouds.troubles)
        world.run(3000)
        assert not world.there


def test_a_network_that_can_never_be_made_keeps_nobody(worlds):
    """Nothing is bought for its group, but who has been there without a job for long enough goes."""
    world = worlds(SLICE)
    world.pool.submit("lead", 100, count=12)
    world.run(60)
    assert world.there
    world.slice = WIRED
    world.controller.edit(WIRED)
    with world.cloud.failing("create_network", AuthError("no more networks")):
        world.run(3000)
        assert not world.there
        assert "no more networks" in str(world.controller.clouds.troubles)


def test_networks_follow_the_slice_and_none_is_taken_away(worlds):
    """One that is edited is asked for again, once; one that vanished is made anew; what another order made stays."""
    world = worlds(WIRED)
    world.run(60)
    slower = replace(WIRED, networks={"data": replace(NETWORKS["data"], bandwidth=1e8)})
    world.controller.edit(slower)
    world.run(60)
    assert world.cloud.calls.count("create_network") == 2
    world.cloud.networks.clear()
    world.run(1000)
    (network,) = world.cloud.networks
    world.controller.edit(SLICE)
    world.run(60)
    assert list(world.cloud.networks) == [network]
    moved = replace(WIRED, networks={"data": replace(NETWORKS["data"], cidr="192.168.11.0/24")})
    world.controller.edit(moved)
    world.run(60)
    assert list(world.cloud.networks) == [network]


def test_no_network_is_made_by_a_fleet_that_is_paused(worlds):
    """Until it goes on."""
    world = worlds(WIRED)
    world.controller.paused = True
    world.run(60)
    assert not world.cloud.networks
    world.controller.paused = False
    world.run(60)
    assert len(world.cloud.networks) == 1


def test_a_lost_journal_takes_no_machine_of_a_slice_with_networks_away(worlds):
    """They are adopted, also before anybody has asked which networks there are."""
    world = worlds(WIRED)
    wire(world)
    world.run(30)
    world.pool.submit("lead", 2500, count=6, within=4000)
    world.run(200)
    before = {one.id for one in world.there}
    assert before
    world.cloud.fail("list_networks", UnavailableError("slow"), times=10**6)
    world.lose_journal()
    world.start()
    world.run(300)
    assert {one.id for one in world.there} == before
    assert all(one.starts == 1 for one in world.pool.jobs.values())


@pytest.mark.parametrize("policy", ["queue_depth", "work"])
def test_what_a_quota_leaves_is_asked_again_each_minute(worlds, monkeypatch, policy):
    """A cloud that was full when it was asked is bought from a minute after it is not."""
    full = [True]
    world = worlds(SLICE)
    sold = list(world.cloud.sizes)
    monkeypatch.setattr(
        CloudProvider,
        "offerings",
        lambda provider: provider._call(
            "offerings", lambda: [replace(one, left=0 if full[0] else 8) for one in sold]
        ),
    )
    world.policy = by_name(policy)
    world.controller.use(world.policy)
    world.run(30)
    world.pool.submit("lead", 100, count=8, within=400)
    world.run(120)
    assert not world.there
    full[0] = False
    world.run(90)
    assert world.there


TWO = Slice(
    "dfw",
    {"c": ProviderRule("memory"), "d": ProviderRule("memory")},
    {"workers": NodeGroup((NodeOffer("c", "two"), NodeOffer("d", "two")), max=40, idle=60.0)},
)


def test_work_is_not_bought_again_elsewhere_while_a_provider_has_not_said_what_it_sells(worlds):
    """Its workers are at work, whatever it calls them."""
    world = worlds(TWO)
    busy(world)
    before = len(world.clouds["d"].there())
    world.cloud.fail("offerings", UnavailableError("slow"), times=1)
    world.kill()
    world.controller.use(world.policy)
    world.run(60)
    assert len(world.clouds["d"].there()) == before


@pytest.mark.parametrize("policy", ["queue_depth", "work"])
def test_workers_that_are_not_sold_any_more_are_let_go_when_they_are_idle(worlds, policy):
    """Their provider has spoken: they are of no offer, and end like others."""
    world = worlds(SLICE)
    world.policy = by_name(policy)
    world.controller.use(world.policy)
    world.pool.submit("lead", 400, count=8, within=900)
    world.run(200)
    assert world.there
    world.cloud.sizes = tuple(one for one in world.cloud.sizes if one.size != "two")
    world.run(3000)
    assert not world.there
