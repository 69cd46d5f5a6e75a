"""From wanted cores to orders and releases, within all bounds: what the simple policies share."""

from __future__ import annotations

import math
from collections.abc import Iterable

from dynamo.fleet.decision import Buy, Release
from dynamo.fleet.packing import Room
from dynamo.fleet.view import View, Worker

__all__ = ["Basket", "let_go", "supply"]


class Basket:
    """What is to be bought on a view, within the limits of the slice, its groups and offers.

    Parameters
    ----------
    view
        What workers there are, and what may be had.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._room = Room.of(view)
        self.buys: list[Buy] = []
        self.bit: list[str] = []  # limits that left something unbought

    def add(self, group: str, cores: float, why: str) -> None:
        """Buy at least so many cores of a group, by its offers in the order in which the slice prefers them."""
        bit = ""
        for offer in self._view.offers:
            if offer.group != group or cores <= 0:
                continue
            most, limit = self._room.most(offer)
            count = int(min(most, math.ceil(cores / offer.cores)))
            if count:
                self.buys.append(Buy(offer.key, count, why))
                self._room = self._room.without(offer, count)
                cores -= count * offer.cores
            bit = limit if cores > 0 else ""
        if bit and bit not in self.bit:
            self.bit.append(bit)

    def reasons(self) -> tuple[str, ...]:
        """Return why something is bought, and what stood against more."""
        return (*(each.why for each in self.buys), *(f"not all could be bought: {bit}" for bit in self.bit))


def supply(workers: Iterable[Worker]) -> int:
    """Return the cores of the workers that boot or are ready."""
    return sum(worker.cores for worker in workers if worker.stage != "draining")


def let_go(view: View, group: str, cores: float, idle: float | None = None) -> list[Release]:
    """Return releases of workers of a group that have been idle for long enough, of no more than so many cores.

    Never below the `min` of the group, none on a view that is not to be trusted. The longest idle goes first.

    Parameters
    ----------
    view
        What workers there are.
    group
        Whose.
    cores
        How many may go at most.
    idle
        Seconds; the `idle` of the group if None.
    """
    if not view.trusted:
        return []
    bounds = view.groups[group]
    idle = bounds.idle if idle is None else idle
    present = [worker for worker in view.workers if worker.group == group and worker.stage != "draining"]
    since = {
        worker.token: worker.idle_since
        for worker in present
        if worker.stage == "ready" and worker.busy == 0 and worker.idle_since is not None
    }
    rested = [worker for worker in present if view.now - since.get(worker.token, math.inf) >= idle]
    spare = len(present) - bounds.min
    releases: list[Release] = []
    for worker in sorted(rested, key=lambda worker: (since[worker.token], worker.token)):
        if len(releases) >= spare or worker.cores > cores:
            break
        cores -= worker.cores
        releases.append(Release(worker.token, f"idle for {view.now - since[worker.token]:.0f} s"))
    return releases
