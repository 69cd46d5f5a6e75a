"""Networks of Neutron: made with all that belongs to them, completed, and taken away without a trace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from dynamo.fleet.machine import Tags
from dynamo.fleet.network import NetworkSpec
from dynamo.fleet.refusals import (
    AuthError,
    BadRequestError,
    OutcomeUnknownError,
    QuotaError,
    UnavailableError,
)
from tests.cloud.fake_openstack import FakeOpenStack
from tests.cloud.openstack_use import SPEC, provider

DATA = NetworkSpec(
    Tags("dfw", "data", "9a8b7c6d5e"), "192.168.10.0/24", (9618, 22), (51820,), bandwidth=5e8,
    peers=("10.8.0.7/32",),
)  # fmt: skip
STEPS = [
    "POST .*/networks$",
    "POST .*/subnets$",
    "POST .*/security-groups$",
    "POST .*/security-group-rules$",
    "POST .*/qos/policies$",
    "POST .*/bandwidth_limit_rules$",
    "PUT .*/networks/",
    "POST .*/routers$",
    "PUT .*/add_router_interface$",
]
UNDOING = [
    "PUT .*/remove_router_interface$",
    "DELETE .*/routers/",
    "DELETE .*/subnets/",
    "DELETE .*/security-groups/",
    "PUT .*/networks/",
    "DELETE .*/qos/policies/",
    "DELETE .*/networks/",
]


@pytest.fixture
def cloud() -> Iterator[FakeOpenStack]:
    fake = FakeOpenStack()
    yield fake
    fake.close()


def count(cloud: FakeOpenStack) -> dict[str, int]:
    """Return how many there are of each kind."""
    return {kind: len(things) for kind, things in cloud.neutron.things.items()}


def ingress(cloud: FakeOpenStack) -> set[tuple[str, int, int, str]]:
    """Return what is open to whom."""
    return {
        (one["protocol"], one["port_range_min"], one["port_range_max"], one["remote_ip_prefix"])
        for one in cloud.neutron.things["security-group-rules"].values()
        if one["direction"] == "ingress"
    }


def test_a_network_is_made_with_all_that_belongs_to_it(cloud):
    """A subnet, a router to the outside that is joined to it, and a group that opens just what is asked for."""
    made = provider(cloud, dns="9.9.9.9, 1.1.1.1").create_network(DATA)
    assert (made.tags, made.cidr) == (DATA.tags, DATA.cidr)
    things = cloud.neutron.things
    network = things["networks"][made.id]
    assert network["name"] == "dfw-data-9a8b7c6d"
    (subnet,) = [one for one in things["subnets"].values() if one["network_id"] == made.id]
    assert (subnet["cidr"], subnet["ip_version"]) == ("192.168.10.0/24", 4)
    assert subnet["dns_nameservers"] == ["9.9.9.9", "1.1.1.1"]
    (router,) = things["routers"].values()
    assert router["external_gateway_info"] == {"network_id": cloud.neutron.outside}
    (port,) = things["ports"].values()
    assert (port["device_id"], port["network_id"]) == (router["id"], made.id)
    assert ingress(cloud) == {
        (protocol, port, port, cidr)
        for protocol, port in (("tcp", 9618), ("tcp", 22), ("udp", 51820))
        for cidr in ("192.168.10.0/24", "10.8.0.7/32")
    }
    assert provider(cloud).list_networks("dfw") == [made]
    assert provider(cloud).list_networks("other") == []


def test_a_machine_in_a_network_has_its_security_group(cloud):
    """Not the project's own, which others may have opened."""
    here = provider(cloud)
    made = here.create_network(DATA)
    server = here.create(replace(SPEC, networks=(made.id,)))
    ports = [one for one in cloud.neutron.things["ports"].values() if one["device_id"] == server.id]
    (group,) = cloud.neutron.things["security-groups"]
    assert [(one["network_id"], one["security_groups"]) for one in ports] == [(made.id, [group])]
    cloud.nova.boot(server.id)
    assert here.describe(server.id).addresses == ("192.168.10.2",)


def test_a_network_that_is_not_complete_has_no_machines(cloud):
    """One without its security group would stand in the project's own."""
    with cloud.failing(STEPS[2]), pytest.raises(UnavailableError):
        provider(cloud).create_network(DATA)
    (made,) = provider(cloud).list_networks("dfw")
    with pytest.raises(BadRequestError, match="has no security group: complete it first"):
        provider(cloud).create(replace(SPEC, networks=(made.id,)))


