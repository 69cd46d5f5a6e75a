"""Networks on EC2, against moto: what is made, for whom it is open, and what is left wherever the making stops."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest
from dynamo.provisioners.ec2 import connect, driver

from dynamo.fleet.machine import Tags
from dynamo.fleet.network import NetworkSpec
from dynamo.fleet.refusals import (
    AuthError,
    BadRequestError,
    OutcomeUnknownError,
    ProviderError,
    UnavailableError,
)
from tests.cloud.ec2_use import error_page, failing, refusing, settings, spec
from tests.cloud.fake_ec2 import Fault

#: All that making a network changes, in this order; everything else is questions.
STEPS = (
    "CreateVpc",
    "CreateSubnet",
    "ModifySubnetAttribute",
    "CreateInternetGateway",
    "AttachInternetGateway",
    "CreateTags",
    "CreateRoute",
    "CreateSecurityGroup",
    "AuthorizeSecurityGroupIngress",
)
#: All that taking it away changes.
ENDS = (
    "DeleteSecurityGroup",
    "DetachInternetGateway",
    "DeleteInternetGateway",
    "DeleteSubnet",
    "DeleteVpc",
)
LISTS = {
    "Vpcs": "vpcSet",
    "Subnets": "subnetSet",
    "InternetGateways": "internetGatewaySet",
    "SecurityGroups": "securityGroupInfo",
    "RouteTables": "routeTableSet",
}


def network(slice_=None, **more):
    tags = Tags(slice_ or f"s-{uuid.uuid4().hex[:8]}", "data", uuid.uuid4().hex)
    return replace(NetworkSpec(tags, "192.168.10.0/24"), **more)


def tagged_of(cloud, slice_):
    """Return what there is with the tag of a slice, by kind."""
    asked = {"Filter.1.Name": "tag:dynamo-slice", "Filter.1.Value.1": slice_}
    return {
        what: cloud._calls.ask(f"Describe{what}", asked).findall(f"{items}/item")
        for what, items in LISTS.items()
    }


def rules_of(cloud, slice_):
    """Return what the security group of a slice lets in: protocol, ports, and from where."""
    (group,) = tagged_of(cloud, slice_)["SecurityGroups"]
    return {
        (
            rule.findtext("ipProtocol"),
            rule.findtext("fromPort"),
            rule.findtext("toPort"),
            source.findtext("cidrIp"),
        )
        for rule in group.iterfind("ipPermissions/item")
        for source in rule.iterfind("ipRanges/item")
    }


def test_a_network_is_made_with_all_that_belongs_to_it(cloud, between):
    """A VPC, a subnet with public addresses, a gateway, a route to it and a security group; each has the tags."""
    wanted = network(ports=(9618, 22), udp=(51820,), peers=("198.51.100.0/24",))
    made = cloud.create_network(wanted)
    assert (made.tags, made.cidr) == (wanted.tags, wanted.cidr)
    there = tagged_of(cloud, wanted.tags.slice)
    assert {what: len(found) for what, found in there.items()} == dict.fromkeys(LISTS, 1)
    (subnet,) = there["Subnets"]
    assert subnet.findtext("vpcId") == made.id
    assert subnet.findtext("mapPublicIpOnLaunch") == "true"
    gateway = there["InternetGateways"][0].findtext("internetGatewayId")
    routes = {
        one.findtext("destinationCidrBlock"): one.findtext("gatewayId")
        for one in there["RouteTables"][0].iterfind("routeSet/item")
    }
    assert routes == {"192.168.10.0/24": "local", "0.0.0.0/0": gateway}
    assert [one for one in between.actions() if not one.startswith("Describe")] == list(STEPS)


def test_it_is_open_to_the_slice_and_its_peers_alone(cloud):
    """Each port is open to the network's own addresses and to each peer, and nothing is to everybody."""
    wanted = network(ports=(9618, 22), udp=(51820,), peers=("198.51.100.0/24",))
    cloud.create_network(wanted)
    ports = [("tcp", "9618"), ("tcp", "22"), ("udp", "51820")]
    assert rules_of(cloud, wanted.tags.slice) == {
        (protocol, port, port, source)
        for protocol, port in ports
        for source in ("192.168.10.0/24", "198.51.100.0/24")
    }


