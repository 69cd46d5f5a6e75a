"""Lost: what the log says of alerts that reach nobody; an operator looks there first. Nothing can go wrong."""

from __future__ import annotations

import logging
import math
import shlex
from collections import Counter
from collections.abc import Callable, Iterable

from dynamo.delivery.records import Tried
from dynamo.delivery.turn import EXPIRED
from dynamo.graph.units import format_count

__all__ = ["Losses", "opening", "tell_given_up", "tell_lost"]

log = logging.getLogger(__name__)

#: Seconds for which what is dropped is added up before it is told, and lines that it has then.
ADD_UP = 5.0
LINES = 10


def opening(channel: str) -> str:
    """Return the command that opens a channel."""
    return f"dynamo alerts replay --channel {shlex.quote(channel)}"


def tell_given_up(channel: str, number: int, reason: str) -> None:
    """Say that so many alerts of a channel are dead letters now, and why."""
    lost = format_count(number, "alert was", "alerts were")
    log.error("%s: %s given up: %s; see `dynamo alerts deadletter`", channel, lost, reason)


def tell_lost(tried: Iterable[Tried]) -> None:
    """Say which of these tries were the last, once for each channel and reason, and which channels closed."""
    tried = list(tried)
    lost = Counter((one.channel, one.verdict.reason) for one in tried if one.verdict.state == "dead")
    for (channel, reason), number in lost.items():
        tell_given_up(channel, number, reason)
    for one in tried:
        if one.outcome.close:
            log.error("%s is closed, nothing is sent to it until `%s`", one.channel, opening(one.channel))


class Losses:
    """What was dropped, added up for some seconds: few lines however many alerts and channels there are."""

    def __init__(self) -> None:
        self._dropped: Counter[tuple[str, str]] = Counter()
        self._begun = math.inf

    def note(self, channel: str, reason: str, now: float) -> None:
        """Note that an alert of a channel was dropped."""
        if not self._dropped:
            self._begun = now
        self._dropped[channel, reason] += 1

    def is_due(self, now: float) -> bool:
        """Whether there is something to tell, and it was added up long enough (also where a clock was set back)."""
        return bool(self._dropped) and not 0 <= now - self._begun < ADD_UP

    def tell(self, why: Callable[[str], str]) -> None:
        """Say how many alerts of which channels were dropped, and why; `why` says what ails a channel, if anything.

        What was overtaken by a later alert harms nobody; what expired is a loss.
        """
        dropped, self._dropped = self._dropped, Counter()
        for (channel, reason), number in dropped.most_common(LINES):
            lost = format_count(number, "alert was", "alerts were")
            ails = why(channel) if reason == EXPIRED else ""
            level = logging.WARNING if reason == EXPIRED else logging.INFO
            log.log(level, "%s: %s dropped: %s%s", channel, lost, reason, f"; it {ails}" if ails else "")
        if others := dropped.most_common()[LINES:]:
            number, channels = sum(n for _, n in others), len({channel for (channel, _), _ in others})
            lost = format_count(number, "more alert was", "more alerts were")
            log.warning("%s dropped, of %s", lost, format_count(channels, "channel"))
