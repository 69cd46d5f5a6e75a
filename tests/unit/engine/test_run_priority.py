"""Runs side by side in one engine: what is ready of the more urgent goes first."""

from __future__ import annotations

from dynamo.engine import LocalEngine, Request
from dynamo.graph.model import Graph
from dynamo.journal import Workspace
from dynamo.runfile.workflow import load_workflow

FLOW = """
from pathlib import Path
from dynamo import Input, Output, task, workflow

@task
def first(n: int, out: Output):
    Path(out).write_text(str(n))

@task(priority=9)
def second(frame: Input, out: Output):
    Path(out).write_text(Path(frame).read_text())

@workflow
def flow(which: int):
    for n in range(3):
        second(first(10 * which + n, out=f'first-{n}'), out=f'second-{n}')
"""


def graph(folder, which) -> Graph:
    """A graph whose tasks no other run has made."""
    return load_workflow("./flow.py:flow", folder).graph(which=which)


def test_tasks_of_a_more_urgent_run_go_before_all_others(tmp_path):
    """Whatever priority tasks have among themselves, and whichever run was asked for first."""
    (tmp_path / "flow.py").write_text(FLOW)
    with LocalEngine(
        Workspace.open(tmp_path / "ws"), inline=True, cores=1, modules=(str(tmp_path),)
    ) as engine:
        archive = Request("archive", graph(tmp_path, 1))
        urgent = Request("urgent", graph(tmp_path, 2), priority=1)
        assert all(summary.ok for summary in engine.run_all([archive, urgent]))
        begun = {run: [one.started for one in engine.journal.attempts(run)] for run in ("archive", "urgent")}
    assert len(begun["archive"]) == len(begun["urgent"]) == 6
    assert max(begun["urgent"]) <= min(begun["archive"])
