"""The networks of a slice are made once, whoever makes them, and open to the parts of it elsewhere and nobody else."""

from __future__ import annotations

import pytest

from dynamo.errors import UserError
from dynamo.fleet.slice import NetworkRule, ProviderRule, Slice
from dynamo.fleet.wiring import network_specs, wire
from dynamo.testing import Cloud

RULE = NetworkRule("10.0.0.0/24", ("a", "b"), 1e8, peers=("192.168.1.0/24",))
SLICE = Slice("s", {name: ProviderRule("memory") for name in "ab"}, {}, networks={"data": RULE})


def test_each_provider_has_its_part_and_lets_the_others_in():
    """And who is named besides."""
    specs = dict(network_specs(SLICE))
    assert {name: one.cidr for name, one in specs.items()} == {"a": "10.0.0.0/25", "b": "10.0.0.128/25"}
    assert specs["a"].peers == ("192.168.1.0/24", "10.0.0.128/25")
    assert specs["a"].bandwidth == 1e8
    assert specs["a"].tags.group == "data"


def test_a_network_is_made_once():
    """The token follows from what it is: a second time, or after a crash, it is the same."""
    clouds = {"a": Cloud(), "b": Cloud()}
    first = wire(SLICE, {name: cloud.provider() for name, cloud in clouds.items()})
    again = wire(SLICE, {name: cloud.provider() for name, cloud in clouds.items()})
    assert first == again
    assert [len(cloud.networks) for cloud in clouds.values()] == [1, 1]
    tokens = {one.tags.token for _, one in network_specs(SLICE)}
    assert len(tokens) == 2


def test_a_driver_that_makes_none_is_named():
    """It is the slice that must be changed."""

    class Plain:
        def create(self, spec): ...

    with pytest.raises(UserError, match="the network 'data' spans 'a', whose driver makes no networks"):
        wire(SLICE, {"a": Plain(), "b": Plain()})
