"""Back-pressure: which of the windows that wait start now, and which never will. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Choice", "FeedRule", "Waiting", "choose"]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A window of a feed that waits, or runs, by its data time (Unix seconds)."""

    feed: str
    time: float


@dataclass(frozen=True, slots=True)
class FeedRule:
    """What holds for the windows of one feed.

    Parameters
    ----------
    priority
        Feeds with a higher one come first.
    limit
        How many of its windows run at once; None for as many as there is room for.
    stale
        By how many seconds of data time the newest window of the feed may be newer than one that is still started.
        No clock enters, so that replayed data ages as it did.
    asked
        Data time up to which windows were asked for however old they are: those of a backlog.
    """

    priority: int = 0
    limit: int | None = None
    stale: float = math.inf
    asked: float = -math.inf


@dataclass(frozen=True, slots=True)
class Choice:
    """Windows that start now, in this order, and windows that are superseded, each with the reason."""

    start: tuple[Waiting, ...] = ()
    superseded: tuple[tuple[Waiting, str], ...] = ()


def choose(
    waiting: Sequence[Waiting],
    running: Sequence[Waiting],
    limit: int,
    rules: Mapping[str, FeedRule],
    newest: Mapping[str, float] | None = None,
    began: Mapping[str, float] | None = None,
) -> Choice:
    """Decide, so that at most `limit` windows run at once of the feeds of a priority and of those above it.

    What runs of lower priority takes no room from what is above: else a few long runs of an archive would keep a
    warning waiting. First come feeds of higher priority, among them those of which less runs, then those that have
    waited longest for their turn; of a feed the newest data. `newest` is the time of the newest window of each feed
    that also ran, where it ended already; `began` the turn, counted up, at which a window of each feed last started.
    """
    latest = dict(newest or {})
    for window in [*waiting, *running]:
        latest[window.feed] = max(latest.get(window.feed, -math.inf), window.time)
    superseded: list[tuple[Waiting, str]] = []
    queues: dict[str, list[Waiting]] = {}  # the newest last
    for window in sorted(set(waiting), key=lambda w: w.time):
        behind, rule = latest[window.feed] - window.time, _rule(rules, window.feed)
        if behind > rule.stale and window.time > rule.asked:
            superseded.append((window, f"{behind:.0f} s behind the newest data"))
        else:
            queues.setdefault(window.feed, []).append(window)
    start = _start(queues, Counter(w.feed for w in running), limit, rules, began or {})
    return Choice(tuple(start), tuple(superseded))


def _rule(rules: Mapping[str, FeedRule], feed: str) -> FeedRule:
    return rules.get(feed, FeedRule())


def _start(
    queues: dict[str, list[Waiting]],
    running: Counter[str],
    limit: int,
    rules: Mapping[str, FeedRule],
    began: Mapping[str, float],
) -> list[Waiting]:
    """Take from the queues what starts."""

    def is_free(feed: str) -> bool:
        rule = _rule(rules, feed)
        beside = sum(n for other, n in running.items() if _rule(rules, other).priority >= rule.priority)
        return bool(queues[feed]) and beside < limit and running[feed] < (rule.limit or math.inf)

    start: list[Waiting] = []
    while free := [feed for feed in queues if is_free(feed)]:
        feed = max(
            free,
            key=lambda f: (
                _rule(rules, f).priority, -running[f], -began.get(f, -math.inf), queues[f][-1].time
            ),
        )  # fmt: skip
        start.append(queues[feed].pop())
        running[feed] += 1
    return start
