"""Lanes: how many more requests may start, so that endpoints that hang hold back no others.

A request that lasts leaves the fast lane for the slow one, while there is room in it; a channel whose last try
failed starts in the slow one. Pure; times are those of any clock. Nothing can go wrong.
"""

from __future__ import annotations

from collections.abc import Collection

__all__ = ["Lanes"]

#: Seconds after which a request is slow.
LASTS = 1.0


class Lanes:
    """Which channels are under way, in which lane, and since when their present request is."""

    def __init__(self, fast: int, slow: int) -> None:
        self._most_fast, self._most_slow = fast, slow
        self._fast: dict[str, float] = {}
        self._slow: set[str] = set()

    def __len__(self) -> int:
        return len(self._fast) + len(self._slow)

    @property
    def busy(self) -> Collection[str]:
        """Channels under way."""
        return self._fast.keys() | self._slow

    def start(self, channel: str, now: float, *, failing: bool) -> None:
        """Note that a channel is under way."""
        if failing:
            self._slow.add(channel)
        else:
            self._fast[channel] = now

    def again(self, channel: str, now: float) -> None:
        """Note that it begins another request."""
        if channel in self._fast:
            self._fast[channel] = now

    def end(self, channel: str) -> None:
        """Note that it is not under way any more."""
        self._fast.pop(channel, None)
        self._slow.discard(channel)

    def room(self, now: float) -> tuple[int, int]:
        """Return how many healthy and how many failing channels may start."""
        lasting = [channel for channel, since in self._fast.items() if now - since >= LASTS]
        for channel in lasting[: max(0, self._most_slow - len(self._slow))]:
            del self._fast[channel]
            self._slow.add(channel)
        return max(0, self._most_fast - len(self._fast)), max(0, self._most_slow - len(self._slow))
