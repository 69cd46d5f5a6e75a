"""``kill -9`` of the sender at random moments, a hundred times, while the receiver answers as it likes."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dynamo.alerts.alert import Alert
from dynamo.journal.database import Database

KILLS = 100
CHANNELS = [f"c{n}" for n in range(5)]
#: Deliveries at which the receiver fails while it is sick: one that an update supersedes, and an update.
POISON = {"m3", "m12"}
THEN = datetime(2026, 3, 25, 12, tzinfo=UTC)

# One process has imported everything and makes a new sender for each line it reads: a hundred starts take no time.
SENDERS = """
import asyncio, os, signal, sys
from pathlib import Path
from dynamo.delivery.connections import Connections
from dynamo.delivery.guard import Guard
from dynamo.delivery.retry import Patience
from dynamo.delivery.sender import Sender
from dynamo.delivery.signature import Secret
from dynamo.delivery.webhook import Webhook
journal, url, secret, *names = sys.argv[1:]

def form(alert):
    return alert.id.encode(), {'content-type': 'text/plain'}

async def deliver():
    connections = Connections(Guard(['127.0.0.1']))
    options = {'timeout': 0.2, 'connections': connections}
    channels = {name: Webhook(name, f'{url}/{name}', [Secret(secret)], form, **options) for name in names}
    patience = Patience(first=0.02, most=0.1, most_asked=0.1)
    await Sender(Path(journal), channels, lease=0.2, poll=0.02, patience=patience).run()

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for _ in sys.stdin:
    pid = os.fork()
    if not pid:
        asyncio.run(deliver())
        os._exit(0)
    print(pid, flush=True)
"""


class Judge:
    """Writes alerts and their deliveries, as the judging of hazards does: both in one transaction."""

    def __init__(self, path: Path) -> None:
        Database(path, ()).close()
        self.db = sqlite3.connect(path, isolation_level=None, timeout=30)
        self.written: dict[str, list[str]] = defaultdict(list)
        self.episodes: dict[str, list[str]] = defaultdict(list)

    def write(self, number: int) -> None:
        """One more alert in `number` channels, drawn in turns; of each twenty the last ten are updates."""
        self.db.execute("BEGIN IMMEDIATE")
        for _ in range(number):
            n = sum(map(len, self.written.values()))
            channel, name = CHANNELS[n % len(CHANNELS)], f"m{n}"
            kind = "new" if n % 20 < 10 else "updated"
            episode = f"e{n}" if kind == "new" else f"e{n - 10}"
            alert = Alert(
                f"alert of {name}", episode, n % 20 // 10, kind, "nowcast", "r", "clinic", -97.1, 32.7, "STORM", 45.0,
                "dBZ", THEN, THEN, THEN, THEN, False, 4.0, 270.0, 10.0, datetime(2100, 1, 1, tzinfo=UTC),
            )  # fmt: skip
            row = (alert.id, episode, alert.revision, kind, "nowcast", "r", "clinic", "STORM", time.time())
            self.db.execute(
                "INSERT INTO alerts (id, episode, revision, kind, feed, run, subscriber, hazard, made, body)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*row, json.dumps(alert.to_json())),
            )
            self.db.execute(
                "INSERT INTO deliveries (id, alert, episode, channel, state, due, expires)"
                " VALUES (?, ?, ?, ?, 'waiting', ?, ?)",
                (name, alert.id, episode, channel, time.time(), alert.expires.timestamp()),
            )
            self.written[channel].append(name)
            self.episodes[episode].append(name)
        self.db.execute("COMMIT")

    def count(self, state: str) -> int:
        """How many deliveries are in a state."""
        return self.db.execute("SELECT count(*) FROM deliveries WHERE state = ?", (state,)).fetchone()[0]


@pytest.mark.chaos
def test_a_sender_that_is_killed_again_and_again_loses_nothing_and_keeps_the_order(tmp_path, receiver):
    """Each delivery arrives, or a later one of its episode; in order, but for what was set aside; twice with one id."""
    journal, chance = tmp_path / "journal.db", random.Random(7)
    judge = Judge(journal)
    receiver.poison, receiver.expected = POISON, "alert of {}".format
    line = [sys.executable, "-c", SENDERS, str(journal), receiver.url, receiver.secret, *CHANNELS]
    senders = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def start() -> int:
        senders.stdin.write("\n")
        return int(senders.stdout.readline())

    pid, sent_before = 0, []
    try:
        for n in range(KILLS):
            judge.write(20)
            before, pid = pid, start()
            if n % 3 == 0 and before:  # for a moment there are two of them
                time.sleep(0.05)
            if before:
                os.kill(before, signal.SIGKILL)
            time.sleep(chance.uniform(0.02, 0.5))
            sent_before.append(judge.count("sent"))
        os.kill(pid, signal.SIGKILL)
        receiver.sick = False
        pid = start()
        deadline = time.monotonic() + 200
        while judge.count("waiting") and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
    finally:
        with suppress(ProcessLookupError):
            if pid:
                os.kill(pid, signal.SIGKILL)
        senders.stdin.close()
        senders.wait(10)
        senders.stdout.close()
        receiver.close()
    assert receiver.wrong == []
    states = dict(judge.db.execute("SELECT id, state FROM deliveries"))
    reasons = dict(judge.db.execute("SELECT id, reason FROM deliveries WHERE state <> 'sent'"))
    assert set(reasons.values()) <= {"superseded by a later alert of its episode"}
    aside = {name for (name,) in judge.db.execute("SELECT id FROM deliveries WHERE aside = 1")}
    assert aside >= POISON - reasons.keys()
    for channel, names in judge.written.items():
        came = [name for name in receiver.arrived[channel] if name not in aside]
        assert came == [name for name in names if name in came], (
            "but for what is aside the line keeps its order"
        )
    order = [name for names in receiver.arrived.values() for name in names]
    for names in judge.episodes.values():
        came = [name for name in order if name in names]
        assert came == [name for name in names if name in came], "an episode keeps its order"
    sent = {name for name, state in states.items() if state == "sent"}
    assert sent <= receiver.acknowledged <= sent | reasons.keys(), "sent is what was acknowledged"
    assert states.keys() == sent | reasons.keys()
    assert judge.db.execute("SELECT count(*) FROM tries WHERE outcome = 'refused'").fetchone() == (0,)
    assert sent_before[-1] > 0, "the senders lived long enough to do something"
    again = sum(times > 1 for ids in receiver.arrived.values() for times in ids.values())
    print(
        f"{KILLS} kills, {len(states)} deliveries, {sent_before[-1]} sent before the last kill, {again} came twice,"
        f" {len(aside)} were set aside, {len(reasons)} superseded"
    )
    judge.db.close()
