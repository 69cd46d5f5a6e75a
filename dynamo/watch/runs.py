"""Between the watch and the engine: runs that are asked for on one side, and how they ended on the other.

The engine takes and tells in its own thread; what asks and hears is the event loop of the watch.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from dynamo.engine.events import Summary
from dynamo.engine.request import Request
from dynamo.errors import UserError

__all__ = ["Runs"]


class Runs:
    """A source of runs for an engine, fed from an event loop.

    Parameters
    ----------
    ended, refused
        Called in the loop when a run has ended, or could not begin.
    """

    def __init__(
        self, ended: Callable[[Summary], None], refused: Callable[[Request, UserError], None]
    ) -> None:
        self._ended, self._refused = ended, refused
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wanted: deque[Request] = deque()
        self._over = threading.Event()
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

    def stop(self) -> None:
        """Have the engine stop when what runs has ended; from any thread."""
        self._over.set()
        self._call()

    def _call(self) -> None:
        with suppress(BlockingIOError):  # it is full of calls already
            self._theirs.send(b"!")

    # In the engine's thread

    def fileno(self) -> int:
        """Becomes readable with each call."""
        return self._ours.fileno()

    def take(self, running: Sequence[str]) -> Sequence[Request] | None:
        """Return what is asked for; None once it is over and nothing runs any more."""
        with suppress(BlockingIOError):
            while self._ours.recv(4096):
                pass
        if self._over.is_set():
            return [] if running else None
        return [self._wanted.popleft() for _ in range(len(self._wanted))]

    def ended(self, summary: Summary) -> None:
        """Tell the loop."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._ended, summary)

    def refused(self, request: Request, error: UserError) -> None:
        """Tell the loop."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._refused, request, error)

    def close(self) -> None:
        """Let the sockets go."""
        self._ours.close()
        self._theirs.close()
