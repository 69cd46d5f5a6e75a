"""The real `dynamo watch` in a process of its own: files appear, runs are made, a real receiver is told."""

from __future__ import annotations

import asyncio
import json
import os
import queue
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from dynamo.delivery.receiver import Arrival, Receiver, new_secret
from dynamo.delivery.signature import Secret

pytestmark = pytest.mark.timeout(120)

FLOW = """
import json, os
from datetime import datetime, timedelta
from pathlib import Path
from dynamo import Input, Output, task, workflow

def note(path, text):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(fd, (text + '\\n').encode())
    os.close(fd)

@task
def draw(frame: Input, out: Output):
    said = json.loads(Path(frame).read_text())
    note(said['marks'], f"begin {said['number']}")
    if 'gate' in said:
        open(said['gate']).read()
    if 'fault' in said:
        raise ValueError(said['fault'])
    ring = [[-97.2, 32.6], [-97.0, 32.6], [-97.0, 32.8], [-97.2, 32.8], [-97.2, 32.6]]
    shape = {'type': 'Polygon', 'coordinates': [ring]}
    feature = {'type': 'Feature', 'properties': {'level': said['level']}, 'geometry': shape}
    head = {'hazard': 'STORM', 'units': 'dBZ', 'issued': said['time'], 'valid_time': said['time']}
    text = json.dumps({'type': 'FeatureCollection', **head, 'features': [feature] if said['level'] else []})
    Path(out).write_text(said.get('text', text))
    note(said['marks'], f"end {said['number']}")

@workflow
def flow(frame: Input):
    return draw(frame, out='storm.geojson')
"""
PEOPLE = "id,lon,lat\nclinic,-97.1,32.7\n"
ALERTS = """
alerts:
  subscribers: people.csv
  rules: [{hazard: STORM}]
  clear_after: 1
  webhooks: [{name: desk, url: "URL", secret: "env:ALERT_SECRET", allow: 127.0.0.1}]
"""


