"""A slice as types: machines of several clouds that belong together, their networks, and what all may cost.

What may stand in the document is in `dynamo.fleet.slice_keys`; `dynamo.fleet.slice_file` reads it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from dynamo.errors import UserError
from dynamo.fleet.credentials import find_credentials
from dynamo.fleet.life import lasting
from dynamo.fleet.offering import Purchase
from dynamo.fleet.provider import ProviderSettings
from dynamo.graph.units import format_bytes, format_count

__all__ = [
    "TOKEN_SHOWN",
    "Measure",
    "NetworkRule",
    "NodeGroup",
    "NodeOffer",
    "PoolRule",
    "ProviderRule",
    "Role",
    "Slice",
    "SliceLimits",
    "TunnelRule",
    "machine_name",
]

#: What the machines of a group are to the pool: they run jobs, or take them in.
Role: TypeAlias = Literal["worker", "submit"]

#: How much of a token stands in the name of a machine.
TOKEN_SHOWN = 8


def machine_name(slice_: str, group: str, token: str) -> str:
    """Return the name of the machine that an order makes.

    >>> machine_name("dfw", "workers", "7f3a90c1d2e4")
    'dfw-workers-7f3a90c1'
    """
    return f"{slice_}-{group}-{token[:TOKEN_SHOWN]}"


@dataclass(frozen=True, slots=True)
class Measure:
    """A size by what it has, for providers that make machines to measure: cores, and memory in bytes."""

    cores: int
    memory: int

    def __str__(self) -> str:
        return f"{format_count(self.cores, 'core')} and {format_bytes(self.memory)}"


@dataclass(frozen=True, slots=True)
class PoolRule:
    """The HTCondor pool that the machines join; where nothing is said, the one that HTCondor is configured for here.

    Parameters
    ----------
    central_manager, trust_domain
        Where its central manager is, as host or ``host:port``, and in which domain its tokens are good.
    name
        Of a pool of ``dynamo pool up`` on this machine, in the place of both.
    join
        Where machines reach this one to join, as host or ``host:port``.
    """

    central_manager: str = ""
    trust_domain: str = ""
    name: str = ""
    join: str = ""


@dataclass(frozen=True, slots=True)
class ProviderRule:
    """One cloud, in one region, by one account.

    `options` are the keys that are its driver's own.
    """

    driver: str
    region: str = ""
    credentials: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    def settings(self, name: str) -> ProviderSettings:
        """Return what its driver connects with; raises `UserError` where the credentials are not to be found."""
        found = {"credentials": find_credentials(self.credentials)} if self.credentials else {}
        return ProviderSettings(name, self.driver, self.region, options=dict(self.options), **found)


@dataclass(frozen=True, slots=True)
class TunnelRule:
    """How machines of a network come to the pool where nothing else leads there: through a tunnel (WireGuard).

    Parameters
    ----------
    hub
        Where machines reach the central manager, its end of the tunnel, by UDP: ``host:port``.
    providers
        Those whose machines come through it; empty for all that the network spans.
    to
        What they reach through it beside the hub, as CIDRs: the pool's access points.
    """

    hub: str
    providers: tuple[str, ...] = ()
    to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NetworkRule:
    """A network of the slice, which may span several providers.

    `bandwidth` is in bits a second, None for no limit, and that of the `tunnel` where there is one; `ports` and `udp`
    are what machines of the slice may reach on each other, and `peers` from which other addresses they may.
    """

    cidr: str
    spans: tuple[str, ...]
    bandwidth: float | None = None
    ports: tuple[int, ...] = (9618,)
    udp: tuple[int, ...] = ()
    peers: tuple[str, ...] = ()
    tunnel: TunnelRule | None = None

    def tunnelled(self, provider: str) -> bool:
        """Return whether machines of a provider come through the tunnel."""
        return self.tunnel is not None and provider in (self.tunnel.providers or self.spans)

    def overlay(self) -> str:
        """Return the addresses of the tunnel: a part like those of the providers, behind them.

        Raises `UserError` where there are too few.

        >>> NetworkRule("10.0.0.0/24", ("a", "b"), tunnel=TunnelRule("hub:51820")).overlay()
        '10.0.0.128/26'
        """
        return self._cut()[len(self.spans)]

    def parts(self) -> dict[str, str]:
        """Return the addresses of each provider: equal parts, as between them it is routed, in the order of `spans`.

        Raises `UserError` where there are too few.

        >>> NetworkRule("10.0.0.0/24", ("a", "b", "c")).parts()
        {'a': '10.0.0.0/26', 'b': '10.0.0.64/26', 'c': '10.0.0.128/26'}
        """
        return dict(zip(self.spans, self._cut(), strict=False))

    def _cut(self) -> list[str]:
        more = (len(self.spans) + (self.tunnel is not None) - 1).bit_length()
        whole = ipaddress.IPv4Network(self.cidr)
        if whole.prefixlen + more > 28:  # the smallest that all clouds make
            tunnel = " and a tunnel" if self.tunnel else ""
            raise UserError(
                f"{self.cidr} has too few addresses for {format_count(len(self.spans), 'provider')}{tunnel}: each "
                f"takes a part of 16 at least, so give a /{28 - more} or larger"
            )
        return [str(one) for one in whole.subnets(more)]


@dataclass(frozen=True, slots=True)
class NodeOffer:
    """One way to buy machines of a group.

    Parameters
    ----------
    provider, size
        Where, and which: what the provider calls it, or what it is to have.
    purchase
        How it is bought; empty for reserved where there is a `reservation`, else on demand.
    max_price
        US dollars an hour that are paid for spot at most; None for the price on demand.
    reservation
        What was reserved before, as the provider names it.
    usd_per_hour
        Its price where the catalogue does not know it, or knows another.
    image
        What its machines start from, where it is not that of the group.
    at_most
        How many machines are bought by it at most; None for as many as the group may have.
    """

    provider: str
    size: str | Measure
    purchase: Purchase | Literal[""] = ""
    max_price: float | None = None
    reservation: str = ""
    usd_per_hour: float | None = None
    image: str = ""
    at_most: int | None = None

    @property
    def bought(self) -> Purchase:
        """How it is bought."""
        return self.purchase or ("reserved" if self.reservation else "on-demand")

    def key(self, group: str) -> str:
        """Return what it is told from all other offers of the slice by, see `dynamo.fleet.view.Offer`."""
        size = self.size if isinstance(self.size, str) else ""
        return f"{group}/{self.provider}/{size}/{self.bought}"

    def __str__(self) -> str:
        return f"{self.size} ({self.bought}) at {self.provider}"


@dataclass(frozen=True, slots=True)
class NodeGroup:
    """Machines of one kind: a fixed `count` of them, or from `min` to `max` as work asks for them.

    Parameters
    ----------
    offers
        How they can be bought, best first.
    role
        What they are to the pool.
    count
        How many, always; None for a group that grows and shrinks.
    min, max, warm
        How many at least, at most, and kept without work for what may come.
    networks
        Names of networks that they are connected to.
    image
        What they start from, in the provider's words.
    lifetime
        Seconds after which a machine ends; 0 for no end.
    idle
        Seconds that one without a job is kept.
    """

    offers: tuple[NodeOffer, ...] = ()
    role: Role = "worker"
    count: int | None = None
    min: int = 0
    max: int = 0
    warm: int = 0
    networks: tuple[str, ...] = ()
    image: str = ""
    lifetime: float = 0.0
    idle: float = 600.0

    @property
    def fewest(self) -> int:
        """How many there are at least."""
        return max(self.min, self.warm) if self.count is None else self.count

    @property
    def most(self) -> int:
        """How many there are at most."""
        return self.max if self.count is None else self.count

    def dies(self, token: str, born: float) -> float | None:
        """Return when the lifetime of the machine of an order is over (Unix seconds); None where it has none."""
        lasts = lasting(self.lifetime, token) if self.role == "worker" else self.lifetime
        return born + lasts if self.lifetime else None


@dataclass(frozen=True, slots=True)
class SliceLimits:
    """What all machines together may have and cost; infinite where nothing is said. The day is that of UTC."""

    cores: float = float("inf")
    usd_per_hour: float = float("inf")
    usd_per_day: float = float("inf")

    @property
    def money(self) -> bool:
        """Whether there is a budget."""
        return min(self.usd_per_hour, self.usd_per_day) < float("inf")

    @property
    def hourly(self) -> float:
        """US dollars an hour that can be kept up all day long."""
        return min(self.usd_per_hour, self.usd_per_day / 24)


@dataclass(frozen=True, slots=True)
class Slice:
    """A dynamo slice: the machines, networks and limits that one document asks for."""

    name: str
    providers: Mapping[str, ProviderRule]
    nodes: Mapping[str, NodeGroup]
    pool: PoolRule = PoolRule()
    networks: Mapping[str, NetworkRule] = field(default_factory=dict)
    limits: SliceLimits = SliceLimits()
