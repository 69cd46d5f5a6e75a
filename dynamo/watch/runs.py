"""Between the watch and the engine: runs that are asked for on one side, and how they ended on the other.

The engine takes and tells in its own thread; what asks and hears is the event loop of the watch.
"""

from __future__ import annotations

import asyncio
import logging
import math
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from dynamo.engine.events import Summary
from dynamo.engine.request import Request
from dynamo.errors import UserError
from dynamo.journal.database import DiskFullError

__all__ = ["WAITS", "Runs"]

log = logging.getLogger(__name__)

#: What is said while runs wait for room.
WAITS = "the disk of the workspace is full; runs are begun when there is room"
#: Seconds without a full disk after which the next one is told.
QUIET = 60.0


class Runs:
    """A source of runs for an engine, fed from an event loop.

    Parameters
    ----------
    ended, refused
        Called in the loop when a run has ended, or could not begin.
    waits
        Called in the loop while runs wait for room on the disk, and with nothing said when none does any more.
    """

    outlasts = True

    def __init__(
        self,
        ended: Callable[[Summary], None],
        refused: Callable[[Request, UserError], None],
        waits: Callable[[str], None],
    ) -> None:
        self._ended, self._refused, self._waits = ended, refused, waits
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wanted: deque[Request] = deque()
        self._failure: BaseException | None = None
        self._full = -math.inf  # when the disk was last
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._theirs.setblocking(False)

    # In the loop

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Name the loop in which it is told how runs ended."""
        self._loop = loop

    def ask(self, request: Request) -> None:
        """Have the engine begin a run now."""
        self._wanted.append(request)
        self._call()

    def fail(self, failure: BaseException) -> None:
        """Have the engine end with an error, and leave what runs to be gone on with."""
        self._failure = failure
        self._call()

    def _call(self) -> None:
        with suppress(OSError):  # it is full of calls already, or closed: the engine has ended
            self._theirs.send(b"!")

    # In the engine's thread

    def fileno(self) -> int:
        """Becomes readable with each call."""
        return self._ours.fileno()

    def take(self, running: Sequence[str]) -> Sequence[Request]:  # noqa: ARG002 - the desk bounds what runs
        """Return what is asked for; raise what it was told to fail with."""
        with suppress(BlockingIOError):
            while self._ours.recv(4096):
                pass
        self.check()
        return [self._wanted.popleft() for _ in range(len(self._wanted))]

    def check(self) -> None:
        """Raise what it was told to fail with, if anything."""
        if self._failure is not None:
            raise self._failure

    def ended(self, summary: Summary) -> None:
        """Tell the loop."""
        self._tell(self._ended, summary)

    def refused(self, request: Request, error: UserError) -> None:
        """Tell the loop."""
        self._tell(self._refused, request, error)

    def full(self, error: DiskFullError) -> None:
        """Outlast it; say so when it begins."""
        self.check()
        now = time.monotonic()
        if now > self._full + QUIET:
            log.warning("what runs was ended, and is begun again when there is room: %s", error)
        self._full = now

    def waits(self, error: DiskFullError | None) -> None:
        """Tell the loop."""
        self._tell(self._waits, WAITS if error else "")

    def _tell(self, call: Callable[..., None], *news: object) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended: the next watch finds it in the journal
                self._loop.call_soon_threadsafe(call, *news)

    def close(self) -> None:
        """Let the sockets go."""
        self._ours.close()
        self._theirs.close()
