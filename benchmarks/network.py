"""A network of eight radars at its full load: ``python benchmarks/network.py``, some eight minutes.

Twenty-four sweeps a minute, made of the real sweeps of three radars: moved to eight places, with times of now, and
given their names one by one, each at its time. One real `dynamo watch` tells hail of each sweep, joins all of the last
five minutes once a minute, likewise the wind near the ground, and makes the nowcast of merged frames beside them. It
keeps up if nothing is left over; what is measured is from a sweep's renaming to its polygons, from the minute to the
composite, and how much of two cores it took. There is no peer: the known chain processed one sixth of such a
network's data.
"""

from __future__ import annotations

import gzip
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import netCDF4
import numpy as np
import psutil

from dynamo.radar.netcdf import write_grid
from dynamo.radar.readers import read
from frames import SAMPLES
from rows import Row, main

COMMAND = str(Path(sys.executable).with_name("dynamo"))
#: Eight places (latitude, longitude), and the radar whose sweeps are moved there.
PLACES = {
    "north.tx": (33.25, -97.15, "denton"),
    "east.tx": (32.98, -96.84, "addison"),
    "south.tx": (32.37, -97.39, "cleburne"),
    "west.tx": (32.60, -97.75, "addison"),
    "centre.tx": (32.80, -97.10, "cleburne"),
    "far-east.tx": (32.60, -96.50, "addison"),
    "far-west.tx": (33.10, -97.70, "cleburne"),
    "far-south.tx": (32.10, -96.90, "denton"),
}
SWEEPS_A_MINUTE = 3
GRID = "area: [-97.99, 31.775, -96.16, 33.525], cells: [366, 350]"

RUNFILES = {
    "sweeps": f"""
workflow: dynamo.workflows.hail:hail
inputs:
  sweeps: {{files: "sweeps/*.nc.gz"}}
  radars: radars.yaml
params: {{{GRID}, freezing_level: 4100, minus20_level: 7000}}
trigger: {{late: 5 min, at_once: 4}}
products: {{to: "products/sweeps/{{run}}", keep: 10 min}}
""",
    "hail": f"""
workflow: dynamo.workflows.hail:hail
inputs:
  sweeps: {{files: "sweeps/*.nc.gz", within: 5 min}}
  radars: radars.yaml
params: {{{GRID}, freezing_level: 4100, minus20_level: 7000}}
trigger: {{every: 1 min, priority: 5}}
products: {{to: "products/hail/{{run}}", only: "hail.*", keep: 10 min}}
""",
    "wind": f"""
workflow: dynamo.workflows.wind:wind
inputs:
  sweeps: {{files: "sweeps/*.nc.gz", within: 5 min}}
  radars: radars.yaml
params: {{{GRID}}}
trigger: {{every: 1 min, priority: 5}}
products: {{to: "products/wind/{{run}}", only: "wind.*", keep: 10 min}}
""",
    "nowcast": """
workflow: dynamo.workflows.nowcast:nowcast
inputs: {frames: {files: "frames/*.nc", last: 12, within: 15 min}}
params: {previews: false}
trigger: {needs: {frames: {files: 4}}, at_once: 1, priority: 10}
products: {to: "products/nowcast/{run}", keep: 10 min}
""",
}


#: The input whose newest file starts a run; of others the clock does.
INPUT = {"sweeps": "sweeps", "nowcast": "frames"}


@dataclass(frozen=True, slots=True)
class Lags:
    """Of the windows of one run file: seconds of those that were run, and how many failed."""

    seconds: list[float]
    failed: int

    def at(self, share: float) -> float:
        """A percentile."""
        return float(np.percentile(self.seconds, share)) if self.seconds else float("nan")


