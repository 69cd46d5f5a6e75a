"""Who has a journal open: nobody changes it under an older dynamo."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from dynamo.errors import WorkspaceError
from dynamo.journal import Journal


def _version(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def test_a_journal_is_not_changed_under_an_older_dynamo(workspace, older, monkeypatch):
    """As long as one has it open it stays as that one knows it; when it was killed, it is brought up to date."""
    monkeypatch.setattr("dynamo.journal.database.LEAVING", 0.2)
    process = older(workspace.journal)
    before = _version(workspace.journal)
    with pytest.raises(
        WorkspaceError, match=r"an older dynamo still has it open; end that first.*fuser .*\.lock"
    ):
        Journal(workspace.journal)
    assert _version(workspace.journal) == before
    process.kill()
    process.wait()
    with Journal(workspace.journal) as journal:
        assert journal.runs() == []
    assert _version(workspace.journal) == before + 1


def test_an_older_dynamo_that_ends_is_waited_for(workspace, older, monkeypatch):
    """A command that is nearly through does not make another fail."""
    process, pauses = older(workspace.journal), []

    def ends(seconds):
        pauses.append(seconds)
        process.communicate()

    monkeypatch.setattr("dynamo.journal.database.time.sleep", ends)
    Journal(workspace.journal).close()
    assert len(pauses) == 1


def test_each_older_dynamo_counts(workspace, older, monkeypatch):
    """It is enough that one of several has it open."""
    monkeypatch.setattr("dynamo.journal.database.LEAVING", 0.0)
    first, second = older(workspace.journal), older(workspace.journal)
    first.communicate()
    with pytest.raises(WorkspaceError, match="still has it open"):
        Journal(workspace.journal)
    second.communicate()
    Journal(workspace.journal).close()


def test_what_a_process_starts_does_not_hold_its_journal(workspace):
    """A program that outlives the one that started it has nothing of the journal open."""
    code = "import subprocess, sys; from dynamo.journal import Journal; from pathlib import Path; "
    code += "held = Journal(Path(sys.argv[1])); print(subprocess.Popen(['sleep', '60'], stdout=-3).pid)"
    line = [sys.executable, "-c", code, str(workspace.journal)]
    pid = int(subprocess.run(line, check=True, stdout=subprocess.PIPE).stdout)
    try:
        opened = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
    finally:
        os.kill(pid, signal.SIGKILL)
    assert not [path for path in opened if "journal.db" in path]
