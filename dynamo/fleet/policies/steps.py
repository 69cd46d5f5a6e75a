"""From wanted cores to orders and releases, within all bounds: what the simple policies share."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from dynamo.fleet.decision import Buy, Release
from dynamo.fleet.view import Offer, View, Worker

__all__ = ["Room", "buy", "let_go", "supply"]


@dataclass(slots=True)
class Room:
    """What may still be ordered on a view; each order takes of it.

    `bit` names the limits that left something unbought.
    """

    view: View
    members: dict[str, int] = field(default_factory=dict)
    cores: float = math.inf
    usd_per_hour: float = math.inf
    bit: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, view: View) -> Room:
        """Return the room that the workers of a view leave."""
        prices = {offer.key: offer.usd_per_hour for offer in view.offers}
        room = cls(view, dict.fromkeys(view.groups, 0), view.limits.cores, view.limits.usd_per_hour)
        for worker in view.workers:
            room.members[worker.group] = room.members.get(worker.group, 0) + 1
            room.cores -= worker.cores
            room.usd_per_hour -= prices.get(worker.offer, 0.0)
        return room

    def take(self, offer: Offer, count: int) -> int:
        """Return how many of `count` machines of an offer may be ordered, and count them as ordered."""
        group = self.view.groups[offer.group]
        rooms: list[tuple[float, str]] = [
            (0 if group.out else math.inf, f"{group.name} is out of service: {group.out}"),
            (0 if offer.rests_until > self.view.now else math.inf, f"{offer.key} rests after a refusal"),
            (group.max - self.members.get(group.name, 0), f"{group.name} has its max of {group.max} workers"),
            (offer.left, f"no more of {offer.key} can be had"),
            (self.cores // offer.cores, f"limits.cores of {self.view.limits.cores:g}"),
        ]
        if offer.usd_per_hour > 0.0:
            money = (self.usd_per_hour + 1e-9) // offer.usd_per_hour
            rooms.append((money, f"limits.usd_per_hour of {self.view.limits.usd_per_hour:g}"))
            if self.view.limits.usd_today >= self.view.limits.usd_per_day:
                rooms.append((0, f"limits.usd_per_day of {self.view.limits.usd_per_day:g}"))
        most, why = min(rooms, key=lambda each: each[0])
        taken = int(max(0, min(most, count)))
        if taken < count and why not in self.bit:
            self.bit.append(why)
        self.members[group.name] = self.members.get(group.name, 0) + taken
        self.cores -= taken * offer.cores
        self.usd_per_hour -= taken * offer.usd_per_hour
        return taken


def supply(workers: Iterable[Worker]) -> int:
    """Return the cores of the workers that boot or are ready."""
    return sum(worker.cores for worker in workers if worker.stage != "draining")


def buy(room: Room, group: str, cores: float, why: str) -> list[Buy]:
    """Return orders for at least so many cores of a group, by its offers in the order in which they are preferred."""
    buys = []
    for offer in room.view.offers:
        if offer.group != group or cores <= 0:
            continue
        count = room.take(offer, math.ceil(cores / offer.cores))
        if count:
            buys.append(Buy(offer.key, count, why))
            cores -= count * offer.cores
    return buys


def let_go(view: View, group: str, cores: float, idle: float | None = None) -> list[Release]:
    """Return releases of workers of a group that have been idle for long enough, of no more than so many cores.

    Never below the `min` of the group, none of a view that is not to be trusted. The longest idle goes first.
    """
    bounds = view.groups[group]
    idle = bounds.idle if idle is None else idle
    present = [worker for worker in view.workers if worker.group == group and worker.stage != "draining"]
    spare = len(present) - bounds.min
    if not view.trusted:
        return []
    rested = [
        worker
        for worker in present
        if worker.stage == "ready" and worker.idle_since is not None and view.now - worker.idle_since >= idle
    ]
    releases: list[Release] = []
    for worker in sorted(rested, key=lambda worker: (worker.idle_since or 0.0, worker.token)):
        if len(releases) >= spare or worker.cores > cores:
            break
        cores -= worker.cores
        releases.append(Release(worker.token, f"idle for {view.now - (worker.idle_since or 0.0):.0f} s"))
    return releases
