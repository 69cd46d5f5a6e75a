"""A machine of a simulation, from its order until it is gone."""

from __future__ import annotations

import math
from typing import Literal

from dynamo.fleet.view import Offer

__all__ = ["Machine", "State", "paid_seconds"]

#: As `dynamo.fleet.view.Stage`, and ``gone`` for one that is given back or dead.
State = Literal["booting", "ready", "draining", "gone"]


class Machine:
    """One order; changed in place, for there are very many.

    Parameters
    ----------
    number
        How many were ordered before it.
    place
        The place of its offer among those of the scenario.
    offer
        What it was bought by.
    made
        When it was ordered.
    """

    __slots__ = (
        "free",
        "gone",
        "idle_since",
        "jobs",
        "made",
        "number",
        "offer",
        "place",
        "ready",
        "since",
        "state",
    )

    def __init__(self, number: int, place: int, offer: Offer, made: float) -> None:
        self.number = number
        self.place = place
        self.offer = offer
        self.made = made
        self.ready = math.inf
        self.gone = math.inf
        self.since = made
        self.state: State = "booting"
        self.free = offer.cores
        self.idle_since: float | None = None
        self.jobs: dict[int, int] = {}  # number of the job -> cores that it takes

    @property
    def token(self) -> str:
        """What the policy calls it by."""
        return f"m{self.number}"


def paid_seconds(machine: Machine, end: float, paid_from: str) -> float:
    """Return the seconds that a machine is paid for when it is gone, or when the simulation ends at `end`.

    Billed are whole steps of the offer's quantum, and never less than its minimum. A machine that never joined is
    paid for nothing where payment begins when it is ready.
    """
    begin = machine.made if paid_from == "order" else machine.ready
    last = min(machine.gone, end)
    if begin >= last and (paid_from != "order" or begin > end):
        return 0.0
    used = max(last - begin, machine.offer.minimum)
    quantum = machine.offer.quantum
    return math.ceil(used / quantum - 1e-9) * quantum if quantum > 0.0 else used
