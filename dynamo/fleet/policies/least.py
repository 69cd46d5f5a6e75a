"""As few workers as the slice asks for in any case, whatever the queue says: for ``dynamo slice apply``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dynamo.fleet.decision import Decision
from dynamo.fleet.policies.queue_depth import QueueDepth
from dynamo.fleet.view import View

__all__ = ["Least"]


@dataclass(frozen=True, slots=True)
class Least:
    """Have the least of each node group, and let nobody go."""

    queue: QueueDepth = field(default_factory=QueueDepth)
    name: str = "least"

    def decide(self, view: View, history: Mapping[str, Any]) -> Decision:
        """Return what is to be bought."""
        made = self.queue.decide(replace(view, loads=(), coming=()), history)
        buys = tuple(replace(one, why="the slice asks for so many at least") for one in made.buys)
        return replace(made, buys=buys, releases=())
