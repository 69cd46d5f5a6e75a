"""From a file that is closed to the alert that is received: ``python benchmarks/watch.py``.

Frames get their names one by one in a folder that the real `dynamo watch` watches, each when all that came of the
one before is through. It makes a nowcast of 30 minutes, as in `examples/04-alerts`, and tells hospitals near storms
through signed webhooks; `dynamo receive`, in a process of its own, verifies them and says when they came. Times run
from the renaming of a frame: to the start of the first task, to the last alert of the cycle, of those cycles that
had something to tell. The peer is what one does without a watch: `dynamo run` on the same run file for each frame.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from dynamo.delivery.receiver import new_secret
from dynamo.radar.netcdf import write_grid
from dynamo.radar.readers import read
from dynamo.radar.storm import storm
from frames import SAMPLES
from rows import Row, main

FRAMES = SAMPLES / "grids" / "casa_dfw_merged_1min_40x400x400.nc"
HOSPITALS = SAMPLES / "casa" / "hospital_locations.geojson"
COMMAND = str(Path(sys.executable).with_name("dynamo"))
HISTORY = 4

RUNFILE = """
workflow: dynamo.workflows.nowcast:nowcast
inputs: {{frames: {{files: "incoming/*.nc", last: 12, within: 15 min}}}}
params: {{previews: false}}
trigger: {{needs: {{frames: {{files: 4}}}}, at_once: 1}}
products: "products/{{run}}"
alerts:
  subscribers: people.geojson
  products: "polygons_*.geojson"
  rules: [{{hazard: STORM, level: ">= 45", within: 5 km, lead: 30 min}}]
  webhooks: [{{name: desk, url: "{url}", secret: "env:ALERT_SECRET", allow: 127.0.0.1}}]
"""


class Scene:
    """A folder, and frames that are to appear in it."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder = folder
        (folder / "incoming").mkdir()
        real = FRAMES.is_file() and HOSPITALS.is_file()
        self.name = "CASA 400x400" if real else "a made-up line 400x400 (no sample data here)"
        grids = (read(FRAMES) if real else storm("line", frames=40))[-count - HISTORY :]
        later = datetime.now(UTC).replace(second=0, microsecond=0) - grids[-1].time
        (folder / "people.geojson").write_text(HOSPITALS.read_text() if real else places(grids[0].geometry))
        self.parts = []
        for grid in grids:
            moved = grid.with_time(grid.time + later)
            self.parts.append(folder / "incoming" / f".radar-{moved.time:%Y%m%d-%H%M%S}.nc")
            write_grid(self.parts[-1], moved)

    def show(self) -> float:
        """Give the next frame its name; return when."""
        part = self.parts.pop(0)
        now = time.time()
        part.rename(part.with_name(part.name[1:]))
        return now

    def rows(self, sql: str, *given: str) -> list[tuple]:
        """Ask the journal."""
        with closing(sqlite3.connect(self.folder / ".dynamo" / "journal.db", timeout=30)) as db:
            return db.execute(sql, given).fetchall()

    def newest(self) -> tuple[str, float]:
        """The last run, and the start of its first task."""
        return self.rows(
            "SELECT run, min(started) FROM attempts GROUP BY run ORDER BY min(started) DESC LIMIT 1"
        )[0]


