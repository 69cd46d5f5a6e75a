"""The desk of a feed: what arrives becomes windows, windows become runs, runs that ended are judged.

Everything that is decided here is decided elsewhere, by pure rules, and is in the journal before it is acted on: a
window that was running when a watch was killed is gone on with, and judged again without telling anybody twice.
For the event loop of the watch. Goes wrong: a run, which is told and recorded; the journal, which ends the watch.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime

from dynamo.engine.events import Summary
from dynamo.engine.request import Request
from dynamo.errors import DynamoError, UserError, WorkspaceError
from dynamo.journal import Journal, Workspace
from dynamo.journal.database import DiskFullError
from dynamo.journal.workspace import UnderWayError
from dynamo.journal.written import written
from dynamo.triggers.clock import tick
from dynamo.triggers.files import Watcher
from dynamo.triggers.inbox import Inbox
from dynamo.triggers.queue import FeedRule
from dynamo.triggers.store import Ended, Queued, Store
from dynamo.watch.bench import AGAIN, FULL, Bench
from dynamo.watch.counts import Counts
from dynamo.watch.feed import Feed
from dynamo.watch.hearing import hearing
from dynamo.watch.judge import Products
from dynamo.watch.lags import newest_judged
from dynamo.watch.lookout import lookout
from dynamo.watch.orders import done, order, ordered, why
from dynamo.watch.remarks import Remarks
from dynamo.watch.times import times_of
from dynamo.watch.turns import Turns

__all__ = ["Desk"]

log = logging.getLogger(__name__)

#: Seconds between looks, where nothing is told and nothing is due.
IDLE = 30.0


class Desk:
    """One feed, from arrivals to runs that are judged.

    Parameters
    ----------
    feed
        What is watched.
    workspace
        Of its runs.
    bench
        Judges products; None where nobody is to be told.
    counts
        What happened, for those who look.
    turns
        Says which windows begin, and has them run.
    label
        What lines of the log begin with.
    """

    def __init__(
        self,
        feed: Feed,
        workspace: Workspace,
        bench: Bench | None,
        counts: Counts,
        turns: Turns,
        label: str = "",
    ) -> None:
        self.feed, self.workspace, self.counts = feed, workspace, counts
        self._bench, self._turns, self._label = bench, turns, label
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed, self._stop = asyncio.Event(), asyncio.Event()
        self._failure: Exception | None = None
        self._remarks = Remarks(counts, label)
        counts.awaits = bool(feed.globs)
        if bench is None:  # whoever judged before the run file was edited can tell no more that it is over
            counts.trouble("times", "")
            counts.trouble("judging", "")
        self._elsewhere: set[str] = set()  # runs of which it was told that another process has them

    async def work(self, stop: asyncio.Event, begun: Callable[[], None] = lambda: None) -> None:
        """Take what arrives until `stop`, and call `begun` once what was there was looked at.

        What runs at the end is not waited for; a new desk goes on with it. Raises `WorkspaceError` where the journal
        cannot be used.
        """
        feed, self._stop = self.feed, stop
        opened = lookout(feed, self.workspace, self.counts, self._label)
        with Store(self.workspace.journal) as store, opened as self._lookout:
            self._inbox = Inbox(store, feed.name, feed.rules, feed.readings, backlog=feed.trigger.backlog)
            try:
                with Watcher(feed.globs) as watcher, hearing(watcher.descriptors, self._changed):
                    await self._lookout.listen()
                    self._look(watcher)
                    self._take_up(store)
                    self._rouse(store)
                    self._turns.go_on()
                    begun()
                    while not stop.is_set():
                        await self._wait(watcher)
                        await self._lookout.listen()
                        self._look(watcher)
                        self._rouse(store)
                        self._turns.go_on()
            finally:
                self._turns.leave(feed.name)
                while self._tasks:  # what is being judged
                    await asyncio.wait(self._tasks)
        if self._failure is not None:
            raise self._failure

    async def _wait(self, watcher: Watcher) -> None:
        """Sleep until something happens or is due."""
        now = time.monotonic()
        times = [watcher.due, now + self._lookout.every]
        times.append(now + IDLE if self._inbox.due is None else self._inbox.due)
        if self._inbox.full:
            times.append(now + AGAIN)
        if self.feed.schedule is not None:
            wall = datetime.now(UTC)
            times.append(now + (self.feed.schedule.after(wall) - wall).total_seconds())
        waiting = [asyncio.ensure_future(self._stop.wait()), asyncio.ensure_future(self._changed.wait())]
        await asyncio.wait(waiting, timeout=max(min(times) - now, 0.0), return_when=asyncio.FIRST_COMPLETED)
        for one in waiting:
            one.cancel()
        self._changed.clear()
        if self._failure is not None:
            raise self._failure

    # Arrivals

    def _look(self, watcher: Watcher) -> None:
        """Take what changed, and let time pass."""
        changes = watcher.look()
        now, wall, before = time.monotonic(), time.time(), self._inbox.arrived
        made = self._inbox.seen(changes.seen, now, wall, gone=changes.gone)
        made += self._inbox.tick(now, wall, tick(self.feed.schedule, self._inbox.last_tick, wall))
        self.counts.arrived(self._inbox.arrived - before, wall)
        for one in made:
            if one.state == "passed":
                log.warning("%s: not run: %s", self._at(one), one.reason)
                self.counts.passed += 1
            else:
                self._wait_for(one)
        self.mind_disk()
        self._remarks.ahead(self._inbox.ahead, now, wall)
        self._remarks.untimed(self._inbox.untimed, now)
        self._remarks.blind(watcher.blind)

    def mind_disk(self) -> None:
        """Say that the disk is full, for what arrives or for runs, or has room again."""
        said = FULL if self._inbox.full else self._turns.full
        if self.counts.trouble("disk", said):
            log.warning("%s%s", self._label, said or "the disk has room again")

    def _wait_for(self, one: Queued) -> None:
        """Have a window wait for its turn, unless the feed is asleep."""
        if not self._lookout.lets_be(one, self._inbox):
            self._turns.wait(one)
            self.counts.waits(one.queued)

    def _rouse(self, store: Store) -> None:
        """Run what came while the feed was asleep, where it is awake and that is not too old."""
        self._turns.price(self.feed.name, self._lookout.priority)
        if (one := self._lookout.roused(store, self._inbox)) is not None:
            self._wait_for(one)

    def _take_up(self, store: Store) -> None:
        """Go on where an earlier desk was: with the runs that were under way, as they were begun."""
        name, trigger = self.feed.name, self.feed.trigger
        past = store.past(name)
        if self._bench is not None:
            past = replace(past, data=newest_judged(self.workspace.journal, name))
        self.counts.remember(past)
        for one in store.windows(name, ("asleep",), limit=1):
            self.counts.slept(one.window.data)
        ran = store.windows(name, ("running", "done", "failed"), limit=1)
        rule = FeedRule(self._lookout.priority, trigger.at_once, trigger.stale, self._inbox.asked)
        self._turns.join(name, rule, ran[0].window.time if ran else None, self)
        with Journal(self.workspace.journal) as journal:
            for one in self._inbox.pending():
                if self._turns.is_under_way(one.run):
                    continue  # in this very process
                request = ordered(journal, one.run, self._lookout.priority)
                if request is None:
                    self._wait_for(one)
                else:
                    log.info("%s: going on with run %s", self._at(one), one.run)
                    self.counts.waits(one.queued)
                    self._begin(one, request)

    # What its turn is

    def start(self, one: Queued) -> None:
        """Begin a window."""
        with self._fatal():
            try:
                request = order(self.feed, one.window, self._lookout.priority)
            except DynamoError as error:  # of the user's files, which may be right the next time
                self._end(one, "failed", str(error))
                return
            if self._inbox.taken(one.window.time, request.run, time.time()):
                self._begin(one, request)
            else:
                # The disk is full. Not at once again; and it may be another desk that had this begin, while we sleep.
                self._turns.wait(one)
                asyncio.get_running_loop().call_later(AGAIN, self._changed.set)

    def give_up(self, one: Queued, reason: str) -> None:
        """Never begin a window."""
        log.warning("%s: superseded: %s", self._at(one), reason)
        self.counts.superseded += 1
        with self._fatal():
            self._inbox.finished(one.window.time, "superseded", time.time(), reason)

    def _begin(self, one: Queued, request: Request) -> None:
        self.counts.began(one.queued)
        self._turns.begin(one, request)

    # Runs that ended

    def ended(self, one: Queued, summary: Summary) -> None:
        """Judge what a run made, then record how its window ended."""
        task = asyncio.get_running_loop().create_task(self._close(one, summary))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def refused(self, one: Queued, request: Request, error: UserError) -> None:
        """Record that the run of a window could not begin; one that another process goes on with is waited for."""
        with self._fatal():
            if isinstance(error, UnderWayError):
                if request.run not in self._elsewhere:
                    log.warning("%s: %s; it is judged when that is over", self._at(one), error)
                    self._elsewhere.add(request.run)
                self._turns.put_off(request.run)
                self._changed.set()  # there is room for another
                asyncio.get_running_loop().call_later(AGAIN, self._turns.begin, one, request)
                return
            self._turns.over(request.run)
            self._end(one, "failed", str(error))

    async def _close(self, one: Queued, summary: Summary) -> None:
        with self._fatal():
            wrong = "" if summary.ok else why(summary)
            try:
                if self._bench is not None and (summary.ok or summary.products):
                    products = Products(
                        summary.run,
                        summary.folder,
                        summary.products,
                        times_of(one.window, self.feed.dating),
                        self._label,
                        summary.missing,
                    )
                    judged = await self._bench.judge(products, self._stop)
                    wrong = "; ".join(filter(None, [wrong, judged]))
            except DiskFullError:
                return  # the next desk goes on with the run, and judges it
            finally:
                self._turns.over(summary.run)
            self._end(one, "failed" if wrong else "done", wrong, summary)

    @contextmanager
    def _fatal(self) -> Iterator[None]:
        """End the watch with what goes wrong inside, where nobody waits for it."""
        try:
            yield
        except Exception as failure:  # noqa: BLE001 - the journal's or our own: told by `work`
            self._failure = self._failure or failure
            self._changed.set()

    def _end(self, one: Queued, state: Ended, reason: str, summary: Summary | None = None) -> None:
        wall = time.time()
        self._inbox.finished(one.window.time, state, wall, reason)
        self.counts.ended(state, one.window.data if self._bench is None else None, wall)
        self._changed.set()  # there is room for another
        if self._turns.is_busy(self.feed.name):
            self.counts.waits(wall)
        if reason:
            log.error("%s: failed: %s", self._at(one), reason)
        elif summary is not None:
            level = logging.WARNING if summary.warnings else logging.INFO
            log.log(level, "%s: %s", self._at(one), done(summary))
            with suppress(WorkspaceError):  # nothing but that line goes by it
                if summary.ran:
                    self._remarks.wrote(summary.run, written(self.workspace, summary.run))

    def _at(self, one: Queued) -> str:
        return f"{self._label}{datetime.fromtimestamp(one.window.time, UTC):%Y-%m-%d %H:%M:%SZ}"
