"""The lookout of a feed that waits for weather: it hears what another feed's runs show, and says whether it is awake.

Enters: runs of the other feed that ended, by the journal, whichever process made them. Leaves: awake or asleep, in the
log and for those who look when that changes. All that it goes by is in the journal. Goes wrong: the journal
(`WorkspaceError`); what is wrong with a product is told, and says nothing.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime

from dynamo.errors import DynamoError
from dynamo.graph.units import format_seconds
from dynamo.journal import Journal, Workspace
from dynamo.journal.database import DiskFullError
from dynamo.triggers.inbox import Inbox
from dynamo.triggers.sightings import Ended, Sightings, Waking
from dynamo.triggers.store import Queued, Store, WindowState
from dynamo.triggers.wakefulness import AHEAD, USUAL, Sighting, Wakefulness, wakefulness
from dynamo.watch.condition import Condition, format_km2
from dynamo.watch.counts import Counts, Mood
from dynamo.watch.feed import Feed
from dynamo.watch.sight import sight

__all__ = ["Awake", "Lookout", "lookout"]

log = logging.getLogger(__name__)

#: Seconds between looks at what the other feed ran.
LOOK = 1.0
#: Windows of which the newest says whether one that was let be was overtaken.
_NEWEST: tuple[WindowState, ...] = ("queued", "running", "done", "failed", "superseded", "asleep")


class Awake:
    """Of a feed that waits for no weather, for its desk.

    Attributes
    ----------
    every
        Seconds after which to `listen` again.
    priority
        With which windows are run now.
    """

    def __init__(self, priority: int) -> None:
        self.every, self.priority = math.inf, priority

    async def listen(self) -> None:
        """Look at runs of others that ended since the last time."""

    def lets_be(self, one: Queued, inbox: Inbox) -> bool:  # noqa: ARG002 - nothing is
        """Record that a window came in fair weather, and return whether that is so."""
        return False

    def roused(self, store: Store, inbox: Inbox) -> Queued | None:  # noqa: ARG002 - nothing sleeps
        """Return the newest window that was let be and is to be run now after all."""
        return None


class Lookout(Awake):
    """Of a feed that waits for weather; lines of the log begin with `label`."""

    def __init__(
        self,
        feed: Feed,
        condition: Condition,
        workspace: Workspace,
        sightings: Sightings,
        counts: Counts,
        label: str,
    ) -> None:
        rule = feed.trigger.when
        assert rule is not None
        super().__init__(feed.trigger.priority)
        self.every, self._stale = LOOK, feed.trigger.stale
        self._feed, self._condition, self._workspace = feed.name, condition, workspace
        self._sightings, self._counts, self._label = sightings, counts, label
        self._hold, self._priorities = rule.hold, (feed.trigger.priority, rule.priority)
        self._key = feed.name, condition.digest
        self._newest = sightings.newest(feed.name)
        self._heard, self._quiet_since = -math.inf, time.monotonic()
        self._last = sightings.waking(feed.name)
        self._is_told = False
        self._seen: Sighting | None = None  # the newest, certain or not
        self.now = Wakefulness(awake=True, cause="new")  # until it listens

    @property
    def admits(self) -> bool:
        """Whether windows are run."""
        return self.now.awake or self._priorities[1] is not None

    def lets_be(self, one: Queued, inbox: Inbox) -> bool:
        """Record that a window came in fair weather, and return whether that is so."""
        self.decide(one.window.time)
        if not self.admits:
            inbox.finished(one.window.time, "asleep", time.time(), self.said)
            self._counts.asleep += 1
            self._counts.slept(one.window.data)
        return not self.admits

    def roused(self, store: Store, inbox: Inbox) -> Queued | None:
        """Return the newest window that was let be and is to be run now after all.

        Not one that a newer one overtook, nor one that is too far behind what was heard last.
        """
        if not self.admits:
            return None
        wall = time.time()
        for one in store.windows(self._feed, _NEWEST, limit=1):
            behind = self.now.heard.time - one.window.time if self.now.heard else 0.0
            if one.state == "asleep" and behind <= self._stale and inbox.woken(one.window.time, wall):
                return replace(one, state="queued", reason="", queued=wall, ended=None)
        return None

    @property
    def said(self) -> str:
        """Why it is awake or asleep."""
        return _why(self.now, self._seen, self._condition, self._hold)

    async def listen(self) -> None:
        """Look at runs that ended since the last time."""
        fresh = self._sightings.fresh(*self._key, self._condition.feed, self._hold)
        if fresh:
            found = await asyncio.to_thread(self._look, fresh)
            try:
                self._sightings.add(*self._key, found, time.time())
            except DiskFullError:
                log.debug("what was seen cannot be written yet")  # it is looked at again
        self.decide()

    def _look(self, fresh: Sequence[Ended]) -> dict[str, Sighting]:
        """Return what runs showed; in a thread."""
        found = {}
        with Journal(self._workspace.journal) as journal:
            for one in fresh:
                try:
                    found[one.run] = sight(self._workspace, journal, one.run, self._condition)
                except DynamoError as error:
                    found[one.run] = Sighting(one.time, wrong=one.reason or error.message)
        return found

    def decide(self, newest: float | None = None) -> Wakefulness:
        """Decide anew, where the newest window of the feed is of this data time; tell what is new."""
        if newest is not None:
            self._newest = max(newest, self._newest or newest)
        wall, now = time.time(), time.monotonic()
        known = self._known(wall + AHEAD)
        heard = wakefulness(known, self._hold, self._newest, 0.0, wall).heard
        if heard is not None and heard.time > self._heard:
            self._heard, self._quiet_since = heard.time, now
        self.now = wakefulness(known, self._hold, self._newest, now - self._quiet_since, wall)
        usual, raised = self._priorities
        self.priority = usual if raised is None or not self.now.awake else raised
        self._seen = known[-1] if known else None
        self._tell(wall)
        return self.now

    def _known(self, until: float) -> list[Sighting]:
        """Return what was seen lately; that the other sleeps itself says that nothing is there."""
        known = self._sightings.sightings(*self._key, 2 * self._hold + USUAL, until)
        slept = self._sightings.asleep(self._condition.feed, known[-1].time if known else -math.inf)
        return known if slept is None or slept > until else [*known, Sighting(slept)]

    def _tell(self, wall: float) -> None:
        """Say what it is, where that is new."""
        now, said = self.now, f"{self._head}: {self.said}"
        self._counts.mood = Mood(now.awake, said, now.heard.area if now.heard else None)
        self._counts.trouble("when", _wrong(now, self._seen, self._condition, self._hold))
        if self._last is not None and (self._last.awake, self._last.cause) == (now.awake, now.cause):
            if not self._is_told:  # the first of this process
                log.info("%s%s", self._label, said)
            self._is_told = True
            return
        level = logging.WARNING if now.cause == "silent" else logging.INFO
        log.log(level, "%s%s", self._label, said)
        self._last, self._is_told = Waking(wall, now.awake, now.cause, said), True
        try:
            self._sightings.add_waking(self._feed, self._last)
        except DiskFullError:
            log.debug("that it woke cannot be written")  # only those who ask later miss it

    @property
    def _head(self) -> str:
        if self._priorities[1] is not None:
            return f"priority {self.priority}"
        return "awake" if self.now.awake else "asleep"


@contextmanager
def lookout(feed: Feed, workspace: Workspace, counts: Counts, label: str) -> Iterator[Awake]:
    """Open the lookout of a feed."""
    counts.mood = None
    counts.trouble("when", "")
    if feed.when is None:
        with suppress(DiskFullError), Sightings(workspace.journal) as sightings:
            if sightings.waking(feed.name) is not None:  # it was edited
                sightings.forget_wakings(feed.name)
        yield Awake(feed.trigger.priority)
        return
    with Sightings(workspace.journal) as sightings:
        yield Lookout(feed, feed.when, workspace, sightings, counts, label)


def _why(now: Wakefulness, last: Sighting | None, condition: Condition, hold: float) -> str:
    other = condition.feed
    if now.cause == "new":
        return f"nothing was heard of {other} yet"
    if now.cause == "silent":
        doubt = _doubt(now, last, condition)
        if last is not None and now.heard is None:
            return f"nothing certain was heard of {other} yet: {doubt}"
        heard = f", the last is of {_at(now.heard)}" if now.heard else ""
        said = f"nothing certain was heard of {other} for more than {format_seconds(hold)}{heard}"
        return f"{said}; {doubt}" if doubt else said
    if now.held is not None:
        return f"{condition.words(now.held.area)} at {_at(now.held)}"
    there = f", but {format_km2(now.heard.area)}" if now.heard and now.heard.area else ""
    return f"not {condition.words()}{there} at {_at(now.heard)}, nor in the {format_seconds(hold)} before"


def _wrong(now: Wakefulness, last: Sighting | None, condition: Condition, hold: float) -> str:
    """Return what is wrong with what is heard, if anything."""
    return _why(now, last, condition, hold) if now.cause == "silent" else _doubt(now, last, condition)


def _doubt(now: Wakefulness, last: Sighting | None, condition: Condition) -> str:
    """Return why the newest sighting says nothing, if that is so."""
    if last is not None and last.wrong:
        return f"a run of {condition.feed}, data of {_at(last)}, says nothing: {last.wrong}"
    if last is not None and (now.heard is None or last.time > now.heard.time):
        known = f"of {condition.feed} {last.known:.0%} of the field is known at {_at(last)}"
        return f"{known}: nothing counts as clear"
    return ""


def _at(one: Sighting | None) -> str:
    return f"{datetime.fromtimestamp(one.time, UTC):%Y-%m-%d %H:%M:%SZ}" if one else "no time"
