"""``kill -9`` of what judges cycles, at random moments, thirty times: each alert is made once, as if undisturbed."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

KILLS = 30

#: Judges cycle after cycle from the first, also those that were judged before, and says each.
JUDGE = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from dynamo.alerts.asked import Asked
from dynamo.alerts.lifecycle import Cycle
from dynamo.alerts.match import Match
from dynamo.alerts.store import AlertStore

START = datetime(2026, 6, 1, tzinfo=UTC)

def matches(minute):
    issued = START + timedelta(minutes=minute)
    for n in range(400):
        # Comes, stays for nine cycles, is clear for fourteen.
        if (n * 7 + minute) % 23 < 9 and (minute < 25 or n < 360):
            level = 35.0 + 10 * ((n + minute // 3) % 3)
            ends = issued + timedelta(minutes=n % 40)
            # Some on the channel that their rules name, which changes in the middle; the others on all.
            way = (('phone', '') if minute < 40 else ('', 'phone'))[n % 2] if n % 3 else 'desk'
            yield Match(f's{n}', 4.5, 52.5, 'STORM', level, 'dBZ', issued, ends, n % 5 == minute % 5, 3.0, 90.0,
                        10.0, 10.0 if (n + minute) % 11 else 5.0, way, {'near': [n % 7]})

def asking(minute, names):
    # The last forty leave the file after a while.
    for name in sorted(names):
        n = int(name[1:])
        if minute < 25 or n < 360:
            way = (('phone', '') if minute < 40 else ('', 'phone'))[n % 2] if n % 3 else 'desk'
            yield (name, way), Asked(4.5, 52.5, 35.0, 10.0)

with AlertStore(Path(sys.argv[1])) as store:
    for minute in range(int(sys.argv[2])):
        issued = START + timedelta(minutes=minute)
        cycle = Cycle('flow', f'run-{minute}', 'STORM', issued, issued, channels=('phone', 'mail'))
        store.judge(cycle, matches(minute), asking=lambda names: dict(asking(minute, names)))
        store.lapse('flow', {'STORM'}, issued, issued)
        print(minute, flush=True)
"""
CYCLES = 70


def start(journal: Path) -> subprocess.Popen[str]:
    """Begin to judge."""
    line = [sys.executable, "-c", JUDGE, str(journal), str(CYCLES)]
    return subprocess.Popen(line, stdout=subprocess.PIPE, text=True)


def recorded(journal: Path) -> dict[str, list[tuple]]:
    """Return all that was recorded."""
    with closing(sqlite3.connect(journal)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return {
            "alerts": db.execute("SELECT id, kind, body FROM messages ORDER BY id").fetchall(),
            "deliveries": db.execute(
                "SELECT id, alert, due, expires FROM deliveries ORDER BY seq"
            ).fetchall(),
            "states": db.execute("SELECT * FROM episodes ORDER BY subscriber, way").fetchall(),
            "lapsed": db.execute("SELECT * FROM lapsed ORDER BY alert").fetchall(),
            "cycles": db.execute("SELECT * FROM cycles ORDER BY issued").fetchall(),
        }


def kill_within(process: subprocess.Popen[str], after: int, delay: float) -> None:
    """Kill a process some seconds after it said that a cycle is judged."""
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= after:
                break
        try:
            process.wait(delay)
        except subprocess.TimeoutExpired:
            process.kill()


@pytest.mark.chaos
def test_thirty_kills_make_each_alert_once(tmp_path):
    """After any kill, all is judged that was said to be, nothing twice, and the rest as it would have been."""
    with start(tmp_path / "whole.db") as undisturbed:
        undisturbed.communicate()
    chance = random.Random(20260322)
    journal = tmp_path / "killed.db"
    for n in range(KILLS):
        after = n * CYCLES // KILLS
        kill_within(start(journal), after, chance.uniform(0, 0.06))
        with closing(sqlite3.connect(journal)) as db:
            (newest,) = db.execute("SELECT max(issued) FROM cycles").fetchone()
            assert db.execute("SELECT count(*) FROM cycles").fetchone()[0] > after, "what was judged is lost"
            late = db.execute("SELECT count(*) FROM alerts WHERE made > ?", (newest,)).fetchone()
            assert late == (0,), "an alert of a cycle that is not recorded"
    with start(journal) as last:
        last.communicate()
    whole = recorded(tmp_path / "whole.db")
    assert recorded(journal) == whole
    assert len(whole["cycles"]) == CYCLES
    assert whole["lapsed"]
    assert {kind for _, kind, _ in whole["alerts"]} == {"new", "updated", "cancelled"}