def places(geometry) -> str:
    """Some places in the middle of a grid, instead of hospitals."""
    features = []
    for row in range(1, 8):
        for column in range(1, 8):
            at = geometry.lonlat(geometry.x[column * geometry.nx // 8], geometry.y[row * geometry.ny // 8])
            point = {"type": "Point", "coordinates": [float(degrees) for degrees in at]}
            features.append({"type": "Feature", "properties": {"name": f"{row}{column}"}, "geometry": point})
    return json.dumps({"type": "FeatureCollection", "features": features})


def until(stream, text: str) -> str:
    """Read lines up to one with this text."""
    for line in stream:
        if text in line:
            return line
    raise RuntimeError(f"it ended without {text!r}")


def watched(count: int) -> tuple[str, list[float], list[float], list[float]]:
    """Name of the frames; seconds to the first task, to the end of the run, and to the last alert, of each cycle."""
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(Path(folder), count)
        environment = {**os.environ, "ALERT_SECRET": new_secret()}
        line = [COMMAND, "receive", "--port", "0", "--secret", "env:ALERT_SECRET", "--json"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment}
        with subprocess.Popen(line, **pipes) as receiver:
            url = until(receiver.stderr, "listening at").split()[2].rstrip(";")
            (scene.folder / "watch.yaml").write_text(RUNFILE.format(url=url))
            for _ in range(HISTORY):
                scene.show()
            with subprocess.Popen([COMMAND, "watch", str(scene.folder / "watch.yaml")], **pipes) as watch:
                try:
                    until(watch.stderr, " ran, ")
                    told(scene, receiver, scene.newest()[0])
                    cycles = [cycle(scene, watch, receiver) for _ in range(count)]
                finally:
                    watch.terminate()
                    receiver.terminate()
        first, ended, alerts = zip(*cycles, strict=True)
        return scene.name, list(first), list(ended), [moment for moment in alerts if moment is not None]


def cycle(scene, watch, receiver) -> tuple[float, float, float | None]:
    """One more frame."""
    shown = scene.show()
    until(watch.stderr, " ran, ")
    run, started = scene.newest()
    arrived = told(scene, receiver, run)
    ended = scene.rows("SELECT ended FROM runs WHERE id = ?", run)[0][0]
    return started - shown, ended - shown, max(arrived) - shown if arrived else None


def told(scene, receiver, run: str) -> list[float]:
    """When each alert of a run was received."""
    sql = "SELECT count(*) FROM deliveries d JOIN alerts a ON a.id = d.alert WHERE a.run = ?"
    said = [json.loads(receiver.stdout.readline()) for _ in range(scene.rows(sql, run)[0][0])]
    assert all(one["verdict"] == "verified" for one in said)
    return [datetime.fromisoformat(one["at"]).timestamp() for one in said]


def by_hand(count: int) -> tuple[list[float], list[float]]:
    """The peer: seconds to the first task, and to the end of the process, of each frame."""
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(Path(folder), count)
        text = RUNFILE.format(url="http://127.0.0.1/").partition("trigger:")[0]
        (scene.folder / "run.yaml").write_text(text + 'products: "products/{run}"\n')
        first, ended = [], []
        for n in range(HISTORY + count):
            shown = scene.show()
            if n < HISTORY:
                continue
            line = [COMMAND, "run", "--quiet", str(scene.folder / "run.yaml")]
            subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
            ended.append(time.time() - shown)
            first.append(scene.newest()[1] - shown)
        return first, ended


def measure(quick: bool) -> Iterator[Row]:
    """Cycles of the watch, then of the peer."""
    name, first, ended, alerts = watched(5 if quick else 30)
    other_first, other_ended = by_hand(2 if quick else 6)
    peer = "a `dynamo run` for each frame"
    note = f"{name}; {len(first)} cycles, {len(alerts)} of them told something"
    for share, most in ((50, 0.5), (95, None)):
        peers = {peer: float(np.percentile(other_first, share))}
        figure = float(np.percentile(first, share))
        yield Row(f"file closed to first task, p{share}", figure, "s", most, peers, (peer,), note)
    for share in (50, 95):
        peers = {peer: float(np.percentile(other_ended, share))}
        figure = float(np.percentile(ended, share))
        yield Row(f"file closed to all products of the nowcast, p{share}", figure, "s", None, peers, (peer,))
    for share, most in ((50, 1.5), (95, 3)):
        figure = float(np.percentile(alerts, share)) if alerts else float("nan")
        yield Row(f"file closed to last alert received, p{share}", figure, "s", most)


if __name__ == "__main__":
    main(__doc__, measure)
