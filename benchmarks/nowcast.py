"""Nowcast cycles, from the frames on disk to the last product: ``python benchmarks/nowcast.py``.

A cycle makes 31 lead times, each a grid, an image with its bounds, and polygons: 96 tasks. The engine has two
warm worker processes, as in operation; each cycle has one frame more than the one before, so nothing is
reused. The graph is described, planned, run and recorded in the time that is told. The peer is the obvious
script for the same products: pysteps (Lucas-Kanade, semi-Lagrangian), matplotlib and geojsoncontour, without
its imports.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import psutil
from dynamo.workflows.nowcast import nowcast

from dynamo.engine import LocalEngine, Products, Request
from dynamo.journal import Workspace
from frames import Frames, frames
from noop import done
from peer import figure, measured
from rows import Row, main

CORES = 2
WINDOW = 7


class Memory:
    """Peak memory of this process and its children, each shared page counted once (MB); sampled."""

    def __init__(self):
        self.peak = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _look(self):
        own = psutil.Process()
        while not self._over.wait(0.05):
            total = 0
            for process in (own, *own.children(recursive=True)):
                try:
                    found = process.memory_full_info()
                except psutil.Error:
                    continue
                total += getattr(found, "pss", found.rss)
            self.peak = max(self.peak, total / 1e6)


class Cycles:
    """One engine, one sequence of frames, cycle after cycle.

    Seconds of the first cycle (workers import) and of each after it; and where the last one spent them.
    """

    def __init__(self, kind, cycles, *, previews=False, window=WINDOW, memory=False):
        self.seconds = []
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            case = frames(kind, folder, window + cycles)
            self.name, self.paths = case.name, case.paths
            self.peak = 0.0
            workspace = Workspace.open(folder / "work")
            with LocalEngine(workspace, cores=CORES) as engine:
                engine.warm()
                if memory:
                    with Memory() as watched:
                        self._all(engine, folder, window, previews=previews)
                    self.peak = watched.peak
                else:
                    self._all(engine, folder, window, previews=previews)
                self.where = where(engine.journal, f"run-{len(self.seconds) - 1}", self.seconds[-1])

    def _all(self, engine, folder, window, *, previews):
        for n in range(len(self.paths) - window + 1):
            start = time.perf_counter()
            graph = nowcast.graph(self.paths[n : n + window], previews=previews)
            products = Products(str(folder / "products" / f"{n}"))
            summary = engine.run(Request(f"run-{n}", graph, products))
            self.seconds.append(time.perf_counter() - start)
            done(summary)
            if summary.ran != len(graph.tasks):
                raise SystemExit(
                    f"{summary.reused} of {len(graph.tasks)} tasks were reused: not a full cycle"
                )

    @property
    def warm(self):
        """Median of the cycles after the first, seconds."""
        return statistics.median(self.seconds[1:])


def where(journal, run, seconds):
    """Where a cycle's time went, as a table: each step's seconds on both workers, and what was none's."""
    steps = {task: record.step for task, record in journal.tasks(run).items()}
    spent, cpu, count = defaultdict(float), defaultdict(float), defaultdict(int)
    attempts = journal.attempts(run)
    for attempt in attempts:
        step = steps[attempt.task]
        spent[step] += attempt.ended - attempt.started
        cpu[step] += attempt.cpu
        count[step] += 1
    lines = [f"    {'step':<20}{'tasks':>6}{'ms':>9}{'CPU ms':>9}{'ms/task':>9}{'share':>8}"]
    whole = CORES * seconds
    lines += [
        f"    {step:<20}{count[step]:>6}{1000 * spent[step]:>9.0f}{1000 * cpu[step]:>9.0f}"
        f"{1000 * spent[step] / count[step]:>9.1f}{spent[step] / whole:>8.0%}"
        for step in sorted(spent, key=spent.get, reverse=True)
    ]
    idle = whole - sum(spent.values())
    lines.append(f"    {'workers waiting':<20}{'':>6}{1000 * idle:>9.0f}{'':>18}{idle / whole:>8.0%}")
    first = min(a.started for a in attempts)
    alone = max(a.ended for a in attempts if steps[a.task] == "estimate_motion") - first
    lines.append(
        f"    ({1000 * seconds:.0f} ms on the clock, times 2 workers; ingest and estimate_motion are one after "
        f"the other and take {1000 * alone:.0f} ms, in which one worker has nothing to do)"
    )
    return "\n".join(lines)


def obvious(kind, drawn, steps):
    """Seconds of the obvious script for one cycle."""
    with tempfile.TemporaryDirectory() as folder:
        case = frames(kind, Path(folder), 3)
        out = Path(folder) / "out"
        return measured("obvious_nowcast.py", out, drawn, steps, *case.paths, timeout=300)


def measure(quick: bool) -> Iterator[Row | str]:
    """Two sizes, thirty cycles, two weathers."""
    count, few = (4, 2) if quick else (30, 5)
    script = "obvious script: pysteps, matplotlib, geojsoncontour"
    peer = obvious(Frames.CASA, 4 if quick else 31, 30)
    casa = Cycles(Frames.CASA, count)
    yield Row(
        f"nowcast cycle, {casa.name}, warm (median of {count})",
        casa.warm,
        "s",
        1,
        {script: figure(peer, "cycle")},
        (script,),
    )
    yield f"where the last cycle of {casa.name} spent its time:\n{casa.where}"
    yield Row(
        f"{count} cycles, {casa.name}, one after another, {count * 96:,} tasks",
        sum(casa.seconds[1:]),
        "s",
        25 * count / 30,
        {script: figure(peer, "cycle", count)},
        (script,),
        note="under Pegasus and HTCondor on 144 cores, 30 took 925 s (FlowBench, median of 101 runs); "
        "peer: one cycle times the number",
    )
    yield Row(f"first cycle, {casa.name}, cold workers", casa.seconds[0], "s")
    watched = Cycles(Frames.CASA, few, memory=True)
    shown = Cycles(Frames.CASA, few, previews=True)
    yield Row(
        f"nowcast cycle, {shown.name}, with animation and contact sheet",
        shown.warm,
        "s",
        note=f"median of {few}",
    )
    drawn = 2 if quick else 6
    large = obvious(Frames.MRMS, drawn, 15)
    mrms = Cycles(Frames.MRMS, few)
    yield Row(
        f"nowcast cycle, {mrms.name}, warm (median of {few})",
        mrms.warm,
        "s",
        3,
        {script: figure(large, "cycle")},
        (script,),
        note=f"peer: products of {drawn} lead times measured, scaled to 31",
    )
    yield f"where the last cycle of {mrms.name} spent its time:\n{mrms.where}"
    opera = Cycles(Frames.OPERA, few)
    yield Row(f"nowcast cycle, {opera.name} (widespread rain), warm (median of {few})", opera.warm, "s")
    yield f"where the last cycle of {opera.name} spent its time:\n{opera.where}"
    yield Row(
        f"worst weather ({opera.name}) against average ({mrms.name})",
        opera.warm / mrms.warm,
        "times",
        5,
        note="published for the C tracer in operation: about 200",
    )
    large_watched = Cycles(Frames.OPERA, min(few, 3), memory=True)
    yield Row(f"peak memory, {watched.name}", watched.peak, "MB", 1000, note="engine and workers")
    yield Row(f"peak memory, {large_watched.name}", large_watched.peak, "MB", 1000, note="engine and workers")


if __name__ == "__main__":
    main(__doc__, measure)
