"""The networks of a slice, made before machines are: one at each provider that a network spans."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from dynamo.errors import UserError
from dynamo.fleet.machine import Tags
from dynamo.fleet.network import Network, NetworkSpec
from dynamo.fleet.provider import NetworkProvider, Provider
from dynamo.fleet.slice import Slice

__all__ = ["network_specs", "networked", "owned_spec", "wire"]


def network_specs(slice_: Slice) -> Iterator[tuple[str, NetworkSpec]]:
    """Return the networks that a slice asks for, each with the provider where it is.

    The token of a network follows from what it is, so that whoever makes it again, after a crash or from elsewhere,
    completes what is there.
    """
    for name, rule in slice_.networks.items():
        parts = rule.parts()
        for provider, cidr in parts.items():
            whole = f"{slice_.name}/{name}/{provider}/{cidr}"
            token = hashlib.sha256(whole.encode()).hexdigest()[:32]
            others = tuple(other for at, other in parts.items() if at != provider)
            yield (
                provider,
                NetworkSpec(
                    Tags(slice_.name, name, token),
                    cidr,
                    rule.ports,
                    rule.udp,
                    None if rule.tunnelled(provider) else rule.bandwidth,
                    (*rule.peers, *others),
                ),
            )


def networked(slice_: Slice) -> dict[str, dict[str, NetworkSpec]]:
    """Return the networks that a slice asks for by provider, there by name."""
    found: dict[str, dict[str, NetworkSpec]] = {}
    for provider, spec in network_specs(slice_):
        found.setdefault(provider, {})[spec.tags.group] = spec
    return found


def owned_spec(spec: NetworkSpec, there: Iterable[Network], owner: str) -> NetworkSpec:
    """Return a network as it is to be written down: that of `owner`, or as the one of this order that is there."""
    found = [one.tags for one in there if one.tags.token == spec.tags.token]
    return replace(spec, tags=found[0] if found else replace(spec.tags, owner=owner))


def wire(slice_: Slice, providers: Mapping[str, Provider], owner: str = "") -> Sequence[tuple[str, Network]]:
    """Have the networks of a slice, of `owner`, and return them; what is there stays. Raises as providers do."""
    made = []
    for name, spec in network_specs(slice_):
        provider = providers[name]
        if not isinstance(provider, NetworkProvider):
            raise UserError(f"the network {spec.tags.group!r} spans {name!r}, whose driver makes no networks")
        whose = owned_spec(spec, provider.list_networks(slice_.name), owner)
        made.append((name, provider.create_network(whose)))
    return made