@pytest.mark.parametrize("how", ["status", "cut-after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_network_is_completed_after_a_failure_at_any_step(cloud, step, how):
    """What was made in part is listed, is not made twice, and may be taken away as it is."""
    with cloud.failing(step, how=how), pytest.raises((UnavailableError, OutcomeUnknownError)):
        provider(cloud).create_network(DATA)
    listed = provider(cloud).list_networks("dfw")
    assert len(listed) == (0 if (step, how) == (STEPS[0], "status") else 1)
    made = provider(cloud).create_network(DATA)
    once = count(cloud)
    assert provider(cloud).create_network(DATA) == made
    assert count(cloud) == once
    assert once["routers"] == once["security-groups"] == once["policies"] == 1
    assert shaped(cloud, made.id) == {("egress", 500_000), ("ingress", 500_000)}
    assert len(ingress(cloud)) == 6
    assert provider(cloud).list_networks("dfw") == [made]


@pytest.mark.parametrize("how", ["status", "cut-after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_network_that_was_made_in_part_is_taken_away(cloud, step, how):
    """From any step on."""
    before = count(cloud)
    with cloud.failing(step, how=how), pytest.raises((UnavailableError, OutcomeUnknownError)):
        provider(cloud).create_network(DATA)
    for one in provider(cloud).list_networks("dfw"):
        provider(cloud).destroy_network(one.id)
    assert count(cloud) == before


@pytest.mark.parametrize("how", ["status", "cut", "cut-after"])
@pytest.mark.parametrize("step", UNDOING)
def test_a_network_is_gone_after_a_failure_at_any_step(cloud, step, how):
    """It is listed until all of it is gone, and to take it away goes on where it stopped."""
    before = count(cloud)
    made = provider(cloud).create_network(DATA)
    with cloud.failing(step, how=how), pytest.raises((UnavailableError, OutcomeUnknownError)):
        provider(cloud).destroy_network(made.id)
    gone = (step, how) == (UNDOING[-1], "cut-after")
    assert [one.id for one in provider(cloud).list_networks("dfw")] == ([] if gone else [made.id])
    for _ in range(2):
        provider(cloud).destroy_network(made.id)
    assert count(cloud) == before


def test_a_network_with_machines_in_it_is_left_whole(cloud):
    """Nothing is taken apart before they are gone."""
    here = provider(cloud)
    made = here.create_network(DATA)
    server = here.create(replace(SPEC, networks=(made.id,)))
    whole = count(cloud)
    with pytest.raises(UnavailableError, match=r"1 machine\(s\) are still in the network data"):
        here.destroy_network(made.id)
    assert count(cloud) == whole
    here.destroy(server.id)
    here.destroy_network(made.id)
    assert here.list_networks("dfw") == []


def test_what_is_not_ours_is_left_alone(cloud):
    """A network of the same name, one of another slice, and one that says something else of itself."""
    neutron, here = cloud.neutron, provider(cloud)
    mine = here.create_network(DATA)
    other = here.create_network(replace(DATA, tags=Tags("okc", "data", "1")))
    named = neutron.add("networks", {"name": "dfw-data-9a8b7c6d", "description": "of somebody"})["id"]
    odd = neutron.add("networks", {"name": "odd", "description": '{"dynamo-slice": "dfw"}'})["id"]
    neutron.add("subnets", {"network_id": named, "cidr": "192.168.10.0/24"})
    neutron.add("routers", {"name": "dfw-data-9a8b7c6d"})
    neutron.add("security-groups", {"name": "dfw-data-9a8b7c6d"})
    strangers = {kind: set(things) for kind, things in neutron.things.items()}
    assert [one.id for one in here.list_networks("dfw")] == [mine.id]
    for id_ in (named, odd, neutron.shared):
        with pytest.raises(BadRequestError, match="is not of a slice and is left alone"):
            here.destroy_network(id_)
    assert {kind: set(things) for kind, things in neutron.things.items()} == strangers
    here.destroy_network(mine.id)
    assert {"dfw-data-9a8b7c6d", "odd"} <= {one["name"] for one in neutron.things["networks"].values()}
    assert len(neutron.things["routers"]) == 2
    assert [one.id for one in here.list_networks("okc")] == [other.id]


def test_two_networks_of_one_order_have_each_its_own(cloud):
    """An answer that was lost may turn into a second network late; to take one away leaves the other whole."""
    here = provider(cloud)
    first = here.create_network(DATA)
    description = cloud.neutron.things["networks"][first.id]["description"]
    late = cloud.neutron.add("networks", {"name": "late", "description": description})["id"]
    assert {one.id for one in here.list_networks("dfw")} == {first.id, late}
    here.destroy_network(late)
    assert here.create_network(DATA) == first
    assert len(cloud.neutron.things["routers"]) == 1


def test_a_group_that_was_opened_to_others_is_closed_again(cloud):
    """By hand, to everybody: the network is as the slice says when it is applied again."""
    made = provider(cloud).create_network(DATA)
    (group,) = cloud.neutron.things["security-groups"]
    for port, cidr in ((22, "0.0.0.0/0"), (None, None)):
        rule = {"security_group_id": group, "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp"}
        ports = {"port_range_min": port, "port_range_max": port, "remote_ip_prefix": cidr}
        cloud.neutron.add("security-group-rules", rule | ports)
    assert len(ingress(cloud)) == 8
    assert provider(cloud).create_network(DATA) == made
    assert len(ingress(cloud)) == 6
    egress = [
        one for one in cloud.neutron.things["security-group-rules"].values() if one["direction"] == "egress"
    ]
    assert len(egress) == 2


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"peers": ("0.0.0.0/0",)}, "0.0.0.0/0 is everybody; name the peers themselves"),
        ({"peers": ("::/0",)}, "::/0 is everybody"),
        ({"cidr": "0.0.0.0/0"}, "is everybody"),
        ({"cidr": "192.168.10.7/24"}, "is no CIDR as 192.168.10.0/24"),
        ({"peers": ("cm.example.org",)}, "cm.example.org is no CIDR"),
        ({"tags": Tags("d" * 60, "n" * 60, "7" * 32)}, "names of the slice and of the network are too long"),
    ],
)
def test_a_network_that_may_not_be_is_refused(cloud, wrong, says):
    """Before anything is made."""
    with pytest.raises(BadRequestError, match=says):
        provider(cloud).create_network(replace(DATA, **wrong))
    assert cloud.calls == []


