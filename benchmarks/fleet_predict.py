"""How well the fleet knows beforehand what a job takes: synthetic storms, and recorded runs of FlowBench.

Run it as ``.venv/bin/python benchmarks/fleet_predict.py [FOLDER OF FLOWBENCH]``. Each job is predicted before it is
learned, as in service. Printed for each: jobs judged, the share within p90, the median error of p50 (as a factor), the
sum of the means over the sum of what they took, and how far apart the longest and the shortest hundredth are.
"""

from __future__ import annotations

import csv
import gzip
import math
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from dynamo.fleet.predict import Predictor

Job = tuple[str, dict[str, float | None], float]


def judge(name: str, jobs: Iterable[Job], skip: int = 20, delay: int = 0) -> str:
    """Predict and learn in turn; `delay` jobs are predicted before the first of them is learned."""
    predictor, waiting, seen = Predictor(), [], {}
    rows: list[tuple[float, float, float, float]] = []
    for kind, features, seconds in jobs:
        made = predictor.predict(kind, features)
        seen[kind] = seen.get(kind, 0) + 1
        if seen[kind] > skip:
            rows.append((made.p50, made.p90, made.mean, seconds))
        waiting.append((kind, features, seconds))
        if len(waiting) > delay:
            predictor.learn(*waiting.pop(0))
    table = np.array(rows)
    within = 100 * float((table[:, 3] <= table[:, 1]).mean())
    factor = math.exp(float(np.median(np.abs(np.log(table[:, 3] / table[:, 0])))))
    share = table[:, 2].sum() / table[:, 3].sum()
    spread = np.quantile(table[:, 3], 0.99) / np.quantile(table[:, 3], 0.01)
    return f"{name:34} {len(rows):6} {within:8.1f} % {factor:8.3f} x {share:8.2f} {spread:8.0f} x"


def storms(seed: int, law: str = "line", jobs: int = 3000) -> Iterator[Job]:
    """Make jobs whose seconds range 200-fold with the echo area, which comes and goes with storms."""
    random = np.random.default_rng(seed)
    area, target = 100.0, 100.0
    for n in range(jobs):
        if random.random() < 0.01:
            target = float(random.choice([50, 300, 3000, 30000, 60000]))
        area = float(np.exp(0.9 * np.log(area) + 0.1 * np.log(target) + 0.1 * random.normal()))
        noise = float(np.exp(0.3 * random.normal())) * (4.0 if random.random() < 0.01 else 1.0)
        lead, tasks = float(random.integers(0, 31)), float(random.integers(1, 4))
        seconds = {"line": 0.4 + area / 700, "power": 0.02 * area**0.75, "drift": 0.4 + area / 700}[
            law
        ] * tasks
        if law == "drift" and n > jobs // 2:
            seconds *= 2.0
        features: dict[str, float | None] = {
            "echo_km2": area,
            "bytes": 2e5 + 20 * area,
            "lead": lead,
            "tasks": tasks,
        }
        if random.random() < 0.05:
            features["echo_km2"] = None
        yield "contour", features, seconds * noise


def flowbench(folder: Path, pattern: str) -> Iterator[Job]:
    """Read the jobs of recorded runs, in the order in which they ended."""
    rows = []
    for path in sorted(folder.glob(pattern)):
        with gzip.open(path, "rt") as file:
            rows += list(csv.DictReader(file))
    rows.sort(key=lambda row: float(row["execute_end"] or 0))
    for row in rows:
        if (
            row["type"] == "compute"
            and float(row["runtime"] or 0) > 0
            and row["kickstart_status"] in {"0", "0.0"}
        ):
            size = float(row["stage_in_bytes"]) if row["stage_in_bytes"] else None
            yield row["kickstart_transformations"], {"bytes": size}, float(row["runtime"])


def main() -> None:
    """Print the table."""
    folder = Path(
        sys.argv[1]
        if len(sys.argv) > 1
        else os.environ.get("DYNAMO_SAMPLES", "../shared/data") + "/flowbench"
    )
    print(f"{'jobs of':34} {'judged':>6} {'in p90':>10} {'p50 error':>10} {'sum':>8} {'spread':>10}")
    for law in ("line", "power", "drift"):
        for delay in (0, 60):
            print(judge(f"synthetic storms, {law}, {delay} late", storms(7, law), delay=delay))
    for name, pattern in (
        ("FlowBench, undisturbed", "normal*"),
        ("FlowBench, slow disk", "hdd*"),
        ("FlowBench", "*"),
    ):
        if folder.is_dir():
            print(judge(name, flowbench(folder, f"{pattern}.csv.gz")))


if __name__ == "__main__":
    main()
