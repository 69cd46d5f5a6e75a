"""A machine that the journal does not know, as if it were ours. Pure."""

from __future__ import annotations

from dynamo.fleet.record import WorkerRecord
from dynamo.fleet.settled import Ghost
from dynamo.fleet.slice import Slice
from dynamo.fleet.slice_offers import Catalogue, offer_of, price_machine, priced_group

__all__ = ["as_worker"]


def as_worker(ghost: Ghost, slice_: Slice, catalogue: Catalogue, now: float) -> tuple[WorkerRecord, bool]:
    """Return a machine as a worker that has joined, and whether it is of an offer of the slice."""
    machine, group = ghost.machine, ghost.machine.tags.group
    offers = priced_group(slice_, group, catalogue) if group in slice_.nodes else []
    own = offer_of(offers, ghost.provider, machine)
    cores, usd = price_machine(slice_, ghost.provider, machine, catalogue)
    said = own.offering if own else None
    record = WorkerRecord(
        machine.tags.token, slice_.name, group, ghost.provider, own.offer.key(group) if own else "",
        machine.name, "joined", now, min(machine.created or now, now), cores, own.memory if own else 0,
        (own.usd_most if own else usd) or 0.0, said.quantum if said else 1.0, said.minimum if said else 60.0,
        machine.id, now, why="adopted: the journal did not know it, and the pool hears of it",
    )  # fmt: skip
    return record, own is not None
