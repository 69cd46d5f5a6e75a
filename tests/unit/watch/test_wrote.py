"""What tasks of a run wrote, in words."""

from __future__ import annotations

import pytest

import dynamo
from dynamo.journal import Workspace
from dynamo.watch.wrote import wrote
from dynamo.worker.loading import load_object

FLOW = """
from dynamo import Output, task, workflow

@task
def quiet(made: Output):
    made.write_text("")

@task
def ingest(made: Output, *, said: str):
    print(said, end="")
    made.write_text("")

@workflow
def flow(said: str):
    quiet(made="a.txt")
    ingest(said=said, made="b.txt")
"""


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """Run a workflow of which a task writes something; return its id and what is told of it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flow.py").write_text(FLOW)
    flow = load_object(f"{tmp_path}/flow.py:flow")

    def run(said):
        summary = dynamo.run(flow(said), cores=1)
        assert summary.ok
        return summary.run, wrote(Workspace(tmp_path / ".dynamo").journal, summary.run)

    return run


def test_the_last_line_of_the_first_task_that_wrote_is_told_with_the_command_that_shows_all(ran):
    """On one line, without what a terminal would obey."""
    run, said = ran("left out: a.nc: is empty\nleft out: b.nc: is \x1b[2J truncated")
    assert (
        said
        == f"its task ingest wrote: left out: b.nc: is  [2J truncated; see dynamo logs ingest --run {run}"
    )
    run, said = ran("x" * 1000)
    assert said == f"its task ingest wrote: {'x' * 300}...; see dynamo logs ingest --run {run}"


def test_where_no_task_wrote_anything_the_command_lists_them(ran):
    """A blank line says nothing, either; its task is named all the same."""
    run, said = ran("")
    assert said == f"see dynamo logs --run {run}"
    run, said = ran(" ")
    assert said == f"see dynamo logs ingest --run {run}"