class Ears:
    """A real receiver in a thread; what arrives can be waited for."""

    def __init__(self) -> None:
        self.secret = new_secret()
        self.arrived: queue.Queue[Arrival] = queue.Queue()
        self._loop = asyncio.new_event_loop()
        self._receiver = Receiver([Secret(self.secret)])
        self._loop.run_until_complete(self._receiver.start())
        self.url = self._receiver.url
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._pump = asyncio.run_coroutine_threadsafe(self._take(), self._loop)

    async def _take(self) -> None:
        while True:
            self.arrived.put(await self._receiver.arrivals.get())

    def told(self) -> tuple[str, float]:
        """Wait for the next alert; return its kind and level."""
        arrival = self.arrived.get(timeout=60)
        assert arrival.verdict == "verified", arrival
        assert arrival.alert is not None
        return arrival.alert.kind, arrival.alert.level

    def close(self) -> None:
        """End the thread."""
        self._pump.cancel()
        asyncio.run_coroutine_threadsafe(self._receiver.stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Watched:
    """A folder with a run file, and the watches of it."""

    def __init__(self, folder: Path, ears: Ears) -> None:
        self.folder, self.ears = folder, ears
        self.incoming, self.marks = folder / "incoming", folder / "marks.txt"
        self.incoming.mkdir()
        self.start_time = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
        self.process: subprocess.Popen[str] | None = None
        self.log: list[str] = []
        (folder / "flow.py").write_text(FLOW)
        (folder / "people.csv").write_text(PEOPLE)
        self.say()

    def say(
        self,
        trigger: str = "{late: 10 min}",
        alerts: str = ALERTS,
        more: str = "",
        products: str = "products/{run}",
    ) -> None:
        """Write the run file."""
        (self.folder / "watch.yaml").write_text(
            "workflow: ./flow.py:flow\ninputs:\n  frame: {files: 'incoming/*.json', last: 1}\n"
            f"trigger: {trigger}\nproducts: {products}\n{more}{alerts.replace('URL', self.ears.url)}"
        )

    def start(self, *options: str) -> None:
        """Watch, and wait until it looks."""
        self.launch(*options)
        self.until("watching ")

    def launch(self, *options: str) -> subprocess.Popen[str]:
        """Watch."""
        line = [sys.executable, "-c", "from dynamo.cli import main; main()", "watch", "watch.yaml", *options]
        self.process = subprocess.Popen(
            line, cwd=self.folder, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "ALERT_SECRET": self.ears.secret},
        )  # fmt: skip
        return self.process

    def until(self, text: str) -> str:
        """Read the log up to a line with this text, and return that line."""
        assert self.process is not None
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line)
            if text in line:
                return line
        pytest.fail(f"it ended without {text!r}:\n{''.join(self.log)}")

    def show(self, number: int, level: float, **more: Any) -> Path:
        """Let a frame appear, whole."""
        file = self.path(number)
        part = file.with_name(f".{file.name}.part")
        part.write_text(self.content(number, level, **more))
        return part.rename(file)

    def path(self, number: int) -> Path:
        """Return where the frame of this second is to appear."""
        return self.incoming / f"frame-{self.start_time + timedelta(seconds=number):%Y%m%d-%H%M%S}.json"

    def content(self, number: int, level: float, **more: Any) -> str:
        """Return what is in a frame."""
        time = self.start_time + timedelta(seconds=number)
        said = {"number": number, "level": level, "time": time.isoformat(), "marks": str(self.marks), **more}
        return json.dumps(said)

    def gate(self) -> Path:
        """Make something that a task waits at."""
        path = self.folder / "gate"
        os.mkfifo(path)
        return path

    def end(self, number: int = signal.SIGTERM) -> int:
        """Tell it to stop; return its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.code()

    def code(self) -> int:
        """Wait for its end; return its exit code."""
        assert self.process is not None
        with self.process as process:
            _, said = process.communicate(timeout=60)
        self.log.append(said)
        return process.returncode

    def kill(self) -> None:
        """Kill it, and wait until its workers are gone, too."""
        assert self.process is not None
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.kill()
        with self.process:
            pass
        _, alive = psutil.wait_procs(family, timeout=30)
        assert not alive

    def marked(self) -> list[str]:
        """Return which tasks began and ended, in order."""
        return self.marks.read_text().splitlines() if self.marks.exists() else []

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the journal."""
        with closing(sqlite3.connect(self.folder / ".dynamo" / "journal.db")) as db:
            return db.execute(sql).fetchall()

    def windows(self) -> list[str]:
        """Return how windows stand, the oldest first."""
        return [state for (state,) in self.rows("SELECT state FROM windows ORDER BY time")]


@pytest.fixture
def ears() -> Iterator[Ears]:
    """A receiver on loopback."""
    ears = Ears()
    yield ears
    ears.close()


@pytest.fixture
def watched(tmp_path: Path, ears: Ears) -> Iterator[Watched]:
    """A folder to be watched; what watches it has ended afterwards."""
    watched = Watched(tmp_path, ears)
    yield watched
    if watched.process is not None and watched.process.poll() is None:
        with suppress(ProcessLookupError):
            watched.kill()
    if watched.process is not None and watched.process.stderr is not None:
        watched.process.stderr.close()


def test_what_appears_is_run_and_told_and_the_all_clear_comes(watched, ears):
    """New, more of it, over: each once, verified, in order; health and metrics are there; SIGTERM ends it."""
    watched.start("--port", "0")
    url = watched.log[-1].partition("health at ")[2].partition(";")[0]
    kinds = []
    for number, level in enumerate([45, 50, 50, 0]):
        watched.show(number, level)
        watched.until("1 ran, 0 reused")
        if number != 2:
            kinds.append(ears.told())
    assert kinds == [("new", 45), ("updated", 50), ("cancelled", 50)]
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url) as answer:
        said = json.load(answer)
    assert said["ok"]
    assert said["feeds"]["watch.yaml"]["runs"] == {"done": 4}
    assert watched.end() == 130
    assert watched.log[-1].endswith("stopped\n")
    assert watched.windows() == ["done"] * 4
    assert ears.arrived.empty()


