"""What becomes of a slice: the steps of a plan, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

__all__ = ["Action", "Plan", "Step"]

#: What becomes of a machine or network; what changes is made anew, what ends is being taken away already, and a network
#: that is shaped gets another bandwidth, with the machines in it.
Action: TypeAlias = Literal["make", "keep", "shape", "change", "remove", "ends"]


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of one machine, network or tunnel, or of `count` that are yet to be made.

    Parameters
    ----------
    action, kind
        What becomes of what.
    group, provider
        The node group or network, and where; of a tunnel, where its hub is.
    count
        How many.
    id, name
        What the provider knows it by, and its name; empty where it is yet to be made.
    size
        Of a machine, what it is of; of a network, its addresses; of a tunnel, its bandwidth.
    offer
        The key of the offer by which one is made; empty where none is.
    usd_per_hour
        What one machine costs an hour, of one that is changed what the new one costs; None where nobody has said it.
    why
        Why, where that is not plain.
    """

    action: Action
    kind: Literal["network", "machine", "tunnel"]
    group: str
    provider: str
    count: int = 1
    id: str = ""
    name: str = ""
    size: str = ""
    offer: str = ""
    usd_per_hour: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of a slice.

    Parameters
    ----------
    slice
        Its name.
    steps
        What becomes of what, in the order in which it is done.
    usd_now, usd_after, usd_most
        US dollars an hour: of what there is, of what there will be, and of all that the groups may grow to.
    cores_now, cores_after
        Cores likewise.
    unpriced
        How many machines that there will be have a price that nobody has said: they are not in the sums.
    short
        Machines that cannot be had, and why, in sentences.
    silent
        Providers that did not answer, each with the reason: nothing is known of what is there.
    """

    slice: str
    steps: tuple[Step, ...] = ()
    usd_now: float = 0.0
    usd_after: float = 0.0
    usd_most: float = 0.0
    cores_now: int = 0
    cores_after: int = 0
    unpriced: int = 0
    short: tuple[str, ...] = ()
    silent: Mapping[str, str] = field(default_factory=dict)

    @property
    def changes(self) -> tuple[Step, ...]:
        """The steps that something is to be done for."""
        return tuple(one for one in self.steps if one.action not in {"keep", "ends"})
