"""Networks of a slice on EC2: a VPC with one subnet, a way out, and a security group that lets in the slice alone.

Each step looks for what it would make, by tags and by what hangs on what, before it makes it: a call that was cut off
anywhere is gone on with by the next one. The VPC is made first and taken away last, so that nothing is ever out of
sight; only a gateway could be left where somebody else deletes the VPC, and that is listed by itself.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element

from dynamo.provisioners.ec2_calls import Calls, by_tags, filters, tagged, tags_of
from dynamo.provisioners.ec2_errors import Ec2Answer

from dynamo.fleet.machine import Tags
from dynamo.fleet.network import Network, NetworkSpec
from dynamo.fleet.refusals import BadRequestError, GoneError, ProviderError, UnavailableError

__all__ = ["Networks"]

_ANYWHERE = "0.0.0.0/0"
#: A peer is an institution or a cloud, and not half of the Internet.
_WIDEST = 8

_Rule = tuple[str, int, str]


class Networks:
    """Makes, lists and takes away networks by the calls of one region."""

    def __init__(self, calls: Calls, zone: str = "") -> None:
        self._calls = calls
        self._zone = zone

    def create(self, spec: NetworkSpec) -> Network:
        """Make a network, or what is lacking of it."""
        rules = _rules(spec)
        try:
            vpc = self._vpc(spec)
            self._subnet(spec, vpc)
            self._way_out(spec, vpc)
            self._security_group(spec, vpc, rules)
        except GoneError as error:
            # What EC2 made a moment ago its other calls may not know yet.
            failed = UnavailableError(f"{error}; asked again, what is there of the network is completed")
        else:
            return Network(vpc, spec.tags, spec.cidr)
        raise failed

    def list(self, slice_: str) -> Sequence[Network]:
        """Return the networks of a slice, and gateways whose VPC somebody took away."""
        found = []
        for vpc in self._find("Vpcs", "vpcSet", by_tags(slice_)):
            tags = Tags.read(tags_of(vpc))
            if tags and tags.slice == slice_:
                found.append(Network(vpc.findtext("vpcId") or "", tags, vpc.findtext("cidrBlock") or ""))
        known = {one.tags.token for one in found}
        for gateway in self._find("InternetGateways", "internetGatewaySet", by_tags(slice_)):
            tags = Tags.read(tags_of(gateway))
            if tags and tags.slice == slice_ and tags.token not in known:
                found.append(Network(gateway.findtext("internetGatewayId") or "", tags))
        return found

    def destroy(self, id_: str) -> None:
        """Take a network away: what lets in, what leads out, then the rest."""
        try:
            if id_.startswith("igw-"):
                self._drop_gateways({"InternetGatewayId.1": id_})
            else:
                self._drop_vpc(id_)
        except GoneError:
            pass

    def place(self, id_: str) -> dict[str, str]:
        """Return the parameters of RunInstances that put a machine into a network."""
        within = self._within(id_)
        subnets = self._find("Subnets", "subnetSet", within)
        groups = self._find("SecurityGroups", "securityGroupInfo", within)
        subnet = next((one.findtext("subnetId") for one in subnets if Tags.read(tags_of(one))), None)
        group = next((one.findtext("groupId") for one in groups if Tags.read(tags_of(one))), None)
        if not subnet or not group:
            raise BadRequestError(
                f"{self._calls.where} has no network {id_} that is complete: it is made first"
            )
        return {"SubnetId": subnet, "SecurityGroupId.1": group}

    def _find(self, what: str, items: str, wanted: Mapping[str, str]) -> Sequence[Element]:
        return list(self._calls.pages(f"Describe{what}", wanted, f"{items}/item"))

    @staticmethod
    def _within(vpc: str, more: Mapping[str, str] | None = None) -> dict[str, str]:
        return filters({"vpc-id": vpc, **(more or {})})

    def _vpc(self, spec: NetworkSpec) -> str:
        tags = spec.tags
        found = [
            one
            for one in self._find("Vpcs", "vpcSet", by_tags(tags.slice, tags.token))
            if Tags.read(tags_of(one)) == tags
        ]
        if found:
            first = min(found, key=lambda one: one.findtext("vpcId") or "")
            if first.findtext("cidrBlock") != spec.cidr:
                raise BadRequestError(
                    f"the network {tags.group} of {tags.slice} has the addresses {first.findtext('cidrBlock')}, and "
                    f"a VPC does not change them to {spec.cidr}: it is destroyed first"
                )
            return first.findtext("vpcId") or ""
        made = self._calls.call("CreateVpc", {"CidrBlock": spec.cidr, **tagged(["vpc"], tags, _name(tags))})
        return made.findtext("vpc/vpcId") or ""

    def _subnet(self, spec: NetworkSpec, vpc: str) -> None:
        found = [
            one
            for one in self._find("Subnets", "subnetSet", self._within(vpc))
            if Tags.read(tags_of(one)) == spec.tags
        ]
        if not found:
            zone = {"AvailabilityZone": self._zone} if self._zone else {}
            params = {"VpcId": vpc, "CidrBlock": spec.cidr, **zone}
            made = self._calls.call("CreateSubnet", params | tagged(["subnet"], spec.tags, _name(spec.tags)))
            found = made.findall("subnet")
        id_ = found[0].findtext("subnetId") or ""
        if found[0].findtext("mapPublicIpOnLaunch") != "true":
            self._calls.call("ModifySubnetAttribute", {"SubnetId": id_, "MapPublicIpOnLaunch.Value": "true"})

    def _way_out(self, spec: NetworkSpec, vpc: str) -> None:
        gateway = self._gateway(spec, vpc)
        main = {"association.main": "true"}
        tables = self._find("RouteTables", "routeTableSet", self._within(vpc, main))
        if not tables:
            raise UnavailableError(f"{self._calls.where} does not list the routes of {vpc} yet")
        id_ = tables[0].findtext("routeTableId") or ""
        if Tags.read(tags_of(tables[0])) != spec.tags:
            written = {"Name": _name(spec.tags), **spec.tags.written()}
            tags = {f"Tag.{n}.Key": key for n, key in enumerate(written, 1)}
            tags |= {f"Tag.{n}.Value": value for n, value in enumerate(written.values(), 1)}
            self._calls.call("CreateTags", {"ResourceId.1": id_, **tags})
        routes = {one.findtext("destinationCidrBlock") for one in tables[0].iterfind("routeSet/item")}
        if _ANYWHERE not in routes:
            route = {"RouteTableId": id_, "DestinationCidrBlock": _ANYWHERE, "GatewayId": gateway}
            self._calls.call("CreateRoute", route)

    def _gateway(self, spec: NetworkSpec, vpc: str) -> str:
        tags = spec.tags
        found = [
            one
            for one in self._find("InternetGateways", "internetGatewaySet", by_tags(tags.slice, tags.token))
            if Tags.read(tags_of(one)) == tags
        ]
        if not found:
            made = self._calls.call("CreateInternetGateway", tagged(["internet-gateway"], tags, _name(tags)))
            found = made.findall("internetGateway")
        id_ = found[0].findtext("internetGatewayId") or ""
        if vpc not in {one.findtext("vpcId") for one in found[0].iterfind("attachmentSet/item")}:
            self._calls.call("AttachInternetGateway", {"InternetGatewayId": id_, "VpcId": vpc})
        return id_

    def _security_group(self, spec: NetworkSpec, vpc: str, rules: Sequence[_Rule]) -> None:
        groups = self._find("SecurityGroups", "securityGroupInfo", self._within(vpc))
        found = [one for one in groups if Tags.read(tags_of(one)) == spec.tags]
        if found:
            id_, there = found[0].findtext("groupId") or "", _opened(found[0])
        else:
            name = _name(spec.tags)
            params = {"GroupName": name, "GroupDescription": f"Network {name} of dynamo", "VpcId": vpc}
            made = self._calls.call(
                "CreateSecurityGroup", params | tagged(["security-group"], spec.tags, name)
            )
            id_, there = made.findtext("groupId") or "", set()
        lacking = [rule for rule in rules if rule not in there]
        if lacking:
            opened = {"GroupId": id_}
            for n, (protocol, port, cidr) in enumerate(lacking, 1):
                opened |= {
                    f"IpPermissions.{n}.IpProtocol": protocol,
                    f"IpPermissions.{n}.FromPort": str(port),
                    f"IpPermissions.{n}.ToPort": str(port),
                    f"IpPermissions.{n}.IpRanges.1.CidrIp": cidr,
                }
            self._calls.call("AuthorizeSecurityGroupIngress", opened)

    def _drop_vpc(self, id_: str) -> None:
        found = self._calls.call("DescribeVpcs", {"VpcId.1": id_}).find("vpcSet/item")
        if found is None:
            return
        tags = Tags.read(tags_of(found))
        if tags is None:
            raise BadRequestError(f"{id_} is of no slice: it is left as it is")
        within = self._within(id_)
        for group in self._find("SecurityGroups", "securityGroupInfo", within):
            if Tags.read(tags_of(group)):
                self._drop("DeleteSecurityGroup", {"GroupId": group.findtext("groupId") or ""})
        self._drop_gateways(by_tags(tags.slice, tags.token))
        for subnet in self._find("Subnets", "subnetSet", within):
            self._drop("DeleteSubnet", {"SubnetId": subnet.findtext("subnetId") or ""})
        self._drop("DeleteVpc", {"VpcId": id_})

    def _drop_gateways(self, wanted: Mapping[str, str]) -> None:
        for gateway in self._calls.call("DescribeInternetGateways", wanted).iterfind(
            "internetGatewaySet/item"
        ):
            id_ = gateway.findtext("internetGatewayId") or ""
            if Tags.read(tags_of(gateway)) is None:
                raise BadRequestError(f"{id_} is of no slice: it is left as it is")
            for one in gateway.iterfind("attachmentSet/item"):
                self._drop(
                    "DetachInternetGateway", {"InternetGatewayId": id_, "VpcId": one.findtext("vpcId") or ""}
                )
            self._drop("DeleteInternetGateway", {"InternetGatewayId": id_})

    def _drop(self, action: str, params: Mapping[str, str]) -> None:
        """Take one part away; one that is gone, or not attached, is no error."""
        try:
            self._calls.ask(action, params)
        except Ec2Answer as answer:
            failed: ProviderError | None = self._calls.refused(answer, action, params)
            if isinstance(failed, GoneError) or answer.code == "Gateway.NotAttached":
                failed = None
        else:
            return
        if failed:
            raise failed


def _name(tags: Tags) -> str:
    return f"dynamo-{tags.slice}-{tags.group}"


def _rules(spec: NetworkSpec) -> list[_Rule]:
    """Return what is opened, and for whom; raises `BadRequestError` for addresses that do not do."""
    own = _network(spec.cidr)
    if own.version != 4 or not 16 <= own.prefixlen <= 28:
        raise BadRequestError(f"a network on EC2 has a prefix of 16 to 28 bits; {spec.cidr} has not")
    peers = [_network(peer) for peer in spec.peers]
    for peer in peers:
        if peer.version != 4 or peer.prefixlen < _WIDEST:
            raise BadRequestError(
                f"the peer {peer} of the network {spec.tags.group} would open it to too many: name the addresses that "
                f"are meant, of IPv4 and at most a /{_WIDEST}"
            )
    allowed = [str(own), *(str(peer) for peer in peers)]
    ports = [("tcp", port) for port in spec.ports] + [("udp", port) for port in spec.udp]
    return list(dict.fromkeys((protocol, port, cidr) for protocol, port in ports for cidr in allowed))


def _network(cidr: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(cidr)
    except ValueError:
        raise BadRequestError(f"{cidr!r} is no network address, as 192.168.10.0/24 is") from None


def _opened(group: Element) -> set[_Rule]:
    """Return what a security group lets in already, port by port as it is made here."""
    return {
        (one.findtext("ipProtocol") or "", int(one.findtext("fromPort") or -1), cidr.findtext("cidrIp") or "")
        for one in group.iterfind("ipPermissions/item")
        for cidr in one.iterfind("ipRanges/item")
        if one.findtext("fromPort") == one.findtext("toPort")
    }
