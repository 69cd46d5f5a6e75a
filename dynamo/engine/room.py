"""Room on the disk: when what found none is tried again, and how often a run may find none.

Enters: what a full disk ended, by a clock that is given. Leaves: whether it is time to try again, and requests to go
on. Goes wrong: a run that is under way whenever the disk is full is given up (`UserError`): it may be what fills it.
"""

from __future__ import annotations

import math
from dataclasses import replace

from dynamo.engine.limits import RETRIES
from dynamo.engine.request import Request
from dynamo.errors import UserError
from dynamo.graph.units import format_count

__all__ = ["Room"]


class Room:
    """What waits for room, of one engine; times are monotonic seconds."""

    def __init__(self) -> None:
        self._next = -math.inf
        self._waits = False
        self._ended: dict[str, int] = {}

    def may_begin(self, now: float) -> bool:
        """Whether a run may be begun, or it is too early to try again."""
        return now >= self._next

    def wait(self, until: float) -> None:
        """Begin nothing before that."""
        self._next, self._waits = until, True

    def over(self) -> bool:
        """Note that nothing waits any more; return whether anything did."""
        waited, self._waits = self._waits, False
        return waited

    def again(self, request: Request) -> Request:
        """Return the request to go on with a run that was ended; raise `UserError` where that was so too often."""
        times = self._ended[request.run] = self._ended.get(request.run, 0) + 1
        if times > RETRIES:
            self.forget(request.run)
            raise UserError(
                f"run {request.run}: the disk of the workspace was full {format_count(times, 'time')} while it ran; "
                "make room, or have its tasks write less"
            )
        return replace(request, resume=True)

    def forget(self, run: str) -> None:
        """Note that a run is over."""
        self._ended.pop(run, None)
