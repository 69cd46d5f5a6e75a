"""A machine that the journal does not know, as if it were ours. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from dynamo.fleet.record import WorkerRecord
from dynamo.fleet.settled import Destroy, Ghost
from dynamo.fleet.slice import Slice
from dynamo.fleet.slice_offers import Catalogue, offer_of, price_machine, priced_group

__all__ = ["Adopted", "adopted", "as_worker"]

_NO_PLACE = "a machine that the journal does not know, and the slice has no place for"


@dataclass(frozen=True, slots=True)
class Adopted:
    """Machines that are ours from now on, and others."""

    ours: list[WorkerRecord] = field(default_factory=list)
    others: list[Destroy] = field(default_factory=list)


def adopted(
    ghosts: Sequence[Ghost], slice_: Slice, catalogue: Catalogue, live: Sequence[WorkerRecord], now: float
) -> Adopted:
    """Return which machines there is a place for: each of an offer of its group, as many as the group may have."""
    found, counts = Adopted(), Counter(one.group for one in live)
    for ghost in ghosts:
        record, priced = as_worker(ghost, slice_, catalogue, now)
        if priced and counts[record.group] < slice_.nodes[record.group].most:
            counts[record.group] += 1
            found.ours.append(record)
        else:
            found.others.append(Destroy(ghost.provider, ghost.machine.id, record.token, _NO_PLACE))
    return found


def as_worker(ghost: Ghost, slice_: Slice, catalogue: Catalogue, now: float) -> tuple[WorkerRecord, bool]:
    """Return a machine as a worker that has joined, and whether it is of an offer of the slice."""
    machine, group = ghost.machine, ghost.machine.tags.group
    offers = priced_group(slice_, group, catalogue) if group in slice_.nodes else []
    own = offer_of(offers, ghost.provider, machine)
    cores, usd = price_machine(slice_, ghost.provider, machine, catalogue)
    said = own.offering if own else None
    born = min(machine.created or now, now)
    dies = slice_.nodes[group].dies(machine.tags.token, born) if own else None
    record = WorkerRecord(
        machine.tags.token, slice_.name, group, ghost.provider, own.offer.key(group) if own else "",
        machine.name, "joined", now, born, cores, own.memory if own else 0,
        (own.usd_most if own else usd) or 0.0, said.quantum if said else 1.0, said.minimum if said else 60.0,
        machine.id, now, dies=dies,
        why="adopted: the journal did not know it, and the pool hears of it",
    )  # fmt: skip
    return record, own is not None
