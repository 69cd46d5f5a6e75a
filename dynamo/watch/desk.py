"""The desk of a watch: what arrives becomes windows, windows become runs, runs that ended are judged.

Everything that is decided here is decided elsewhere, by pure rules, and is in the journal before it is acted on: a
window that was running when a watch was killed is gone on with, and judged again without telling anybody twice.
One event loop; judging has a thread of its own. Goes wrong: a run, which is told and recorded; the journal, which
ends the watch.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime

from dynamo.alerts.alert import Alert
from dynamo.engine.again import again
from dynamo.engine.events import Summary
from dynamo.engine.products import Products
from dynamo.engine.request import Request, new_run_id
from dynamo.errors import DynamoError, UserError, WorkspaceError
from dynamo.journal import Journal, Workspace
from dynamo.planning.select import Selection
from dynamo.runfile.preparation import prepare
from dynamo.runfile.settings import settings
from dynamo.triggers.clock import due
from dynamo.triggers.files import Watcher
from dynamo.triggers.inbox import Inbox
from dynamo.triggers.queue import FeedRule, Waiting, choose
from dynamo.triggers.store import Ended, Queued, Store
from dynamo.watch.counts import Counts
from dynamo.watch.feed import Feed
from dynamo.watch.judge import Judge
from dynamo.watch.judge import Products as Judged
from dynamo.watch.runs import Runs

__all__ = ["Desk"]

log = logging.getLogger(__name__)

#: Seconds between looks, where nothing is told and nothing is due.
IDLE = 30.0
#: Runs after which memory is looked through for what nothing uses any more.
COLLECT = 50


class Desk:
    """One feed, from arrivals to alerts.

    Parameters
    ----------
    feed
        What is watched.
    workspace
        Of its runs.
    judge
        Judges products; None where nobody is to be told.
    counts
        What happened, for those who look.
    told
        Called after alerts were recorded.
    """

    def __init__(
        self,
        feed: Feed,
        workspace: Workspace,
        judge: Judge | None,
        counts: Counts,
        told: Callable[[list[Alert]], None],
    ) -> None:
        self.feed, self.workspace, self.counts = feed, workspace, counts
        self.runs = Runs(self._ended, self._refused)
        self._judge, self._told = judge, told
        self._rule = {feed.name: FeedRule(limit=feed.trigger.at_once, stale=feed.trigger.stale)}
        self._queue: dict[float, Queued] = {}
        self._running: dict[str, Queued] = {}
        self._newest: float | None = None
        self._recent: deque[str] = deque(maxlen=1000)
        self._judging = ThreadPoolExecutor(1, thread_name_prefix="judge")
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._failure: Exception | None = None

    async def work(self, stop: asyncio.Event, begun: Callable[[], None] = lambda: None) -> None:
        """Take what arrives until `stop`, and call `begun` once what was there was looked at.

        What runs at the end is not waited for; a new desk goes on with it. Raises `WorkspaceError` where the journal
        cannot be used.
        """
        self.runs.attach(asyncio.get_running_loop())
        feed = self.feed
        with Store(self.workspace.journal) as store:
            self._inbox = Inbox(store, feed.name, feed.rules, feed.readings, backlog=feed.trigger.backlog)
            try:
                with Watcher(feed.globs) as watcher, self._hearing(watcher.descriptors):
                    self._take_up(store)
                    self._turn(watcher)
                    begun()
                    while not stop.is_set():
                        await self._wait(stop, watcher)
                        self._turn(watcher)
            finally:
                await self._settle()
        if self._failure is not None:
            raise self._failure

    @contextmanager
    def _hearing(self, descriptors: Sequence[int]) -> Iterator[None]:
        """Take each of these that becomes readable for a change."""
        loop = asyncio.get_running_loop()
        for descriptor in descriptors:
            loop.add_reader(descriptor, self._changed.set)
        try:
            yield
        finally:
            for descriptor in descriptors:
                loop.remove_reader(descriptor)

    async def _wait(self, stop: asyncio.Event, watcher: Watcher) -> None:
        """Sleep until something happens or is due."""
        now = time.monotonic()
        times = [watcher.due, now + IDLE if self._inbox.due is None else self._inbox.due]
        if self.feed.schedule is not None:
            wall = datetime.now(UTC)
            times.append(now + (self.feed.schedule.after(wall) - wall).total_seconds())
        waiting = [asyncio.ensure_future(stop.wait()), asyncio.ensure_future(self._changed.wait())]
        await asyncio.wait(waiting, timeout=max(min(times) - now, 0.0), return_when=asyncio.FIRST_COMPLETED)
        for one in waiting:
            one.cancel()
        self._changed.clear()
        if self._failure is not None:
            raise self._failure

    # Arrivals

    def _turn(self, watcher: Watcher) -> None:
        changes = watcher.look()
        now, wall = time.monotonic(), time.time()
        made = self._inbox.seen(changes.seen, now, wall, gone=changes.gone)
        for seen in changes.seen:
            self.counts.arrived(seen.path, wall)
        made += self._inbox.tick(now, wall, self._tick(wall))
        self._queued(made)
        self._start()

    def _tick(self, wall: float) -> float | None:
        schedule = self.feed.schedule
        if schedule is None or self._inbox.last_tick is None:
            return None
        moment = due(
            schedule, datetime.fromtimestamp(self._inbox.last_tick, UTC), datetime.fromtimestamp(wall, UTC)
        )
        return moment.timestamp() if moment else None

    def _queued(self, windows: list[Queued]) -> None:
        for one in windows:
            if one.state == "passed":
                log.warning("%s: not run: %s", _at(one), one.reason)
                self.counts.passed += 1
            else:
                self._wait_for(one)

    def _wait_for(self, one: Queued) -> None:
        self._queue[one.window.time] = one
        self.counts.waits(one.queued)

    def _take_up(self, store: Store) -> None:
        """Go on where an earlier watch was: with the runs that were under way, as they were begun."""
        ran = store.windows(self.feed.name, ("running", "done", "failed"), limit=1)
        self._newest = ran[0].window.time if ran else None
        with Journal(self.workspace.journal) as journal:
            for one in self._inbox.pending():
                request = _begun(journal, one.run)
                if request is None:
                    self._wait_for(one)
                else:
                    log.info("%s: going on with run %s", _at(one), one.run)
                    self.counts.waits(one.queued)
                    self._begin(one, request)

    # Runs

    def _start(self) -> None:
        """Begin what may begin, and give up what is too old."""
        name, limit = self.feed.name, self.feed.trigger.at_once
        waiting = [Waiting(name, time) for time in self._queue]
        running = [Waiting(name, one.window.time) for one in self._running.values()]
        newest = {} if self._newest is None else {name: self._newest}
        choice = choose(waiting, running, limit, self._rule, newest)
        for window, reason in choice.superseded:
            one = self._queue.pop(window.time)
            log.warning("%s: superseded: %s", _at(one), reason)
            self.counts.superseded += 1
            self._inbox.finished(window.time, "superseded", time.time(), reason)
        for window in choice.start:
            one = self._queue.pop(window.time)
            self._newest = max(self._newest or window.time, window.time)
            try:
                request = self._request(one)
            except DynamoError as error:  # of the user's files, which may be right the next time
                self._end(one, "failed", str(error))
                self._changed.set()  # there is room for another
                continue
            self._inbox.taken(window.time, request.run, time.time())
            self._begin(one, request)

    def _request(self, one: Queued) -> Request:
        inputs = {name: list(paths) for name, paths in one.window.files.items() if paths}
        prepared = prepare(self.feed.path, inputs=inputs)
        run = new_run_id(prepared.graph.name, time.time())
        while run in self._recent:  # four random digits are few where many runs begin within a second
            run = new_run_id(prepared.graph.name, time.time())
        self._recent.append(run)
        products = Products(str(prepared.products.folder(run)), tuple(prepared.products.only))
        told = settings(prepared, products.folder, Selection())
        return Request(run, prepared.graph, products, settings={**told, "feed": self.feed.name})

    def _begin(self, one: Queued, request: Request) -> None:
        self._running[request.run] = one
        self.counts.began(one.queued)
        self.runs.ask(request)

    def _ended(self, summary: Summary) -> None:
        """Judge what a run made, then record how its window ended."""
        task = asyncio.get_running_loop().create_task(self._close(summary))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _close(self, summary: Summary) -> None:
        with self._fatal():
            error = "" if summary.ok else _why(summary)
            if (
                self._judge is not None and summary.ok
            ):  # of a run without all its products nothing counts as clear
                try:
                    await self._judged(self._judge, summary)
                except WorkspaceError:
                    raise
                except DynamoError as wrong:
                    error = f"run {summary.run}: its hazards cannot be judged: {wrong}"
                except (
                    Exception
                ) as ours:  # one product that we fail at must not silence all that come after it
                    log.exception("a fault of dynamo itself; please report it")
                    error = f"run {summary.run}: its hazards cannot be judged: {type(ours).__name__}: {ours}"
            one = self._running.pop(summary.run)
            self._end(one, "failed" if error else "done", error, summary)

    async def _judged(self, judge: Judge, summary: Summary) -> None:
        products = Judged(summary.run, summary.folder, summary.products)
        loop = asyncio.get_running_loop()
        verdict = await loop.run_in_executor(self._judging, judge, products)
        self.counts.judged(verdict)
        if verdict.alerts:
            self._told(verdict.alerts)
        if verdict.faults:
            raise verdict.faults[0]

    def _refused(self, request: Request, error: UserError) -> None:
        with self._fatal():
            self._end(self._running.pop(request.run), "failed", str(error))

    @contextmanager
    def _fatal(self) -> Iterator[None]:
        """End the watch with what goes wrong inside, where nobody waits for it; look again in any case."""
        try:
            yield
        except Exception as failure:  # noqa: BLE001 - the journal's or our own: told by `work`
            self._failure = self._failure or failure
        self._changed.set()

    def _end(self, one: Queued, state: Ended, reason: str, summary: Summary | None = None) -> None:
        wall = time.time()
        self._inbox.finished(one.window.time, state, wall, reason)
        self.counts.ended(state, one.window.time, wall)
        if self.counts.runs.total() % COLLECT == 0:
            gc.collect()  # graphs are made past the collector, which then never looks through what is old
        if self._queue or self._running:
            self.counts.waits(wall)
        if reason:
            log.error("%s: %s", _at(one), reason)
        elif summary is not None:
            log.info(
                "%s: %s: %d ran, %d reused, in %.1f s",
                _at(one),
                summary.run,
                summary.ran,
                summary.reused,
                summary.seconds,
            )

    async def _settle(self) -> None:
        """Wait for what is being judged."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        if self._judge is not None:
            await asyncio.get_running_loop().run_in_executor(self._judging, self._judge.close)
        self._judging.shutdown()


def _begun(journal: Journal, run: str) -> Request | None:
    """Return the request to go on with a run, or None where it never began."""
    if not run:
        return None
    try:
        return again(journal, run)
    except UserError:
        return None


def _at(one: Queued) -> str:
    return f"{datetime.fromtimestamp(one.window.time, UTC):%Y-%m-%d %H:%M:%SZ}"


def _why(summary: Summary) -> str:
    failure = next(iter(summary.failures), None)
    if failure is None:
        return f"run {summary.run}: " + (
            summary.unpublished[0] if summary.unpublished else "not all could run"
        )
    return f"run {summary.run}: {failure.task}: {failure.error}"
