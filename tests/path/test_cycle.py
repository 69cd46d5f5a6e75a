"""Workflows that wait for themselves, as a user writes them by naming a file before it is made."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

FLOW = """\
from pathlib import Path

from dynamo import File, Input, Output, command, task, workflow


@task
def make(out: Output):
    Path(out).write_text("made")


@task
def ping(source: Input, out: Output):
    Path(out).write_text(Path(source).read_text())


@command
def pong(source: Input, out: Output):
    return ["cp", source, out]


@task
def gather(parts: list[Input], out: Output):
    Path(out).write_text("".join(Path(p).read_text() for p in parts))


@workflow
def two():
    make(out="good.txt")
    a = ping("b.txt", out="a.txt")  # two
    pong(a, out="b.txt")


@workflow
def three():
    a = ping(File("c.txt"), out="a.txt")  # three
    b = pong(a, out="b.txt")
    ping(b, out="c.txt")


@workflow
def itself():
    ping("a.txt", out="a.txt")  # itself


@workflow
def fan():
    make(out="good.txt")
    parts = [ping("sum.txt" if n == 7 else "good.txt", out=f"part{n}.txt") for n in range(20)]  # fan
    gather(parts, out="sum.txt")


@workflow(runtime=True)
def later(source: Input, out: Output):
    a = ping(File("later/b.txt"), out="a.txt")  # later
    pong(a, out="b.txt")
    ping(source, out=out)


@workflow
def late():
    later(make(out="m.txt"), out="n.txt")
    make(out="other.txt")
"""


def run(folder: Path, workflow: str, command: str = "run") -> subprocess.CompletedProcess[str]:
    """Write the user's two files and run the real command on them."""
    (folder / "flow.py").write_text(FLOW)
    (folder / "run.yaml").write_text(f"workflow: flow.py:{workflow}\nproducts: products\n")
    return subprocess.run(
        [sys.executable, "-m", "dynamo.cli", command, folder / "run.yaml", *(["--json"] if command == "run" else [])],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def line(mark: str) -> int:
    """Return the number of the line that ends with a mark."""
    return next(n for n, text in enumerate(FLOW.splitlines(), 1) if text.endswith(f"# {mark}"))


@pytest.mark.parametrize(
    ("workflow", "ring"),
    [
        ("two", "ping reads 'b.txt' of pong (line 30), which reads 'a.txt' of ping"),
        (
            "three",
            "of ping-1 (line 37), which reads 'b.txt' of pong (line 36), which reads 'a.txt' of ping-0",
        ),
        ("itself", "ping reads its own output 'a.txt'"),
        ("fan", "ping-07 reads 'sum.txt' of gather (line 49), which reads 'part7.txt' of ping-07"),
    ],
)
def test_a_cycle_is_told_with_its_tasks_and_its_line_before_anything_runs(tmp_path, workflow, ring):
    """Exit code 2, one line: the file and line of a call, and the tasks in a ring; no others are named."""
    done = run(tmp_path, workflow)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.rstrip().endswith(ring), done.stderr
    assert done.stderr.startswith(f"error: {tmp_path / 'flow.py'}:{line(workflow)}: ")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "products").exists()


@pytest.mark.parametrize("command", ["check", "plan", "graph"])
def test_a_cycle_is_told_by_every_command_that_reads_the_workflow(tmp_path, command):
    """What only looks at a workflow says the same as what runs it."""
    assert run(tmp_path, "two", command).stderr == run(tmp_path, "two").stderr
    assert run(tmp_path, "two", command).returncode == 2


def test_a_cycle_described_at_run_time_fails_its_task_alone(tmp_path):
    """The run-time workflow fails with the same words and exit code 2; everything else that could run has run."""
    done = run(tmp_path, "late")
    summary = json.loads(done.stdout)
    assert done.returncode == 2
    assert (summary["ran"], len(summary["failures"])) == (2, 1)
    (failure,) = summary["failures"]
    assert failure["task"] == "later"
    assert f"{tmp_path / 'flow.py'}:{line('later')}: " in failure["error"]
    assert failure["error"].endswith("which reads 'later/a.txt' of later/ping-0")
    assert sorted(p.name for p in (tmp_path / "products").rglob("*.txt")) == ["m.txt", "other.txt"]
    assert "Traceback" not in done.stderr
