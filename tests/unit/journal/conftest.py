"""A workspace with its journal, and a dynamo of the version before."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import dynamo
from dynamo.journal import Journal, Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty workspace."""
    return Workspace.open(tmp_path / "ws")


@pytest.fixture
def journal(workspace: Workspace):
    """Its journal."""
    with Journal(workspace.journal) as journal:
        yield journal


@pytest.fixture
def served(nobody):
    """Return a workspace of that user, with a journal that all may read."""
    root = Path(tempfile.mkdtemp())
    root.chmod(0o777)
    with nobody():
        workspace = Workspace.open(root / "ws")
        Journal(workspace.journal).close()
    workspace.journal.chmod(0o644)
    workspace.journal.with_name("journal.db.lock").unlink()
    yield workspace
    shutil.rmtree(root)


@pytest.fixture
def nfs(monkeypatch):
    """Lock files as Linux does on NFS: by byte ranges, for which a file must be open to read or to write."""
    monkeypatch.setattr("fcntl.flock", fcntl.lockf)


@pytest.fixture
def older(tmp_path):
    """Starts processes of a dynamo that does not have the last migration, and has them open a journal."""
    package, copy = Path(dynamo.__file__).parent, tmp_path / "older" / "dynamo"
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    max((copy / "journal").glob("*.sql")).unlink()
    code = "import sys; from dynamo.journal import Journal; from pathlib import Path; "
    code += "held = Journal(Path(sys.argv[1])); print(len(held.runs()), flush=True); sys.stdin.read()"
    with contextlib.ExitStack() as stack:

        def start(journal: Path) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", code, str(journal)],
                env={**os.environ, "PYTHONPATH": str(copy.parent)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            assert process.stdout.readline() == "0\n"
            return process

        yield start
