"""Span: the data times of one window."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Span"]


@dataclass(slots=True)
class Span:
    """First and last data time of a window (Unix seconds); `since` when it opened (monotonic seconds)."""

    first: float
    last: float
    since: float = 0.0

    def spread(self, time: float) -> float:
        """Return how many seconds it would cover with a file of this data time."""
        return max(self.last, time) - min(self.first, time)
