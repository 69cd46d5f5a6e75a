"""Files in whose names no time is found: they are in no window, which somebody should be told.

Enters: files that were seen. Leaves: for which inputs the newest file is one of these, and news of them. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dynamo.triggers.arrival import Arrival

__all__ = ["Untimed", "UntimedNews"]


@dataclass(frozen=True, slots=True)
class UntimedNews:
    """Of the files without a time that came since the last news: the first, and how many."""

    first: Arrival
    count: int


class Untimed:
    """Of one feed; an input is untimed from a file without a time until one with a time comes, by their changes."""

    def __init__(self) -> None:
        self._inputs: dict[str, Arrival] = {}
        self._news: UntimedNews | None = None

    @property
    def inputs(self) -> Mapping[str, Arrival]:
        """The inputs whose newest file has no time, with that file."""
        return self._inputs

    def take(self, arrivals: Iterable[Arrival]) -> None:
        """Take files that came together."""
        for arrival in sorted(arrivals, key=lambda one: one.mtime):
            if arrival.time is not None:
                self._inputs.pop(arrival.input, None)
                continue
            self._inputs[arrival.input] = arrival
            before = self._news
            self._news = UntimedNews(before.first if before else arrival, (before.count if before else 0) + 1)

    def take_news(self) -> UntimedNews | None:
        """Return the news, if any, once."""
        news, self._news = self._news, None
        return news