def test_the_way_outside_is_found_or_named(cloud):
    """Of several, none is chosen; nothing half made is in the way of the right name."""
    second = cloud.neutron.add("networks", {"name": "campus", "router:external": True})["id"]
    with pytest.raises(
        BadRequestError, match="external ones are: campus, public; name one of them as the option"
    ):
        provider(cloud).create_network(DATA)
    for named in ("campus", second):
        provider(cloud, external_network=named).create_network(DATA)
    (router,) = cloud.neutron.things["routers"].values()
    assert router["external_gateway_info"] == {"network_id": second}


def test_networks_of_bare_metal_are_made_on_a_physical_one(cloud):
    """As Chameleon wants it: a VLAN of ``physnet1``."""
    made = provider(cloud, physical_network="physnet1").create_network(DATA)
    network = cloud.neutron.things["networks"][made.id]
    assert (network["provider:physical_network"], network["provider:network_type"]) == ("physnet1", "vlan")


def test_a_quota_of_neutron_is_told_as_one(cloud):
    """It is a conflict by its status; what was made before is listed, and taken away."""
    cloud.neutron.quota["router"] = 0
    with pytest.raises(QuotaError, match=r"Quota exceeded for resources: \['router'\]"):
        provider(cloud).create_network(DATA)
    (made,) = provider(cloud).list_networks("dfw")
    provider(cloud).destroy_network(made.id)
    assert provider(cloud).list_networks("dfw") == []


def test_networks_are_listed_over_pages(cloud):
    """Two on a page."""
    cloud.neutron.most = 2
    made = {
        provider(cloud).create_network(replace(DATA, tags=Tags("dfw", "data", str(n)))).id for n in range(3)
    }
    assert {one.id for one in provider(cloud).list_networks("dfw")} == made
    for id_ in made:
        provider(cloud).destroy_network(id_)
    assert provider(cloud).list_networks("dfw") == []


def shaped(cloud: FakeOpenStack, network: str) -> set[tuple[str, int]]:
    """Return the directions of a network that are limited, with their kilobits a second."""
    policy = cloud.neutron.things["networks"][network].get("qos_policy_id")
    return {(one["direction"], one["max_kbps"]) for one in cloud.neutron.rules.get(policy, {}).values()}


