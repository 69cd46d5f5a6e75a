"""How files come to jobs when HTCondor does not send them: a file system that all see, and URLs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dynamo.journal import Journal
from tests.conftest import pool_of

FLOW = """
from dynamo import Input, Output, task, workflow

@task
def upper(frame: Input, out: Output) -> None:
    out.write_text(frame.read_text().upper())

@task
def both(first: Input, second: Input, out: Output) -> None:
    out.write_text(first.read_text() + second.read_text())

@workflow
def flow(frame: Input, other: Input) -> None:
    both(upper(frame, out="a b.txt"), upper(other, out="c.txt"), out="both.txt")
"""


def laid(pool, name: str, engine: str) -> Path:
    """A folder with a run file of two inputs, one job a task."""
    folder = pool.folder(name)
    (folder / "flow.py").write_text(FLOW)
    (folder / "data" / "deep").mkdir(parents=True)
    (folder / "data" / "one.txt").write_text("one;")
    (folder / "data" / "deep" / "two.txt").write_text("two;")
    (folder / "run.yaml").write_text(
        "workflow: ./flow.py:flow\ninputs: {frame: data/one.txt, other: data/deep/two.txt}\nproducts: products\n"
        f"engine: {{name: htcondor, slots: 2, {engine}}}\n"
    )
    return folder


@pytest.fixture(scope="module")
def sharing(tmp_path_factory, pool, docker):
    """A pool whose workers see the workspace."""
    name = f"shared-{os.getpid()}"
    with pool_of(docker, tmp_path_factory, name, pool.image, workers=1, shared=True) as made:
        yield made


def test_on_a_file_system_that_all_see_nothing_is_sent(sharing):
    """Jobs read each other's files where they are; attempts, logs and products are as they ever are."""
    folder = laid(sharing, "shared", "transfer: shared")
    done = sharing.dynamo(folder, "run", "run.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / "products/both.txt").read_text() == "ONE;TWO;"
    assert "3 ran" in done.stdout
    said = sharing.submit_exec(["condor_history", "-af", "ShouldTransferFiles", "BytesSent", "JobUniverse"])
    jobs = [line.split() for line in said.stdout.splitlines() if line.split()[2] == "5"]
    assert jobs, said.stdout
    assert {tuple(job[:2]) for job in jobs} <= {("NO", "0.0"), ("NO", "undefined")}


def test_a_failure_on_a_shared_file_system_is_told_and_gone_on_with(sharing):
    """What is done stays done, though all of it lies in one folder."""
    folder = laid(sharing, "mended", "transfer: shared")
    good = (folder / "flow.py").read_text()
    (folder / "flow.py").write_text(good.replace("first.read_text() +", "1 / 0 +"))
    done = sharing.dynamo(folder, "run", "run.yaml")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "ZeroDivisionError" in done.stdout
    (folder / "flow.py").write_text(good)
    again = sharing.dynamo(folder, "resume")
    assert again.returncode == 0, again.stdout + again.stderr
    assert (folder / "products/both.txt").read_text() == "ONE;TWO;"


def test_shared_from_a_machine_without_htcondor_is_refused(pool, tmp_path):
    """It cannot send what is not to be sent; who must act is told before anything is submitted."""
    (tmp_path / "flow.py").write_text(FLOW)
    (tmp_path / "one.txt").write_text("one;")
    (tmp_path / "run.yaml").write_text(
        "workflow: ./flow.py:flow\ninputs: {frame: one.txt, other: one.txt}\n"
        "engine: {name: htcondor, transfer: shared}\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "dynamo.cli", "run", "run.yaml"],
        check=False, cwd=tmp_path, env={**os.environ, "CONDOR_CONFIG": str(pool.config)}, capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2, done.stdout + done.stderr
    assert "`transfer: shared` submits on the access point itself" in done.stderr
    with Journal(tmp_path / ".dynamo" / "journal.db") as journal:
        assert journal.runs(limit=1) == [], "no run is left behind"


@pytest.fixture
def served(pool, request, until):
    """A folder whose data a web server on the access point serves; it is called with what to serve instead."""
    folder = laid(pool, request.node.name, "urls: {FOLDER: URL}")
    run_file = folder / "run.yaml"
    url = f"http://submit.{pool.settings.domain}:8765/served"
    run_file.write_text(run_file.read_text().replace("FOLDER: URL", f'{folder}/data: "{url}"'))
    shutil.copytree(folder / "data", folder / "served")
    pool.hand_over(folder)
    script = 'cd "$1"; python3 -m http.server 8765 > served.log 2>&1 & echo $! > served.pid'
    pool.submit_exec(["bash", "-c", script, "bash", str(folder)])
    asked = ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8765"]
    until(lambda: pool.submit_exec(asked).returncode == 0, "the web server answers")
    yield folder
    pool.submit_exec(["bash", "-c", 'kill "$(cat "$1"/served.pid)"', "bash", str(folder)])


def test_workers_fetch_inputs_by_url(pool, served):
    """The web server is asked for each, by the workers; nothing of them is sent with the jobs."""
    done = pool.dynamo(served, "run", "run.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (served / "products/both.txt").read_text() == "ONE;TWO;"
    log = (served / "served.log").read_text()
    assert '"GET /served/one.txt' in log
    assert '"GET /served/deep/two.txt' in log
    (dag,) = (served / ".dynamo/runs").glob("*/dag-1")
    assert not list((dag / "inputs").iterdir())


def test_what_a_url_has_instead_is_not_taken_for_the_input(pool, served):
    """The digest tells; nothing is computed from it."""
    (served / "served" / "one.txt").write_text("another")
    done = pool.dynamo(served, "run", "run.yaml")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "one.txt" in done.stdout
    assert "arrived damaged: its digest is" in done.stdout, done.stdout
    assert not (served / "products/both.txt").exists()
