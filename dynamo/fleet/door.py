"""Who may connect to the join service: so many at once, so many of one address, and nobody who says nothing.

Connections are accepted here, as neither asyncio nor aiohttp bounds how many there are nor waits only so long for a
request; both begin when TLS is agreed on, and a connection holds a file of this process from before that.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
import ssl
import time
from collections.abc import Callable, Coroutine

from dynamo.fleet.seldom import Seldom

__all__ = ["Door"]

log = logging.getLogger(__name__)

#: Connections that are waiting for us to accept them.
_BACKLOG = 128
#: Of the files that this process may open, connections have one in so many at most.
_SHARE = 4
#: Seconds that nobody is accepted where that cannot be done: no file is left.
_REST = 1.0


class Door:
    """Accepts connections, over TLS; who is one too many is not listened to.

    Parameters
    ----------
    made
        Makes what serves a connection.
    context
        Of TLS.
    most, each
        Connections at once: of all, and of one address that have sent no whole request yet.
    patience
        Seconds in which a connection must send a whole request, from when it is accepted.
    """

    def __init__(
        self,
        made: Callable[[], asyncio.Protocol],
        context: ssl.SSLContext,
        *,
        most: int = 300,
        each: int = 20,
        patience: float = 10.0,
    ) -> None:
        self._made, self._context = made, context
        self._most = min(most, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // _SHARE)
        self._each, self._patience = each, patience
        self._held: dict[socket.socket, tuple[str, int]] = {}
        # Of those that have sent no whole request yet.
        self._silent: dict[object, asyncio.Event] = {}
        self._listening: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._seldom = Seldom(log)

    async def open(self, host: str, port: int) -> int:
        """Listen at all addresses of a host, and return the port; raises `OSError` where that cannot be."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, address in dict.fromkeys(found):
            one = socket.create_server((address[0], port), family=family, backlog=_BACKLOG)
            one.setblocking(False)
            self._listening.append(one)
            port = one.getsockname()[1]
            self._begin(self._accept(one))
        return port

    async def close(self) -> None:
        """Listen no more, and wait for no request."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for one in self._listening:
            one.close()

    def asked(self, peer: object) -> None:
        """Wait no more for who has sent a whole request; `peer` is the other end's address and port."""
        event = self._silent.pop(peer, None)
        if event is not None:
            event.set()

    def _is_one_too_many(self, host: str) -> bool:
        self._held = {one: peer for one, peer in self._held.items() if one.fileno() != -1}
        silent = sum(peer[0] == host and peer in self._silent for peer in self._held.values())
        return len(self._held) >= self._most or silent >= self._each

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                one, peer = await loop.sock_accept(listening)
            except OSError as error:
                self._seldom.warn(f"machines that join cannot be listened to: {error}", time.monotonic())
                await asyncio.sleep(_REST)
                continue
            if self._is_one_too_many(peer[0]):
                one.close()
                continue
            self._held[one], self._silent[peer] = peer, asyncio.Event()
            self._begin(self._serve(one, peer, self._silent[peer]))

    async def _serve(self, one: socket.socket, peer: object, asked: asyncio.Event) -> None:
        """Serve a connection, and end it where no whole request comes in time."""
        transport: asyncio.Transport | None = None
        try:
            async with asyncio.timeout(self._patience):
                transport, _ = await asyncio.get_running_loop().connect_accepted_socket(
                    self._made, one, ssl=self._context, ssl_shutdown_timeout=self._patience
                )
                await asked.wait()
        except (OSError, EOFError):  # it took too long, or speaks no TLS
            if transport is not None:
                transport.abort()
        finally:
            if self._silent.get(peer) is asked:
                del self._silent[peer]
