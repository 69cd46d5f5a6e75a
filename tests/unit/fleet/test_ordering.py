"""What must not wait does not wait behind a burst of orders, and an order that nobody came to refuses nothing."""

from __future__ import annotations

import threading

import pytest

from dynamo.fleet import session
from dynamo.fleet.machine import MachineSpec, Tags
from dynamo.fleet.refusals import NotBegunError
from dynamo.fleet.slice import NodeGroup, NodeOffer, ProviderRule, Slice
from dynamo.fleet.standing import Standing
from dynamo.testing import Cloud, Fault

SLICE = Slice("dfw", {"c": ProviderRule("memory")}, {"workers": NodeGroup((NodeOffer("c", "small"),), max=8)})


class Driver:
    """Connects to a cloud in memory."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def connect(self, settings):
        """Return a provider."""
        return self.cloud.provider()


@pytest.fixture
def hang():
    """Return an event that orders wait for; it is set at the end."""
    event = threading.Event()
    yield event
    event.set()


def test_what_must_not_wait_does_not_wait_behind_a_burst_of_orders(hang):
    """A listing, which tells who is there, and a destroy, which ends a bill, come while ten orders are under way."""
    cloud = Cloud()
    old = cloud.provider().create(MachineSpec(Tags("dfw", "workers", "old"), "old"))
    cloud.faults.append(Fault("create", times=10, done=True, before=lambda: hang.wait(60)))
    clouds = session._clouds(SLICE, {"c": Driver(cloud)}, lambda: 1000.0, None)
    try:
        for n in range(10):
            clouds.order("c", MachineSpec(Tags("dfw", "workers", f"t{n}"), f"t{n}"))
        clouds.ask()
        clouds.wait(20)
        clouds.collect()
        assert "old" in clouds.listings["c"].machines
        clouds.destroy("c", old.id)
        ending = clouds._destroying["c", old.id]
        ending.wait(20)
        assert ending.done
        assert not ending.failed
        assert len(clouds.under_way) == 10
    finally:
        clouds.close()


def test_an_order_that_was_not_begun_refuses_nothing():
    """The offer does not rest: its cloud was not asked."""
    assert Standing().refused("workers/c/two/spot", NotBegunError("not begun"), 10.0) == Standing()
