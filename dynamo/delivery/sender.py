"""The sender: takes from the outbox what is due, has channels send it, and writes down what came of it.

All of SQLite is done by one thread, the requests by the event loop beside it: while a transaction is written, the
next requests fly, and their results are written together in the next. What is killed between has sent some twice,
with the same ids. One channel has one request in flight, and one that fails or hangs holds back itself only.
Goes wrong: `WorkspaceError`, when the journal cannot be used for a while. A channel goes wrong by its outcome.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from dynamo.delivery.attempt import attempt
from dynamo.delivery.channel import Channel
from dynamo.delivery.lanes import Lanes
from dynamo.delivery.lost import tell_lost
from dynamo.delivery.outbox import Outbox
from dynamo.delivery.records import Batch, Item, News, Tried
from dynamo.delivery.retry import Patience, Verdict, judge
from dynamo.errors import WorkspaceError, nearest
from dynamo.journal.database import DiskFullError

__all__ = ["Sender"]

#: What one turn at the outbox gives: work, and when there is more (Unix seconds).
_Turn: TypeAlias = tuple[list[Batch], float | None]

#: Seconds for which results are gathered before they are written together.
GATHER = 0.02
#: With no more channels than this under way, results are not gathered: the next requests wait for the journal.
FEW = 2
#: Seconds for which a batch is worked at before the outbox is asked anew: what waits may have become untrue. No longer
#: than a lease, so that who slept and lost his begins no other.
BUDGET = 5.0
#: Seconds given to requests in flight when the sender is to stop, and for which the journal may be unusable.
GRACE = 5.0
TROUBLE = 60.0
#: Seconds by which the clock may go back before that is minded.
SET_BACK = 1.0
#: What the names of senders begin with that are alone.
ALONE = "alone-"


class Sender:
    """Delivers what waits in one journal. Several, also in several processes, share the work by leases.

    Parameters
    ----------
    journal
        The file.
    channels
        By name.
    scope
        What the names of its channels begin with: of several run files in one workspace, each sends its own.
    concurrency, slow
        Requests in flight at most: in all, and besides of endpoints that hang or failed before.
    alone
        Whether no other sender of this scope that was made so can be alive: it holds a lock that the kernel frees.
        Then what such a one had leased when it was killed is taken over at once.
    lease
        Seconds after which other senders take over from one that was killed.
    poll
        Seconds after which the journal is looked at for what other processes wrote.
    timeout
        Seconds that a channel may take for one try, and a little more than any that it has of its own.
    patience
        How long is waited between tries.
    clock, chance
        Unix seconds; a random number from 0 to 1.
    """

    def __init__(
        self,
        journal: Path,
        channels: Mapping[str, Channel],
        *,
        scope: str = "",
        alone: bool = False,
        concurrency: int = 256,
        slow: int = 1000,
        lease: float = 5.0,
        poll: float = 0.25,
        timeout: float = 60.0,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._journal = journal
        self._channels, self._scope, self._alone = channels, scope, alone
        self._lanes = Lanes(concurrency, slow)
        self._lease, self._poll, self._timeout = lease, poll, timeout
        self._patience = patience or Patience()
        self._clock, self._chance = clock, chance
        self._tasks: set[asyncio.Task[None]] = set()
        self._news = News()
        self._awake = asyncio.Event()
        self._alarm: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._fault: BaseException | None = None
        self._stopping = False
        self._looked: float | None = None
        self._renewed = self._trouble = 0.0

    def wake(self) -> None:
        """Say that there are new deliveries; from any thread."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop was closed meanwhile: nobody sleeps
                self._loop.call_soon_threadsafe(self._awake.set)

    def stop(self) -> None:
        """End `run` or `drain` soon: nothing new is sent, what is in flight may end; from any thread."""
        self._stopping = True
        self.wake()

    async def run(self) -> None:
        """Deliver until stopped."""
        await self._deliver(drain=False)

    async def drain(self) -> int:
        """Deliver until nothing waits any more, or until stopped; return how many still wait."""
        return await self._deliver(drain=True)

    async def _deliver(self, *, drain: bool) -> int:
        self._loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "outbox") as thread:
            name = f"{ALONE if self._alone else ''}{os.getpid()}-{os.urandom(4).hex()}"
            outbox = await self._loop.run_in_executor(
                thread, Outbox, self._journal, name, self._lease, self._scope
            )
            self._looked = None
            try:
                while not self._stopping:
                    self._awake.clear()
                    if self._fault:
                        raise self._fault
                    batches, more = await self._turn(thread, outbox)
                    for batch in batches:
                        self._start(batch)
                    idle = drain and not batches and not self._lanes and not self._news
                    if idle and not await self._loop.run_in_executor(thread, outbox.waiting):
                        break
                    await self._sleep(more, given=bool(batches))
            finally:
                await self._land(GRACE if self._stopping else 0)
                left = await self._loop.run_in_executor(thread, self._last, outbox)
                self._stopping, self._loop = False, None
        return left

    async def _turn(self, thread: ThreadPoolExecutor, outbox: Outbox) -> _Turn:
        """Have the thread write the news and claim what there is room for."""
        loop = asyncio.get_running_loop()
        news, self._news = self._news, News()
        self._disarm()
        room, busy = self._lanes.room(loop.time()), self._lanes.busy
        try:
            turn = await loop.run_in_executor(thread, self._work, outbox, news, room, busy)
        except WorkspaceError as error:
            # A disk that is full, a journal that is locked: what is known is kept, and written later.
            self._news = News(news.tried + self._news.tried, news.released + self._news.released)
            self._trouble = self._trouble or loop.time()
            if loop.time() - self._trouble > TROUBLE and not isinstance(error, DiskFullError):
                raise
            return [], None
        self._trouble = 0.0
        return turn

    def _work(self, outbox: Outbox, news: News, room: tuple[int, int], busy: Collection[str]) -> _Turn:
        """One turn at the outbox, in its thread."""
        now = self._clock()
        self._look(outbox, now)
        if news:
            outbox.record(news.tried, news.released, now)
            tell_lost(news.tried)
            news.tried, news.released = [], []  # should the rest fail, they are not written twice
        if busy and not 0 <= now - self._renewed < self._lease / 3:
            outbox.renew(now)
            self._renewed = now
        batches = []
        for batch in outbox.claim(now, healthy=room[0], failing=room[1], busy=busy):
            if batch.channel in self._channels:
                batches.append(batch)
            else:
                close = nearest(batch.channel, self._channels)
                outbox.bury(batch.channel, f"no channel {batch.channel!r} in the run file{close}", now)
        taken = sum(batch.failing for batch in batches)
        free = {False: room[0] - (len(batches) - taken), True: room[1] - taken}
        times = [outbox.ready(failing=failing) for failing, left in free.items() if left > 0]
        return batches, min((at for at in times if at is not None), default=None)

    def _look(self, outbox: Outbox, now: float) -> None:
        """Let nothing wait for what is over: a watch that was killed, a clock that was set back."""
        if self._looked is None:
            outbox.keep(self._channels)
            outbox.set_back(now, max(self._patience.most, self._patience.most_asked))
            if self._alone:
                outbox.take_over(ALONE, now)
                outbox.tell_failing(now)
        elif now < self._looked - SET_BACK:
            outbox.set_back(now, 0)
        self._looked = now

    async def _sleep(self, more: float | None, *, given: bool) -> None:
        """Sleep until there is something to do."""
        seconds = min(self._poll, self._lease / 3)
        if more is not None:
            # Work that is due but was not given is another's, or will be given soon: never ask without a pause.
            seconds = min(seconds, max(0.0 if given else GATHER, more - self._clock()))
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._awake.wait()

    def _start(self, batch: Batch) -> None:
        loop = asyncio.get_running_loop()
        self._lanes.start(batch.channel, loop.time(), failing=batch.failing)
        task = loop.create_task(self._serve(batch), name=f"deliver to {batch.channel}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()):
            self._fault = fault  # our own: it must be seen
            self._awake.set()

    async def _serve(self, batch: Batch) -> None:
        """Send one batch, one after another, until one must wait."""
        loop = asyncio.get_running_loop()
        channel, until = self._channels[batch.channel], loop.time() + BUDGET
        failures = batch.failures
        try:
            for item in batch.items:
                if self._stopping or loop.time() > until or item.expires < self._clock():
                    return  # the outbox decides anew about the rest
                self._lanes.again(batch.channel, loop.time())
                tried = await self._try(channel, batch.channel, item, failures)
                failures = tried.verdict.failures
                self._news.tried.append(tried)
                self._tell(GATHER)
                if failures or tried.outcome.close:
                    return
        finally:
            self._lanes.end(batch.channel)
            self._news.released.append(batch.channel)
            self._tell(0 if len(self._lanes) < FEW else GATHER)

    def _tell(self, seconds: float) -> None:
        """Have news written within so many seconds."""
        if not seconds:
            self._awake.set()
        elif self._alarm is None:
            self._alarm = asyncio.get_running_loop().call_later(seconds, self._awake.set)

    async def _try(self, channel: Channel, name: str, item: Item, failures: int) -> Tried:
        """Send one delivery once."""
        at, start = self._clock(), time.perf_counter()
        outcome = await attempt(channel, item, self._timeout)
        seconds = time.perf_counter() - start
        verdict: Verdict = judge(
            outcome,
            tries=item.tries + 1,
            begun=item.begun or at,
            now=self._clock(),
            chance=self._chance(),
            patience=self._patience,
            failures=failures,
            aside=item.aside,
        )
        return Tried(name, item.seq, at, seconds, outcome, verdict)

    async def _land(self, grace: float) -> None:
        """Wait for what is in flight, then cancel it: it is sent again, with the same ids."""
        if self._tasks and grace:
            await asyncio.wait(self._tasks, timeout=grace)
        flying = list(self._tasks)
        for task in flying:
            task.cancel()
        await asyncio.gather(*flying, return_exceptions=True)
        self._disarm()

    def _disarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _last(self, outbox: Outbox) -> int:
        """Write the last news, and close the outbox; in its thread."""
        news, self._news = self._news, News()
        try:
            outbox.record(news.tried, {*news.released, *outbox.leased()}, self._clock())
            return outbox.waiting()
        finally:
            outbox.close()
