"""Times at which a clock asks for a run: every so often, or as cron says. Pure: the time is an argument.

A tick is known by its time, so that a clock that is set back asks for none twice; ticks that were missed, because
the machine slept or was off, are one: the latest. Goes wrong: a schedule that means no time (`UserError`).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol
from zoneinfo import ZoneInfo

from dynamo.errors import UserError, nearest

__all__ = ["Cron", "Every", "Schedule", "due", "schedule_of", "tick"]

#: Some schedules have no tick for years (29 February); this one has none at all.
_NEVER = "means no time that ever comes"


class Schedule(Protocol):
    """Ticks: the first one after a time, and the last one not after it. Times have a zone; ticks are in UTC."""

    def after(self, moment: datetime) -> datetime:
        """Return the first tick after `moment`."""

    def until(self, moment: datetime) -> datetime:
        """Return the last tick at or before `moment`."""

    def __str__(self) -> str:
        """Return it as text, of which `schedule_of` makes it again."""


@dataclass(frozen=True, slots=True)
class Every:
    """Ticks at the whole multiples of `seconds`, counted from 00:00 UTC of 1970, and `offset` seconds later.

    >>> Every(300).after(datetime(2017, 3, 29, 7, 31, tzinfo=UTC)).isoformat()
    '2017-03-29T07:35:00+00:00'
    """

    seconds: float
    offset: float = 0.0

    def __post_init__(self) -> None:
        if not (0 < self.seconds < math.inf and math.isfinite(self.offset)):
            raise UserError(f"every {self.seconds:g} s is no interval; give more than 0 seconds")

    def __str__(self) -> str:
        """Return it as text.

        >>> str(Every(300))
        'every 300 s'
        """
        return f"every {self.seconds:.15g} s" + (f" + {self.offset:.15g} s" if self.offset else "")

    def _tick(self, n: int) -> datetime:
        return datetime.fromtimestamp(n * self.seconds + self.offset, UTC)

    def _count(self, moment: datetime) -> int:
        n = math.floor((moment.timestamp() - self.offset) / self.seconds)
        # Fractions such as 0.1 s cannot be counted exactly: the ticks themselves decide.
        if self._tick(n + 1) <= moment:
            return n + 1
        return n if self._tick(n) <= moment else n - 1

    def after(self, moment: datetime) -> datetime:
        """Return the first tick after `moment`."""
        return self._tick(self._count(moment) + 1)

    def until(self, moment: datetime) -> datetime:
        """Return the last tick at or before `moment`."""
        return self._tick(self._count(moment))


@dataclass(frozen=True, slots=True)
class Cron:
    """Ticks as a cron line says (five fields, or six with seconds first), in a time zone.

    Where a clock change skips or repeats an hour, jobs at a fixed hour run once, as with Debian's cron.

    >>> Cron("*/15 6-18 * * *", "Europe/Berlin").after(datetime(2017, 3, 29, 20, tzinfo=UTC)).isoformat()
    '2017-03-30T04:00:00+00:00'
    """

    expression: str
    zone: str = "UTC"

    def __post_init__(self) -> None:
        from cronsim import CronSimError

        try:
            self.after(datetime(2000, 1, 1, tzinfo=UTC))
        except CronSimError as error:
            raise UserError(
                f"{self.expression!r} is no cron line: {str(error).lower()}; write minute, hour, day, month and "
                "weekday, like '*/5 * * * *'"
            ) from None

    def __str__(self) -> str:
        """Return it as text.

        >>> str(Cron("*/5 6-18 * * *"))
        'cron */5 6-18 * * * in UTC'
        """
        return f"cron {self.expression} in {self.zone}"

    def _zone(self) -> tzinfo:
        if self.zone == "UTC":
            return UTC  # needs no data of time zones
        try:
            return ZoneInfo(self.zone)
        except (KeyError, ValueError, OSError):
            from zoneinfo import available_timezones

            near = nearest(self.zone, available_timezones())
            raise UserError(
                f"there is no time zone {self.zone!r}{near}; write one like Europe/Berlin"
            ) from None

    def _tick(self, moment: datetime, *, reverse: bool) -> datetime:
        from cronsim import CronSim

        try:
            tick = next(CronSim(self.expression, moment.astimezone(self._zone()), reverse=reverse))
        except StopIteration:
            raise UserError(f"{self.expression!r} {_NEVER}") from None
        return tick.astimezone(UTC)

    def after(self, moment: datetime) -> datetime:
        """Return the first tick after `moment`."""
        return self._tick(moment, reverse=False)

    def until(self, moment: datetime) -> datetime:
        """Return the last tick at or before `moment`."""
        return self._tick(moment.replace(microsecond=0) + timedelta(seconds=1), reverse=True)


def schedule_of(text: str) -> Schedule | None:
    """Return the schedule that this is the text of; None where it is of none."""
    try:
        if found := re.fullmatch(r"every (\S+) s(?: \+ (\S+) s)?", text):
            return Every(float(found[1]), float(found[2] or 0.0))
        if found := re.fullmatch(r"cron (.+) in (\S+)", text):
            return Cron(found[1], found[2])
    except (UserError, ValueError):
        return None
    return None


def due(schedule: Schedule, last: datetime, now: datetime) -> datetime | None:
    """Return the tick to run now, if any; of several since `last` the latest.

    `last` is the tick that ran last, or when the schedule began. One from a time that is still to come, because
    the clock was wrong and was set back, is not believed: then the latest tick is returned, also again and again
    until it is taken as `last`. Whoever runs ticks refuses one that ran.
    """
    tick = schedule.until(now)
    return tick if tick > last or last > schedule.after(now) else None


def tick(schedule: Schedule | None, last: float | None, now: float) -> float | None:
    """Return the tick to run now, if any, as `due` does, all in Unix seconds; None where there is no clock."""
    if schedule is None or last is None:
        return None
    moment = due(schedule, datetime.fromtimestamp(last, UTC), datetime.fromtimestamp(now, UTC))
    return moment.timestamp() if moment else None
