"""A core for each job in the queue: simple, and what remains where nothing is known of the jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dynamo.fleet.decision import Buy, Decision, Release
from dynamo.fleet.policies.steps import Room, buy, let_go, supply
from dynamo.fleet.view import View

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
        room = Room.of(view)
        buys: list[Buy] = []
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
                why = f"{wanted[name]} cores are asked for and {name} has {have}"
                buys += buy(room, name, target - have, why)
                reasons.append(why)
            elif gone := let_go(view, name, have - target):
                releases += gone
                reasons.append(f"{len(gone)} workers of {name} have had no job for long enough")
        reasons += [f"not all could be bought: {bit}" for bit in room.bit]
        return Decision(tuple(buys), tuple(releases), total, tuple(reasons), {"asked": sum(wanted.values())})


def wanted_cores(view: View) -> dict[str, int]:
    """Return the cores that the jobs of the queue ask for, by the group that is first to be able to run them."""
    wanted = dict.fromkeys(view.groups, 0)
    served = [
        offer.group for offer in view.offers if offer.group in wanted and not view.groups[offer.group].out
    ]
    for load in view.loads:
        able = [group for group in served if not load.groups or group in load.groups]
        if able:
            wanted[able[0]] += load.runnable
    return wanted


def floor_cores(view: View, group: str, busy: int) -> int:
    """Return the cores that a group has at least: its `min` workers, and `warm` more than those that have a job."""
    bounds = view.groups[group]
    cores = next((offer.cores for offer in view.offers if offer.group == group), 1)
    return max(bounds.min * cores, busy + bounds.warm * cores if bounds.warm else 0)
