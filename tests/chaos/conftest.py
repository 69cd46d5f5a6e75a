"""A receiver of alerts that answers as it likes, for those who are killed while they send to it."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator

import pytest
import standardwebhooks
from aiohttp import web

#: How a request may be answered, and how often among 28 of them.
MOODS = {"good": 20, "bad": 2, "busy": 1, "reset": 1, "slow": 2, "deaf": 1, "late reset": 1}


class Receiver:
    """Takes what is posted, verifies it, and answers at random; remembers in which order ids first arrived.

    While it is ``sick`` it fails at the ids of ``poison`` each time. The body should be what ``expected`` makes of the
    id, where that is given.
    """

    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    def __init__(self) -> None:
        self.random = random.Random(20260325)
        self.sick = True
        self.poison: set[str] = set()
        self.expected: Callable[[str], str] | None = None
        self.arrived: dict[str, dict[str, int]] = defaultdict(dict)
        self.acknowledged: set[str] = set()
        self.wrong: list[str] = []
        self.moods = dict.fromkeys(MOODS, 0)
        self.loop = asyncio.new_event_loop()
        self.url = ""
        ready = threading.Event()
        self.thread = threading.Thread(target=self._serve, args=(ready,))
        self.thread.start()
        ready.wait()

    def _serve(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self.loop)
        app = web.Application()
        app.router.add_post("/{channel}", self._answer)
        runner = web.AppRunner(app, shutdown_timeout=0, handler_cancellation=True)
        self.loop.run_until_complete(runner.setup())
        self.loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", 0).start())
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        ready.set()
        self.loop.run_forever()
        self.loop.run_until_complete(runner.cleanup())
        self.loop.close()

    def _mood(self, name: str) -> str:
        if not self.sick:
            return "good"
        (mood,) = self.random.choices(list(MOODS), list(MOODS.values()))
        return "bad" if name in self.poison else mood

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        name = request.headers["webhook-id"]
        mood = self._mood(name)
        self.moods[mood] += 1
        if mood == "reset":
            return self._reset(request)
        body = await request.read()
        if mood == "bad":
            return web.Response(status=500, text="sick")
        if mood == "busy":
            return web.Response(status=429, headers={"Retry-After": "1"})
        self._take(request, name, body)
        if mood == "late reset":
            return self._reset(request)
        await asyncio.sleep({"slow": 0.05, "deaf": 3600}.get(mood, 0))
        self.acknowledged.add(name)
        return web.Response(text="ok")

    def _take(self, request: web.Request, name: str, body: bytes) -> None:
        try:
            standardwebhooks.Webhook(self.secret).verify(body, dict(request.headers), json_parse=False)
        except standardwebhooks.WebhookVerificationError as error:
            self.wrong.append(f"{name}: {error}")
        if self.expected is not None and body.decode() != self.expected(name):
            self.wrong.append(f"{name}: {body!r}")
        channel = self.arrived[request.match_info["channel"]]
        channel[name] = channel.get(name, 0) + 1

    @property
    def asked(self) -> int:
        """How many requests came."""
        return sum(self.moods.values())

    @staticmethod
    def _reset(request: web.Request) -> web.StreamResponse:
        sock = request.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        request.transport.abort()
        return web.Response()

    def close(self) -> None:
        """Take nothing any more; once is enough."""
        if self.thread.is_alive():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver on loopback, in a thread of its own."""
    one = Receiver()
    yield one
    one.close()
