"""KEDA and the Kubernetes autoscaler behind it: workers by the length of the queue, down only after a while.

After https://keda.sh/docs (`ScaledObject`, a queue as an external metric of type AverageValue) and
https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale, "Algorithm details" and "Stabilization":
``desired = ceil(length of the queue / queue_length)``, and downwards the highest of what was desired in the last 300 s.
How fast it may grow is not limited here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dynamo.fleet.decision import Decision, Release
from dynamo.fleet.policies.queue_depth import wanted_cores
from dynamo.fleet.policies.steps import Basket, let_go
from dynamo.fleet.view import View

__all__ = ["Keda"]


@dataclass(frozen=True, slots=True)
class Keda:
    """Have ``ceil(jobs / queue_length)`` cores; fewer only when no more were desired for `stabilization` seconds.

    Parameters
    ----------
    queue_length
        Jobs, waiting or running, for each core.
    stabilization
        Seconds; the default of Kubernetes is 300.
    """

    queue_length: float = 1.0
    stabilization: float = 300.0
    name: str = "keda"

    def decide(self, view: View, history: Mapping[str, Any]) -> Decision:
        """Return what is to be bought and let go; the history keeps what was desired of late."""
        basket = Basket(view)
        releases: list[Release] = []
        desired: dict[str, list[list[float]]] = {}
        total = 0.0
        for name, jobs in wanted_cores(view).items():
            cores = next((offer.cores for offer in view.offers if offer.group == name), 1)
            before = history.get("desired", {}).get(name, [])
            late = [each for each in before if each[0] > view.now - self.stabilization]
            desired[name] = _peaks([*late, [view.now, float(math.ceil(jobs / self.queue_length))]])
            least = view.groups[name].min * cores
            want = max(desired[name][0][1], least)
            total += want
            have = sum(each.cores for each in view.workers if each.group == name and each.stage != "draining")
            if want > have:
                basket.add(name, want - have, f"{jobs} jobs are in the queue")
            elif want < have:
                releases += let_go(view, name, have - want, 0.0)
        return Decision(
            tuple(basket.buys), tuple(releases), total, basket.reasons(), history={"desired": desired}
        )


def _peaks(desired: list[list[float]]) -> list[list[float]]:
    """Return what can still be the highest of a window: falling numbers, the highest first."""
    kept: list[list[float]] = []
    for each in desired:
        while kept and kept[-1][1] <= each[1]:
            kept.pop()
        kept.append(each)
    return kept
