"""Webhooks per second, and what sick endpoints cost the healthy: ``python benchmarks/delivery.py``.

Deliveries wait in a journal; the sender signs and posts them to endpoints in a process of their own and writes
down each result. One receiver gets all of its own one after another. Then each of many endpoints, all at addresses
of their own, gets one, and some of them hang or fail. The peer is a bare loop of aiohttp that remembers nothing.
"""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import orjson

from dynamo.alerts.alert import Alert
from dynamo.delivery.connections import Connections
from dynamo.delivery.guard import Guard
from dynamo.delivery.sender import Sender
from dynamo.delivery.signature import Secret
from dynamo.delivery.webhook import Webhook
from dynamo.journal.database import Database
from rows import Row, main

HERE = Path(__file__).resolve().parent
NOW = datetime(2026, 3, 25, 5, tzinfo=UTC)
SECRET = Secret("whsec_" + "c2VjcmV0" * 4)
SQUARE = [[[-97.1 + x / 100, 32.7 + y / 100] for x, y in ((0, 0), (1, 0), (1, 1), (0, 1), (0, 0))]]


def alert(n):
    """An alert of about the usual size."""
    return Alert(
        f"alert-{n}", f"episode-{n}", 0, "new", "nowcast", "run", f"hospital {n}", -97.1, 32.7, "STORM", 45.0, "dBZ",
        NOW, NOW, NOW, NOW, False, 4.2, 270.0, 10.0, datetime(2100, 1, 1, tzinfo=UTC),
        polygons={"type": "Polygon", "coordinates": SQUARE},
    )  # fmt: skip


def form(told):
    """The message, as JSON."""
    return orjson.dumps(told.to_json()), {"Content-Type": "application/json"}


@contextmanager
def endpoints():
    """A process of endpoints; gives its port."""
    process = subprocess.Popen([sys.executable, str(HERE / "endpoint.py")], stdout=subprocess.PIPE, text=True)
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def fill(path, channels):
    """A journal in which one delivery waits for each of `channels`, in order."""
    Database(path, ()).close()
    db = sqlite3.connect(path)
    for n, channel in enumerate(channels):
        one = alert(n)
        row = (one.id, one.episode, 0, "new", "nowcast", "run", one.subscriber, "STORM", time.time())
        db.execute(
            "INSERT INTO alerts (id, episode, revision, kind, feed, run, subscriber, hazard, made, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, orjson.dumps(one.to_json()).decode()),
        )
        db.execute(
            "INSERT INTO deliveries (id, alert, episode, channel, state, due, expires)"
            " VALUES (?, ?, ?, ?, 'waiting', ?, ?)",
            (f"msg_{n}", one.id, one.episode, channel, time.time(), one.expires.timestamp()),
        )
    db.commit()
    db.close()


def webhooks(urls):
    """A webhook for each name and URL; all share their connections."""
    connections = Connections(Guard(["127.0.0.0/8"]))
    return {name: Webhook(name, url, [SECRET], form, connections=connections) for name, url in urls.items()}


async def deliver(path, urls, wanted):
    """Seconds until `wanted` deliveries are written down as sent."""
    channels = webhooks(urls)
    sender = Sender(path, channels)
    watch = sqlite3.connect(path)
    start = time.perf_counter()
    running = asyncio.create_task(sender.run())
    while watch.execute("SELECT count(*) FROM deliveries WHERE state = 'sent'").fetchone()[0] < wanted:
        await asyncio.sleep(0.05)
        if running.done():
            running.result()
    seconds = time.perf_counter() - start
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    for channel in channels.values():
        await channel.close()
    watch.close()
    return seconds


async def bare(url, number):
    """Seconds of a loop that posts the same, signed, to one receiver."""
    async with aiohttp.ClientSession() as session:
        start = time.perf_counter()
        for n in range(number):
            body, headers = form(alert(n))
            signed = SECRET.sign(f"msg_{n}", int(time.time()), body)
            async with session.post(
                url, data=body, headers={**headers, "webhook-signature": signed}
            ) as answer:
                await answer.read()
        return time.perf_counter() - start


def timed(folder, name, urls, channels, wanted):
    """Seconds to deliver from a fresh journal."""
    path = folder / f"{name}.db"
    fill(path, channels)
    return asyncio.run(deliver(path, urls, wanted))


def one_receiver(folder, port, number, times):
    """Best seconds of the sender and of the bare loop, in turns."""
    url = f"http://127.0.0.1:{port}/in"
    ours, theirs = [], []
    for n in range(times):
        ours.append(timed(folder, f"one-{n}", {"a": url}, ["a"] * number, number))
        theirs.append(asyncio.run(bare(url, number)))
    return min(ours), min(theirs)


def many(folder, port, number, sick, n):
    """Seconds until all healthy ones of `number` endpoints are served, every `sick`-th being sick (0: none)."""
    urls = {}
    for i in range(number):
        path = "in" if not sick or i % sick else ("hang" if i // sick % 2 else "fail")
        urls[f"c{i:05}"] = f"http://127.1.{i // 250}.{i % 250 + 1}:{port}/{path}"
    healthy = sum(url.endswith("/in") for url in urls.values())
    return timed(folder, f"many-{number}-{sick}-{n}", urls, list(urls), healthy), healthy


def measure(quick: bool) -> Iterator[Row | str]:
    """One receiver, then many."""
    number, times = (500, 1) if quick else (5000, 3)
    with tempfile.TemporaryDirectory() as name, endpoints() as port:
        folder = Path(name)
        ours, theirs = one_receiver(folder, port, number, times)
        yield Row(
            f"one webhook of {number:,} to one receiver, durable, signed, in order",
            1000 * ours / number,
            "ms",
            1.0,
            {"bare aiohttp loop, nothing durable": 1000 * theirs / number},
            note=f"{number / ours:,.0f} a second; the bare loop {number / theirs:,.0f}",
        )
        for size in (200,) if quick else (2000, 10_000):
            mixed, well = [], []
            for n in range(1 if quick else 2):
                seconds, healthy = many(folder, port, size, 20, n)
                mixed.append(1000 * seconds / healthy)
                seconds, healthy = many(folder, port, size, 0, n)
                well.append(1000 * seconds / healthy)
            yield Row(
                f"one webhook to each of {size:,} endpoints of which 5 % hang or fail",
                min(mixed),
                "ms",
                None,
                {"the same, all of them well": min(well)},
                note="time until the last healthy one has its own, over their number",
            )


if __name__ == "__main__":
    main(__doc__, measure)
