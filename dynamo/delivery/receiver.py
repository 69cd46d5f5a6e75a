"""Receiver: a small HTTP server that takes webhooks, for a first try and for tests.

Requests enter, on the loopback alone; an `Arrival` each leaves, in a queue: verified, told before, not to be
believed, or not to be read. Answered with 200 (also what was told before), 401 and 400. What can go wrong: a port
that is taken (`UserError`).
"""

from __future__ import annotations

import asyncio
import errno
import secrets as randomness
import time
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal, Self

from aiohttp import web

from dynamo.alerts.alert import Alert
from dynamo.alerts.forms import Form, read
from dynamo.alerts.words import plain, sentence
from dynamo.delivery.signature import Secret, verify
from dynamo.errors import DataError, UserError

__all__ = ["Arrival", "Receiver", "Verdict", "new_secret"]

Verdict = Literal["verified", "repeated", "unverified", "unreadable"]

#: Ids that are remembered, to know what was told before.
REMEMBERED = 100_000
#: Bytes of the longest body.
LONGEST = 1 << 24


def new_secret() -> str:
    """Return a secret that nobody else has: 32 random bytes."""
    return "whsec_" + b64encode(randomness.token_bytes(32)).decode()


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request.

    Parameters
    ----------
    at
        When it came, UTC.
    verdict
        What it is worth.
    delivery
        Its ``webhook-id``, as text on one line.
    alert, form
        What it told, and how; None where it is not believed or not understood.
    reason
        Why not.
    """

    at: datetime
    verdict: Verdict
    delivery: str
    alert: Alert | None = None
    form: Form | None = None
    reason: str = ""

    def line(self) -> str:
        """Return it in words, as in ``07:41:10 verified new STORM 45 dBZ is within 10 km of Plano now``."""
        head = f"{self.at:%H:%M:%S} {self.verdict}"
        if self.alert is None:
            return f"{head} {self.delivery or 'without an id'}: {self.reason}"
        exercise = "EXERCISE " if self.alert.exercise else ""
        return f"{head} {exercise}{self.alert.kind} {sentence(self.alert)}"

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values, with all facts of the alert."""
        return {
            "at": self.at.isoformat(),
            "verdict": self.verdict,
            "delivery": self.delivery,
            "form": self.form,
            "reason": self.reason,
            "alert": self.alert and self.alert.to_json(),
        }


class Receiver:
    """A server that runs while it is entered with ``async with``, or between `start` and `stop`.

    Parameters
    ----------
    secrets
        Any of them may have signed; with none nothing is believed.
    port
        0 for any that is free.
    host
        Address to listen at.
    """

    def __init__(self, secrets: Sequence[Secret], port: int = 0, host: str = "127.0.0.1") -> None:
        self.arrivals: asyncio.Queue[Arrival] = asyncio.Queue()
        self.port = port
        self.host = host
        self._secrets = tuple(secrets)
        self._seen: dict[str, None] = {}
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where alerts are to be sent."""
        return f"http://{self.host}:{self.port}/"

    async def start(self) -> None:
        """Listen.

        Raises
        ------
        UserError
            The port is taken, or not for us.
        """
        app = web.Application(client_max_size=LONGEST)
        app.router.add_post("/{path:.*}", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self.host, self.port).start()
        except OSError as error:
            await self.stop()
            taken = error.errno == errno.EADDRINUSE
            why = "another program listens there" if taken else (error.strerror or str(error))
            raise UserError(
                f"cannot listen at port {self.port} of {self.host}: {why}; name another port"
            ) from None
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Listen no more."""
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _take(self, request: web.Request) -> web.Response:
        arrival = self._judge(request, await request.read())
        self.arrivals.put_nowait(arrival)
        status = {"unverified": 401, "unreadable": 400}.get(arrival.verdict, 200)
        return web.Response(status=status, text=arrival.reason or arrival.verdict)

    def _judge(self, request: web.Request, body: bytes) -> Arrival:
        at, delivery = datetime.now(UTC), plain(request.headers.get("webhook-id", ""))
        if reason := verify(self._secrets, request.headers, body, time.time()):
            return Arrival(at, "unverified", delivery, reason=reason)
        try:
            alert, form = read(body, request.headers)
        except DataError as error:
            return Arrival(at, "unreadable", delivery, reason=plain(str(error)))
        if delivery in self._seen:
            return Arrival(at, "repeated", delivery, alert, form)
        self._seen[delivery] = None
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return Arrival(at, "verified", delivery, alert, form)
