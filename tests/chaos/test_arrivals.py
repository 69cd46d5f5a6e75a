"""``kill -9`` of a process that takes arrivals, again and again, while files arrive."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter

from dynamo.triggers.store import Store

KILLS = 30
RADARS = "ABC"

#: Takes arrivals, and runs each window as a watch would: first recorded, then marked in a file, then finished. A
#: window that was running is resumed under its run id.
TAKER = """
import os, re, sys, time
from datetime import UTC, datetime
from pathlib import Path
from dynamo.triggers.arrival import Reading
from dynamo.triggers.files import Watcher
from dynamo.triggers.inbox import Inbox
from dynamo.triggers.rules import InputRules, Rules
from dynamo.triggers.store import Store

folder = Path(sys.argv[1])

def read(name):
    found = re.search(r'_(\\d+)\\.nc', name)
    return datetime.fromtimestamp(int(found[1]), UTC) if found else None

def mark(word, window, run):
    fd = os.open(folder / 'marks', os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    files = ','.join(os.path.basename(p) for p in window.files['scan'])
    os.write(fd, f'{word} {window.time:.0f} {run} {files}\\n'.encode())
    os.close(fd)

rules = Rules((InputRules('scan', sources=3),), tolerance=30, wait=1e6, lateness=float('inf'))
readings = {'scan': Reading(read, source=re.compile('^[A-Z]'))}
inbox = Inbox(Store(folder / 'journal.db'), 'feed', rules, readings, backlog='all')
with Watcher({'scan': [str(folder / 'in' / '*.nc')]}) as watcher:
    print(flush=True)
    while True:
        changes = watcher.look()
        inbox.seen(changes.seen, time.monotonic(), time.time(), gone=changes.gone)
        for queued in inbox.pending():
            run = queued.run or f'run-{queued.window.time:.0f}-{os.getpid()}'
            if queued.state == 'queued':
                inbox.taken(queued.window.time, run, time.time())
            mark('begin' if queued.state == 'queued' else 'resume', queued.window, run)
            inbox.finished(queued.window.time, 'done', time.time())
        if (folder / 'stop').exists() and not changes.seen:
            break
        watcher.wait(time.monotonic() + 0.05)
"""


def test_every_window_runs_once_whenever_the_taker_is_killed(tmp_path):
    """All files end in exactly one window, each window in exactly one run, which is begun once."""
    rng = random.Random(7)
    inbox = tmp_path / "in"
    inbox.mkdir()
    (tmp_path / "taker.py").write_text(TAKER)
    written = 0

    def arrive(n):
        nonlocal written
        for _ in range(n):
            cycle, radar = divmod(written, len(RADARS))
            name = f"{RADARS[radar]}_{cycle * 300 + radar * 9}.nc"
            if rng.random() < 0.5:
                (inbox / f".{name}").write_text("x")
                (inbox / f".{name}").rename(inbox / name)
            else:
                (inbox / name).write_text("x" * rng.randint(1, 9))
            written += 1

    def taker():
        return subprocess.Popen(
            [sys.executable, str(tmp_path / "taker.py"), str(tmp_path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    for _ in range(KILLS):
        process = taker()
        arrive(rng.randint(0, 4))
        if rng.random() < 0.9:
            process.stdout.readline()
        end = time.monotonic() + rng.expovariate(1 / 0.02)
        while time.monotonic() < end:
            arrive(1)
        process.kill()
        process.communicate()
    arrive(-written % len(RADARS))
    (tmp_path / "stop").touch()
    last = taker()
    _, errors = last.communicate(timeout=200)
    assert last.returncode == 0, errors.decode()

    cycles = written // len(RADARS)
    marks = [line.split() for line in (tmp_path / "marks").read_text().splitlines()]
    begun = Counter(time for word, time, _, _ in marks if word == "begin")
    assert max(begun.values()) == 1
    runs = {}
    for _, key, run, files in marks:
        assert runs.setdefault(key, (run, files)) == (run, files)
        assert [name[0] for name in files.split(",")] == list(RADARS)
    assert sorted(map(int, runs)) == [c * 300 + 18 for c in range(cycles)]
    with Store(tmp_path / "journal.db") as store:
        assert store.outcomes("feed") == {"used": written}
        assert len(store.windows("feed", ["done"])) == cycles
