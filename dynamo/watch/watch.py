"""The watch itself: an engine in this thread, and beside it one event loop with desk, sender and health.

Enters: a run file. Leaves: runs and alerts, until it is told to stop. Goes wrong at the start: whatever is wrong with
the run file, its subscribers or channels (`UserError`); later only the workspace or the machine.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from dynamo.alerts.lifecycle import Policy
from dynamo.alerts.store import AlertStore
from dynamo.delivery.channel import Channel
from dynamo.delivery.sender import Sender
from dynamo.engine import LocalEngine
from dynamo.engine.spawn import Spawned
from dynamo.errors import DynamoError, UserError, WorkspaceError
from dynamo.journal import Journal, Workspace
from dynamo.journal.retention import collect
from dynamo.runfile.workflow import load_workflow
from dynamo.triggers.store import forget
from dynamo.watch.channels import address, make_channels
from dynamo.watch.counts import Counts
from dynamo.watch.desk import Desk
from dynamo.watch.feed import Feed
from dynamo.watch.health import Health
from dynamo.watch.judge import Judge
from dynamo.watch.old_products import old_products, remove_products
from dynamo.watch.people import People

__all__ = ["Options", "Watch"]

log = logging.getLogger(__name__)

#: Seconds between two removals of what is old.
HOURLY = 3600.0


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says of a watch.

    Parameters
    ----------
    host, port
        Of health and metrics; no port, no server.
    keep
        Seconds for which runs, results and alerts are kept; 0 for ever.
    cores
        At most; those of the run file by default.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    keep: float = 7 * 86_400.0
    cores: int | None = None


class Watch:
    """A run file that is watched.

    Raises
    ------
    UserError
        The workflow cannot be loaded, subscribers or channels are wrong.
    """

    def __init__(self, feed: Feed, options: Options | None = None) -> None:
        self.feed, self.options = feed, options or Options()
        self.workspace = Workspace.open(feed.workspace)
        self.counts = Counts()
        load_workflow(feed.runfile.workflow, feed.path.parent)
        Journal(self.workspace.journal).close()  # made, and brought up to date, before several open it
        self.channels: dict[str, Channel] = {}
        judge = None
        if (alerts := feed.runfile.alerts) is not None:
            self.channels = make_channels(alerts, feed.path.parent)
            people = People(alerts, feed.path.parent, self.channels)
            policy = Policy(clear_after=alerts.clear_after)
            journal = self.workspace.journal
            judge = Judge(journal, feed.name, people.now, list(self.channels), alerts.products, policy)
        addressed = {address(feed.name, name): channel for name, channel in self.channels.items()}
        self._sender = Sender(self.workspace.journal, addressed, scope=address(feed.name))
        self.desk = Desk(feed, self.workspace, judge, self.counts, lambda _: self._sender.wake())
        self._queries: AlertStore | None = None

    def run(
        self, first: Spawned | None = None, ready: Callable[[Health | None], None] = lambda _: None
    ) -> None:
        """Watch until Ctrl-C or SIGTERM; `ready` is called when it has begun to look.

        Raises
        ------
        KeyboardInterrupt
            It was told to stop; runs that were under way are gone on with at the next start.
        UserError
            It is watched already; the port is taken; a folder cannot be watched.
        WorkspaceError
            The journal cannot be used.
        """
        options, runfile = self.options, self.feed.runfile
        with self._alone():
            engine = LocalEngine(
                self.workspace,
                cores=options.cores or runfile.engine.cores,
                memory=runfile.engine.memory,
                modules=(str(self.feed.path.parent),),
                first=first,
            )
            with engine:
                engine.warm()
                with self._thinking(ready):
                    engine.serve(self.desk.runs)

    @contextmanager
    def _thinking(self, ready: Callable[[Health | None], None]) -> Iterator[None]:
        """Have the event loop run in a thread beside the body; what fails there ends the engine."""
        loop, over = asyncio.new_event_loop(), asyncio.Event()

        def beside() -> None:
            try:
                with asyncio.Runner(loop_factory=lambda: loop) as runner:
                    runner.run(self._beside(over, ready))
            except BaseException as error:  # noqa: BLE001 - told in the thread that waits
                self.desk.runs.fail(error)

        thread = threading.Thread(target=beside, name="watch")
        try:
            thread.start()
            yield
        finally:
            with suppress(RuntimeError):  # it has ended by itself
                loop.call_soon_threadsafe(over.set)
            if thread.ident is None:  # Ctrl-C came before
                loop.close()
            else:
                thread.join()
            self.desk.runs.close()
            self.desk.runs.check()  # what went wrong at the end is told, too

    async def _beside(self, over: asyncio.Event, ready: Callable[[Health | None], None]) -> None:
        """Desk, sender and health, until one of them fails or it is `over`."""
        async with AsyncExitStack() as stack:
            for channel in self.channels.values():
                stack.push_async_callback(channel.close)
            health = await self._health(stack)
            works = [self.desk.work(over, lambda: ready(health))]
            if self.feed.runfile.alerts is not None:
                works.append(self._sender.run())
            if self.options.keep or self.feed.runfile.products.keep is not None:
                works.append(self._tidy(over))
            tasks = [asyncio.ensure_future(work) for work in (*works, over.wait())]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            over.set()
            self._sender.stop()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for error in ended:
            if isinstance(error, BaseException):
                raise error

    async def _health(self, stack: AsyncExitStack) -> Health | None:
        if self.options.port is None:
            return None
        self._queries = stack.enter_context(AlertStore(self.workspace.journal))
        health = Health(
            self.counts,
            self.feed.name,
            max(self.feed.trigger.stale, 60.0),
            self._deliveries,
            host=self.options.host,
            port=self.options.port,
        )
        await health.start()
        stack.push_async_callback(health.stop)
        return health

    def _deliveries(self) -> dict[str, int]:
        """Return how many deliveries are in each state."""
        found: dict[str, int] = {"waiting": 0, "sent": 0, "dead": 0, "dropped": 0}
        if self._queries is not None:
            for (_, state), number in self._queries.counts().items():
                found[state] += number
        return found

    async def _tidy(self, over: asyncio.Event) -> None:
        """Remove what is old, once an hour."""
        while not over.is_set():
            try:
                await asyncio.to_thread(self._collect, time.time())
            except DynamoError as error:
                log.warning("what is old could not be removed: %s", error.message)
            try:
                await asyncio.wait_for(over.wait(), HOURLY)
            except TimeoutError:
                continue

    def _collect(self, now: float) -> None:
        keep = self.feed.runfile.products.keep
        with Journal(self.workspace.journal) as journal:
            if keep is not None:
                folders = old_products(journal.runs(), self.feed.name, now - keep)
                if count := remove_products(folders):
                    log.info("removed the products of %d old runs", count)
            if not self.options.keep:
                return
            freed = collect(self.workspace, journal, before=now - self.options.keep)
        forget(self.workspace.journal, now - self.options.keep)
        if freed.runs or freed.files:
            log.info("removed %d old runs and %d files", freed.runs, freed.files)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Be the only watch of this feed; the kernel frees the lock when the process ends."""
        mark = blake2b(self.feed.name.encode(), digest_size=6).hexdigest()
        path = Path(self.workspace.root) / f"watch-{mark}.lock"
        try:
            file = path.open("a+")
        except OSError as error:
            raise WorkspaceError(f"cannot write {path}: {error.strerror}") from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise UserError(
                    f"{self.feed.name} is watched already, by process {file.read().strip() or '?'}"
                ) from None
            with suppress(OSError):  # the disk is full: it is only for those who ask
                file.truncate(0)
                file.write(str(os.getpid()))
                file.flush()
            yield
