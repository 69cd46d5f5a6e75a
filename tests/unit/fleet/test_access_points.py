"""Machines that take jobs in: as many as the slice says, and gone only when their queue is empty."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace

import pytest

from dynamo.errors import InfrastructureError
from dynamo.fleet.queue_key import QueueKeys
from dynamo.fleet.slice import NodeGroup, NodeOffer, ProviderRule, Slice, SliceLimits


def a_slice(count: int = 1, limits: SliceLimits | None = None) -> Slice:
    """Return a slice of access points, and up to eight workers."""
    offer = (NodeOffer("c", "two"),)
    nodes = {"front": NodeGroup(offer, "submit", count), "workers": NodeGroup(offer, max=8, idle=60.0)}
    return Slice("dfw", {"c": ProviderRule("memory")}, nodes, limits=limits or SliceLimits())


@pytest.fixture
def make(worlds):
    """Return what makes worlds in which the machines of the group `front` have empty queues."""

    def made(slice_: Slice):
        world = worlds(slice_)
        world.pool.queues["front"] = 0
        return world

    return made


def groups(world) -> list[str]:
    """Return the groups of the machines that there are."""
    return sorted(one.tags.group for one in world.there)


def test_there_are_as_many_as_the_slice_says(make):
    """Without a job, and for hours: they are never idle. Bought once, though a controller dies meanwhile."""
    world = make(a_slice(2))
    world.run(20)
    world.kill()
    world.run(7200)
    assert groups(world) == ["front", "front"]
    assert len(world.cloud.machines) == 2
    assert world.stages() == ["joined", "joined"]


def test_work_is_for_workers(make):
    """What takes jobs in is no supply: for a job a worker is bought, and let go when it is done, and it alone."""
    world = make(a_slice())
    world.run(60)
    world.pool.submit("lead", 100)
    world.run(80)
    assert groups(world) == ["front", "workers"]
    assert len(world.pool.running()) == 1
    world.run(600)
    assert groups(world) == ["front"]


def test_one_that_is_lost_is_replaced(make):
    """When its provider does not list it any more; it is said that its queue is lost."""
    world = make(a_slice())
    world.run(60)
    (first,) = world.there
    world.cloud.machines.pop(first.id)
    world.run(180)
    (second,) = world.there
    assert (second.tags.group, second.id != first.id) == ("front", True)
    assert any("its queue is lost" in event.why for event in world.ledger.events())


def test_one_that_is_drained_goes_when_its_queue_is_empty(make):
    """And not before, but for an hour; then there is another, since the slice says so."""
    world = make(a_slice())
    world.run(60)
    (first,) = world.there
    world.pool.queues["front"] = 3
    world.controller.release(world.controller.roster.live, "somebody asked for it")
    world.run(1800)
    assert [one.id for one in world.there] == [first.id]
    world.pool.queues["front"] = 0
    world.run(120)
    (second,) = world.there
    assert second.id != first.id
    world.pool.queues["front"] = 3
    world.controller.release(world.controller.roster.live, "somebody asked for it")
    world.run(3800)
    assert second.id not in [one.id for one in world.there]
    assert any("are lost with its queue" in event.why for event in world.ledger.events())


def test_one_that_the_pool_does_not_hear_of_is_given_up_late(make):
    """After an hour, and not after twelve minutes as a worker: its queue may still be there."""
    world = make(a_slice())
    world.run(60)
    (first,) = world.there
    world.pool.never.add(first.id)
    world.run(3500)
    assert [one.id for one in world.there] == [first.id]
    world.run(300)
    assert first.id not in [one.id for one in world.there]


def test_one_that_is_drained_is_given_up_late_too(make):
    """Its schedd may just have been restarted: until its hour is over, also where its group is no more in the slice."""
    world = make(a_slice())
    world.pool.submit("lead", 7200, count=6)
    world.run(200)
    (first,) = [one for one in world.there if one.tags.group == "front"]
    assert groups(world).count("workers") > 1
    world.pool.queues["front"] = 3
    world.controller.edit(replace(a_slice(), nodes={"workers": a_slice().nodes["workers"]}))
    world.run(60)
    assert [one.stage for one in world.ledger.workers() if one.group == "front"] == ["draining"]
    world.pool.never.add(first.id)
    world.run(3300)
    assert first.id in [one.id for one in world.there]
    world.run(600)
    assert first.id not in [one.id for one in world.there]


def test_limits_are_those_of_the_whole_slice(make):
    """Of six cores one access point has two: workers have the others, whatever waits, and orders are not refused."""
    world = make(a_slice(limits=SliceLimits(cores=6)))
    world.run(60)
    world.pool.submit("lead", 600, count=20)
    world.run(200)
    assert groups(world) == ["front", "workers", "workers"]
    assert not any("not bought" in reason for reason in world.controller.decision.reasons)


def test_fewer_are_drained_and_none_that_is_not_asked_for(make):
    """A slice that is edited to have one of two lets the younger go; one without the group lets all go."""
    world = make(a_slice(2))
    world.run(60)
    world.controller.edit(a_slice(1))
    world.run(200)
    assert groups(world) == ["front"]
    world.controller.edit(a_slice(0))
    world.run(200)
    assert groups(world) == []


def test_a_key_is_good_for_one_access_point(tmp_path):
    """It is the same after a restart, another for each, and signs what HTCondor reads; the secret is its owner's."""
    keys = QueueKeys(tmp_path / "fleet", "casa")
    assert QueueKeys(tmp_path / "fleet", "casa").file("one") == keys.file("one") != keys.file("two")
    (file,) = (tmp_path / "fleet").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    head, claims, signature = keys.token("one", 1000.0).split(".")
    padded = [json.loads(base64.urlsafe_b64decode(part + "==")) for part in (head, claims)]
    assert padded[0] == {"alg": "HS256", "kid": "queue"}
    del padded[1]["jti"]
    assert padded[1] == {
        "sub": "fleet@casa", "iss": "casa", "iat": 940, "exp": 1600, "scope": "condor:/READ",
    }  # fmt: skip
    key = bytes(
        a ^ b for a, b in zip(base64.b64decode(keys.file("one")), bytes.fromhex("deadbeef") * 16, strict=True)
    )
    extracted = hmac.digest(b"htcondor", key, hashlib.sha256)
    derived = hmac.digest(extracted, b"master jwt\x01", hashlib.sha256)
    signed = hmac.digest(derived, f"{head}.{claims}".encode(), hashlib.sha256)
    assert base64.urlsafe_b64decode(signature + "=") == signed