def test_a_file_is_taken_when_its_writer_closes_it(watched, ears):
    """While it is open it is not there, however much is in it."""
    watched.start()
    with watched.path(1).open("w") as half:
        half.write(watched.content(1, 55)[:20])
        half.flush()
        watched.show(0, 45)
        assert ears.told() == ("new", 45)
        assert watched.rows("SELECT count(*) FROM arrivals") == [(1,)]
        half.write(watched.content(1, 55)[20:])
    assert ears.told() == ("updated", 55)
    assert watched.end() == 130
    assert watched.windows() == ["done"] * 2


def test_after_a_kill_nothing_is_run_and_nothing_told_twice(watched, ears):
    """What was under way is gone on with, in its own run; what came meanwhile follows."""
    watched.start()
    gate = str(watched.gate())
    watched.show(0, 45)
    assert ears.told() == ("new", 45)
    watched.show(1, 50, gate=gate)
    with open(gate, "w"):  # the task is there
        watched.kill()
    watched.show(2, 55)
    watched.launch("--cores", "1")
    watched.until("going on with run")
    with open(gate, "w"):
        pass
    assert ears.told() == ("updated", 50)
    assert ears.told() == ("updated", 55)
    assert watched.end() == 130
    assert watched.marked() == ["begin 0", "end 0", "begin 1", "begin 1", "end 1", "begin 2", "end 2"]
    assert watched.windows() == ["done"] * 3
    assert watched.rows("SELECT count(*) FROM runs") == [(3,)]
    assert ears.arrived.empty()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_while_a_task_runs_and_goes_on_with_that_run(watched, ears, number):
    """A signal does not wait for tasks; their run is interrupted, not failed."""
    watched.start()
    gate = str(watched.gate())
    watched.show(0, 45, gate=gate)
    with open(gate, "w"):
        assert watched.end(number) == 130
    assert watched.windows() == ["running"]
    assert watched.rows("SELECT state FROM runs") == [("interrupted",)]
    watched.start()
    with open(gate, "w"):
        pass
    assert ears.told() == ("new", 45)
    assert watched.end(number) == 130
    assert watched.rows("SELECT state FROM runs") == [("done",)]


def test_a_second_watch_of_the_same_run_file_is_refused(watched):
    """It says which process watches already."""
    watched.start()
    first = watched.process
    watched.launch()
    assert watched.code() == 2
    assert f"error: watch.yaml is watched already, by process {first.pid}\n" in watched.log[-1]
    watched.process = first
    assert watched.end() == 130


def test_a_run_file_that_becomes_faulty_fails_its_windows_until_it_is_mended(watched, ears):
    """Each is told, with the fault; the watch goes on."""
    watched.start()
    watched.say(more="engine: {nam: local}\n")
    watched.show(0, 45)
    assert "watch.yaml:" in watched.until("nam")
    watched.say()
    watched.show(1, 50)
    assert ears.told() == ("new", 50)
    assert watched.end() == 130
    assert watched.windows() == ["failed", "done"]


def test_a_task_that_fails_fails_its_window_and_no_other(watched, ears):
    """Nobody is told anything of a run that failed."""
    watched.start()
    watched.show(0, 45, fault="no rain today")
    watched.until("no rain today")
    watched.show(1, 50)
    assert ears.told() == ("new", 50)
    assert watched.end() == 130
    assert watched.windows() == ["failed", "done"]


def test_a_product_that_holds_no_hazards_fails_its_window_and_is_named(watched, ears):
    """What is no GeoJSON is told with its path."""
    watched.start()
    watched.show(0, 45, text="nothing like it")
    assert "storm.geojson" in watched.until("cannot be judged")
    watched.show(1, 50)
    assert ears.told() == ("new", 50)
    assert watched.end() == 130
    assert watched.windows() == ["failed", "done"]


@pytest.mark.parametrize(("backlog", "run"), [("all", [0, 1, 2, 3]), ("latest", [2, 3]), ("none", [3])])
def test_the_backlog_is_run_by_choice(watched, backlog, run):
    """Of three files that are there at the first start; a fourth comes later; a restart begins nothing anew."""
    watched.say(f"{{late: 10 min, at_once: 1, backlog: {backlog}}}", alerts="")
    for number in range(3):
        watched.show(number, 45)
    watched.start()
    for _ in run[:-1]:
        watched.until("1 ran")
    watched.show(3, 45)
    watched.until("1 ran")
    assert watched.end() == 130
    watched.start()
    assert watched.end() == 130
    assert sorted(watched.marked()) == sorted(f"{what} {n}" for n in run for what in ("begin", "end"))


