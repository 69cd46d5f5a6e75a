"""A core for each job in the queue: simple, and what remains where nothing is known of the jobs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dynamo.fleet.decision import Decision, Release
from dynamo.fleet.demand import fits
from dynamo.fleet.policies.steps import Basket, let_go, supply
from dynamo.fleet.view import Load, Offer, View

__all__ = ["QueueDepth"]


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """Have as many cores as the jobs that wait or run ask for; let a worker go that was idle for its group's `idle`.

    A job counts for the first group that can run it. `min` and `warm` of a group hold whatever the queue says, and
    all limits of the groups and the slice.

    Parameters
    ----------
    parallelism
        Cores bought for each core asked for: 1, as the name says.
    """

    parallelism: float = 1.0
    name: str = "queue_depth"

    def decide(self, view: View, history: Mapping[str, Any]) -> Decision:
        """Return what is to be bought and let go."""
        del history
        basket = Basket(view)
        releases: list[Release] = []
        reasons = []
        total = 0.0
        wanted = wanted_cores(view)
        for name in view.groups:
            present = [worker for worker in view.workers if worker.group == name]
            want = wanted[name] * self.parallelism
            target = max(want, floor_cores(view, name, sum(worker.busy for worker in present)))
            have = supply(present)
            total += target
            if target > have:
                basket.add(name, target - have, f"{wanted[name]} cores are asked for and {name} has {have}")
            elif gone := let_go(view, name, have - target):
                releases += gone
                reasons.append(f"{len(gone)} workers of {name} have had no job for long enough")
        words = (*basket.reasons(), *reasons)
        return Decision(tuple(basket.buys), tuple(releases), total, words, {"asked": sum(wanted.values())})


def wanted_cores(view: View) -> dict[str, int]:
    """Return the cores that the jobs of the queue ask for, by group.

    A job counts for the first group that can run it and has room for it; where none has room, for the last that can
    run it. Jobs that leave cores of a machine unused, because of their cores or memory, count for these too.
    """
    wanted = dict.fromkeys(view.groups, 0)
    room = _rooms(view)
    for load in view.loads:
        jobs = load.waiting + load.running
        able = [(name, each) for name, offers in room.items() if (each := _each(load, offers))]
        for name, each in able:
            fit = (
                jobs
                if name == able[-1][0]
                else max(0, min(jobs, int((_cores(room[name]) - wanted[name]) / each)))
            )
            wanted[name] += math.ceil(fit * each)
            jobs -= fit
    return wanted


def floor_cores(view: View, group: str, busy: int) -> int:
    """Return the cores that a group has at least: its `min` workers, and `warm` more than those that have a job."""
    bounds = view.groups[group]
    cores = next((offer.cores for offer in view.offers if offer.group == group), 1)
    return max(bounds.min * cores, busy + bounds.warm * cores if bounds.warm else 0)


def _rooms(view: View) -> dict[str, list[tuple[Offer, float]]]:
    """Return the offers of each group that is in service, with the machines that there are of it and may be had."""
    rooms: dict[str, list[tuple[Offer, float]]] = {}
    for name, group in view.groups.items():
        there = Counter(
            worker.offer for worker in view.workers if worker.group == name and worker.stage != "draining"
        )
        most = sum(there.values()) if group.out else group.max
        for offer in (each for each in view.offers if each.group == name):
            may = 0 if group.out or offer.rests_until > view.now else offer.left
            have = min(most, there[offer.key] + may)
            most -= have
            rooms.setdefault(name, []).append((offer, have))
    return rooms


def _each(load: Load, offers: Sequence[tuple[Offer, float]]) -> float:
    """Return the cores of a machine that go with one such job, on the first offer of a group that can run it, or 0."""
    fitting = [(offer, fits(load, offer) // load.cores) for offer, _ in offers]
    return next((offer.cores / jobs for offer, jobs in fitting if jobs), 0.0)


def _cores(offers: Sequence[tuple[Offer, float]]) -> float:
    return sum(offer.cores * have for offer, have in offers)
