"""Every example runs as its README says, and the second run has nothing to do."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def dynamo(*arguments: object) -> dict:
    """Run the real command in a process of its own and return the JSON it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "dynamo.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("name", "product", "says"),
    [
        ("00-hello/hello", "summary.txt", "strongest echo: 45.0 dBZ at denton\n"),
        ("02-command/echo_area", "counts.txt", "3\n1\n"),
    ],
)
def test_an_example_runs_and_is_then_reused(tmp_path, name, product, says):
    """The product says what it should; a second run reuses every task."""
    folder, stem = name.split("/")
    shutil.copytree(EXAMPLES / folder, tmp_path / folder)
    runfile = tmp_path / folder / f"{stem}.yaml"
    first = dynamo("run", runfile, "--json")
    assert (tmp_path / folder / "products" / product).read_text() == says
    second = dynamo("run", runfile, "--json")
    assert (second["ran"], second["reused"]) == (0, first["ran"])


def test_one_task_for_each_storm_that_is_found(tmp_path):
    """The fan-out that is known only at run time has as many tasks as the storm file lists."""
    shutil.copytree(EXAMPLES / "03-per-storm", tmp_path / "s")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "dynamo.cli",
            "sample",
            "storm",
            "--frames",
            "2",
            "--to",
            tmp_path / "s" / "frames",
        ],
        check=True,
        capture_output=True,
    )
    summary = dynamo("run", tmp_path / "s" / "per_storm.yaml", "--json")
    storms = json.loads((tmp_path / "s" / "products" / "storms.json").read_text())
    bulletin = (tmp_path / "s" / "products" / "bulletin.txt").read_text().splitlines()
    assert len(bulletin) == len(storms) > 1
    assert summary["ran"] == len(storms) + 3
    assert bulletin[0] == f"storm 1: {storms[0]['cells']} cells, up to {storms[0]['dbz']:.1f} dBZ"


@pytest.mark.timeout(1800)  # it takes as long as this machine computes
def test_the_demo_of_alerts_tells_of_a_storm_from_first_to_last(tmp_path):
    """Frames that appear one by one become alerts at a receiver, verified: new, updated and cancelled."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [EXAMPLES / "04-alerts" / "demo.sh", tmp_path / "demo", "0", str(port)],
        capture_output=True,
        text=True,
        check=False,
        cwd=EXAMPLES.parent,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert "superseded" not in done.stderr
    told = (tmp_path / "demo" / "received.txt").read_text()
    for said in ("new STORM", "updated STORM", "cancelled no STORM"):
        assert f" verified {said}" in told
        assert f" verified {said}" in done.stdout
    assert "unverified" not in told


@pytest.mark.timeout(1800)  # it takes as long as this machine computes
def test_the_demo_of_the_wind_tells_each_hospital_once_of_each_change(tmp_path, samples):
    """Real sweeps that appear one by one become alerts, the same at the receiver and in the folder, none twice."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "DYNAMO_SAMPLES": str(samples),
    }
    done = subprocess.run(
        [EXAMPLES / "07-wind" / "demo.sh", tmp_path / "demo", "0", str(port)],
        capture_output=True,
        text=True,
        check=False,
        cwd=EXAMPLES.parent,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert "superseded" not in done.stderr
    told = (tmp_path / "demo" / "received.txt").read_text().splitlines()
    assert all(" verified " in line for line in told)
    filed = [json.loads(f.read_text())["properties"] for f in (tmp_path / "demo" / "told").iterdir()]
    changes = [(a["subscriber"], a["kind"], a["level"], a["inside"]) for a in filed]
    assert len(changes) == len(set(changes)) == len(told)
    hospitals = {change[0] for change in changes}
    assert "DENTON REGIONAL MEDICAL CENTER" in hospitals
    for hospital in hospitals:
        kinds = sorted((level, kind) for name, kind, level, _ in changes if name == hospital)
        assert kinds[0][1] == "new"
        assert all(kind == "updated" for _, kind in kinds[1:])
