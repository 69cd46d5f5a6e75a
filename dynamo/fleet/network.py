"""A network of a slice at one provider: what is asked for, and what there is."""

from __future__ import annotations

from dataclasses import dataclass

from dynamo.fleet.machine import Tags

__all__ = ["Network", "NetworkSpec"]


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """A network as it is asked for.

    Parameters
    ----------
    tags
        Whose it is: of `Tags`, the group is the network's name in the slice.
    cidr
        Its addresses, as ``192.168.10.0/24``.
    ports
        TCP ports that machines of the slice may reach on each other. Everything else, and everybody else, is shut out;
        what a machine itself opens to the outside it may.
    udp
        UDP ports, in the same way.
    bandwidth
        Bits a second that each machine's connection to it is shaped to; None for no limit.
    peers
        Addresses outside of it, each a CIDR, from which those ports may be reached too; never ``0.0.0.0/0``.
    """

    tags: Tags
    cidr: str
    ports: tuple[int, ...] = (9618,)
    udp: tuple[int, ...] = ()
    bandwidth: float | None = None
    peers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Network:
    """A network as its provider tells of it.

    Parameters
    ----------
    id
        What the provider knows it by; what belongs to it (subnet, router, security group) is found by its tags.
    tags
        Whose it is, and which order it came of.
    cidr
        Its addresses; empty where its making did not come so far.
    bandwidth
        Bits a second that connections to it are shaped to, 0 for no limit; None where its provider does not tell, or
        cannot change it.
    """

    id: str
    tags: Tags
    cidr: str = ""
    bandwidth: float | None = None
