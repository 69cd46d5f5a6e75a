"""Check the networks of a slice: addresses that can be had, apart from each other, where the machines are."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from itertools import combinations

from dynamo.errors import UserError, nearest
from dynamo.fleet.slice import NetworkRule, NodeGroup, Slice, TunnelRule
from dynamo.fleet.slice_file import SliceDraft

__all__ = ["check_groups_networks", "check_networks"]

#: Addresses that nobody else has: RFC 1918, and RFC 6598.
_PRIVATE = [
    ipaddress.IPv4Network(one) for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
]

_HUB = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*:(\d{1,5})")


def check_networks(draft: SliceDraft, slice_: Slice) -> None:
    """Tell all that is wrong with the networks."""
    good = {}
    for name, rule in slice_.networks.items():
        _check_spans(draft, slice_, name, rule)
        _check_cidrs(draft, ("networks", name, "peers"), rule.peers)
        if rule.tunnel:
            _check_tunnel(draft, slice_, name, rule.tunnel)
        network = _network(draft, name, rule)
        if network:
            good[name] = network
            if rule.tunnel:
                _check_room(draft, slice_, name, rule)
    for (one, first), (other, second) in combinations(good.items(), 2):
        if first.overlaps(second):
            draft.tell(("networks", other, "cidr"), f"{second} overlaps {first} of the network {one!r}")


def _network(draft: SliceDraft, name: str, rule: NetworkRule) -> ipaddress.IPv4Network | None:
    at = ("networks", name, "cidr")
    try:
        network = ipaddress.IPv4Network(rule.cidr)
    except ValueError:
        draft.tell(at, _no_cidr(rule.cidr))
        return None
    if not any(network.subnet_of(one) for one in _PRIVATE):
        known = ", ".join(map(str, _PRIVATE))
        draft.tell(at, f"{network} belongs to somebody: take addresses of {known}")
        return None
    try:
        rule.parts()
    except UserError as error:
        draft.tell(at, str(error))
    return network


def _no_cidr(text: str) -> str:
    try:
        return f"{text} has host bits set: write {ipaddress.IPv4Network(text, strict=False)}"
    except ValueError:
        return f"{text!r} is no IPv4 network like 192.168.10.0/24"


def _check_spans(draft: SliceDraft, slice_: Slice, name: str, rule: NetworkRule) -> None:
    for index, provider in enumerate(rule.spans):
        at = ("networks", name, "spans", index)
        if provider not in slice_.providers:
            draft.tell(at, f"unknown provider {provider!r}{nearest(provider, slice_.providers)}")
        elif provider in rule.spans[:index]:
            draft.tell(at, f"{provider!r} stands here twice")


def _check_cidrs(
    draft: SliceDraft,
    at: tuple[str, ...],
    cidrs: tuple[str, ...],
    kind: Callable[[str], object] = ipaddress.ip_network,
) -> None:
    for index, one in enumerate(cidrs):
        try:
            kind(one)
        except ValueError:
            draft.tell((*at, index), f"{one!r} is no network like 198.51.100.0/24, or 198.51.100.7/32")


def _check_tunnel(draft: SliceDraft, slice_: Slice, name: str, tunnel: TunnelRule) -> None:
    """Tell what is wrong with a tunnel; each needs a port of the hub for itself."""
    at = ("networks", name, "tunnel")
    match = _HUB.fullmatch(tunnel.hub)
    if not match or not 0 < int(match[1]) < 65536:
        draft.tell(
            (*at, "hub"), f"{tunnel.hub!r} is no place like 198.51.100.7:51820, or cm.example.org:51820"
        )
    for other, rule in slice_.networks.items():
        if other == name:
            break
        if match and rule.tunnel and rule.tunnel.hub.endswith(f":{match[1]}"):
            draft.tell(
                (*at, "hub"), f"port {match[1]} is that of the tunnel of {other!r}: each takes one for itself"
            )
    spans = slice_.networks[name].spans
    for index, provider in enumerate(tunnel.providers):
        if provider not in spans:
            draft.tell(
                (*at, "from", index), f"the network does not span {provider!r}{nearest(provider, spans)}"
            )
    _check_cidrs(draft, (*at, "to"), tunnel.to, ipaddress.IPv4Network)
    _check_hub(draft, (*at, "to"), tunnel)
    if not (tunnel.to or slice_.pool.name):
        draft.tell(
            at, "should name the access points of the pool, which machines must reach, as CIDRs in `to`"
        )


def _check_hub(draft: SliceDraft, at: tuple[str, ...], tunnel: TunnelRule) -> None:
    """Tell where a tunnel would lead to its own hub: what it sends there would be sent into it again."""
    for index, one in enumerate(tunnel.to):
        try:
            hub = ipaddress.IPv4Address(tunnel.hub.rpartition(":")[0])
            if hub in ipaddress.IPv4Network(one):
                draft.tell(
                    (*at, index), f"{one} holds the hub, which is reached beside the tunnel: leave {hub} out"
                )
        except ValueError:  # a hub with a name, or what is told already
            continue


def _check_room(draft: SliceDraft, slice_: Slice, name: str, rule: NetworkRule) -> None:
    """Tell where more workers may come through a tunnel than it has addresses."""
    try:
        addresses = rule.overlay()
    except UserError:  # told already
        return
    room = ipaddress.IPv4Network(addresses).num_addresses - 3
    groups = [
        group
        for group in slice_.nodes.values()
        if name in group.networks and all(rule.tunnelled(one.provider) for one in group.offers)
    ]
    most = sum(group.most for group in groups)
    if min(most, slice_.limits.cores) > room:
        draft.tell(
            ("networks", name, "cidr"),
            f"the tunnel has {addresses} of it, for {room} workers, and up to {most} may come through it: give a "
            "larger one, or a smaller `max`",
        )


def check_groups_networks(draft: SliceDraft, slice_: Slice, name: str, group: NodeGroup) -> None:
    """Tell networks of a group that there are not, or not where the group is, or more than one with a tunnel."""
    known = [one for one in group.networks if one in slice_.networks]
    places = {one.provider for one in group.offers}
    tunnels = [one for one in known if any(map(slice_.networks[one].tunnelled, places))]
    if tunnels and group.role == "submit":
        at = ("nodes", name, "networks", group.networks.index(tunnels[0]))
        draft.tell(
            at,
            "an access point is called by others, and nobody is called through a tunnel: put it beside the pool",
        )
    for network in tunnels[1:]:
        at = ("nodes", name, "networks", group.networks.index(network))
        draft.tell(at, f"a machine has one tunnel, which is that of {tunnels[0]!r}")
    for index, network in enumerate(group.networks):
        at = ("nodes", name, "networks", index)
        if network not in slice_.networks:
            draft.tell(at, f"unknown network {network!r}{nearest(network, slice_.networks)}")
            continue
        if network in group.networks[:index]:
            draft.tell(at, f"{network!r} stands here twice")
        spans = slice_.networks[network].spans
        missing = sorted({one.provider for one in group.offers} - set(spans))
        if missing:
            draft.tell(at, f"the network {network!r} is not at {', '.join(missing)}: add it to its `spans`")
