"""The linear controller of COBalD: more while the workers are busy, fewer while they are not, so many a second.

After COBalD 0.14, ``cobald/controller/linear.py`` (`LinearController.regulate`) and ``cobald/composite/factory.py``
(`FactoryPool`), https://github.com/MatterMiners/cobald; M. Fischer et al., "Lightweight dynamic integration of
opportunistic resources" (EPJ Web of Conferences 245, 2020).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dynamo.fleet.decision import Decision, Release
from dynamo.fleet.policies.steps import Basket, supply
from dynamo.fleet.view import View, Worker

__all__ = ["Cobald"]


@dataclass(frozen=True, slots=True)
class Cobald:
    """Raise the demand by `rate` a second where more than `high_allocation` of the workers is taken; lower it as fast.

    It is lowered where less than `low_utilisation` is used. What is used and what is taken are one here, for a job
    asks for what it uses. Without a worker that is ready both count as 1, as in the source: this is how it begins.
    When there are too many, those go first that have the least to do, and a job that runs is waited for.

    Parameters
    ----------
    rate
        Cores a second, up and down.
    low_utilisation, high_allocation
        Shares of the cores that are ready.
    least
        Cores below which the demand does not fall (COBalD has its `Limiter` for it); the `min` of groups holds too.
    """

    rate: float = 1.0
    low_utilisation: float = 0.5
    high_allocation: float = 0.5
    least: float = 0.0
    name: str = "cobald"

    def decide(self, view: View, history: Mapping[str, Any]) -> Decision:
        """Return what is to be bought and let go; the demand of each group is kept in the history."""
        seconds = view.now - history["at"] if "at" in history else 1.0
        basket = Basket(view)
        releases: list[Release] = []
        demands = {}
        for name, group in view.groups.items():
            present = [worker for worker in view.workers if worker.group == name]
            cores = next((offer.cores for offer in view.offers if offer.group == name), 1)
            used = _utilisation(present)
            demand = self._regulated(history.get("demand", {}).get(name, 0.0), used, seconds)
            demand = demands[name] = min(max(demand, group.min * cores), float(group.max * cores))
            missing = demand - supply(present)
            ready = sum(worker.cores for worker in present if worker.stage == "ready")
            if ready > demand and view.trusted:
                releases += _reaped(present, supply(present) - demand)
            elif missing > 0:
                basket.add(name, missing, f"{used:.0%} of the ready cores have a job")
        kept = {"at": view.now, "demand": demands}
        return Decision(
            tuple(basket.buys), tuple(releases), sum(demands.values()), basket.reasons(), history=kept
        )

    def _regulated(self, demand: float, used: float, seconds: float) -> float:
        if used < self.low_utilisation:
            return max(self.least, demand - seconds * self.rate)
        if used > self.high_allocation:
            return demand + seconds * self.rate
        return demand


def _utilisation(workers: Sequence[Worker]) -> float:
    """Return the mean over the ready workers of the share of their cores that has a job; 1 where none is ready."""
    shares = [worker.busy / worker.cores for worker in workers if worker.stage == "ready"]
    return sum(shares) / len(shares) if shares else 1.0


def _reaped(workers: Sequence[Worker], excess: float) -> list[Release]:
    """Return releases of no more than `excess` cores, of those first that supply the fewest used cores."""
    releases = []
    alive = [worker for worker in workers if worker.stage != "draining"]
    for worker in sorted(alive, key=lambda worker: (worker.busy, worker.stage == "ready", worker.token)):
        if excess <= 0:
            break
        if worker.cores <= excess:
            excess -= worker.cores
            releases.append(Release(worker.token, "the demand fell below the supply"))
    return releases
