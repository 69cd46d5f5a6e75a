"""``kill -9`` of the watch at random moments, a hundred times, while the receiver answers as it likes; a full disk."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dynamo.journal import Journal, Workspace

KILLS = 100
CHANNELS = ("a", "b", "c")

# One process has imported everything and becomes a new watch for each line it reads: a hundred starts take no time.
WATCHES = """
import os, signal, sys
from functools import partial
import dynamo.watch.channels, dynamo.watch.post, dynamo.watch.watch
from dynamo.cli import main
from dynamo.delivery.retry import Patience
from dynamo.delivery.sender import Sender
from dynamo.delivery.webhook import Webhook

patience = Patience(first=0.02, most=0.1, most_asked=0.1)
dynamo.watch.post.Sender = partial(Sender, lease=0.2, poll=0.02, patience=patience)
dynamo.watch.channels.Webhook = partial(Webhook, timeout=0.2)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for _ in sys.stdin:
    pid = os.fork()
    if not pid:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        try:
            main(['watch', 'watch.yaml'])
        finally:
            os._exit(0)
    print(pid, flush=True)
"""

FLOW = """
import json, time
from pathlib import Path
from dynamo import Input, Output, task, workflow

@task
def draw(frame: Input, out: Output):
    said = json.loads(Path(frame).read_text())
    time.sleep(0.1)  # so that some are killed in it
    if 'gate' in said:
        open(said['gate']).read()
    ring = [[-97.2, 32.6], [-97.0, 32.6], [-97.0, 32.8], [-97.2, 32.8], [-97.2, 32.6]]
    shape = {'type': 'Polygon', 'coordinates': [ring]}
    feature = {'type': 'Feature', 'properties': {'level': said['level']}, 'geometry': shape}
    head = {'hazard': 'STORM', 'units': 'dBZ', 'issued': said['time'], 'valid_time': said['time']}
    features = [feature] if said['level'] else []
    Path(out).write_text(json.dumps({'type': 'FeatureCollection', **head, 'features': features}))

@workflow
def flow(frame: Input):
    return draw(frame, out='storm.geojson')
"""
RUNFILE = """
workflow: ./flow.py:flow
inputs: {frame: {files: "incoming/*.json", last: 1}}
trigger: {late: 1 h, stale: 1 h, at_once: 1, backlog: all}
products: products/{run}
engine: {name: local, cores: 1}
"""
ALERTS = """
alerts:
  subscribers: people.csv
  rules: [{hazard: STORM}]
  clear_after: 1
  webhooks:
"""
PEOPLE = "id,lon,lat\nclinic,-97.1,32.7\nschool,-97.11,32.7\nfair,-97.1,32.71\n"


class Storm:
    """Frames that appear in a watched folder; each says something new."""

    def __init__(self, folder: Path, alerts: str = "") -> None:
        self.folder = folder
        (folder / "incoming").mkdir()
        (folder / "flow.py").write_text(FLOW)
        (folder / "people.csv").write_text(PEOPLE)
        (folder / "watch.yaml").write_text(RUNFILE + alerts)
        self.began = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)
        self.shown = 0

    def show(self, **more: str) -> None:
        """One more frame; the storm grows, and every fourth time it is gone."""
        time = self.began + timedelta(seconds=self.shown)
        level = 0 if self.shown % 4 == 3 else 40 + self.shown % 4
        part = self.folder / "incoming" / ".part"
        part.write_text(json.dumps({"level": level, "time": time.isoformat(), **more}))
        part.rename(part.with_name(f"frame-{time:%Y%m%d-%H%M%S}.json"))
        self.shown += 1

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the journal."""
        with closing(sqlite3.connect(self.folder / ".dynamo" / "journal.db", timeout=30)) as db:
            return db.execute(sql).fetchall()

    def is_running(self) -> bool:
        """Whether a run is under way."""
        return bool(self.rows("SELECT 1 FROM windows WHERE state = 'running'"))

    def is_settled(self) -> bool:
        """Whether all that was shown was run, and nothing waits."""
        (ended,) = self.rows("SELECT count(*) FROM windows WHERE ended IS NOT NULL")
        waiting = self.rows("SELECT 1 FROM deliveries WHERE state = 'waiting' LIMIT 1")
        return ended == (self.shown,) and not waiting


