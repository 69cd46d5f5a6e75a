"""Alerts, a journal with an outbox, and endpoints on loopback, for the tests of delivery."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from dynamo.alerts.alert import Alert
from dynamo.delivery.channel import Outcome
from dynamo.journal.database import Database

NOON = datetime(2026, 3, 25, 12, tzinfo=UTC)
ALERT = Alert(
    id="a", episode="e", revision=0, kind="new", feed="nowcast", run="r", subscriber="clinic", lon=-97.1, lat=32.7,
    hazard="STORM", level=45.0, units="dBZ", issued=NOON, sent=NOON, onset=NOON, ends=NOON, inside=False,
    distance_km=4.0, bearing_deg=270.0, within_km=10.0, expires=NOON + timedelta(hours=1),
)  # fmt: skip


class Clock:
    """Unix seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = NOON.timestamp()

    def __call__(self) -> float:
        return self.now


class Rows:
    """A journal, filled and read past the outbox."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path, self.clock = path, clock
        Database(path, ()).close()
        self.db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.number = 0

    def add(self, channel="here", episode=None, kind="new", expires=3600.0, due=0.0) -> str:
        """Let one more delivery wait; return its id."""
        self.number += 1
        n, now = self.number, self.clock()
        until = datetime.fromtimestamp(now + expires, UTC)
        one = replace(ALERT, id=f"a{n}", episode=episode or f"e{n}", kind=kind, revision=n, expires=until)
        row = (
            one.id,
            one.episode,
            n,
            kind,
            "nowcast",
            "r",
            "clinic",
            "STORM",
            now,
            json.dumps(one.to_json()),
        )
        self.db.execute(
            "INSERT INTO alerts (id, episode, revision, kind, feed, run, subscriber, hazard, made, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )
        self.db.execute(
            "INSERT INTO deliveries (id, alert, episode, channel, state, due, expires)"
            " VALUES (?, ?, ?, ?, 'waiting', ?, ?)",
            (f"m{n}", one.id, one.episode, channel, now + due, now + expires),
        )
        return f"m{n}"

    def states(self) -> dict[str, str]:
        """State of each delivery."""
        return dict(self.db.execute("SELECT id, state FROM deliveries ORDER BY seq"))

    def reason(self, delivery: str) -> str:
        """Why a delivery is where it is."""
        return self.db.execute("SELECT reason FROM deliveries WHERE id = ?", (delivery,)).fetchone()[0]

    def tries(self, delivery: str) -> list[tuple[int, str, int | None, str]]:
        """Number, outcome, status and response of each try."""
        sql = "SELECT n, outcome, status, response FROM tries WHERE delivery = ? ORDER BY n"
        return self.db.execute(sql, (delivery,)).fetchall()

    def queues(self) -> list[tuple[str, float, int, str]]:
        """All rows of the queues."""
        return self.db.execute(
            "SELECT channel, ready, failing, sender FROM queues ORDER BY channel"
        ).fetchall()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until the journal says so."""
        async with asyncio.timeout(60):
            while not condition():  # noqa: ASYNC110 - it is another connection that changes it
                await asyncio.sleep(0.01)


class Recorder:
    """A channel that answers as told, and remembers what it was sent."""

    def __init__(self, name: str = "here", *outcomes: Outcome) -> None:
        self.name = name
        self.outcomes = list(outcomes)
        self.sent: list[str] = []
        self.flying = self.most = 0
        self.hold: Callable[[], Awaitable[object]] | None = None

    async def send(self, alert: Alert, delivery: str) -> Outcome:
        """Answer with the next outcome, or with success."""
        self.flying += 1
        self.most = max(self.most, self.flying)
        try:
            self.sent.append(delivery)
            await asyncio.sleep(0)
            if self.hold:
                await self.hold()
            return self.outcomes.pop(0) if self.outcomes else Outcome("sent", "ok", 200)
        finally:
            self.flying -= 1

    async def close(self) -> None:
        """Nothing is held."""


@asynccontextmanager
async def serving(answer, ssl=None) -> AsyncIterator[str]:
    """Serve HTTP on loopback with one handler; gives the URL."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=ssl)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"{'https' if ssl else 'http'}://127.0.0.1:{port}/in"
    finally:
        await runner.cleanup()


@pytest.fixture
def alert() -> Alert:
    """One alert."""
    return ALERT


@pytest.fixture
def clock() -> Clock:
    """It is noon until the test says otherwise."""
    return Clock()


@pytest.fixture
def ticking(clock: Clock) -> Callable[[], float]:
    """Time that passes by itself."""
    start = clock.now - time.monotonic()
    return lambda: start + time.monotonic()


@pytest.fixture
def rows(tmp_path: Path, clock: Clock) -> Iterator[Rows]:
    """An empty journal."""
    found = Rows(tmp_path / "journal.db", clock)
    yield found
    found.db.close()


@pytest.fixture
def recorder() -> type[Recorder]:
    """Makes channels that remember."""
    return Recorder


@pytest.fixture
def serve():
    """Makes servers of HTTP."""
    return serving
