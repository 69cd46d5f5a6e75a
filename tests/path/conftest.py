"""A folder that the real `dynamo watch` watches in a process of its own, and a real receiver of its alerts."""

from __future__ import annotations

import asyncio
import json
import os
import queue
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from dynamo.delivery.receiver import Arrival, Receiver, new_secret
from dynamo.delivery.signature import Secret

#: Seconds for what takes two or three on a machine that has nothing else to do.
PATIENCE = 120

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
    if 'says' in said:
        print(said['says'])
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
        #: Whether a sender was killed: it could not write down what was answered last, and sends that again.
        self.again = False
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
        arrival = self.arrived.get(timeout=PATIENCE)
        while self.again and arrival.verdict == "repeated":
            arrival = self.arrived.get(timeout=PATIENCE)
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
        self.marks = folder / "marks.txt"
        (folder / "incoming").mkdir()
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
        """Write the run file, in one step."""
        self.write(
            "watch.yaml",
            "workflow: ./flow.py:flow\ninputs:\n  frame: {files: 'incoming/*.json', last: 1}\n"
            f"trigger: {trigger}\nproducts: {products}\n{alerts.replace('URL', self.ears.url)}{more}",
        )

    def write(self, name: str, text: str) -> None:
        """Write a file in one step."""
        part = self.folder / f".{name}.part"
        part.write_text(text)
        part.rename(self.folder / name)

    def start(self, *options: str) -> None:
        """Watch, and wait until it looks."""
        self.launch(*options)
        self.until("watching ")

    def launch(self, *options: str) -> subprocess.Popen[str]:
        """Watch."""
        files = () if any(option.endswith(".yaml") for option in options) else ("watch.yaml",)
        line = [sys.executable, "-c", "from dynamo.cli import main; main()", "watch", *files, *options]
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

    def wait(self, happened: Callable[[], object]) -> None:
        """Wait for something of which the log says nothing."""
        assert self.process is not None
        until = time.monotonic() + PATIENCE
        while not happened():
            assert self.process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.01)

    def show(self, number: int, level: float, folder: str = "incoming", **more: Any) -> Path:
        """Let a frame appear, whole, in a folder."""
        file = self.path(number, folder)
        part = file.with_name(f".{file.name}.part")
        part.write_text(self.content(number, level, **more))
        return part.rename(file)

    def path(self, number: int, folder: str = "incoming") -> Path:
        """Return where the frame of this second is to appear."""
        return (
            self.folder / folder / f"frame-{self.start_time + timedelta(seconds=number):%Y%m%d-%H%M%S}.json"
        )

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
            _, said = process.communicate(timeout=PATIENCE)
        self.log.append(said)
        return process.returncode

    def kill(self) -> None:
        """Kill it, and wait until its workers are gone, too."""
        assert self.process is not None
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.kill()
        self.ears.again = True
        with self.process:
            pass
        _, alive = psutil.wait_procs(family, timeout=PATIENCE)
        assert not alive

    def marked(self) -> list[str]:
        """Return which tasks began and ended, in order."""
        return self.marks.read_text().splitlines() if self.marks.exists() else []

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the journal."""
        with closing(sqlite3.connect(self.folder / ".dynamo" / "journal.db")) as db:
            return db.execute(sql).fetchall()

    def ask(self, path: str = "/healthz") -> Any:
        """Ask for health: the answer in JSON, or its text."""
        line = [line for line in self.log if "health at " in line][-1]
        url = line.partition("health at ")[2].partition("/healthz")[0] + path
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(url) as answer:
                said = answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                said = error.read().decode()
        return json.loads(said) if path == "/healthz" else said

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
