"""Whether the echo area tells how long jobs of a nowcast take: ``.venv/bin/python benchmarks/fleet_features.py``.

One chain sees weather after weather on a grid of 400 x 400 cells: windows of MRMS and of OPERA (real frames of the
samples), and apart from these the built-in storm, which grows from calm over a line to widespread rain. Each cycle is
run with warm workers; its jobs are packed as for a pool, and what a job takes is the CPU seconds of its tasks. What is
known before is what `dynamo.targets.attributes` writes: the echo area is that of the cycle before. Each job is
predicted before it is learned: by the number of its tasks alone, by the bytes of its files too, by the echo area
instead, by both; and by both with the area of its own cycle, which nobody knows then. The files are NetCDF, deflated:
bytes tell of the echo. Those of many formats are as large whatever the weather, which `tasks` and `echo` stand for.

Printed for all jobs, and for each class of them: jobs judged; the pinball loss of p50 and of p90, as shares of the mean
seconds of a job; the share within p90; the median error of p50 (as a factor); the sum of the means over the sum of what
they took.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np
from dynamo.workflows.nowcast import nowcast

from dynamo.engine import LocalEngine, Products, Request
from dynamo.fleet.predict import Predictor
from dynamo.journal import Workspace
from dynamo.planning.pack import Packing, pack
from dynamo.radar.grid import Geometry, Grid
from dynamo.radar.netcdf import write_grid
from dynamo.radar.readers import read
from dynamo.radar.storm import storm
from dynamo.targets.attributes import attributes
from dynamo.targets.jobs import compile_jobs

SAMPLES = Path(os.environ.get("DYNAMO_SAMPLES", Path(__file__).resolve().parents[2] / "shared" / "data"))
CELLS, WINDOW, SKIP = 400, 3, 20
MRMS, OPERA = "mrms_texas_2min_36x1000x1000.nc", "opera_cirrus_widespread_5min_13x1000x1000.nc"
BY = ("tasks", "bytes", "echo", "bytes and echo", "bytes and own echo")
#: A kind; what is known before, with the area of the cycle before; the area of its own; seconds.
Job = tuple[str, dict[str, float], float, float]


def tile(grids: Sequence[Grid], row: int, column: int) -> list[Grid]:
    """Return a window of each grid, all as if they lay at the same place on cells of 1 km."""
    place = Geometry(-98.0, 33.6, 0.0107, -0.0090, CELLS, CELLS)
    part = np.s_[row : row + CELLS, column : column + CELLS]
    return [Grid(g.values[part].copy(), g.status[part].copy(), place, g.time) for g in grids]


def real(cycles: int) -> Iterator[list[Grid]]:
    """Yield weathers: what nine windows of each sequence saw, the two in turn."""
    found = {name: read(SAMPLES / "grids" / name)[: cycles + WINDOW - 1] for name in (MRMS, OPERA)}
    for row in (0, 300, 600):
        for column in (0, 300, 600):
            for grids in found.values():
                yield tile(grids, row, column)


def made_up(cycles: int) -> Iterator[list[Grid]]:
    """Yield weathers of the built-in storm: calm, then a line, then widespread rain, three times."""
    for seed in range(3):
        for regime in ("calm", "line", "widespread"):
            yield storm(regime, seed, cycles + WINDOW - 1, timedelta(minutes=5))


def measured(weathers: Iterator[list[Grid]], step: int) -> Iterator[Job]:
    """Run a cycle for each time of each weather, and tell of its jobs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with LocalEngine(Workspace.open(folder / "work"), cores=1) as engine:
            engine.warm()
            for n, grids in enumerate(weathers):
                paths = [folder / f"{n}-{m}.nc" for m in range(len(grids))]
                for path, grid in zip(paths, grids, strict=True):
                    write_grid(path, grid)
                for first in range(len(grids) - WINDOW + 1):
                    graph = nowcast.graph(paths[first : first + WINDOW], step=step, previews=False)
                    yield from cycle(engine, f"run-{n}-{first}", graph, folder)


