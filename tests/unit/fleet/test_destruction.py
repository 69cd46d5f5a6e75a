"""A slice is gone when every cloud lists nothing of it, whatever failed on the way; what is left is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dynamo.errors import UserError
from dynamo.fleet import destruction
from dynamo.fleet.destruction import destroy
from dynamo.fleet.ledger import Ledger
from dynamo.fleet.machine import MachineSpec, Tags
from dynamo.fleet.network import NetworkSpec
from dynamo.fleet.record import WorkerRecord
from dynamo.fleet.refusals import OutcomeUnknownError, UnavailableError
from dynamo.fleet.slice import NodeGroup, NodeOffer, ProviderRule, Slice, SliceLimits
from dynamo.testing import Cloud

START = 86_400.0 * 20_000


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Do not pause between listings."""
    monkeypatch.setattr(destruction, "_PAUSE", 0.0)


@pytest.fixture
def ledger(tmp_path):
    """Return the ledger of the slice ``s``."""
    with Ledger(tmp_path / "journal.db", "s") as opened:
        yield opened


def fill(cloud: Cloud, slice_: str = "s", count: int = 3, *, network: bool = True) -> None:
    """Have machines and a network."""
    for n in range(count):
        cloud.provider().create(MachineSpec(Tags(slice_, "workers", f"{slice_}-{n}"), f"{slice_}-{n}"))
    if network:
        cloud.provider().create_network(NetworkSpec(Tags(slice_, "data", f"{slice_}-data"), "10.0.0.0/24"))


def end(clouds: dict[str, Cloud], ledger: Ledger, patience: float = 60.0):
    """Destroy the slice, and return what is left and what was told."""
    told: list[str] = []
    providers = {name: cloud.provider for name, cloud in clouds.items()}
    return destroy("s", providers, ledger, told.append, patience=patience), told


def test_all_is_taken_away_at_all_clouds(ledger):
    """But nothing of another slice."""
    one, two = Cloud(), Cloud()
    for cloud in (one, two):
        fill(cloud)
        fill(cloud, "other", 1)
    left, told = end({"a": one, "b": two}, ledger)
    assert not left
    assert [m.tags.slice for cloud in (one, two) for m in cloud.there()] == ["other", "other"]
    assert [n.tags.slice for cloud in (one, two) for n in cloud.networks.values()] == ["other", "other"]
    assert "taking s-0 at a away" in told
    assert "taking the network data at b away" in told
    assert len(told) == len(set(told))


def test_a_network_goes_after_its_machines(ledger):
    """It cannot go before."""
    cloud = Cloud()
    fill(cloud)
    end({"a": cloud}, ledger)
    assert cloud.calls.index("destroy_network") > max(n for n, v in enumerate(cloud.calls) if v == "destroy")


def test_what_fails_is_tried_until_nothing_is_left(ledger):
    """Listings, and ends of machines and networks."""
    cloud = Cloud()
    fill(cloud)
    cloud.fail("destroy", UnavailableError("no"), times=2)
    cloud.fail("destroy", OutcomeUnknownError("?"), times=1, done=True)
    cloud.fail("destroy_network", UnavailableError("its machines are not gone"), times=2)
    cloud.fail("list", UnavailableError("no"), times=2)
    left, _ = end({"a": cloud}, ledger)
    assert not left
    assert not cloud.there()
    assert not cloud.networks


def test_what_is_left_is_said(ledger):
    """Where it cannot be taken away in time."""
    cloud = Cloud()
    fill(cloud, count=1)
    with cloud.failing("destroy", UnavailableError("no")):
        left, _ = end({"a": cloud}, ledger, patience=0.0)
    assert left.machines == ("a: s-0",)
    assert left.networks == ("a: data (n-s-data)",)
    assert not left.silent


def test_a_cloud_that_does_not_answer_is_not_taken_for_empty(ledger):
    """Nobody knows what is there: its workers are not gone, those elsewhere are."""
    up, down = Cloud(), Cloud()
    fill(up, count=1)
    for name in ("up", "down"):
        ledger.put(
            WorkerRecord(f"t-{name}", "s", "workers", name, "o", f"s-{name}", "joined", 1.0, 1.0, 1, 0)
        )
    with down.down():
        left, _ = end({"up": up, "down": down}, ledger, patience=0.0)
        assert left.silent == {"down": "the cloud does not answer"}
        assert bool(left)
    assert {one.name: one.stage for one in ledger.workers(ended_after=0)} == {
        "s-up": "gone",
        "s-down": "stopping",
    }
    assert not end({"up": up, "down": down}, ledger)[0]
    assert not ledger.workers()
    assert not up.there()


def test_a_slice_of_which_nothing_is_there(ledger):
    """Is gone at once."""
    cloud = Cloud()
    left, told = end({"a": cloud}, ledger)
    assert not left
    assert told == []


def test_machines_that_failed_go_too(ledger):
    """They have a place in the quota; one whose end was accepted may still be listed for a while."""
    cloud = Cloud()
    fill(cloud, count=2, network=False)
    first, second = list(cloud.machines)
    for id_ in (first, second):
        cloud.machines[id_] = replace(cloud.machines[id_], state="failed")
    left, _ = end({"a": cloud}, ledger)
    assert not left
    assert not cloud.machines


def test_workers_of_a_provider_that_is_not_in_the_slice_any_more_are_not_forgotten(ledger):
    """Nobody can ask it: it is said, the rest goes, and the journal keeps them."""
    cloud = Cloud()
    fill(cloud, count=1)
    ledger.put(WorkerRecord("t", "s", "workers", "b", "o", "s-t", "joined", 1.0, 1.0, 1, 0))
    left, _ = end({"a": cloud}, ledger)
    assert dict(left.silent) == {"b": "it is not in the slice any more, and has 1 worker: put it back first"}
    assert not cloud.there()
    assert [one.stage for one in ledger.workers()] == ["stopping"]


