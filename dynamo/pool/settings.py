"""What a pool in containers shall be: its name, its workers, and what of this machine it sees."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

from dynamo.errors import UserError

__all__ = ["CONTAINERS", "DEFAULT_NAME", "PoolSettings"]

DEFAULT_NAME = "pool"
#: What a worker can run containers with.
CONTAINERS = ("docker", "apptainer")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """A pool as it is asked for.

    Parameters
    ----------
    name
        Of the pool on this machine; also in the names of its containers and in the identities of its tokens.
    workers, cores
        How many workers, and how many slots each offers, one core to a slot.
    memory
        Bytes of memory of each worker, divided evenly among its slots.
    mounts
        Folders that the submit container sees at the same path.
    shared
        Whether the workers see them too, so that nothing need be sent.
    containers
        What the workers run jobs in containers with: ``docker``, ``apptainer``, or both.
    images
        Folders with images of Apptainer, which the workers see at the same path, to be read only.
    tunnel
        Address of this machine and UDP port, as ``203.0.113.7:51820``, at which the central manager is the hub of
        tunnels that machines elsewhere come through; empty for none.

    Raises `UserError` that says what does not fit.
    """

    name: str = DEFAULT_NAME
    workers: int = 2
    cores: int = 1
    memory: int = 2 * 2**30
    mounts: tuple[Path, ...] = ()
    containers: tuple[str, ...] = ()
    images: tuple[Path, ...] = ()
    shared: bool = False
    tunnel: str = ""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise UserError(
                f"{self.name!r} cannot be the name of a pool: small letters, digits and hyphens, at most 31"
            )
        if self.workers < 0 or self.cores < 1:
            raise UserError(f"a pool has workers with cores: {self.workers} of {self.cores} were asked for")
        if self.memory < self.cores * 2**27:
            raise UserError(
                f"a slot needs 128 MiB at least: a worker of {self.cores} slots more than was given"
            )
        for folder in (*self.mounts, *self.images):
            if not folder.is_absolute() or not folder.is_dir():
                raise UserError(f"cannot mount {folder}: it is no folder of this machine")
        if self.tunnel and not _is_place(self.tunnel):
            raise UserError(
                f"{self.tunnel!r} is no place for a tunnel: an IPv4 address of this machine and a UDP port, like "
                "203.0.113.7:51820; 0.0.0.0 would be every address that it has"
            )

    @property
    def domain(self) -> str:
        """The domain of trust: identities are ``user@domain``."""
        return f"{self.name}.dynamo"

    @property
    def prefix(self) -> str:
        """What the names of its containers, volumes and its network begin with."""
        return f"dynamo-{self.name}"


def _is_place(text: str) -> bool:
    address, _, port = text.rpartition(":")
    try:
        known = not ipaddress.IPv4Address(address).is_unspecified
    except ValueError:
        return False
    return known and port.isdecimal() and 0 < int(port) < 65536
