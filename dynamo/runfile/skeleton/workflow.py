"""How much of the radar's sight do strong echoes cover, and how strong are they? A chain to make your own.

Each frame is measured by itself, so the frames are measured side by side; then one table and one chart.
A task is a plain function: files in, files out, numbers as keyword arguments.
"""

import csv
import json
from pathlib import Path

import numpy as np

from dynamo import Input, Output, task, workflow
from dynamo.radar.quantity import to_reflectivity
from dynamo.radar.readers import read


@task
def measure(frame: Input, numbers: Output, *, threshold: float) -> None:
    """Measure one frame: area (km2) at `threshold` (dBZ) or above, and the maximum (dBZ)."""
    grid = to_reflectivity(read(frame)[-1])  # some networks, such as KNMI and MRMS, send mm/h instead of dBZ
    width, height = grid.geometry.cell_size_km()
    strong = np.count_nonzero(grid.values >= threshold)  # cells without a value are NaN and do not count
    found = {
        "time": grid.time.isoformat(),
        "area_km2": round(strong * width * height, 1),
        "maximum_dbz": round(float(np.nanmax(grid.values)), 1) if grid.known.any() else None,
    }
    Path(numbers).write_text(json.dumps(found))


@task
def tabulate(numbers: list[Input], table: Output) -> None:
    """Put the measurements of all frames into one table (CSV), oldest first."""
    rows = sorted((json.loads(Path(one).read_text()) for one in numbers), key=lambda row: row["time"])
    with Path(table).open("w", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=["time", "area_km2", "maximum_dbz"])
        writer.writeheader()
        writer.writerows(rows)


@task
def draw(table: Input, chart: Output, *, threshold: float) -> None:
    """Draw area and maximum against time (PNG)."""
    from datetime import datetime

    from matplotlib.figure import Figure

    with Path(table).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    times = [datetime.fromisoformat(row["time"]) for row in rows]
    minutes = [(time - times[0]).total_seconds() / 60 for time in times]
    figure = Figure(figsize=(8, 4), layout="constrained")
    left = figure.subplots()
    left.plot(minutes, [float(row["area_km2"]) for row in rows], "o-", color="tab:blue")
    left.set_ylabel(f"area with {threshold:g} dBZ or more (km²)", color="tab:blue")
    left.set_xlabel(f"minutes after {times[0]:%Y-%m-%d %H:%M} UTC")
    right = left.twinx()
    right.plot(minutes, [float(row["maximum_dbz"] or "nan") for row in rows], "s--", color="tab:red")
    right.set_ylabel("maximum (dBZ)", color="tab:red")
    figure.savefig(chart, format="png", dpi=100)


@workflow
def my_chain(frames: list[Input], threshold: float = 35.0) -> None:
    """Describe the chain; nothing is computed here.

    A measurement is named after its frame, not numbered: when a new frame comes and the oldest goes, the others
    keep their names, and so their results.
    """
    numbers = [measure(frame, f"{frame.name}.json", threshold=threshold) for frame in frames]
    table = tabulate(numbers, table="storms.csv")
    draw(table, chart="storms.png", threshold=threshold)
