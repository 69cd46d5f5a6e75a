"""The post of a feed: its desk, its bench and its sender at work, and made anew when its run file is edited.

An edited run file that is right is taken up whole, as after a restart; what runs goes on as it was begun. One that is
faulty is told, and the one before holds. Goes wrong: what is wrong with files of this feed alone is told, and tried
again after a while; all else ends the watch.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import time
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

from dynamo.alerts.alert import Alert
from dynamo.delivery.sender import Sender
from dynamo.delivery.tally import tally
from dynamo.errors import DynamoError, UserError
from dynamo.journal import Workspace
from dynamo.runfile.draft import text_of
from dynamo.runfile.workflow import module_folders
from dynamo.watch.alone import tell_troubles
from dynamo.watch.bench import Bench
from dynamo.watch.channels import address
from dynamo.watch.closed import Channels, channels_of
from dynamo.watch.counts import Counts
from dynamo.watch.desk import Desk
from dynamo.watch.equipment import Equipment, check_workflow, equip
from dynamo.watch.feed import Feed, read_feed
from dynamo.watch.moves import Door
from dynamo.watch.people import People
from dynamo.watch.turns import Turns

__all__ = ["Post"]

log = logging.getLogger(__name__)

#: Seconds between looks at a run file, and between tries where files of a feed stopped its work or are faulty.
LOOK = 1.0
PAUSE = 30.0


class Post:
    """One feed of a watch, for its event loop.

    Parameters
    ----------
    equipment
        What it begins with.
    workspace
        Of its runs; the same whatever its run file comes to say.
    turns
        Of the watch.
    label
        What lines of the log begin with.
    """

    def __init__(self, equipment: Equipment, workspace: Workspace, turns: Turns, label: str = "") -> None:
        self.counts = Counts()
        self.feed = equipment.feed
        self._equipment, self._workspace, self._turns, self._label = equipment, workspace, turns, label
        self._state = _state_of(equipment.feed)
        self._has_begun = False
        self._told: dict[str, str] = {}  # the troubles that `dynamo status` hears of
        self._engine = equipment.feed.runfile.engine  # as the watch began with it
        self._folders = frozenset(_folders(equipment.feed))

    async def work(self, over: asyncio.Event, begun: Callable[[], None]) -> None:
        """Work until `over`; call `begun` once what was there was looked at."""

        def first() -> None:
            if not self._has_begun:
                self._has_begun = True
                begun()

        edited, ended = asyncio.create_task(self._edited()), asyncio.create_task(over.wait())
        try:
            while not over.is_set():
                await self._shift(first, [edited, ended])
                if edited.done():
                    self._equipment = edited.result()
                    self.feed = self._equipment.feed
                    log.info("%s was edited: it holds as it is now", self.feed.name)
                    edited = asyncio.create_task(self._edited())
        finally:
            for waiting in (edited, ended):
                waiting.cancel()

    async def _shift(self, begun: Callable[[], None], until: Iterable[asyncio.Task[Any]]) -> None:
        """Work with the equipment there is, until one of these is done."""
        stop = asyncio.Event()
        async with AsyncExitStack() as stack:
            works = self._works(stack, stop, begun)
            await asyncio.wait([*works, *until], return_when=asyncio.FIRST_COMPLETED)
            stop.set()
            ended = await asyncio.gather(*works, return_exceptions=True)
        errors = [error for error in ended if isinstance(error, BaseException)]
        for error in errors:
            if not (isinstance(error, UserError) and self._has_begun):
                raise error
        if errors:
            await self._recover(errors[0], until)

    async def _recover(self, error: BaseException, until: Iterable[asyncio.Task[Any]]) -> None:
        """Tell what stopped the work, and return when it may begin anew or one of these is done."""
        while True:
            log.error("%s: nothing is run for %g s: %s", self.feed.name, PAUSE, error)
            self.counts.trouble("feed", str(error))
            done, _ = await asyncio.wait(until, timeout=PAUSE, return_when=asyncio.FIRST_COMPLETED)
            try:
                if not done:
                    self._equipment = await asyncio.to_thread(
                        equip, self.feed, self._workspace.journal, self._label
                    )
            except UserError as again:
                error = again
            else:
                self.counts.trouble("feed", "")
                return

    def _works(
        self, stack: AsyncExitStack, stop: asyncio.Event, begun: Callable[[], None]
    ) -> list[asyncio.Task[None]]:
        """Begin to work until `stop`; what was used is closed by `stack`."""
        feed, channels = self.feed, self._equipment.channels
        self.counts.trouble("subscribers", "")
        for channel in channels.values():
            stack.push_async_callback(channel.close)
        if self._equipment.judge is None:
            desk = Desk(feed, self._workspace, None, self.counts, self._turns, self._label)
            return [asyncio.create_task(desk.work(stop, begun))]
        addressed = {address(feed.name, name): channel for name, channel in channels.items()}
        # The lock of this feed is held: whoever had leased its channels for a watch is no more.
        sender = Sender(self._workspace.journal, addressed, scope=address(feed.name), alone=True)

        def told(_: list[Alert]) -> None:
            sender.wake()

        async def stopped() -> None:
            await stop.wait()
            sender.stop()

        bench = Bench(self._equipment.judge, self.counts, told)
        stack.push_async_callback(bench.close)
        desk = Desk(feed, self._workspace, bench, self.counts, self._turns, self._label)
        works = [desk.work(stop, begun), sender.run(), stopped()]
        if self._equipment.people is not None:
            works.append(_mind(bench, self._equipment.people, stop))
        return [asyncio.create_task(work) for work in works]

    async def _edited(self) -> Equipment:
        """Return what an edited run file asks for, once it is right; tell what is wrong.

        One that is faulty is tried again after a while: what it names may have come, or been mended, since.
        """
        again = math.inf
        while True:
            await asyncio.sleep(LOOK)
            self._tell()
            state = _state(self.feed.path)
            if state == self._state and time.monotonic() < again:
                continue
            await asyncio.sleep(LOOK)
            if _state(self.feed.path) != state:
                continue  # it is still being written
            self._state = state
            try:
                feed = read_feed(self.feed.path)
                doubts = self._check(feed)
                equipment = await asyncio.to_thread(equip, feed, self._workspace.journal, self._label)
            except DynamoError as error:
                self._faulty(str(error))
                again = time.monotonic() + PAUSE
            else:
                self._faulty("")
                for doubt in doubts:
                    log.warning("%s: %s", feed.name, doubt)
                if feed.runfile.engine != self._engine:
                    log.warning(
                        "%s: `engine:` was edited: that holds when the watch is started anew", feed.name
                    )
                return equipment

    def _check(self, feed: Feed) -> list[str]:
        """Return which rules of a feed can never match; raise `UserError` where it cannot take the place of ours."""
        if feed.workspace != self.feed.workspace:
            raise UserError(f"{feed.path}: a workspace cannot be changed while it is watched; start anew")
        if not self._folders.issuperset(_folders(feed)):  # the engine's workers were told at its start
            raise UserError(
                f"{feed.path}: the workflow {feed.runfile.workflow} lies in another folder than the first one, and may"
                " import what lies beside the run file; that cannot be changed while it is watched; start anew"
            )
        return check_workflow(feed)

    def _faulty(self, error: str) -> None:
        if self.counts.trouble("run file", error) and error:
            log.error("%s stays as it was: %s", self.feed.name, error)

    def _tell(self) -> None:
        """Write down what is wrong now, for `dynamo status`; where there is no room, try it again."""
        troubles = dict(self.counts.troubles)
        if troubles != self._told and tell_troubles(self._workspace.root, self.feed.name, troubles):
            self._told = troubles

    @property
    def door(self) -> Door | None:
        """Where the people of the feed, as it is watched now, may say where they are."""
        return self._equipment.door

    @property
    def patience(self) -> float:
        """Seconds without a good end of a run, after which what is to be run makes it unwell."""
        return max(self.feed.trigger.stale, 60.0)

    async def deliveries(self) -> dict[str, int]:
        """Return how many deliveries of this feed are in each state."""
        return await asyncio.to_thread(tally, self._workspace.journal, address(self.feed.name))

    async def channels(self) -> Channels:
        """Return how the channels of this feed stand, as it is watched now."""
        named = [address(self.feed.name, name) for name in self._equipment.channels]
        return await asyncio.to_thread(channels_of, self._workspace.journal, named)


def _folders(feed: Feed) -> list[str]:
    """Return where the workers of the engine seek modules for a feed."""
    return module_folders(feed.runfile.workflow, feed.path.parent)


async def _mind(bench: Bench, people: People, stop: asyncio.Event) -> None:
    """Have the file of subscribers looked at each `LOOK` seconds until `stop`."""
    while not stop.is_set():
        await bench.mind(people)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), LOOK)


def _state_of(feed: Feed) -> tuple[int, int, int] | None:
    """Return what tells that a run file was edited since it was read; None where it has been already."""
    state = _state(feed.path)
    with suppress(DynamoError):
        if text_of(feed.path) == feed.text:
            return state
    return None


def _state(path: Path) -> tuple[int, int, int] | None:
    """Return what tells that a file was edited; None where it is away for a moment."""
    with suppress(OSError):
        state = os.stat(path)  # noqa: PTH116 - each second
        return state.st_ino, state.st_size, state.st_mtime_ns
    return None
