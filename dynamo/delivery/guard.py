"""Guard: whom webhooks may talk to, decided when the connection is made.

A name is looked up once, all addresses that it has are checked, and exactly those are connected to: a name that
has another address at the next look-up gains nothing. A run file comes from its user, but endpoints in it may
come from subscribers: without this, one could have requests made inside the network where this runs.
Goes wrong: an address that is not public and not allowed (`Forbidden`); a wrong URL or entry (`UserError`).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from dynamo.errors import UserError

__all__ = ["Forbidden", "Guard", "GuardedResolver", "kind_of"]

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: What `ipaddress` calls global although no public host is there, by version.
ALSO = {
    "reserved": (ip_network("192.0.0.0/24"), ip_network("192.88.99.0/24"), ip_network("fec0::/10")),
    "private": (ip_network("100.64.0.0/10"), ip_network("64:ff9b:1::/48")),
}
NAT64 = IPv6Network("64:ff9b::/96")
#: Names are looked up in threads of their own: a name server that hangs must not hold back other names.
LOOKUPS = 32


class Forbidden(OSError):
    """A host has an address that is not public, and it was not allowed."""


def kind_of(address: Address) -> str:
    """Return what kind of address it is where no public host can be behind it, else an empty text.

    An IPv6 address that stands for an IPv4 one (mapped: RFC 4291; 6to4: RFC 3056; NAT64: RFC 6052) is judged as
    that one.
    """
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return kind_of(inner)
    for kind, networks in ALSO.items():
        if any(address in network for network in networks):
            return kind
    kinds = ("loopback", "link_local", "multicast", "unspecified", "reserved", "private")
    found = next((kind for kind in kinds if getattr(address, f"is_{kind}")), "")
    return found.replace("_", "-") or ("" if address.is_global else "private")


class Guard:
    """Decides about hosts and addresses.

    Parameters
    ----------
    allow
        Host names, addresses and networks (``10.0.0.0/8``) that may be talked to although they are not public.

    Raises
    ------
    UserError
        An entry is neither.
    """

    def __init__(self, allow: Iterable[str] = ()) -> None:
        names, networks = set(), []
        for entry in allow:
            try:
                networks.append(ip_network(entry, strict=False))
            except ValueError:
                if not entry or set("/: ") & set(entry):
                    raise UserError(
                        f"`allow` has {entry!r}; expected a host name, an address, or a network such as 10.0.0.0/8"
                    ) from None
                names.add(_plain(entry))
        self.names: frozenset[str] = frozenset(names)
        self.networks: tuple[Network, ...] = tuple(networks)

    def check(self, host: str, address: str) -> None:
        """Raise `Forbidden` where `host`, which has this address, must not be talked to."""
        found = ip_address(address)
        kind = kind_of(found)
        if not kind or _plain(host) in self.names or any(found in network for network in self.networks):
            return
        what = f"{host} resolves to" if host != address else "its URL names"
        raise Forbidden(f"{what} the {kind} address {address}; put {host} under `allow` if it is meant")

    def url(self, text: str, channel: str) -> URL:
        """Return the URL of a channel, checked as far as it can be without a look-up.

        Raises
        ------
        UserError
            It is none, or names an address that is forbidden; no more of it than its host is told.
        """
        try:
            url = URL(text)
            host = url.raw_host
        except ValueError:
            raise UserError(f"channel {channel!r}: its URL cannot be read") from None
        if url.scheme not in {"http", "https"} or not host:
            raise UserError(f"channel {channel!r}: its URL must begin with http:// or https:// and a host")
        if url.raw_user is not None or url.raw_password is not None:
            raise UserError(f"channel {channel!r}: its URL has a user name; sign it with a secret instead")
        try:
            ip_address(host)
        except ValueError:
            if ":" in host or not set(host) - set("0123456789."):
                # The system reads 127.1 and 2130706433 as addresses, and a connector may ask no resolver about them.
                raise UserError(f"channel {channel!r}: {host} is no full IP address") from None
            return url  # a name: `GuardedResolver` sees to it
        try:
            # The connector asks no resolver about these, so they are checked here; a URL never changes.
            self.check(host, host)
        except Forbidden as error:
            raise UserError(f"channel {channel!r}: {error}") from None
        return url


def _plain(name: str) -> str:
    return name.rstrip(".").casefold()


class GuardedResolver(AbstractResolver):
    """Looks names up for aiohttp, and hands over only what the guard lets pass.

    One bad address forbids the host: a name with a public and a private address is an attack or a mistake.
    """

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self._threads = ThreadPoolExecutor(LOOKUPS, "lookup")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of `host`; raise `Forbidden`, or `OSError` where it has none."""
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, self.look_up, host, port, family
        )
        if not found:
            raise OSError(socket.EAI_NONAME, f"{host} has no address")
        for address, _ in found:
            self.guard.check(host, address)
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=kind, proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address, kind in found
        ]  # fmt: skip

    @staticmethod
    def look_up(host: str, port: int, family: int) -> list[tuple[str, int]]:
        """Ask the system for addresses, with their families."""
        infos = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        # The scope of a link-local address is left out: such an address is forbidden, or has none to be allowed by.
        return list(
            dict.fromkeys((str(address[0]).partition("%")[0], int(kind)) for kind, *_, address in infos)
        )

    async def close(self) -> None:
        """Let the threads go; one that hangs in a look-up ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)
