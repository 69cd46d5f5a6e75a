"""The watch itself: an engine in this thread, and beside it one event loop with a post for each feed, and health.

Enters: run files. Leaves: runs and alerts, until it is told to stop. Goes wrong at the start: whatever is wrong with a
run file, its subscribers or channels (`UserError`); later only the workspace or the machine.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import chain

from dynamo.engine import LocalEngine
from dynamo.engine.spawn import Spawned
from dynamo.errors import UserError
from dynamo.journal import Journal, Workspace
from dynamo.runfile.workflow import module_folders
from dynamo.watch.alone import alone
from dynamo.watch.equipment import check_workflow, equip
from dynamo.watch.feed import Feed
from dynamo.watch.health import Health
from dynamo.watch.moves import Moves
from dynamo.watch.post import Post
from dynamo.watch.tidy import tidy
from dynamo.watch.turns import Turns

__all__ = ["Options", "Watch"]

log = logging.getLogger(__name__)


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
        At most; by default the most that a run file asks for.
    at_once
        Runs at one time over all feeds, at most; by default only each feed has its own limit.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    keep: float = 7 * 86_400.0
    cores: int | None = None
    at_once: int | None = None


class Watch:
    """Run files that are watched.

    Raises
    ------
    UserError
        Two have different workspaces or are one; a workflow cannot be loaded, subscribers or channels are wrong.
    """

    def __init__(self, feeds: Sequence[Feed], options: Options | None = None) -> None:
        self.options = options or Options()
        _check_together(feeds)
        for feed in feeds:
            for doubt in check_workflow(feed):
                log.warning("%s: %s", feed.name, doubt)
        self.workspace = Workspace.open(feeds[0].workspace)
        Journal(self.workspace.journal).close()  # made, and brought up to date, before several open it
        self._turns = Turns(self.options.at_once)
        self.posts = []
        for feed in feeds:
            label = f"{feed.name}: " if len(feeds) > 1 else ""
            equipment = equip(feed, self.workspace.journal, label)
            self.posts.append(Post(equipment, self.workspace, self._turns, label))

    def run(
        self, first: Spawned | None = None, ready: Callable[[Health | None], None] = lambda _: None
    ) -> None:
        """Watch until Ctrl-C or SIGTERM; `ready` is called when all feeds have begun to look.

        Raises
        ------
        KeyboardInterrupt
            It was told to stop; runs that were under way are gone on with at the next start.
        UserError
            One is watched already; the port is taken; a folder cannot be watched.
        WorkspaceError
            The journal cannot be used.
        """
        feeds = [post.feed for post in self.posts]
        rules = [feed.runfile.engine for feed in feeds]
        folders = [module_folders(feed.runfile.workflow, feed.path.parent) for feed in feeds]
        with ExitStack() as stack:
            for feed in feeds:
                stack.enter_context(alone(self.workspace.root, feed.name))
            engine = LocalEngine(
                self.workspace,
                cores=self.options.cores or _most([rule.cores for rule in rules]),
                memory=_most([rule.memory for rule in rules]),
                modules=tuple(dict.fromkeys(chain.from_iterable(folders))),
                first=first,
            )
            with engine:
                engine.warm()
                with self._thinking(ready):
                    engine.serve(self._turns.runs)

    @contextmanager
    def _thinking(self, ready: Callable[[Health | None], None]) -> Iterator[None]:
        """Have the event loop run in a thread beside the body; what fails there ends the engine."""
        loop, over, runs = asyncio.new_event_loop(), asyncio.Event(), self._turns.runs

        def beside() -> None:
            try:
                with asyncio.Runner(loop_factory=lambda: loop) as runner:
                    runner.run(self._beside(over, ready))
            except BaseException as error:  # noqa: BLE001 - told in the thread that waits
                runs.fail(error)

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
            runs.close()
            runs.check()  # what went wrong at the end is told, too

    async def _beside(self, over: asyncio.Event, ready: Callable[[Health | None], None]) -> None:
        """All posts and health, until one of them fails or it is `over`."""
        self._turns.runs.attach(asyncio.get_running_loop())
        async with AsyncExitStack() as stack:
            health = await self._health(stack)
            left = len(self.posts)

            def begun() -> None:
                nonlocal left
                left -= 1
                if not left:
                    ready(health)

            works = [post.work(over, begun) for post in self.posts]
            works.append(tidy(self.workspace, lambda: [p.feed for p in self.posts], self.options.keep, over))
            tasks = [asyncio.ensure_future(work) for work in (*works, over.wait())]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            over.set()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for error in ended:
            if isinstance(error, BaseException):
                raise error

    async def _health(self, stack: AsyncExitStack) -> Health | None:
        if self.options.port is None:
            if any(post.door for post in self.posts):
                log.warning("positions can be posted only to a watch with --port")
            return None
        moves = Moves(self.workspace.journal, lambda: [post.door for post in self.posts if post.door])
        health = Health(self.posts, host=self.options.host, port=self.options.port, more=moves.routes())
        await health.start()
        stack.push_async_callback(health.stop)
        return health


def _check_together(feeds: Sequence[Feed]) -> None:
    """Raise `UserError` where these cannot be watched in one."""
    first, seen = feeds[0], set[str]()
    for feed in feeds:
        if feed.workspace.resolve() != first.workspace.resolve():
            raise UserError(
                f"{feed.path} has the workspace {feed.workspace}, {first.path} has {first.workspace}; run files that "
                "are watched together share one: give them the same `workspace:`"
            )
        if feed.name in seen:
            raise UserError(f"{feed.path} is named twice")
        seen.add(feed.name)


def _most(given: Sequence[int | None]) -> int | None:
    """Return the most that is asked for, or None where one asks for all there is."""
    return None if None in given else max(one or 0 for one in given)
