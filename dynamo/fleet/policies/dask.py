"""Dask's adaptive scaling: as many workers as do the work that is there within a few seconds.

After distributed 2026.8, ``distributed/scheduler.py`` (`Scheduler.adaptive_target`, `workers_to_close`),
``distributed/deploy/adaptive_core.py`` (`AdaptiveCore.recommendations`) and the defaults of ``distributed.yaml``,
https://github.com/dask/distributed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dynamo.fleet.decision import Decision, Release
from dynamo.fleet.policies.steps import Basket
from dynamo.fleet.view import Load, View, Worker

__all__ = ["Dask", "adaptive_target"]


@dataclass(frozen=True, slots=True)
class Dask:
    """Have ``ceil(expected core-seconds / target_duration)`` cores, and no more than there are tasks.

    A worker is closed when it was idle at `wait_count` decisions in a row at which fewer were wanted than there are.

    Parameters
    ----------
    target_duration
        Seconds within which all that is there is to be done; Dask's default is 5.
    wait_count
        Decisions in a row; Dask's default is 3, a second apart.
    """

    target_duration: float = 5.0
    wait_count: int = 3
    name: str = "dask"

    def decide(self, view: View, history: Mapping[str, Any]) -> Decision:
        """Return what is to be bought and let go; the history counts how often each worker was to be closed."""
        basket = Basket(view)
        releases: list[Release] = []
        counts: dict[str, int] = {}
        total = 0.0
        loads = _by_group(view)
        for name, group in view.groups.items():
            plan = [each for each in view.workers if each.group == name and each.stage != "draining"]
            cores = next((offer.cores for offer in view.offers if offer.group == name), 1)
            target = adaptive_target(loads[name], plan, cores, self.target_duration)
            target = max(group.min, min(target, group.max))
            total += target * cores
            if target > len(plan):
                why = f"{target} workers do what is there within {self.target_duration:g} s"
                basket.add(name, (target - len(plan)) * cores, why)
            elif target < len(plan) and view.trusted:
                counted, closed = self._closed(plan, target, history.get("counts", {}))
                counts |= counted
                releases += closed
        return Decision(
            tuple(basket.buys), tuple(releases), total, basket.reasons(), history={"counts": counts}
        )

    def _closed(
        self, plan: Sequence[Worker], target: int, before: Mapping[str, int]
    ) -> tuple[dict[str, int], list[Release]]:
        """Return how often each worker was to be closed, and those that are."""
        booting = [each for each in plan if each.stage == "booting"][: len(plan) - target]
        idle = [each for each in plan if each.stage == "ready" and not each.busy]
        most = len(plan) - target - len(booting)
        counts = {each.token: before.get(each.token, 0) + 1 for each in [*booting, *idle[: max(0, most)]]}
        why = f"was idle at {self.wait_count} decisions in a row"
        closed = [Release(token, why) for token, count in counts.items() if count >= self.wait_count]
        return {token: count for token, count in counts.items() if count < self.wait_count}, closed


def adaptive_target(loads: Sequence[Load], plan: Sequence[Worker], cores: int, target_duration: float) -> int:
    """Return the workers that Dask wants: by the work, but no more cores than tasks, and none that is busy less."""
    cpu = math.ceil(sum(load.work for load in loads) / target_duration)
    cpu = min(cpu, sum(load.runnable for load in loads))
    target = math.ceil(cpu / cores)
    if target >= len(plan):
        return target
    idle = sum(1 for each in plan if each.stage == "ready" and not each.busy)
    booting = sum(1 for each in plan if each.stage == "booting")
    return max(target, len(plan) - idle - booting)


def _by_group(view: View) -> dict[str, list[Load]]:
    """Return the loads by the first group that can run them."""
    loads: dict[str, list[Load]] = {name: [] for name in view.groups}
    for load in view.loads:
        able = [name for name in view.groups if not load.groups or name in load.groups]
        if able:
            loads[able[0]].append(load)
    return loads