class Network:
    """Files that are to appear in a folder, each at its time."""

    def __init__(self, folder: Path, minutes: int) -> None:
        self.folder, self.minutes = folder, minutes
        for name in ("sweeps", "frames", "store"):
            (folder / name).mkdir()
        for name, text in RUNFILES.items():
            (folder / f"{name}.yaml").write_text(text)
        (folder / "radars.yaml").write_text(
            "radars:\n" + "".join(f"  {radar}: {{band: X, nyquist: 65}}\n" for radar in PLACES)
        )
        self.raw = {
            radar: [gzip.decompress(p.read_bytes()) for p in sorted((SAMPLES / "casa").glob(f"{radar}*.gz"))]
            for radar in {source for _, _, source in PLACES.values()}
        }
        self.frames = read(SAMPLES / "grids" / "casa_dfw_merged_1min_40x400x400.nc")
        self.shown: dict[str, float] = {}

    def due(self, begin: float) -> list[tuple[float, Path, Path]]:
        """Prepare all files of the minutes from `begin` (Unix seconds) on; return when each is to appear, and where."""
        found = []
        for number, (radar, place) in enumerate(PLACES.items()):
            for turn in range(self.minutes * SWEEPS_A_MINUTE):
                at = begin + (turn + number / len(PLACES)) * 60 / SWEEPS_A_MINUTE
                found.append((at, *self.sweep(radar, place, turn, at)))
        for minute in range(-12, self.minutes):
            at = begin + 60 * minute
            moved = self.frames[minute % len(self.frames)].with_time(datetime.fromtimestamp(at, UTC))
            name = f"frame-{moved.time:%Y%m%d-%H%M%S}.nc"
            write_grid(self.folder / "store" / name, moved)
            found.append((at, self.folder / "store" / name, self.folder / "frames" / name))
        return sorted(found)

    def sweep(self, radar: str, place: tuple[float, float, str], turn: int, at: float) -> tuple[Path, Path]:
        """Write one sweep of a radar, compressed as the network does it."""
        latitude, longitude, source = place
        raw = self.raw[source]
        moved = self.folder / "store" / f"{radar}-{turn}.nc"
        moved.write_bytes(raw[turn % len(raw)])
        with netCDF4.Dataset(moved, "r+") as dataset:
            dataset.RadarName = radar
            dataset.Latitude, dataset.Longitude = np.float64(latitude), np.float64(longitude)
            times = dataset["Time"]
            times[:] = np.full(times.shape, int(at) - 2)
        name = f"{radar}-{datetime.fromtimestamp(at, UTC):%Y%m%d-%H%M%S}.nc.gz"
        packed = self.folder / "store" / name
        packed.write_bytes(gzip.compress(moved.read_bytes(), 1))
        moved.unlink()
        return packed, self.folder / "sweeps" / name

    def play(self, files: list[tuple[float, Path, Path]]) -> None:
        """Give each file its name at its time."""
        for at, here, there in files:
            time.sleep(max(0.0, at - time.time()))
            here.rename(there)
            self.shown[there.name] = time.time()

    def lags(self, name: str) -> Lags:
        """Seconds from the newest file of each window, or its tick, to the end of its run."""
        with closing(sqlite3.connect(self.folder / ".dynamo" / "journal.db", timeout=30)) as db:
            rows = db.execute(
                "SELECT time, files, state, ended FROM windows WHERE feed LIKE ?", (f"%{name}.yaml",)
            ).fetchall()
        seconds = [
            ended - (max(map(self.when, json.loads(files)[INPUT[name]])) if name in INPUT else time)
            for time, files, state, ended in rows
            if state == "done"
        ]
        return Lags(seconds, sum(state not in {"done", "queued", "running"} for *_, state, _ in rows))

    def when(self, path: str) -> float:
        """When a file was given its name."""
        return self.shown[Path(path).name]


def used(process: psutil.Process) -> float:
    """CPU seconds of a process and its children."""
    total = 0.0
    for one in [process, *process.children(recursive=True)]:
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def watched(minutes: int) -> tuple[Network, float, float]:
    """Run the network; return it, CPU seconds a minute, and the peak of memory of its largest process, MB."""
    folder = Path(tempfile.mkdtemp(prefix="network-"))
    network = Network(folder, minutes)
    begin = (time.time() // 60 + 2) * 60
    files = network.due(begin)
    early = [f for f in files if f[0] < begin]
    network.play(early)
    files = files[len(early) :]
    line = [COMMAND, "watch", *(f"{name}.yaml" for name in RUNFILES)]
    log = (folder / "log").open("w")
    with subprocess.Popen(line, cwd=folder, stderr=log, stdout=log) as watch:
        try:
            player = threading.Thread(target=network.play, args=(files,))
            player.start()
            process = psutil.Process(watch.pid)
            time.sleep(max(0.0, begin - time.time()))
            before, peak = used(process), 0
            while player.is_alive():
                player.join(1.0)
                peak = max(peak, *(c.memory_info().rss for c in [process, *process.children(recursive=True)]))
            time.sleep(20)
            after = used(process)
        finally:
            watch.send_signal(signal.SIGINT)
            watch.wait(60)
            log.close()
    return network, (after - before) / minutes, peak / 1e6


def measure(quick: bool) -> Iterator[Row | str]:
    """One real run of it."""
    if not (SAMPLES / "casa").is_dir():
        yield f"no sample sweeps at {SAMPLES}: set DYNAMO_SAMPLES"
        return
    minutes = 2 if quick else 5
    network, cpu, peak = watched(minutes)
    sweeps, composites, winds, nowcasts = (network.lags(name) for name in RUNFILES)
    shutil.rmtree(network.folder)
    late = len(network.shown) - len(sweeps.seconds) - 12 - minutes
    note = f"{minutes} min, {len(sweeps.seconds)} sweeps of {len(PLACES)} radars"
    for share, most in ((50, None), (95, 5.0)):
        yield Row(f"sweep closed to its polygons, p{share}", sweeps.at(share), "s", most, note=note)
    yield Row("sweeps without products a minute after the last", late + sweeps.failed, "", 0)
    yield Row("minute to the composite of all radars, p95", composites.at(95), "s", 10.0)
    yield Row("minute to the wind of all radars, p95", winds.at(95), "s", 10.0)
    yield Row("minute to the nowcast beside them, p95", nowcasts.at(95), "s", 10.0)
    yield Row(
        "windows that failed or were passed over", composites.failed + winds.failed + nowcasts.failed, "", 0
    )
    yield Row("CPU of a minute, of 120 s", cpu, "s", 120.0)
    yield Row("largest process", peak, "MB", 500.0)


if __name__ == "__main__":
    main(__doc__, measure)
