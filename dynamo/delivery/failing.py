"""Failing channels: what tries say of a channel itself, for those who look after it.

Enters: what was known of a channel, and how its last tries ended. Leaves: since when it fails and why, or that it
works; and what of that the log is told. Pure but for the log; nothing can go wrong.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from dynamo.delivery.records import Tried
from dynamo.delivery.retry import ENOUGH
from dynamo.graph.units import format_count

__all__ = ["Failing", "followed", "moment", "tell_change"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Failing:
    """A channel whose last try failed, or was refused.

    Parameters
    ----------
    channel
        By its address in the journal.
    since, last
        When the first and the last of its failures in a row were, Unix seconds.
    failures
        How many they are.
    reason
        Of the last.
    """

    channel: str
    since: float
    last: float
    failures: int
    reason: str

    @property
    def is_down(self) -> bool:
        """Whether that is more than a failure that one of many may have."""
        return self.failures >= ENOUGH

    def words(self, now: float) -> str:
        """Return since when it fails and why, as in ``fails since 10:45 UTC: HTTP 500``."""
        return f"fails since {moment(self.since, now)}: {self.reason or 'it does not say why'}"


def followed(before: Failing | None, tried: Iterable[Tried]) -> Failing | None:
    """Return how a channel stands after more tries; None where it works, or is closed, which is told as that.

    Only what was sent shows that it works: whoever refuses one delivery may refuse all, as with a wrong secret.
    """
    found = before
    for one in tried:
        if one.outcome.said == "sent" or one.outcome.close:
            found = None
            continue
        first = found or Failing(one.channel, one.at, one.at, 0, "")
        refused = "refused: " if one.outcome.said == "refused" else ""
        status = f"HTTP {one.outcome.status} " if one.outcome.status else ""
        reason = " ".join(f"{refused}{status}{one.outcome.response}".split()).rstrip(":")
        found = Failing(one.channel, first.since, one.at, first.failures + 1, reason)
    return found


def tell_change(before: Failing | None, after: Failing | None, now: float) -> None:
    """Say that a channel fails, once it has failed often enough in a row, and that it works again."""
    was, is_down = before is not None and before.is_down, after is not None and after.is_down
    if after is not None and is_down and not was:
        log.error("%s %s", after.channel, after.words(now))
    elif before is not None and was and not is_down:
        failed = format_count(before.failures, "try", "tries")
        log.warning(
            "%s works again; it failed since %s, %s", before.channel, moment(before.since, now), failed
        )


def moment(at: float, now: float) -> str:
    """Return a time of day, with the date where that is not today's; Unix seconds enter."""
    said, today = datetime.fromtimestamp(at, UTC), datetime.fromtimestamp(now, UTC)
    return f"{said:%H:%M UTC}" if said.date() == today.date() else f"{said:%Y-%m-%d %H:%M UTC}"