def cycle(engine, run, graph, folder: Path) -> Iterator[Job]:
    """Run one cycle, as what it was packed into before, by what was known before."""
    journal = engine.journal
    before = journal.facts(run, graph.name, None)
    packing = Packing(slots=8, overhead=0.3, seconds=journal.durations(graph.name))
    compiled = compile_jobs(graph, pack(graph, packing))
    sizes = {name: Path(path).stat().st_size for name, path in graph.sources.items()}
    summary = engine.run(Request(run, graph, Products(str(folder / "products"))))
    if summary.failures:
        print(f"    ({run} left out: {summary.failures[0].error})")
        return
    own = journal.facts(run, graph.name, None)["echo_km2"]
    took = {one.task: one.cpu for one in journal.attempts(run) if one.outcome == "ok"}
    for job in compiled.jobs.values():
        told = attributes(compiled, job, 0.0, sizes, before)
        features = dict(part.split("=") for part in told["features"].split(";"))
        seconds = sum(took[task] for task in job.tasks if task in took)
        if seconds > 0:
            yield told["kind"], {key: float(value) for key, value in features.items()}, own, seconds


def judged(name: str, jobs: Sequence[Job], with_: str) -> str:
    """Predict and learn in turn, and say how well that went."""
    predictor, seen, rows = Predictor(), dict[str, int](), []
    for kind, before, own, seconds in jobs:
        features: Mapping[str, float] = {
            "tasks": {"tasks": before["tasks"]},
            "bytes": {key: value for key, value in before.items() if key != "echo_km2"},
            "echo": {key: value for key, value in before.items() if key != "bytes"},
            "bytes and echo": before,
            "bytes and own echo": {**before, "echo_km2": own},
        }[with_]
        made = predictor.predict(kind, features)
        seen[kind] = seen.get(kind, 0) + 1
        if seen[kind] > SKIP:
            rows.append((made.p50, made.p90, made.mean, seconds))
        predictor.learn(kind, features, seconds)
    p50, p90, mean, took = np.array(rows).T
    loss = [
        float(np.maximum(level * (took - guess), (level - 1) * (took - guess)).mean() / took.mean())
        for level, guess in ((0.5, p50), (0.9, p90))
    ]
    factor = math.exp(float(np.median(np.abs(np.log(took / p50)))))
    return (
        f"| {name}, {with_} | {len(rows):,} | {loss[0]:.4f} | {loss[1]:.4f} | {100 * (took <= p90).mean():.1f} % "
        f"| {factor:.3f} | {mean.sum() / took.sum():.2f} |"
    )


def table(name: str, jobs: Sequence[Job]) -> Iterator[str]:
    """Yield the lines of all jobs, then of each class, and what of the weather there was in them."""
    kinds: dict[str, list[Job]] = {f"{name}, all": list(jobs)}
    for job in jobs:
        kinds.setdefault(job[0], []).append(job)
    for kind, mine in kinds.items():
        if len(mine) > 2 * SKIP:
            yield from (judged(kind, mine, by) for by in BY)
            ordered = sorted((own, seconds) for _, _, own, seconds in mine)
            low, high = (
                np.median(part, axis=0) for part in (ordered[: len(mine) // 5], ordered[-len(mine) // 5 :])
            )
            yield f"    a fifth: {low[1]:.3f} s at {low[0]:,.0f} km2; {high[1]:.3f} s at {high[0]:,.0f} km2"


def main() -> None:
    """Print the table."""
    print(
        "| jobs | judged | loss of p50 | loss of p90 | within p90 | error of p50 | sum of means / true sum |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, weathers in (("MRMS and OPERA", real(20)), ("built-in storm", made_up(20))):
        for line in table(name, list(measured(weathers, 1))):
            print(line, flush=True)


if __name__ == "__main__":
    main()
