"""Runs on a real pool as users begin them: from afar, compiled and left alone, with a fan-out found at run time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLOW = """
import time
from dynamo import Input, Output, task, workflow


@task
def nap(out: Output, *, seconds: float, n: int) -> None:
    time.sleep(seconds)
    print("napped", n)
    open(out, "w").write(f"{n}\\n")


@task
def gather(naps: list[Input], out: Output) -> None:
    open(out, "w").write("".join(open(nap).read() for nap in naps))


@workflow
def naps(seconds: float = 0.1, many: int = 4) -> None:
    gather([nap(seconds=seconds, n=n, out=f"{n}.txt") for n in range(many)], out="all.txt")


@workflow(runtime=True)
def each(listed: Input, out: Output) -> None:
    gather([nap(seconds=0.0, n=int(n), out=f"{n}.txt") for n in open(listed).read().split()], out=out)


@task
def count(listed: Output, *, many: int) -> None:
    open(listed, "w").write(" ".join(map(str, range(many))))


@workflow
def found(many: int = 3) -> None:
    each(count(many=many, listed="listed.txt"), out="all.txt")
"""


@pytest.fixture
def place(pool, request) -> Path:
    """A folder that this machine and the access point both see, with run files for the flows above."""
    folder = pool.folder(request.node.name)
    (folder / "flow.py").write_text(FLOW)
    for name in ("naps", "found"):
        said = f"workflow: ./flow.py:{name}\nproducts: products\nengine: htcondor\n"
        (folder / f"{name}.yaml").write_text(said)
    pool.hand_over(folder)
    return folder


def there(pool, place: Path, *arguments: str) -> str:
    """Call dynamo on the access point, as the user whose jobs they are; return what it said."""
    done = pool.dynamo(place, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_run_from_a_machine_without_htcondor_sends_and_brings_its_files(pool, place, tmp_path):
    """Only the bindings, a configuration and a token are here: what it makes is what the local engine makes."""
    for name in ("flow.py", "naps.yaml"):
        shutil.copy(place / name, tmp_path / name)
    env = {**os.environ, "CONDOR_CONFIG": str(pool.config)}
    command = [sys.executable, "-m", "dynamo.cli", "run", "naps.yaml", "--json"]
    done = subprocess.run(
        command, check=False, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(done.stdout)
    assert (summary["ran"], summary["ok"]) == (5, True)
    assert (tmp_path / "products" / "all.txt").read_text() == "0\n1\n2\n3\n"
    assert not pool.submit_exec(["condor_q", "-allusers", "-af", "ClusterId", "DynamoRun"]).stdout.count(
        summary["run"]
    )


def test_an_access_point_that_is_started_anew_is_found_again_from_afar(pool, place, tmp_path, until):
    """At another address, perhaps; who follows the run from elsewhere sees it to its end."""
    for name in ("flow.py", "naps.yaml"):
        shutil.copy(place / name, tmp_path / name)
    env = {**os.environ, "CONDOR_CONFIG": str(pool.config)}
    command = [sys.executable, "-m", "dynamo.cli", "run", "naps.yaml", "--param", "seconds=6"]
    followed = subprocess.Popen(
        command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    jobs = ["condor_q", "-allusers", "-af", "JobStatus", "JobUniverse"]
    until(lambda: "2 5" in pool.submit_exec(jobs).stdout, "a job runs")
    pool.kill("submit")
    pool.start("submit")
    said, _ = followed.communicate(timeout=200)
    assert followed.returncode == 0, said
    assert (tmp_path / "products" / "all.txt").read_text() == "0\n1\n2\n3\n"
    assert said.count("the run goes on there") <= 2, said


def test_a_compiled_dag_runs_without_us_and_publishes(pool, place, until):
    """HTCondor's own checks accept it, and its last node publishes what the local engine makes, and reports."""
    there(pool, place, "compile", "naps.yaml", "--target", "dagman", "-o", "dag", "--slots", "2")
    checked = pool.submit_exec(["condor_dag_checker", "naps.dag"], folder=place / "dag")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    dry = pool.submit_exec(["condor_submit_dag", "-no_submit", "naps.dag"], folder=place / "dag")
    assert dry.returncode == 0, dry.stdout + dry.stderr
    begun = pool.submit_exec(["condor_submit_dag", "-force", "naps.dag"], folder=place / "dag")
    assert begun.returncode == 0, begun.stdout + begun.stderr
    report = place / "dag" / "report.txt"
    until(lambda: report.exists() and "done; published" in report.read_text(), "its report is there")
    assert "5 of 5 tasks done" in report.read_text()
    assert (place / "products" / "all.txt").read_text() == "0\n1\n2\n3\n"


def test_a_fan_out_that_is_found_at_run_time_is_a_dag_below_the_dag(pool, place):
    """What was described runs in jobs of its own; run again, nothing runs."""
    assert "6 ran, 0 reused" in there(pool, place, "run", "found.yaml", "-q")
    assert (place / "products" / "all.txt").read_text() == "0\n1\n2\n"
    assert "0 ran, 6 reused" in there(pool, place, "run", "found.yaml", "-q")
    assert "napped 2" in there(pool, place, "logs", "each/nap-2", "--run", _first(place))


def _first(place: Path) -> str:
    return min((place / ".dynamo" / "runs").iterdir(), key=lambda run: run.stat().st_mtime).name
