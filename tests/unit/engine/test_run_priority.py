"""Runs side by side in one engine: what is ready of the more urgent goes first."""

from __future__ import annotations

from dynamo.engine import LocalEngine, Request
from dynamo.journal import Workspace
from dynamo.runfile.workflow import load_workflow

FLOW = """
from pathlib import Path
from dynamo import Input, Output, task, workflow

@task
def plain(n: int, out: Output):
    Path(out).write_text(str(n))

@task(priority=9)
def pressing(n: int, out: Output):
    Path(out).write_text(str(n))

@workflow
def archive(many: int):
    for n in range(many):
        pressing(n, out=f'archive-{n}')

@workflow
def warning(many: int):
    for n in range(many):
        plain(n, out=f'warning-{n}')
"""


def request(folder, name, priority=0) -> Request:
    """A run of six tasks."""
    return Request(name, load_workflow(f"./flow.py:{name}", folder).graph(many=6), priority=priority)


def test_tasks_of_a_more_urgent_run_go_before_all_others(tmp_path):
    """Whatever priority tasks have among themselves, and whichever run was asked for first."""
    (tmp_path / "flow.py").write_text(FLOW)
    with LocalEngine(
        Workspace.open(tmp_path / "ws"), inline=True, cores=1, modules=(str(tmp_path),)
    ) as engine:
        runs = [request(tmp_path, "archive"), request(tmp_path, "warning", priority=1)]
        assert all(summary.ok for summary in engine.run_all(runs))
        begun = {run.run: [one.started for one in engine.journal.attempts(run.run)] for run in runs}
    assert len(begun["archive"]) == len(begun["warning"]) == 6
    assert max(begun["warning"]) <= min(begun["archive"])