def test_a_provider_that_cannot_be_reached_for_want_of_settings_stops_no_other(ledger):
    """It is said; what is elsewhere goes."""
    cloud = Cloud()
    fill(cloud, count=1)

    def connect():
        raise UserError("no credentials")

    left = destroy("s", {"a": cloud.provider, "b": connect}, ledger, lambda line: None, patience=0.5)
    assert dict(left.silent) == {"b": "no credentials"}
    assert not cloud.there()


def test_a_journal_that_cannot_be_written_holds_nothing_up(small_disk, fill_disk):
    """The disk is full: it is told once, and all is taken away."""
    cloud = Cloud()
    fill(cloud)
    cloud.fail("destroy", UnavailableError("no"), times=2)
    with Ledger(small_disk / "journal.db", "s") as ledger:
        ledger.put(WorkerRecord("s-0", "s", "workers", "a", "o", "s-0", "joined", 1.0, 1.0, 1, 0))
        fill_disk(small_disk / "filler")
        left, told = end({"a": cloud}, ledger)
    assert not left
    assert not cloud.there()
    (line,) = [one for one in told if one.startswith("this is not written down: ")]
    assert "full" in line


@pytest.mark.parametrize(("stage", "machine"), [("requested", ""), ("booting", "m-1")])
def test_an_order_that_was_given_just_now_is_waited_for(ledger, stage, machine):
    """Its answer may be lost with the controller, and the cloud lists it late: nothing is left is not said before."""
    cloud, now, begun = Cloud(), [START], START - 20.0
    ledger.put(
        WorkerRecord(
            "t1", "s", "workers", "a", "workers/a/two", "s-1", stage, begun, begun, 2, 0, machine=machine
        )
    )

    def clock() -> float:
        now[0] += 10.0
        if now[0] == START + 50.0:
            cloud.provider().create(MachineSpec(Tags("s", "workers", "t1"), "s-1"))
        return now[0]

    told: list[str] = []
    left = destroy("s", {"a": cloud.provider}, ledger, told.append, patience=60.0, clock=clock)
    assert not left
    assert not cloud.there()
    assert "taking s-1 at a away" in told
    assert ledger.workers() == []


def test_an_order_of_which_no_machine_came_is_not_waited_for_for_ever(ledger):
    """Two minutes after it was given nothing comes of it any more."""
    begun = START - 20.0
    ledger.put(
        WorkerRecord(
            "t1", "s", "workers", "a", "workers/a/two", "s-1", "requested", begun, begun, cores=2, memory=0
        )
    )
    ticks = iter(range(10**6))
    left = destroy(
        "s",
        {"a": Cloud().provider},
        ledger,
        lambda _: None,
        patience=60.0,
        clock=lambda: START + 10 * next(ticks),
    )
    assert not left
    assert next(ticks) >= 10
    assert ledger.workers() == []


def test_a_network_goes_while_a_machine_that_failed_is_still_listed(ledger):
    """EC2 lists one that never came up for an hour."""
    cloud = Cloud()
    fill(cloud, count=1)
    (one,) = cloud.machines.values()
    cloud.machines[one.id] = replace(one, state="failed")
    keep = cloud.machines[one.id]
    cloud.calls.clear()
    destroyed = cloud.provider

    class Lists:
        """A cloud that goes on to list it."""

        def __call__(self):
            made = destroyed()
            listed = made.list
            made.list = lambda slice_: [*listed(slice_), *([] if keep in listed(slice_) else [keep])]
            return made

    left = destroy("s", {"a": Lists()}, ledger, lambda _: None, patience=20.0)
    assert not left.networks
    assert not cloud.networks


def test_a_machine_that_was_listed_as_failed_is_not_waited_for(ledger):
    """It was ordered just now and will not come any more: its cloud has said so."""
    cloud, ticks = Cloud(), iter(range(10**6))
    fill(cloud, count=1, network=False)
    (one,) = cloud.machines.values()
    cloud.machines[one.id] = replace(one, state="failed")
    begun = START - 20.0
    ledger.put(
        WorkerRecord(
            one.tags.token, "s", one.tags.group, "a", "workers/a/two", one.name, "booting", begun, begun, 2, 0
        )
    )
    left = destroy("s", {"a": cloud.provider}, ledger, lambda _: None, clock=lambda: START + next(ticks))
    assert not left
    assert next(ticks) < 20


def test_what_the_journal_did_not_know_is_still_a_stranger_where_it_could_not_be_destroyed(worlds):
    """A fleet that begins then holds it against its limits, by what its cloud says of it."""
    rules = {"c": ProviderRule("memory")}
    group = NodeGroup((NodeOffer("c", "two"),), max=16, idle=60.0)
    world = worlds(Slice("dfw", rules, {"workers": group}, limits=SliceLimits(cores=4)))
    tags = Tags("dfw", "workers", "abcdef00")
    world.cloud.provider().create(MachineSpec(tags, "dfw-workers-abcdef00", size="four", cores=4))
    world.settle()
    with world.cloud.failing("destroy", UnavailableError("not now")):
        clouds = {"c": world.cloud.provider}
        assert destroy("dfw", clouds, world.ledger, lambda _: None, patience=0.0, clock=world.clock).machines
        assert world.ledger.worker("abcdef00") is None
        world.kill()
        world.pool.submit("lead", 100, count=8)
        world.run(300)
        assert [one.size for one in world.there] == ["four"]
    world.run(600)
    assert "four" not in [one.size for one in world.there]
