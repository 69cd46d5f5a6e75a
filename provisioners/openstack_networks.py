"""Networks of Neutron: each with a subnet, a security group, a router to the outside, and a policy that shapes it.

All of it carries our tags in its description, which is written in the same call that makes it (Neutron's own tags are
a second call, and what is lost between the two would be nobody's). The network is made first and taken away last: as
long as anything of it is there, it is listed. What belongs to it names it by id, so that of two that came of one order
each has its own. Nothing without our tags is touched, whatever it is called.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_network
from typing import Any
from uuid import UUID

from dynamo.provisioners.openstack_calls import Calls
from dynamo.provisioners.openstack_qos import Shaping

from dynamo.fleet.machine import Tags
from dynamo.fleet.network import Network, NetworkSpec
from dynamo.fleet.refusals import AuthError, BadRequestError, GoneError, UnavailableError

__all__ = ["Networks", "check_spec"]

_NETWORK = "dynamo-network"
#: What Neutron keeps of a description.
_DESCRIPTION = 255


def check_spec(spec: NetworkSpec) -> None:
    """Raise `BadRequestError` for what no network of a slice may be."""
    if max(len(_written(spec.tags)), len(_written(spec.tags, str(UUID(int=0))))) > _DESCRIPTION:
        raise BadRequestError(
            f"network {spec.tags.group}: the names of the slice and of the network are too long to be written on what "
            "belongs to it, with the folder of the workspace; choose shorter ones"
        )
    for cidr in (spec.cidr, *spec.peers):
        try:
            asked = ip_network(cidr)
        except ValueError as error:
            raise BadRequestError(
                f"network {spec.tags.group}: {cidr} is no CIDR as 192.168.10.0/24: {error}"
            ) from None
        if asked.prefixlen == 0:
            raise BadRequestError(
                f"network {spec.tags.group}: {cidr} is everybody; name the peers themselves"
            )


class Networks:
    """The networks of slices at one cloud.

    Parameters
    ----------
    calls
        Of the cloud.
    options
        What the slice says of the provider.
    """

    def __init__(self, calls: Calls, options: Mapping[str, str]) -> None:
        self._calls = calls
        self._options = options
        self._shaping = Shaping(calls)

    def create(self, spec: NetworkSpec) -> Network:
        """Make a network, or complete the one of the same order."""
        check_spec(spec)
        self._shaping.check(spec.tags.group, spec.bandwidth)
        network = self._of(spec.tags) or self._make("network", "networks", self._asked(spec))
        own = {"description": _written(spec.tags, network["id"])}
        named = {"name": network["name"], **own}
        subnet = self._one("subnets", own) or self._make(
            "subnet", "subnets", self._subnet(spec, network) | named
        )
        group = self._one("security-groups", own) or self._make("security_group", "security-groups", named)
        self._open(group, spec)
        self._shaping.hold(network, spec.bandwidth, named)
        router = self._one("routers", own)
        if router is None:
            gateway = {"external_gateway_info": {"network_id": self._outside()}}
            router = self._make("router", "routers", {**named, **gateway})
        self._join(router, subnet)
        return Network(str(network["id"]), spec.tags, str(subnet["cidr"]), spec.bandwidth or 0.0)

    def list(self, slice_: str) -> Sequence[Network]:
        """Return the networks of a slice, also those that are not complete."""
        found = [
            (one, tags) for one in self._all("networks") if (tags := _read(one)) and tags.slice == slice_
        ]
        if not found:
            return []
        cidrs = {str(one["network_id"]): str(one["cidr"]) for one in self._all("subnets") if _read(one)}
        return [
            Network(
                str(one["id"]), tags, cidrs.get(str(one["id"]), ""),
                self._shaping.bandwidth(one, {"description": _written(tags, str(one["id"]))}),
            )
            for one, tags in found
        ]  # fmt: skip

    def destroy(self, id_: str) -> None:
        """Take a network away, what belongs to it first; raises `UnavailableError` while machines are in it."""
        try:
            network = self._calls.one("network", "/networks", id_, "network")
        except GoneError:
            return
        tags = _read(network)
        if tags is None:
            raise BadRequestError(
                f"{self._calls.reach.name}: the network {id_} is not of a slice and is left alone: "
                "see who made it, and take it away by hand if it is yours"
            )
        self._check_free(network, tags)
        own = {"description": _written(tags, id_)}
        subnets = self._all("subnets", own)
        for router in self._all("routers", own):
            for subnet in subnets:
                self._part(router, subnet)
            self._calls.delete("network", f"/routers/{router['id']}")
        for subnet in subnets:
            self._calls.delete("network", f"/subnets/{subnet['id']}")
        for group in self._all("security-groups", own):
            self._calls.delete("network", f"/security-groups/{group['id']}")
        try:
            self._shaping.lift(network, own)
        except AuthError:  # who may not even ask for policies has made none
            if network.get("qos_policy_id"):
                raise
        self._calls.delete("network", f"/networks/{id_}")

    def security_groups(self, ids: tuple[str, ...]) -> Sequence[str]:
        """Return the security groups of networks that are ours; raises `BadRequestError` for one that is not there."""
        found = []
        for id_ in ids:
            try:
                network = self._calls.one("network", "/networks", id_, "network")
            except GoneError as error:
                raise BadRequestError(
                    f"{error.message}; make the network again: dynamo slice apply"
                ) from None
            tags = _read(network)
            if tags is None:
                continue
            groups = self._all("security-groups", {"description": _written(tags, id_)})
            if not groups:
                raise BadRequestError(
                    f"the network {tags.group} has no security group: complete it first: dynamo slice apply"
                )
            found += [str(one["id"]) for one in groups]
        return found

    def find(self, named: str) -> str:
        """Return the id of a network, any that can be seen, by its name or id."""
        found = self._calls.every("network", "/networks", "networks", {"name": named})
        found = found or [
            one for one in self._calls.every("network", "/networks", "networks") if one["id"] == named
        ]
        if len(found) == 1:
            return str(found[0]["id"])
        said = (
            f"{len(found)} networks are named {named}: name one by its id" if found else f"no network {named}"
        )
        raise BadRequestError(f"{self._calls.reach.name}: {said}")

    def _asked(self, spec: NetworkSpec) -> dict[str, Any]:
        tags = spec.tags
        physical = self._options.get("physical_network")
        return {
            "name": f"{tags.slice}-{tags.group}-{tags.token[:8]}",
            "description": _written(tags),
            **({"provider:physical_network": physical, "provider:network_type": "vlan"} if physical else {}),
        }

    def _subnet(self, spec: NetworkSpec, network: Mapping[str, Any]) -> dict[str, Any]:
        servers = self._options.get("dns", "").replace(",", " ").split()
        return {
            "network_id": network["id"],
            "cidr": spec.cidr,
            "ip_version": ip_network(spec.cidr).version,
            **({"dns_nameservers": servers} if servers else {}),
        }

    def _open(self, group: Mapping[str, Any], spec: NetworkSpec) -> None:
        """Open just the ports of the network to just its own addresses and its peers."""
        wanted = {
            (protocol, port, str(ip_network(cidr)))
            for protocol, ports in (("tcp", spec.ports), ("udp", spec.udp))
            for port in ports
            for cidr in (spec.cidr, *spec.peers)
        }
        there = self._calls.every(
            "network", "/security-group-rules", "security_group_rules", {"security_group_id": group["id"]}
        )
        open_ = [(_opened(one), str(one["id"])) for one in there if one.get("direction") == "ingress"]
        for protocol, port, cidr in sorted(wanted - {opened for opened, _ in open_}):
            rule = {
                "security_group_id": group["id"],
                "direction": "ingress",
                "ethertype": f"IPv{ip_network(cidr).version}",
                "protocol": protocol,
                "port_range_min": port,
                "port_range_max": port,
                "remote_ip_prefix": cidr,
            }
            self._make("security_group_rule", "security-group-rules", rule)
        for opened, id_ in open_:
            if opened not in wanted:
                self._calls.delete("network", f"/security-group-rules/{id_}")

    def _outside(self) -> str:
        """Return the id of the network that routers lead to the outside by."""
        named = self._options.get("external_network", "")
        listed = self._calls.every("network", "/networks", "networks", {"router:external": "true"})
        found = [one for one in listed if not named or named in {one["id"], one["name"]}]
        if len(found) == 1:
            return str(found[0]["id"])
        names = ", ".join(sorted(str(one["name"]) for one in listed)) or "none"
        raise BadRequestError(
            f"{self._calls.reach.name}: which network leads outside? external ones are: {names}; name one of them as "
            "the option `external_network` of the provider"
        )

    def _join(self, router: Mapping[str, Any], subnet: Mapping[str, Any]) -> None:
        ports = self._calls.every("network", "/ports", "ports", {"device_id": router["id"]})
        joined = {fixed.get("subnet_id") for port in ports for fixed in port.get("fixed_ips") or ()}
        if subnet["id"] not in joined:
            path = f"/routers/{router['id']}/add_router_interface"
            self._calls.put("network", path, {"subnet_id": subnet["id"]})

    def _part(self, router: Mapping[str, Any], subnet: Mapping[str, Any]) -> None:
        path = f"/routers/{router['id']}/remove_router_interface"
        try:
            self._calls.put("network", path, {"subnet_id": subnet["id"]})
        except GoneError:  # it was never joined, or is parted already
            return

    def _check_free(self, network: Mapping[str, Any], tags: Tags) -> None:
        """Take nothing apart as long as machines are in it: what is half gone helps nobody."""
        ports = self._calls.every("network", "/ports", "ports", {"network_id": network["id"]})
        held = [one for one in ports if str(one.get("device_owner") or "").startswith("compute:")]
        if held:
            raise UnavailableError(
                f"{self._calls.reach.name}: {len(held)} machine(s) are still in the network {tags.group}; it is taken "
                "away when they are gone"
            )

    def _of(self, tags: Tags) -> dict[str, Any] | None:
        return self._one("networks", {"description": _written(tags)})

    def _one(self, what: str, params: Mapping[str, str]) -> dict[str, Any] | None:
        return min(self._all(what, params), key=lambda one: str(one["id"]), default=None)

    def _all(self, what: str, params: Mapping[str, str] | None = None) -> Sequence[dict[str, Any]]:
        """Return what can be seen of a kind; a filter is asked for, and applied again to what comes."""
        found = self._calls.every("network", f"/{what}", what.replace("-", "_"), params or {})
        return [one for one in found if all(one.get(key) == value for key, value in (params or {}).items())]

    def _make(self, key: str, path: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        return self._calls.make("network", f"/{path}", key, {key: asked})


def _opened(rule: Mapping[str, Any]) -> tuple[str, int, str]:
    first, last = rule.get("port_range_min"), rule.get("port_range_max")
    return (
        str(rule.get("protocol")),
        int(first) if first is not None and first == last else -1,
        str(rule.get("remote_ip_prefix")),
    )


def _written(tags: Tags, network: str = "") -> str:
    """Return the tags as they stand in a description; what belongs to a network names it, and the network its owner."""
    whose = replace(tags, owner="").written() | {_NETWORK: network} if network else tags.written()
    return json.dumps(whose, sort_keys=True, separators=(",", ":"))


def _read(thing: Mapping[str, Any]) -> Tags | None:
    """Return the tags of a description; None where it is not ours."""
    try:
        read = json.loads(thing.get("description") or "")
    except ValueError:
        return None
    return Tags.read(read) if isinstance(read, dict) else None