@pytest.mark.parametrize("peer", ["0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "::/0", "everybody", "10.0.0.1/8"])
def test_nothing_is_opened_to_everybody(cloud, between, peer):
    """A peer that is half of the Internet, or no address, is refused before anything is made."""
    with pytest.raises(BadRequestError, match=r"peer|network address"):
        cloud.create_network(network(peers=(peer,)))
    assert between.calls == []


@pytest.mark.parametrize("cidr", ["10.0.0.0/8", "192.168.10.0/29", "fd00::/48", "192.168.10.1/24"])
def test_addresses_that_ec2_does_not_take(cloud, between, cidr):
    """They are refused before anything is made."""
    with pytest.raises(BadRequestError):
        cloud.create_network(network(cidr=cidr))
    assert between.calls == []


@pytest.mark.parametrize("done", [False, True], ids=["not done", "done"])
@pytest.mark.parametrize("step", STEPS)
def test_a_making_that_stops_anywhere_is_gone_on_with(cloud, between, step, done):
    """After any step that failed, or whose answer was lost: it is listed, completed once, and nothing stands twice."""
    wanted = network()
    with failing(between, step, Fault(done=done)), pytest.raises(OutcomeUnknownError):
        cloud.create_network(wanted)
    listed = cloud.list_networks(wanted.tags.slice)
    assert [one.tags for one in listed] == ([] if (step, done) == ("CreateVpc", False) else [wanted.tags])
    between.calls.clear()
    made = connect(settings(between.url)).create_network(wanted)
    begun = STEPS.index(step) + done
    assert [one for one in between.actions() if not one.startswith("Describe")] == list(STEPS[begun:])
    there = tagged_of(cloud, wanted.tags.slice)
    assert {what: len(found) for what, found in there.items()} == dict.fromkeys(LISTS, 1)
    assert rules_of(cloud, wanted.tags.slice) == {("tcp", "9618", "9618", "192.168.10.0/24")}
    assert list(cloud.list_networks(wanted.tags.slice)) == [made]
    between.calls.clear()
    assert cloud.create_network(wanted) == made
    assert [one for one in between.actions() if not one.startswith("Describe")] == []


@pytest.mark.parametrize("step", STEPS)
def test_a_network_made_in_part_is_taken_away(cloud, between, step):
    """Whatever there is of it, nothing is left."""
    wanted = network()
    with failing(between, step, Fault(done=True)), pytest.raises(OutcomeUnknownError):
        cloud.create_network(wanted)
    (part,) = cloud.list_networks(wanted.tags.slice)
    cloud.destroy_network(part.id)
    assert not any(tagged_of(cloud, wanted.tags.slice).values())
    assert list(cloud.list_networks(wanted.tags.slice)) == []


@pytest.mark.parametrize("done", [False, True], ids=["not done", "done"])
@pytest.mark.parametrize("end", ENDS)
def test_a_taking_away_that_stops_anywhere_is_gone_on_with(cloud, between, end, done):
    """It is listed until the VPC is gone, and the next call takes the rest away."""
    wanted = network()
    made = cloud.create_network(wanted)
    with failing(between, end, Fault(done=done)), pytest.raises(OutcomeUnknownError):
        cloud.destroy_network(made.id)
    left = [one.id for one in cloud.list_networks(wanted.tags.slice)]
    assert left == ([] if (end, done) == ("DeleteVpc", True) else [made.id])
    between.calls.clear()
    cloud.destroy_network(made.id)
    assert not any(tagged_of(cloud, wanted.tags.slice).values())
    cloud.destroy_network(made.id)


def test_a_machine_in_a_network(cloud, between):
    """It is in the subnet, with its security group, and the network outlives no machine."""
    wanted = network()
    made = cloud.create_network(wanted)
    machine = cloud.create(spec(wanted.tags.slice, networks=(made.id,)))
    assert machine.addresses[0].startswith("192.168.10.")
    params = next(call.params for call in between.calls if call.action == "RunInstances")
    there = tagged_of(cloud, wanted.tags.slice)
    assert params["SubnetId"] == there["Subnets"][0].findtext("subnetId")
    assert params["SecurityGroupId.1"] == there["SecurityGroups"][0].findtext("groupId")
    cloud.destroy(machine.id)
    cloud.destroy_network(made.id)


def test_a_network_that_machines_are_in_stays(cloud, between):
    """EC2 takes nothing away that something hangs on: that is told as what may be asked later, and stays listed."""
    wanted = network()
    made = cloud.create_network(wanted)
    with refusing(between, "DeleteSecurityGroup", "DependencyViolation"), pytest.raises(UnavailableError):
        cloud.destroy_network(made.id)
    assert list(cloud.list_networks(wanted.tags.slice)) == [made]
    cloud.destroy_network(made.id)


def test_a_machine_waits_for_no_half_network(cloud, between):
    """A network without its security group takes no machine: it would be open as the default one is."""
    wanted = network()
    with failing(between, "CreateSecurityGroup", Fault()), pytest.raises(OutcomeUnknownError):
        cloud.create_network(wanted)
    (part,) = cloud.list_networks(wanted.tags.slice)
    with pytest.raises(BadRequestError, match="complete"):
        cloud.create(spec(networks=(part.id,)))
    cloud.destroy_network(part.id)


def test_networks_of_others_are_left_alone(cloud, between):
    """Neither another slice's nor a stranger's network is listed, and a stranger's is not taken away."""
    one, two = network(), network()
    mine, other = cloud.create_network(one), cloud.create_network(two)
    stranger = cloud._calls.ask("CreateVpc", {"CidrBlock": "10.9.0.0/16"}).findtext("vpc/vpcId")
    gateway = cloud._calls.ask("CreateInternetGateway", {}).findtext("internetGateway/internetGatewayId")
    assert [found.id for found in cloud.list_networks(one.tags.slice)] == [mine.id]
    for id_ in (stranger, gateway):
        with pytest.raises(BadRequestError, match="of no slice"):
            cloud.destroy_network(id_)
    cloud.destroy_network(mine.id)
    assert [found.id for found in cloud.list_networks(two.tags.slice)] == [other.id]
    assert cloud._calls.ask("DescribeVpcs", {"VpcId.1": stranger}).findtext("vpcSet/item/vpcId") == stranger
    cloud.destroy_network(other.id)


def test_a_gateway_whose_vpc_is_gone_is_listed_and_taken_away(cloud, between):
    """Somebody took the VPC away by hand: what is left of the network is seen all the same."""
    wanted = network()
    with failing(between, "AttachInternetGateway", Fault()), pytest.raises(OutcomeUnknownError):
        cloud.create_network(wanted)
    (part,) = cloud.list_networks(wanted.tags.slice)
    (subnet,) = tagged_of(cloud, wanted.tags.slice)["Subnets"]
    cloud._calls.ask("DeleteSubnet", {"SubnetId": subnet.findtext("subnetId")})
    cloud._calls.ask("DeleteVpc", {"VpcId": part.id})
    (left,) = cloud.list_networks(wanted.tags.slice)
    assert (left.id[:4], left.tags, left.cidr) == ("igw-", wanted.tags, "")
    cloud.destroy_network(left.id)
    cloud.destroy_network(left.id)
    assert list(cloud.list_networks(wanted.tags.slice)) == []


def test_the_same_order_with_other_addresses(cloud):
    """A VPC does not change its addresses: that is said, and nothing else is made."""
    wanted = network()
    made = cloud.create_network(wanted)
    with pytest.raises(BadRequestError, match=r"192\.168\.10\.0/24"):
        cloud.create_network(replace(wanted, cidr="192.168.11.0/24"))
    assert list(cloud.list_networks(wanted.tags.slice)) == [made]
    cloud.destroy_network(made.id)


def test_what_is_refused_meanwhile(cloud, between):
    """What was made a moment ago may not be known yet, which passes; what is not allowed does not."""
    wanted = network()
    with refusing(between, "CreateSubnet", "InvalidVpcID.NotFound"), pytest.raises(UnavailableError):
        cloud.create_network(wanted)
    with refusing(between, "CreateRoute", "UnauthorizedOperation", 403), pytest.raises(AuthError):
        cloud.create_network(wanted)
    with refusing(between, "DeleteVpc", "UnauthorizedOperation", 403), pytest.raises(AuthError):
        cloud.destroy_network(cloud.create_network(wanted).id)
    with between.failing(lambda call: Fault(500, error_page("InternalError"))), pytest.raises(ProviderError):
        cloud.list_networks(wanted.tags.slice)


def test_a_bandwidth_is_for_the_machines(cloud):
    """EC2 shapes no connection: the driver says so, and a network tells of no bandwidth that could be changed."""
    assert not driver.shapes
    wanted = network(bandwidth=5e8)
    cloud.create_network(wanted)
    (made,) = cloud.list_networks(wanted.tags.slice)
    assert made.bandwidth is None
