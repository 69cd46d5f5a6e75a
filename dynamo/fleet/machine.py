"""A machine: what a provider is asked for, and what it says that there is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Self

from dynamo.fleet.offering import Purchase

__all__ = ["Machine", "MachineSpec", "MachineState", "Tags"]

#: As every cloud knows it: ordered, on, being taken away, taken away, never came up.
MachineState = Literal["pending", "running", "stopping", "gone", "failed"]


@dataclass(frozen=True, slots=True)
class Tags:
    """What is written on every machine and network at its provider, by which it is found again.

    Parameters
    ----------
    slice, group
        Whose it is: the slice's name, and that of its node group or network.
    token
        Which order it came of: the same token is never bought twice.
    owner
        From where it was ordered, see `dynamo.fleet.owner`; empty where nobody said.
    """

    slice: str
    group: str
    token: str
    owner: str = ""

    def written(self) -> dict[str, str]:
        """Return the tags as clouds keep them: names and values."""
        whose = {"dynamo-owner": self.owner} if self.owner else {}
        return {"dynamo-slice": self.slice, "dynamo-group": self.group, "dynamo-token": self.token, **whose}

    @classmethod
    def read(cls, tags: Mapping[str, str]) -> Self | None:
        """Return what `written` wrote; None where that is not ours.

        >>> Tags.read(Tags("dfw", "workers", "7f").written() | {"Name": "x"})
        Tags(slice='dfw', group='workers', token='7f', owner='')
        """
        found = [tags.get(name) for name in ("dynamo-slice", "dynamo-group", "dynamo-token")]
        slice_, group, token = map(str, found)
        return cls(slice_, group, token, str(tags.get("dynamo-owner") or "")) if all(found) else None


@dataclass(frozen=True, slots=True)
class MachineSpec:
    """A machine as it is asked for.

    Parameters
    ----------
    tags
        Whose it is, and which order.
    name
        Its name and host name: letters, digits and hyphens, at most 63.
    size
        What the provider calls it; empty where `cores` and `memory` say it.
    image
        What it is started from, in the provider's words.
    cores, memory
        Cores and bytes, for providers that make machines to measure.
    user_data
        What cloud-init does when it first starts; it holds no secret but a join token.
    purchase, max_price
        How it is bought, and US dollars an hour that are paid for spot at most.
    networks
        Ids of networks of the slice at this provider that it is connected to; none means the provider's own choice.
    reservation
        Id of what was reserved before, where it is part of that.
    lifetime
        Seconds after which the machine ends itself, where the provider can see to that too.
    tunnel
        Whether it builds a tunnel, for which it must be let change its own network.
    """

    tags: Tags
    name: str
    size: str = ""
    image: str = ""
    cores: int = 0
    memory: int = 0
    user_data: str = field(default="", repr=False)
    purchase: Purchase = "on-demand"
    max_price: float | None = None
    networks: tuple[str, ...] = ()
    reservation: str = ""
    lifetime: float = 0.0
    tunnel: bool = False


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine as its provider tells of it.

    Parameters
    ----------
    id
        What the provider knows it by.
    tags
        Whose it is, and which order it came of.
    name
        Its name.
    state
        How it stands.
    size, purchase
        What it is of.
    created
        When it was made by the provider's clock, in Unix seconds; None where it does not say.
    addresses
        Its addresses, private ones first.
    reason
        What the provider says of a machine that failed or went away by itself.
    no_room
        Whether it failed because the provider has none of these left, which clouds may find out after the order.
    """

    id: str
    tags: Tags
    name: str
    state: MachineState
    size: str = ""
    purchase: Purchase = "on-demand"
    created: float | None = None
    addresses: tuple[str, ...] = ()
    reason: str = ""
    no_room: bool = False

    @property
    def there(self) -> bool:
        """Whether it may still cost money: it is on, or will be, or is not gone yet."""
        return self.state in {"pending", "running", "stopping"}