@contextmanager
def watching(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Watch a folder; what watches it has ended afterwards."""
    line = [sys.executable, "-c", "from dynamo.cli import main; main()", "watch", "watch.yaml"]
    with subprocess.Popen(line, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert any("watching " in said for said in process.stderr)
            yield process
        finally:
            process.kill()


def status(folder: Path) -> str:
    """Return what is said of the watch of a folder."""
    line = [sys.executable, "-c", "from dynamo.cli import main; main()", "status", "--workspace"]
    return subprocess.run([*line, folder / ".dynamo"], check=True, capture_output=True, text=True).stdout


def harass(storm: Storm, receiver: Any, log: Path) -> int:
    """Start and kill the watch again and again, then let it come to rest; return what was sent before the end."""
    chance = random.Random(7)
    # So that it can be asked from the beginning.
    Journal(Workspace.open(storm.folder / ".dynamo").journal).close()
    with log.open("w") as errors:
        line = [sys.executable, "-c", WATCHES]
        watches = subprocess.Popen(
            line, cwd=storm.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, bufsize=1,
            env={**os.environ, "SECRET": receiver.secret},
        )  # fmt: skip
    pid = 0

    def start() -> int:
        watches.stdin.write("\n")
        return int(watches.stdout.readline())

    try:
        for n in range(KILLS):
            pid = start()
            for _ in range(chance.choice([0, 1, 1, 2])):
                time.sleep(chance.uniform(0, 0.3))
                storm.show()
            time.sleep(chance.uniform(0.05, 0.5))
            # However slow the machine is, some are killed in the midst of a run, and some while they tell somebody.
            asked = receiver.asked
            if n % 3:
                storm.show()
            while not storm.is_settled() and (
                (n % 3 == 1 and not storm.is_running()) or (n % 3 == 2 and receiver.asked == asked)
            ):
                time.sleep(0.002)
            time.sleep(chance.uniform(0, 0.1))
            os.kill(pid, signal.SIGKILL)
        sent = storm.rows("SELECT count(*) FROM deliveries WHERE state = 'sent'")[0][0]
        receiver.sick = False
        pid = start()
        deadline = time.monotonic() + 300
        while not storm.is_settled() and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        with suppress(ProcessLookupError):
            if pid:
                os.kill(pid, signal.SIGKILL)
        watches.stdin.close()
        watches.wait(10)
        watches.stdout.close()
    return sent


@pytest.mark.chaos
@pytest.mark.timeout(1200)
def test_a_watch_that_is_killed_again_and_again_loses_and_doubles_nothing(tmp_path, receiver):
    """Each change is recorded once and told in order; receiver and journal agree on what became of it."""
    hooks = "".join(
        f"    - {{name: {name}, url: '{receiver.url}/{name}', secret: 'env:SECRET', allow: 127.0.0.1}}\n"
        for name in CHANNELS
    )
    storm = Storm(tmp_path, ALERTS + hooks)
    try:
        sent_before = harass(storm, receiver, tmp_path / "log")
    finally:
        receiver.close()
    said = (tmp_path / "log").read_text()
    assert storm.is_settled(), said[-3000:]
    assert "a fault of dynamo" not in said
    assert "never retrieved" not in said
    assert said.count("going on with run") >= 10, "some were killed while a run was under way"
    assert receiver.wrong == []
    assert storm.rows("PRAGMA integrity_check") == [("ok",)]

    assert set(storm.rows("SELECT state FROM windows")) == {("done",)}, "no window is lost to a kill"
    runs = storm.rows("SELECT run FROM windows")
    assert len(set(runs)) == storm.shown
    assert set(storm.rows("SELECT run FROM cycles")) == set(runs), "each run was judged"
    revisions = storm.rows("SELECT count(*), max(revision) + 1, min(revision) FROM alerts GROUP BY episode")
    assert all(count == after and first == 0 for count, after, first in revisions), "no change is missing"

    deliveries = storm.rows("SELECT channel, id, state, reason FROM deliveries ORDER BY seq")
    assert len(deliveries) == len(CHANNELS) * storm.rows("SELECT count(*) FROM alerts")[0][0]
    aside = {key for (key,) in storm.rows("SELECT id FROM deliveries WHERE aside = 1")}
    for name in CHANNELS:
        own = [(key, state, why) for channel, key, state, why in deliveries if channel.endswith(f"/{name}")]
        arrived = receiver.arrived[name]
        line = [key for key in arrived if key not in aside]
        assert [key for key, _, _ in own if key in line] == line, (
            "but for what was set aside, first arrivals are in order"
        )
        sent = {key for key, state, _ in own if state == "sent"}
        assert sent <= receiver.acknowledged & set(arrived)
        untold = [(key, state, why) for key, state, why in own if key not in sent]
        assert all(state == "dropped" and why for _, state, why in untold), untold
    states = [state for _, _, state, _ in deliveries]
    assert sent_before > 0, "the watches lived long enough to do something"
    assert min(receiver.moods.values()) > 0
    twice = sum(times > 1 for ids in receiver.arrived.values() for times in ids.values())
    print(
        f"{KILLS} kills, {storm.shown} frames, {len(deliveries)} deliveries, {states.count('sent')} sent,"
        f" {sent_before} of them before the last start, {states.count('dropped')} dropped, {twice} came twice"
    )


@pytest.mark.chaos
def test_a_watch_outlasts_a_disk_that_is_full_while_a_run_is_under_way(tmp_path, small_disk, fill_disk):
    """It says so, and with room again the run is gone on with, or begun again, in the same process."""
    storm, gate = Storm(small_disk), tmp_path / "gate"
    os.mkfifo(gate)
    with watching(small_disk) as process:
        storm.show(gate=str(gate))
        with gate.open("w"):  # a run is under way
            fill_disk(small_disk / "waste")
            for _ in range(200):  # until the journal needs room, or a task of another run
                with suppress(OSError):
                    storm.show()
        assert any("the disk of the workspace is full" in said for said in process.stderr)
        gate.unlink()
        gate.touch()  # open for whoever comes: another try of the task that was ended may wait at the old one
        (small_disk / "waste").unlink()
        first = f"{storm.began:%Y-%m-%d %H:%M:%S}Z: "  # others may end before it
        assert any(first in said and "1 ran" in said for said in process.stderr)
        while "trouble" in status(small_disk):
            pass
        process.terminate()
        _, said = process.communicate(timeout=120)
        assert process.returncode == 130, said
        assert "Traceback" not in said
    assert storm.rows("SELECT state FROM windows ORDER BY time LIMIT 1") == [("done",)]


@pytest.mark.chaos
def test_a_watch_with_nothing_under_way_outlasts_a_full_disk(tmp_path, small_disk, fill_disk):
    """It says so at once, and with room again takes all that arrived meanwhile, in the same process."""
    folder = tmp_path / "watched"
    folder.mkdir()
    (folder / ".dynamo").symlink_to(small_disk)
    storm = Storm(folder)
    text = RUNFILE.replace("at_once: 1,", "wait: 1 h, needs: {frame: {source: '(one|two)', sources: 2}},")
    (folder / "watch.yaml").write_text(text)
    with watching(folder) as process:
        fill_disk(small_disk / "waste")
        for _ in range(300):  # until the journal needs room
            storm.show()
        assert any("the disk of the workspace is full" in said for said in process.stderr)
        (small_disk / "waste").unlink()
        assert any("the disk has room again" in said for said in process.stderr)
        process.terminate()
        _, said = process.communicate(timeout=120)
        assert process.returncode == 130, said
    assert storm.rows("SELECT outcome, count(*) FROM arrivals GROUP BY outcome") == [("waiting", 300)]