def test_what_waits_too_long_is_superseded_and_recorded(watched, ears):
    """One run at a time, and newer data: the old is given up, in words."""
    watched.say("{late: 10 min, at_once: 1, stale: 5 s}")
    watched.start()
    gate = str(watched.gate())
    watched.show(0, 45, gate=gate)
    with open(gate, "w"):
        watched.show(1, 50)
        watched.show(20, 55)
    assert "19 s behind the newest data" in watched.until("superseded")
    assert ears.told() == ("new", 45)
    assert ears.told() == ("updated", 55)
    assert watched.end() == 130
    assert watched.windows() == ["done", "superseded", "done"]


def test_a_journal_that_cannot_be_used_ends_it(watched):
    """Exit code 3, and the journal's name; a file that lost a table stands for all that may happen to it."""
    watched.start()
    with closing(sqlite3.connect(watched.folder / ".dynamo" / "journal.db")) as db:
        db.execute("DROP TABLE windows")
    watched.show(0, 45)
    assert watched.code() == 3
    assert "error: cannot use the journal" in watched.log[-1]


def test_a_journal_that_breaks_while_a_run_is_under_way_ends_it(watched):
    """Also where nobody but the end of the run could notice, and without waiting for another run."""
    watched.start()
    one, two = watched.gate(), watched.folder / "other"
    os.mkfifo(two)
    watched.show(0, 45, gate=str(one))
    watched.show(1, 45, gate=str(two))
    with two.open("w"):
        with one.open("w"), closing(sqlite3.connect(watched.folder / ".dynamo" / "journal.db")) as db:
            db.execute("DROP TABLE cycles")
        assert watched.code() == 3
    assert "error: cannot use the journal" in watched.log[-1]


def test_faulty_subscribers_are_refused_or_left_out_and_told(watched, ears):
    """By choice: nothing begins, or the right ones work."""
    (watched.folder / "people.csv").write_text(PEOPLE + "far,-97.1,132.7\n")
    watched.launch()
    assert watched.code() == 2
    assert "people.csv:3" in watched.log[-1]
    watched.say(alerts=ALERTS + "  faults: skip\n")
    watched.launch()
    assert "people.csv:3" in watched.until("left out")
    watched.until("watching ")
    watched.show(0, 45)
    assert ears.told() == ("new", 45)
    assert watched.end() == 130


def test_a_port_that_is_taken_ends_it_at_once(watched):
    """In words, with exit code 2."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        watched.launch("--port", str(taken.getsockname()[1]))
        assert watched.code() == 2
    assert "choose another --port" in watched.log[-1]


def test_without_alerts_it_runs_what_comes_and_may_keep_all_for_ever(watched):
    """Nobody is told, nothing is removed."""
    watched.say(alerts="")
    watched.start("--keep", "0")
    watched.show(0, 45)
    watched.until("1 ran")
    watched.show(1, 45)
    watched.until("1 ran")
    assert watched.end() == 130


def test_products_are_removed_when_they_are_older_than_the_run_file_keeps(watched):
    """Those and no others, also where all that the journal knows is kept for ever."""
    watched.say(alerts="", products="{to: 'products/{run}', keep: 2 h}")
    watched.start("--keep", "0")
    for number in range(2):
        watched.show(number, 45)
        watched.until("1 ran")
    assert watched.end() == 130
    older, newer = [run for (run,) in watched.rows("SELECT run FROM windows ORDER BY time")]
    with closing(sqlite3.connect(watched.folder / ".dynamo" / "journal.db")) as db, db:
        db.execute("UPDATE runs SET ended = ended - 3 * 3600 WHERE id = ?", (older,))
        db.execute("UPDATE runs SET ended = ended - 1.5 * 3600 WHERE id = ?", (newer,))
    watched.launch("--keep", "0")
    watched.until("removed the products of 1 old runs")
    assert watched.end() == 130
    assert [path.name for path in (watched.folder / "products").iterdir()] == [newer]