def test_a_bandwidth_is_changed_and_lifted(cloud):
    """The rules of the policy that is there are changed; without a bandwidth the policy goes."""
    here = provider(cloud)
    made = here.create_network(DATA)
    assert made.bandwidth == here.list_networks("dfw")[0].bandwidth == 5e8
    policies = set(cloud.neutron.things["policies"])
    assert here.create_network(replace(DATA, bandwidth=2e8)).id == made.id
    assert shaped(cloud, made.id) == {("egress", 200_000), ("ingress", 200_000)}
    assert set(cloud.neutron.things["policies"]) == policies
    assert here.list_networks("dfw")[0].bandwidth == 2e8
    here.create_network(replace(DATA, bandwidth=None))
    assert (shaped(cloud, made.id), cloud.neutron.things["policies"]) == (set(), {})
    assert here.list_networks("dfw")[0].bandwidth == 0.0


def test_a_network_that_is_shaped_in_one_direction_only_is_not_as_asked(cloud):
    """It is listed as one without a limit, and completed."""
    with cloud.failing("POST .*/bandwidth_limit_rules$", skip=1), pytest.raises(UnavailableError):
        provider(cloud).create_network(DATA)
    (made,) = provider(cloud).list_networks("dfw")
    assert made.bandwidth == 0.0
    provider(cloud).create_network(DATA)
    assert shaped(cloud, made.id) == {("egress", 500_000), ("ingress", 500_000)}


def test_a_policy_of_somebody_else_is_left_alone(cloud):
    """One that the cloud gives to each network by default is no limit of ours, and is not taken away."""
    made = provider(cloud).create_network(replace(DATA, bandwidth=None))
    theirs = cloud.neutron.add("policies", {"name": "default"})["id"]
    cloud.neutron.rules[theirs] = {"r": {"id": "r", "direction": "egress", "max_kbps": 1000}}
    cloud.neutron.things["networks"][made.id]["qos_policy_id"] = theirs
    assert provider(cloud).create_network(replace(DATA, bandwidth=None)).id == made.id
    assert provider(cloud).list_networks("dfw")[0].bandwidth == 0.0
    provider(cloud).destroy_network(made.id)
    assert set(cloud.neutron.things["policies"]) == {theirs}


def test_a_network_goes_where_policies_may_not_be_asked_for(cloud):
    """It was never shaped; one that was stays until what shapes it can be taken away too."""
    said = {"NeutronError": {"type": "PolicyNotAuthorized", "message": "rule:get_policy is disallowed"}}
    plain = provider(cloud).create_network(replace(DATA, bandwidth=None))
    held = provider(cloud).create_network(replace(DATA, tags=Tags("dfw", "held", "11")))
    with cloud.failing("GET .*/qos/policies", status=403, body=said):
        provider(cloud).destroy_network(plain.id)
        with pytest.raises(AuthError, match="disallowed"):
            provider(cloud).destroy_network(held.id)
    assert [one.id for one in provider(cloud).list_networks("dfw")] == [held.id]


def test_a_cloud_that_cannot_shape_refuses_before_anything_is_made(cloud):
    """One without the extension; networks without a bandwidth are made there, listed and taken away."""
    cloud.neutron.extensions.clear()
    before = count(cloud)
    with pytest.raises(BadRequestError, match=r"cannot shape networks .* leave `bandwidth` out"):
        provider(cloud).create_network(DATA)
    assert count(cloud) == before
    made = provider(cloud).create_network(replace(DATA, bandwidth=None))
    assert provider(cloud).list_networks("dfw") == [made]
    provider(cloud).destroy_network(made.id)
    assert count(cloud) == before


def test_who_may_make_no_policies_is_told_whom_to_ask(cloud):
    """Neutron lets administrators alone, unless it is told otherwise; what was made is taken away as ever."""
    cloud.neutron.policies_for_all = False
    before = count(cloud)
    with pytest.raises(
        BadRequestError, match="administrators must let you make QoS policies; or leave `bandwidth`"
    ):
        provider(cloud).create_network(DATA)
    (made,) = provider(cloud).list_networks("dfw")
    provider(cloud).destroy_network(made.id)
    assert count(cloud) == before


def test_a_quota_of_policies_is_told_as_one(cloud):
    """As of anything of Neutron."""
    cloud.neutron.quota["policy"] = 0
    with pytest.raises(QuotaError):
        provider(cloud).create_network(DATA)


def test_a_bandwidth_beyond_what_neutron_counts_is_refused(cloud):
    """Before anything is made."""
    with pytest.raises(BadRequestError, match=r"counts to 2147483647 kb/s"):
        provider(cloud).create_network(replace(DATA, bandwidth=1e13))
    assert cloud.calls == []
