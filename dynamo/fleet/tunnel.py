"""The tunnels of a slice (WireGuard), as they shall be: who has which address, and what may go through. Pure.

Machines of another cloud come to the pool through its central manager, the hub: they call it, so nothing is open at
their end, and there it is one UDP port. Behind it they reach the pool's own ports and nothing else.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from dynamo.errors import UserError
from dynamo.fleet.slice import Slice

__all__ = [
    "PRIVATE_NETWORK",
    "PUBLIC_KEY",
    "Peer",
    "Tunnel",
    "device_of",
    "filter_text",
    "free_address",
    "peers_text",
    "tunnels",
    "worker_lines",
]

#: A public key of WireGuard: 32 bytes.
PUBLIC_KEY = re.compile(r"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=")
#: What HTCondor calls the network that the hub and the workers behind it share.
PRIVATE_NETWORK = "dynamo-tunnel"
#: Bytes that may pass at once: 20 ms of the bandwidth, and never less than a few full packets.
_BURST_SECONDS, _LEAST_BURST = 0.02, 32 * 1024


def device_of(name: str) -> str:
    """Return what the interface of a tunnel is called: eleven letters at most, for what shapes it has four more.

    >>> device_of("dfw/data")
    'dtcb81b08b'
    """
    return f"dt{hashlib.sha256(name.encode()).hexdigest()[:8]}"


@dataclass(frozen=True, slots=True)
class Tunnel:
    """One tunnel, as the hub has it.

    Parameters
    ----------
    name
        Slice and network, as ``dfw/data``.
    place
        Where machines call the hub: ``host:port``.
    addresses
        CIDR of all that come through it; the first is the hub's.
    behind
        CIDRs of the pool that they reach beside the hub.
    ports, udp
        What they reach there.
    bandwidth
        Bits a second that go through it in each direction, of all machines together; None for no limit.
    """

    name: str
    place: str
    addresses: str
    behind: tuple[str, ...]
    ports: tuple[int, ...] = (9618,)
    udp: tuple[int, ...] = ()
    bandwidth: float | None = None

    @property
    def device(self) -> str:
        """What its interface is called."""
        return device_of(self.name)

    @property
    def port(self) -> int:
        """The UDP port of the hub."""
        return int(self.place.rpartition(":")[2])

    @property
    def hub(self) -> str:
        """The hub's address in it."""
        return str(ipaddress.ip_network(self.addresses)[1])

    @property
    def shape(self) -> tuple[int, int]:
        """The bits a second of its bucket, 0 for no bound, and the bytes that the bucket holds.

        They are whole thousands, from 1 Gb/s on millions and so on: what the kernel's `tc` tells again as they are.

        >>> Tunnel("dfw/data", "hub:51820", "10.0.0.0/28", (), bandwidth=33.3 * 1e6).shape
        (33300000, 83250)
        """
        rate, unit = self.bandwidth or 0.0, 1000
        while rate >= unit * 1_000_000:
            unit *= 1000
        rate = max(round(rate / unit), 1) * unit if rate else 0
        return rate, max(math.ceil(rate / 8 * _BURST_SECONDS), _LEAST_BURST)


@dataclass(frozen=True, slots=True)
class Peer:
    """A worker that comes through a tunnel; it has no `public` key until it has joined."""

    worker: str
    tunnel: str
    address: str
    public: str = ""


def tunnels(slice_: Slice, pool: Sequence[str]) -> Iterator[tuple[str, Tunnel]]:
    """Return the tunnels of a slice by their networks; `pool` are networks of the pool that are known without it."""
    for name, rule in slice_.networks.items():
        if rule.tunnel:
            behind = tuple(str(ipaddress.ip_network(one)) for one in (*pool, *rule.tunnel.to))
            yield (
                name,
                Tunnel(
                    f"{slice_.name}/{name}", rule.tunnel.hub, rule.overlay(), tuple(dict.fromkeys(behind)),
                    rule.ports, rule.udp, rule.bandwidth,
                ),
            )  # fmt: skip


def free_address(tunnel: Tunnel, taken: Collection[str]) -> str:
    """Return an address that nobody has; raises `UserError` where there is none.

    >>> free_address(Tunnel("dfw/data", "hub:51820", "10.0.0.0/28", ()), {"10.0.0.2"})
    '10.0.0.3'
    """
    for one in ipaddress.ip_network(tunnel.addresses).hosts():
        if str(one) not in taken and str(one) != tunnel.hub:
            return str(one)
    raise UserError(
        f"the tunnel {tunnel.name} has no address left in {tunnel.addresses}: give its network a larger `cidr`"
    )


def peers_text(peers: Sequence[Peer]) -> str:
    """Return who may come through a tunnel, each from its own address alone, as WireGuard reads it."""
    return "".join(
        f"[Peer]\nPublicKey = {one.public}\nAllowedIPs = {one.address}/32\n" for one in peers if one.public
    )


def filter_text(tunnel: Tunnel) -> str:
    """Return the hub's packet filter: from the tunnel to the pool's ports, and to nothing else (nftables).

    Machines are not reached from the pool, nor by each other: they call. What comes from elsewhere is not judged here.
    """
    device = f'"{tunnel.device}"'
    here = _accepted(tunnel, [tunnel.hub, *tunnel.behind])
    there = _accepted(tunnel, tunnel.behind)
    behind = ", ".join(tunnel.behind)
    hide = f"    iifname {device} ip daddr {{ {behind} }} masquerade\n" if behind else ""
    table = f"table inet {tunnel.device}"
    return (
        f"# The tunnel {tunnel.name}, written by dynamo fleet.\n{table}\ndelete {table}\n{table} {{\n"
        "  chain input {\n    type filter hook input priority filter - 5; policy accept;\n"
        f"    iifname != {device} accept\n    ct state established,related accept\n{here}    drop\n  }}\n"
        "  chain forward {\n    type filter hook forward priority filter - 5; policy accept;\n"
        f"    oifname {device} ct state established,related accept\n    oifname {device} drop\n"
        f"    iifname != {device} accept\n    ct state established,related accept\n{there}    drop\n  }}\n"
        "  chain leave {\n    type nat hook postrouting priority srcnat; policy accept;\n"
        f"{hide}  }}\n}}\n"
    )


def _accepted(tunnel: Tunnel, addresses: Sequence[str]) -> str:
    lines = ""
    for kind, ports in (("tcp", tunnel.ports), ("udp", tunnel.udp)):
        if ports and addresses:
            numbers = ", ".join(map(str, sorted(set(ports))))
            lines += f"    ip daddr {{ {', '.join(addresses)} }} {kind} dport {{ {numbers} }} accept\n"
    return lines


def worker_lines(tunnel: Tunnel, address: str, public: str) -> str:
    """Return what a worker is told of its tunnel, as a part of HTCondor's configuration.

    `public` is the hub's key. The worker is not reached from outside the hub, so it is called through the collector
    (CCB); by who has the same private network, which the hub's own tools say they have, it is reached.
    """
    return "\n".join(
        (
            f"# It comes through the tunnel {tunnel.name}.",
            f"DYNAMO_TUNNEL_ENDPOINT = {tunnel.place}",
            f"DYNAMO_TUNNEL_HUB = {public}",
            f"DYNAMO_TUNNEL_ADDRESS = {address}/32",
            f"DYNAMO_TUNNEL_ALLOWED = {' '.join((f'{tunnel.hub}/32', *tunnel.behind))}",
            "CCB_ADDRESS = $(COLLECTOR_HOST)",
            f"PRIVATE_NETWORK_NAME = {PRIVATE_NETWORK}",
            "",
        )
    )
