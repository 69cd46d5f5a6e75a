"""Check the networks of a slice: addresses that can be had, apart from each other, where the machines are."""

from __future__ import annotations

import ipaddress
from itertools import combinations

from dynamo.errors import UserError, nearest
from dynamo.fleet.slice import NetworkRule, NodeGroup, Slice
from dynamo.fleet.slice_file import SliceDraft

__all__ = ["check_groups_networks", "check_networks"]

#: Addresses that nobody else has: RFC 1918, and RFC 6598.
_PRIVATE = [
    ipaddress.IPv4Network(one) for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
]


def check_networks(draft: SliceDraft, slice_: Slice) -> None:
    """Tell all that is wrong with the networks."""
    good = {}
    for name, rule in slice_.networks.items():
        _check_spans(draft, slice_, name, rule)
        _check_peers(draft, name, rule)
        network = _network(draft, name, rule)
        if network:
            good[name] = network
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


def _check_peers(draft: SliceDraft, name: str, rule: NetworkRule) -> None:
    for index, peer in enumerate(rule.peers):
        try:
            ipaddress.ip_network(peer)
        except ValueError:
            draft.tell(
                ("networks", name, "peers", index),
                f"{peer!r} is no network like 198.51.100.0/24, or 198.51.100.7/32",
            )


def check_groups_networks(draft: SliceDraft, slice_: Slice, name: str, group: NodeGroup) -> None:
    """Tell networks of a group that there are not, or not where the group is."""
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
