"""Units that are ready, of all runs: the most urgent first, and among equals the one that came first."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dynamo.engine.ready import Unit
    from dynamo.engine.run import Run

__all__ = ["Queue"]


class Queue:
    """In order of the run's priority, then that of the unit's tasks, then their deadline."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, float, int, Run, Unit]] = []
        self._order = count()

    def __bool__(self) -> bool:
        return bool(self._heap)

    def push(self, run: Run, units: Sequence[Unit]) -> None:
        """Add units of a run."""
        for unit in units:
            needs = run.needs(unit)
            due = run.began + needs.deadline if needs.deadline else float("inf")
            place = (-run.request.priority, -needs.priority, due, next(self._order))
            heapq.heappush(self._heap, (*place, run, unit))

    def first(self) -> tuple[Run, Unit]:
        """Return the next unit and its run; it stays."""
        *_, run, unit = self._heap[0]
        return run, unit

    def pop(self) -> None:
        """Take the next unit away."""
        heapq.heappop(self._heap)

    def clear(self) -> None:
        """Forget all of them."""
        self._heap.clear()
