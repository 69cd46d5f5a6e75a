"""The verb `dynamo graph`."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest
from click.testing import CliRunner

from dynamo.cli.graph import command
from dynamo.errors import UserError

FLOW = """
from dynamo import Input, Output, task, workflow

@task
def move(frame: Input, grid: Output, *, lead: int): ...

@task
def plot(grid: Input, image: Output): ...

@workflow
def flow(frame: Input, leads: int = 4):
    for n in range(leads):
        plot(move(frame, lead=n, grid=f"g{n}"), image=f"i{n}.png")
"""


@pytest.fixture
def runfile(tmp_path):
    """A run file of a workflow that fans out."""
    (tmp_path / "flow.py").write_text(FLOW)
    (tmp_path / "frame.nc").write_text("")
    path = tmp_path / "run.yaml"
    path.write_text("workflow: ./flow.py:flow\ninputs: {frame: {files: frame.nc}}\n")
    return path


def run(*arguments: object) -> str:
    result = CliRunner().invoke(command, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_mermaid_is_printed(runfile):
    """Without -o, as text that can be pasted."""
    assert run(runfile) == (
        'flowchart LR\n  n0(["frame.nc"])\n  n1["move<br/>4 tasks"]\n  n2["plot<br/>4 tasks"]\n'
        "  n0 --> n1\n  n1 --> n2\n"
    )


def test_expand_until_and_param_choose_what_is_drawn(runfile):
    """All tasks of two lead times, but only what moves."""
    text = run(runfile, "--expand", "--until", "move", "--param", "leads=2")
    assert text == (
        'flowchart LR\n  n0(["frame.nc"])\n  n1["move-0"]\n  n2["move-1"]\n  n0 --> n1\n  n0 --> n2\n'
    )


@pytest.mark.parametrize("form", ["svg", "png", "mmd", "json"])
def test_a_file_is_written_and_its_path_printed(runfile, tmp_path, form):
    """In the form of its ending, whatever its case."""
    path = tmp_path / f"g.{form.upper()}"
    assert run(runfile, "-o", path) == f"{path}\n"
    data = path.read_bytes()
    if form == "svg":
        assert ET.fromstring(data).tag == "{http://www.w3.org/2000/svg}svg"
    elif form == "png":
        assert data.startswith(b"\x89PNG")
    elif form == "json":
        assert len(json.loads(data)["tasks"]) == 8
    else:
        assert data.startswith(b"flowchart")


def test_a_pattern_that_matches_nothing_is_a_fault(runfile):
    """As for every other verb."""
    with pytest.raises(UserError, match=r"--until plott: no task.*did you mean 'plot'"):
        run(runfile, "--until", "plott")
