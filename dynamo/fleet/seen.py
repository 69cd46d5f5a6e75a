"""What was seen of the world at one time: what clouds list, and what the pool says of its workers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dynamo.fleet.machine import Machine
from dynamo.fleet.queue import PoolWorker

__all__ = ["Heard", "Listing", "Seen"]


@dataclass(frozen=True, slots=True)
class Listing:
    """What one provider listed of the slice, and when it was asked."""

    at: float
    machines: Mapping[str, Machine]
    """By the token of the order; where two have the same, one of them, and the other in `doubles`."""
    doubles: tuple[Machine, ...] = ()


@dataclass(frozen=True, slots=True)
class Heard(PoolWorker):
    """What the pool says of one worker, and what follows from the jobs that run there.

    Parameters
    ----------
    ends
        When the last of its jobs is expected to be done.
    urgent
        Whether one of its jobs has a deadline that it can still meet.
    """

    ends: float | None = None
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """The world at one time.

    Parameters
    ----------
    now
        When.
    listings
        Provider to its last complete listing, which may be older than now; those that never gave one are not in it.
    fresh
        Providers that gave a complete listing just now.
    heard
        Token to what the pool says of the worker; None where the pool did not answer.
    since
        When the pool was first heard, after the controller's start or the pool's; a pool that has just come back knows
        few of its workers yet.
    """

    now: float
    listings: Mapping[str, Listing] = field(default_factory=dict)
    fresh: frozenset[str] = frozenset()
    heard: Mapping[str, Heard] | None = None
    since: float = 0.0
