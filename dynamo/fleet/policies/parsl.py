"""Parsl's strategies: a slot for each task, and all blocks back when there is nothing to do.

After Parsl 2026.10, ``parsl/jobs/strategy.py`` (`Strategy._general_strategy`), https://github.com/Parsl/parsl; the
default of `max_idletime` is that of ``parsl/config.py``. A block is a worker here, of as many slots as it has cores.
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

__all__ = ["Parsl"]


@dataclass(frozen=True, slots=True)
class Parsl:
    """Scale out where there are fewer slots than ``parallelism * tasks``, and in where there was none for a while.

    Parameters
    ----------
    parallelism
        Slots wanted for each task.
    max_idletime
        Seconds without any task after which all goes; Parsl's default is 120.
    strategy
        ``simple``, or ``htex_auto_scale``: that lets workers go that were idle for so long while others have tasks.
    """

    parallelism: float = 1.0
    max_idletime: float = 120.0
    strategy: str = "simple"
    name: str = "parsl"

    def decide(self, view: View, history: Mapping[str, Any]) -> Decision:
        """Return what is to be bought and let go; the history keeps since when a group has had nothing to do."""
        basket = Basket(view)
        releases: list[Release] = []
        idle: dict[str, float] = {}
        total = 0
        for name, tasks in wanted_cores(view).items():
            present = [each for each in view.workers if each.group == name and each.stage != "draining"]
            slots = sum(each.cores for each in present)
            total += max(tasks, 0)
            if not tasks:
                idle[name] = history.get("idle", {}).get(name, view.now)
                if view.now - idle[name] > self.max_idletime:
                    releases += let_go(view, name, math.inf, 0.0)
            elif slots < tasks * self.parallelism:
                excess = math.ceil(tasks * self.parallelism - slots)
                basket.add(name, excess, f"{tasks} tasks and {slots} slots")
            elif slots > tasks and self.strategy == "htex_auto_scale":
                releases += let_go(view, name, slots - tasks * self.parallelism, self.max_idletime)
        return Decision(
            tuple(basket.buys), tuple(releases), float(total), basket.reasons(), history={"idle": idle}
        )
