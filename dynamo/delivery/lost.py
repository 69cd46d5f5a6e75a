"""Lost: what the log says of alerts that were given up; an operator looks there first. Nothing can go wrong."""

from __future__ import annotations

import logging
import shlex
from collections import Counter
from collections.abc import Iterable

from dynamo.delivery.records import Tried
from dynamo.graph.units import format_count

__all__ = ["opening", "tell_given_up", "tell_lost"]

log = logging.getLogger(__name__)


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
