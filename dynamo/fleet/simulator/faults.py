"""What goes wrong in a simulation, as data: each fault has a time, and some a place."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Death", "Fault", "NoBoots", "NoCollector", "NoStock", "Outage", "Reclaim", "SlowBoots"]


@dataclass(frozen=True, slots=True)
class NoStock:
    """A cloud has no machine of an offer from `start` to `end`: orders are refused, and the offer rests."""

    offer: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class SlowBoots:
    """Machines ordered from `start` to `end` take `factor` times as long to boot; of all offers if none is named."""

    start: float
    end: float
    factor: float
    offer: str = ""


@dataclass(frozen=True, slots=True)
class NoBoots:
    """A `share` of the machines ordered from `start` to `end` never join, and are given up after `after` seconds."""

    start: float
    end: float
    share: float = 1.0
    offer: str = ""
    after: float = 900.0


@dataclass(frozen=True, slots=True)
class Outage:
    """A provider does not answer: nothing can be ordered, and what is given back is paid until it does."""

    provider: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class NoCollector:
    """The collector restarted empty: jobs that run go on, nothing is matched, and the queue and the pool are not seen.

    Where it is not `noticed`, the view says that it is to be trusted, and is empty all the same.
    """

    start: float
    end: float
    noticed: bool = True


@dataclass(frozen=True, slots=True)
class Reclaim:
    """The cloud takes back a `share` of the machines of an offer at `at`; their jobs run again."""

    offer: str
    at: float
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Death:
    """The machine that was ordered as number `order`, from 0, dies with its jobs `after` seconds after it joined."""

    order: int
    after: float


Fault = NoStock | SlowBoots | NoBoots | Outage | NoCollector | Reclaim | Death
