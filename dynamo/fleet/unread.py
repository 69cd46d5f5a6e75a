"""Access points of the fleet whose queue cannot be read: it is said where that lasts, for no worker comes for it."""

from __future__ import annotations

import logging

from dynamo.fleet.seldom import Seldom

__all__ = ["Unread"]

log = logging.getLogger(__name__)

#: Seconds for which it must fail: one that has just ended is still in the collector.
_LASTS = 120.0
_HOUR = 3600.0


class Unread:
    """Warns once an hour of each access point that cannot be read."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}
        self._seldom = Seldom(log, _HOUR)

    def failed(self, name: str, error: Exception, now: float) -> None:
        """Note that the queue of an access point could not be read, at a time (s)."""
        if now - self._since.setdefault(name, now) < _LASTS:
            return
        self._seldom.warn(
            f"the queue of the access point {name} cannot be read, and no worker is bought for what has come into it "
            "since. Is it of a slice that is looked after from another workspace, all is well, for its key is there; "
            "is it of this one, fleet/queues.key was lost: drain it, and another is made",
            now,
            f" ({str(error).strip()})",
        )

    def read(self, name: str) -> None:
        """Note that it was read."""
        self._since.pop(name, None)
