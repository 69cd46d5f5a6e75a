"""How ``dynamo`` begins and ends, as a process: with closed descriptors, and interrupted before all is imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

FLOW = """
from dynamo import Input, Output, task, workflow

@task
def copy(frame: Input, out: Output):
    print('copying')
    out.write_text(frame.read_text())

@workflow
def flow(frame: Input):
    copy(frame, out='copy.txt')
"""

MAIN = "from dynamo.cli import main; main()"

INTERRUPTED = """
import os, signal, sys
from dynamo.cli import main

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
main()
"""


@pytest.fixture
def folder(tmp_path):
    """A run file and what it needs."""
    (tmp_path / "flow.py").write_text(FLOW)
    (tmp_path / "frame.txt").write_text("frame")
    (tmp_path / "flow.yaml").write_text(
        "workflow: ./flow.py:flow\ninputs: {frame: frame.txt}\nproducts: out\nengine: {name: local, cores: 1}\n"
    )
    return tmp_path


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("arguments", [["-q"], ["--inline"], ["--json"]])
def test_closed_descriptors_are_no_fault(folder, closed, arguments):
    """As some daemons start a program: the run is done, and what its task prints is in its log as ever."""
    line = [
        "sh",
        "-c",
        f'exec "$@" {closed}',
        "sh",
        sys.executable,
        "-c",
        MAIN,
        "run",
        "flow.yaml",
        *arguments,
    ]
    done = subprocess.run(
        line, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert (folder / "out" / "copy.txt").read_text() == "frame"
    if "--inline" not in arguments:
        (log,) = (folder / ".dynamo" / "runs").glob("*/**/copy*")
        assert log.read_text() == "copying\n"


@pytest.mark.parametrize(
    "name", ["dynamo.engine.spawn", "dynamo.cli.call", "click", "dynamo.cli.run", "dynamo.runfile"]
)
def test_ctrl_c_while_it_starts_is_exit_130_and_no_traceback(folder, name):
    """Whatever is being imported at that moment."""
    line = [sys.executable, "-c", INTERRUPTED.format(name=name), "run", "flow.yaml"]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.strip()) == (130, "", "")
