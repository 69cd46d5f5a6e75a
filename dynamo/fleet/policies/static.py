"""Always the same number of cores: what there is without a fleet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dynamo.fleet.decision import Decision, Release
from dynamo.fleet.policies.steps import Basket, let_go, supply
from dynamo.fleet.view import View

__all__ = ["Static"]


@dataclass(frozen=True, slots=True)
class Static:
    """Have `cores` of the first group that is offered, from the start; what dies is bought again."""

    cores: float = 1.0
    name: str = "static"

    def decide(self, view: View, history: Mapping[str, Any]) -> Decision:
        """Return what is missing, or too many."""
        del history
        basket = Basket(view)
        releases: list[Release] = []
        group = next((offer.group for offer in view.offers), "")
        have = supply(worker for worker in view.workers if worker.group == group)
        if group and have < self.cores:
            basket.add(group, self.cores - have, f"{self.cores:g} cores are to be there, and {have} are")
        elif group and have > self.cores:
            releases += let_go(view, group, have - self.cores, 0.0)
        return Decision(tuple(basket.buys), tuple(releases), self.cores, basket.reasons())
