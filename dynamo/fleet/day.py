"""The day of which a budget is: from midnight to midnight (UTC), whatever somebody sets the clock to. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Self

__all__ = ["Day", "midnight"]

_DAY = timedelta(days=1).total_seconds()
#: Seconds by which a day may be shorter, since the clock was put right.
_RIGHT = 60.0


class Day(NamedTuple):
    """A day.

    Parameters
    ----------
    began, ends
        In Unix seconds by the clock of the fleet: two midnights, unless the clock was set meanwhile.
    """

    began: float
    ends: float

    @classmethod
    def of(cls, now: float) -> Self:
        """Return the day of a time.

        >>> Day.of(90_000.0)
        Day(began=86400.0, ends=172800.0)
        """
        return cls(midnight(now), midnight(now) + _DAY)

    def at(self, now: float) -> Day:
        """Return the day as it is at a time: itself until it ends."""
        return self if now < self.ends else Day.of(now)

    def moved(self, seconds: float) -> Day:
        """Return the day after the clock was set by so many seconds: it ends at a midnight, and is no shorter.

        >>> Day.of(90_000.0).moved(-7200.0)
        Day(began=79200.0, ends=172800.0)
        >>> Day.of(90_000.0).moved(7200.0)
        Day(began=93600.0, ends=259200.0)
        """
        ends = midnight(self.ends + seconds + _DAY - _RIGHT)
        return Day(self.began + seconds, ends)


def midnight(now: float) -> float:
    """Return when the day (UTC) began, in Unix seconds.

    >>> midnight(90_000.0)
    86400.0
    """
    day = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day.timestamp()
