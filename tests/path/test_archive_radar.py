"""Ten real minutes of CASA's radars, and the examples' storms, run over a range by the real command."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dynamo.radar.netcdf import read_grid

ROOT = Path(__file__).resolve().parents[2]
CASA = """
workflow: dynamo.workflows.nowcast:nowcast
inputs:
  frames: {files: "sweeps/*.netcdf.gz", within: 4 min}
params: {horizon: 1, previews: false, cells: [100, 100], area: [-98.0, 31.81, -96.09, 33.41], highest: 3.0}
trigger:
  join: 20 s
  needs: {frames: {source: "^([a-z]+)", sources: 3, quorum: 2, files: 4}}
products: "products/{time}"
"""


def run(folder: Path, *options: str, code: int = 0) -> dict[str, Any]:
    line = [sys.executable, "-c", "from dynamo.cli import main; main()", "run", *options, "--json"]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def counts(found: dict[str, Any]) -> dict[str, int]:
    return {state: n for state, n in found["windows"].items() if n and state != "total"}


@pytest.fixture
def casa(tmp_path: Path, samples: Path) -> Path:
    """The sweeps as links, and a run file."""
    (tmp_path / "sweeps").mkdir()
    for path in (samples / "casa").glob("*.netcdf.gz"):
        (tmp_path / "sweeps" / path.name).symlink_to(path)
    (tmp_path / "casa.yaml").write_text(CASA)
    return tmp_path


def test_ten_minutes_of_sweeps_are_nowcast_and_what_is_missing_is_told(casa):
    """Two radars a minute make a window, the third came twice; a damaged sweep stops none."""
    whole = ("casa.yaml", "--from", "2017-03-29T07:30", "--to", "2017-03-29T07:40")
    found = run(casa, *whole)
    assert counts(found) == {"done": 10, "passed": 10}
    assert [(one["text"], one["windows"]) for one in found["missing"]] == [
        ("frames: addison", 10), ("frames: denton", 18),
    ]  # fmt: skip
    assert {one["text"]: one["windows"] for one in found["passed"]} == {
        "frames: 1 of 2 sources": 9,
        "frames: 3 of 4 files": 1,
    }
    gaps = [(gap["source"], gap["first"][11:], gap["last"][11:]) for gap in found["gaps"]]
    assert ("denton", "07:30:00Z", "07:38:01Z") in gaps
    latest = [read_grid(path).time for path in sorted(casa.glob("products/*/latest.nc"))]
    assert [time.minute for time in latest] == [
        33,
        34,
        35,
        36,
        37,
        38,
        39,
        39,
        40,
        41,
    ]  # by the time in the sweeps
    assert counts(run(casa, *whole)) == {"reused": 10, "passed": 10}
    # One sweep of the minute 07:35 is cut off, and one came twice.
    sweep = casa / "sweeps" / "addison.tx-20170329-073535.netcdf.gz"
    content = sweep.read_bytes()
    sweep.unlink()
    sweep.write_bytes(content[: len(content) // 2])
    shutil.copy(sweep, casa / "sweeps" / "addison.tx-20170329-073535.copy.netcdf.gz")
    found = run(casa, *whole)
    assert found["windows"]["failed"] == 0
    assert 3 <= found["windows"]["done"] <= 5  # those within whose four minutes it is
    assert found["windows"]["reused"] == 10 - found["windows"]["done"]
    assert len(found["files"]["duplicate"]) == 1
    told = [one for one in found["wrote"] if "20170329-073535" in one["text"]]
    assert sum(one["windows"] for one in told) >= 1, found["wrote"]
    strict = run(casa, *whole, "--param", "skip_damaged=false", code=2)
    assert strict["windows"]["failed"] == found["windows"]["done"]
    assert all("073535" in one["text"] for one in strict["failed"])
    for path in sweep.parent.glob("*-073535*"):
        path.write_bytes(content)
    assert counts(run(casa, *whole, "--param", "skip_damaged=false")) == {
        "done": found["windows"]["done"], "reused": 10 - found["windows"]["done"], "passed": 10,
    }  # fmt: skip


def test_the_storms_of_the_examples_are_run_over_a_range(tmp_path):
    """A fan-out at run time in each window, and without one of the two ends."""
    shutil.copytree(ROOT / "examples" / "03-per-storm", tmp_path, dirs_exist_ok=True)
    line = [sys.executable, "-c", "from dynamo.cli import main; main()"]
    made = [*line, "sample", "storm", "--frames", "6", "--to", "frames"]
    subprocess.run(made, cwd=tmp_path, check=True, capture_output=True)
    runfile = tmp_path / "per_storm.yaml"
    runfile.write_text(runfile.read_text().replace('"products"', '"products/{time}"'))
    frames = sorted((tmp_path / "frames").glob("storm_*"))
    found = run(tmp_path, "per_storm.yaml", "--from", "1990-01-01T00:00")
    assert counts(found) == {"done": len(frames)}
    bulletins = sorted(tmp_path.glob("products/*/bulletin.txt"))
    assert len(bulletins) == len(frames)
    assert any("dBZ" in path.read_text() for path in bulletins)
    assert counts(run(tmp_path, "per_storm.yaml", "--to", "2100-01-01T00:00")) == {"reused": len(frames)}
