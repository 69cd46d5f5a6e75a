"""What follows from what was seen of the world: records that changed, and what is to be done about machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dynamo.fleet.machine import Machine
from dynamo.fleet.record import WorkerRecord

__all__ = ["Destroy", "Ghost", "Settled"]


@dataclass(frozen=True, slots=True)
class Destroy:
    """Take a machine away at its provider."""

    provider: str
    machine: str
    token: str
    why: str


@dataclass(frozen=True, slots=True)
class Ghost:
    """A machine that the journal does not know, but the pool hears of: it may be adopted."""

    provider: str
    machine: Machine


@dataclass(frozen=True, slots=True)
class Settled:
    """What follows from what was seen.

    Parameters
    ----------
    workers
        Records that changed, as they are now.
    destroy
        What is to be taken away.
    ghosts
        What may be adopted.
    unknown
        All machines that the journal does not know, also those that are too young to act on.
    noticed
        What was noticed and is not believed yet, and since when; to be given the next time.
    """

    workers: tuple[WorkerRecord, ...] = ()
    destroy: tuple[Destroy, ...] = ()
    ghosts: tuple[Ghost, ...] = ()
    unknown: tuple[Ghost, ...] = ()
    noticed: Mapping[str, float] = field(default_factory=dict)
