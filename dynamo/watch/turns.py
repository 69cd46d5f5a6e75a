"""Whose turn it is: windows of all feeds of a watch that wait or run, and the one engine that they share.

Enters: windows of desks, and how their runs ended. Leaves: to each desk, which of its windows it is to start or to give
up now, by the rules of `dynamo.triggers.queue`, and how its runs ended. A desk may leave and another take its feed:
what runs goes on, and what is told of it meanwhile is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Protocol

from dynamo.engine.events import Summary
from dynamo.engine.request import Request
from dynamo.errors import UserError
from dynamo.triggers.queue import FeedRule, Waiting, choose
from dynamo.triggers.store import Queued
from dynamo.watch.runs import Runs

__all__ = ["Turns"]


class _Desk(Protocol):
    def start(self, one: Queued) -> None:
        """Begin a window."""

    def give_up(self, one: Queued, reason: str) -> None:
        """Never begin a window."""

    def ended(self, one: Queued, summary: Summary) -> None:
        """Be told that the run of a window has ended."""

    def refused(self, one: Queued, request: Request, error: UserError) -> None:
        """Be told that the run of a window could not begin."""

    def mind_disk(self) -> None:
        """Be told that `Turns.full` says something else."""


class Turns:
    """The queue of one watch, for its event loop; while runs wait for room on the disk, ``full`` says so.

    Parameters
    ----------
    limit
        How many windows run at once over all feeds, see `choose`; by default as many as the feeds' own limits allow.
    """

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit
        self.runs = Runs(self._ended, self._refused, self._waits)
        self.full = ""
        self._desks: dict[str, _Desk] = {}
        self._rules: dict[str, FeedRule] = {}
        self._newest: dict[str, float] = {}
        self._began: dict[str, float] = {}
        self._turn = count()
        self._waiting: dict[Waiting, Queued] = {}
        self._running: dict[str, Queued] = {}
        self._elsewhere: set[str] = set()  # of these, runs that another process has
        self._untold: list[tuple[str, Callable[[_Desk], None]]] = []

    def join(self, feed: str, rule: FeedRule, newest: float | None, desk: _Desk) -> None:
        """Have a desk take a feed, of which the newest window that ever ran is `newest`; tell it what it missed."""
        self._desks[feed], self._rules[feed] = desk, rule
        if newest is not None:
            self._newest[feed] = max(newest, self._newest.get(feed, newest))
        untold, self._untold = self._untold, []
        for name, news in untold:
            self._tell(name, news)

    def price(self, feed: str, priority: int) -> None:
        """Have the windows of a feed wait with this priority from now on."""
        self._rules[feed] = replace(self._rules[feed], priority=priority)

    def leave(self, feed: str) -> None:
        """Forget a desk and what waits of it; what runs goes on."""
        self._desks.pop(feed, None)
        self._waiting = {key: one for key, one in self._waiting.items() if key.feed != feed}

    def is_busy(self, feed: str) -> bool:
        """Whether a window of a feed waits or runs."""
        return any(key.feed == feed for key in self._waiting) or any(
            one.feed == feed for one in self._running.values()
        )

    def is_under_way(self, run: str) -> bool:
        """Whether a run was asked for that is not over."""
        return run in self._running

    def wait(self, one: Queued) -> None:
        """Have a window wait for its turn."""
        self._waiting[Waiting(one.feed, one.window.time)] = one

    def begin(self, one: Queued, request: Request) -> None:
        """Have the engine run a window now."""
        self._running[request.run] = one
        self._elsewhere.discard(request.run)
        self.runs.ask(request)

    def put_off(self, run: str) -> None:
        """Note that another process has a run: until it is begun again, it takes no place of one that may begin."""
        self._elsewhere.add(run)

    def over(self, run: str) -> None:
        """Note that all is done that was to be done about a run."""
        del self._running[run]

    def go_on(self) -> None:
        """Have desks begin what may begin, and give up what is too old."""
        running = [
            Waiting(one.feed, one.window.time)
            for run, one in self._running.items()
            if run not in self._elsewhere
        ]
        limit = self._limit or sum(rule.limit or 1 for rule in self._rules.values())
        choice = choose(list(self._waiting), running, limit, self._rules, self._newest, self._began)
        for window, reason in choice.superseded:
            self._desks[window.feed].give_up(self._waiting.pop(window), reason)
        for window in choice.start:
            self._newest[window.feed] = max(self._newest.get(window.feed, window.time), window.time)
            self._began[window.feed] = next(self._turn)
            self._desks[window.feed].start(self._waiting.pop(window))

    def _ended(self, summary: Summary) -> None:
        one = self._running[summary.run]
        self._tell(one.feed, lambda desk: desk.ended(one, summary))

    def _refused(self, request: Request, error: UserError) -> None:
        one = self._running[request.run]
        self._tell(one.feed, lambda desk: desk.refused(one, request, error))

    def _waits(self, said: str) -> None:
        self.full = said
        for desk in self._desks.values():
            desk.mind_disk()

    def _tell(self, feed: str, news: Callable[[_Desk], None]) -> None:
        if feed in self._desks:
            news(self._desks[feed])
        else:
            self._untold.append((feed, news))
