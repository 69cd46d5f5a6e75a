"""What can be bought from a provider: a size, in a region, in one way of purchase, at a price."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

__all__ = ["Offering", "Purchase"]

#: On demand: until it is given back. Spot: until the cloud wants it back. Reserved: paid for already.
Purchase = Literal["on-demand", "spot", "reserved"]

_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Offering:
    """One thing that a provider sells.

    Parameters
    ----------
    size
        What the provider calls it, as ``c7i.4xlarge``; empty where a machine may have any cores and memory.
    cores, memory, disk, gpus
        What a machine of it has; memory and disk in bytes, 0 where it is not known.
    purchase
        How it is bought.
    region
        Where it is.
    usd_per_hour
        Its price in US dollars; None where nobody has said it, which is not the same as nothing.
    quantum, minimum
        Seconds that are billed at a time, and at least.
    speed
        How fast one core is, against the one that the seconds of tasks are told of.
    left
        How many more may be had now, by the account's quota or what is reserved; None where nobody knows.
    ends
        Unix seconds when what is reserved is over; infinite where nothing is.
    """

    size: str
    cores: int
    memory: int
    purchase: Purchase = "on-demand"
    region: str = ""
    usd_per_hour: float | None = None
    disk: int = 0
    gpus: int = 0
    quantum: float = 1.0
    minimum: float = 60.0
    speed: float = 1.0
    left: int | None = None
    ends: float = math.inf

    def billed(self, seconds: float) -> float:
        """Return the seconds that are billed for a machine that was there for `seconds`.

        >>> Offering("c", 1, 0, quantum=3600).billed(10)
        3600.0
        """
        return max(math.ceil(seconds / self.quantum) * float(self.quantum), self.minimum)

    def cost(self, seconds: float) -> float:
        """Return US dollars for a machine that was there for `seconds`; one without a price costs nothing here."""
        return (self.usd_per_hour or 0.0) * self.billed(seconds) / _HOUR