def test_a_secret_that_cannot_be_kept_is_told(tmp_path):
    """Before anything is bought."""
    (tmp_path / "fleet").write_text("")
    with pytest.raises(InfrastructureError, match="cannot keep the key of queues in"):
        QueueKeys(tmp_path / "fleet", "casa")


def test_workers_of_a_burst_do_not_end_together(make):
    """Each has its own end in the last tenth of its lifetime, the same after a crash; an access point all of it."""
    offer = (NodeOffer("c", "two"),)
    lasts = {"lifetime": 36_000.0}
    nodes = {
        "front": NodeGroup(offer, "submit", 1, **lasts),
        "workers": NodeGroup(offer, min=8, max=8, **lasts),
    }
    world = make(Slice("dfw", {"c": ProviderRule("memory")}, nodes))
    world.run(60)
    before = {one.token: one.dies - one.ordered for one in world.ledger.workers() if one.group == "workers"}
    assert len(before) == len(set(before.values())) == 8
    assert all(32_400 <= seconds <= 36_000 for seconds in before.values())
    assert [one.dies - one.ordered for one in world.ledger.workers() if one.group == "front"] == [36_000]
    world.kill()
    world.run(60)
    after = {one.token: one.dies - one.ordered for one in world.ledger.workers() if one.group == "workers"}
    assert after == before
