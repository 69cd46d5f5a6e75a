"""Tests of the chain: a task is an ordinary function, so it is called as one."""

import csv
import json
from pathlib import Path

from workflow import draw, measure, my_chain, tabulate

HERE = Path(__file__).parent
FRAMES = sorted(HERE.glob("frames/*.nc"))


def test_a_higher_threshold_covers_less(tmp_path: Path) -> None:
    """The area at 45 dBZ lies within the area at 20 dBZ."""
    measure(FRAMES[0], tmp_path / "low.json", threshold=20.0)
    measure(FRAMES[0], tmp_path / "high.json", threshold=45.0)
    low, high = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("low", "high"))
    assert 0 <= high["area_km2"] < low["area_km2"]


def test_the_table_is_in_order_of_time(tmp_path: Path) -> None:
    """However the frames come, the table runs from the oldest to the newest, and can be drawn."""
    parts = []
    for n, frame in enumerate(reversed(FRAMES)):
        measure(frame, tmp_path / f"{n}.json", threshold=35.0)
        parts.append(tmp_path / f"{n}.json")
    tabulate(parts, tmp_path / "storms.csv")
    with (tmp_path / "storms.csv").open() as stream:
        times = [row["time"] for row in csv.DictReader(stream)]
    assert times == sorted(times)
    assert len(times) == len(FRAMES)
    draw(tmp_path / "storms.csv", tmp_path / "storms.png", threshold=35.0)
    assert (tmp_path / "storms.png").read_bytes().startswith(b"\x89PNG")


def test_every_frame_is_measured_once() -> None:
    """The graph has one measurement a frame, one table and one chart."""
    graph = my_chain(FRAMES)
    assert {step: len(tasks) for step, tasks in graph.steps.items()} == {
        "measure": len(FRAMES),
        "tabulate": 1,
        "draw": 1,
    }
