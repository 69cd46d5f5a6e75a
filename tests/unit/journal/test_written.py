"""What tasks of a run wrote, in a few lines."""

from __future__ import annotations

import pytest

import dynamo
from dynamo.journal import Workspace
from dynamo.journal.written import written
from dynamo.worker.loading import load_object

FLOW = """
from dynamo import Output, task, workflow

@task
def look(made: Output, *, said: str):
    print(said, end="")
    made.write_text("")

@task
def join(made: Output, *, said: str):
    print(said, end="")
    made.write_text("")

@workflow
def flow(first: str, last: str):
    look(said=first, made="a.txt")
    join(said=last, made="b.txt")
"""


@pytest.mark.parametrize(
    ("first", "last", "told"),
    [
        ("", " \n", []),
        ("left out: a.nc", "", ["look: left out: a.nc"]),
        ("a", "absent: \x1b[2J b\nabsent: c", ["join: absent: [2J b", "join: absent: c", "look: a"]),
        ("a", "b\nc\nd\ne", ["join: c", "join: d", "join: e"]),
        ("a\na\na\na\nb", "x" * 1000, [f"join: {'x' * 300}", "look: a", "look: b"]),
    ],
)
def test_the_last_lines_are_told_and_of_the_last_task_first(tmp_path, monkeypatch, first, last, told):
    """Each once, without what a terminal would obey; blank lines say nothing."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flow.py").write_text(FLOW)
    summary = dynamo.run(load_object(f"{tmp_path}/flow.py:flow")(first, last), cores=1)
    assert written(Workspace(tmp_path / ".dynamo"), summary.run) == told
