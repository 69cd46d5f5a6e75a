"""The verb `dynamo report`."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from dynamo.cli.report import command
from dynamo.errors import UserError
from dynamo.graph import Graph
from dynamo.journal import Journal, Workspace


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    """A workspace with two runs of nothing."""
    workspace = Workspace.open(tmp_path / ".dynamo")
    with Journal(workspace.journal) as journal, journal.change():
        for at, run in enumerate(("one-0001", "two-0002")):
            journal.add_run(run, Graph(run[:3], {}), {}, float(at))
            journal.set_run(run, "done", at + 0.5)
    return workspace


def run(*arguments: object) -> str:
    result = CliRunner().invoke(command, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_latest_run_is_reported_in_its_own_folder(workspace):
    """Without arguments but the workspace."""
    path = Path(run("--workspace", workspace.root).strip())
    assert path == workspace.runs / "two-0002" / "report.html"
    assert "<title>two done: two-0002</title>" in path.read_text()


def test_a_run_is_named_by_the_beginning_of_its_id(workspace, tmp_path):
    """And the file by -o, in a folder that is made."""
    path = tmp_path / "new" / "r.html"
    assert run("one", "--workspace", workspace.root, "-o", path) == f"{path}\n"
    assert "one-0001" in path.read_text()


def test_where_there_is_no_workspace_the_message_says_what_to_do(tmp_path):
    """Nothing is made there."""
    with pytest.raises(UserError, match="--workspace"):
        run("--workspace", tmp_path / "none")
    assert not (tmp_path / "none").exists()
