"""A journal that can only be read: it is read as it is, or said why not."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from dynamo.alerts.store import AlertStore
from dynamo.cli import main
from dynamo.engine import LocalEngine
from dynamo.errors import WorkspaceError
from dynamo.graph import Graph, Task
from dynamo.journal import Journal, Workspace

GRAPH = Graph("flow", {"t": Task("t", "t", "python", "m:f", {"i": "s"}, {"o": "out"}, {"p": 1})}, {"s": "/s"})


@pytest.fixture
def archive(small_disk):
    """Return a workspace with one run."""
    workspace = Workspace.open(small_disk / "ws")
    with Journal(workspace.journal) as journal:
        journal.add_run("r1", GRAPH, {}, 1.0)
    return workspace


@pytest.fixture
def shown():
    """Return a workspace with one run that others may read and not write."""
    root = Path(tempfile.mkdtemp())
    root.chmod(0o755)
    workspace = Workspace.open(root / "ws")
    with Journal(workspace.journal) as journal:
        journal.add_run("r1", GRAPH, {}, 1.0)
    workspace.root.chmod(0o555)
    yield workspace
    workspace.root.chmod(0o755)
    shutil.rmtree(root)


def lock(disk: Path) -> None:
    """Have a disk that can only be read."""
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)


def call(capfd, *words: str, code: int = 0) -> str:
    """Run a command; return what it prints, or what is wrong."""
    with pytest.raises(SystemExit) as end:
        main(list(words))
    said = capfd.readouterr()
    assert end.value.code == code, said
    return said.err if code else said.out


def told(capfd, workspace: Workspace) -> None:
    """Have the commands that look tell what is there."""
    at = ["--workspace", str(workspace.root)]
    assert "r1" in call(capfd, "runs", *at)
    assert "r1" in call(capfd, "status", "r1", *at)
    assert call(capfd, "alerts", "list", "--json", *at).strip() == "[]"
    assert "no alert" in call(capfd, "alerts", "audit", "none", *at, code=2)
    with Journal(workspace.journal) as journal, AlertStore(workspace.journal) as alerts:
        assert alerts.queues() == []
        assert journal.graph("r1") == GRAPH


def test_a_workspace_on_a_read_only_disk_is_read(archive, small_disk, capfd):
    """An archive that nobody can write is listed, with or without the lock file that older ones have not."""
    lock(small_disk)
    told(capfd, archive)
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    archive.journal.with_name("journal.db.lock").unlink()
    lock(small_disk)
    told(capfd, archive)


def test_who_has_no_right_to_write_can_look(shown, nobody, capfd):
    """Another user lists what is there, also while its owner has it open, and leaves nothing behind."""
    before = sorted(os.listdir(shown.root))
    with nobody():
        told(capfd, shown)
    assert sorted(os.listdir(shown.root)) == before
    shown.root.chmod(0o755)
    with Journal(shown.journal) as journal:
        journal.add_run("r2", GRAPH, {}, 2.0)
        shown.root.chmod(0o555)
        with nobody():
            told(capfd, shown)
            assert "r2" in call(capfd, "runs", "--workspace", str(shown.root))
        shown.root.chmod(0o755)


def test_what_is_written_while_it_is_read_is_told(shown, nobody):
    """A file that is taken as it is must stay as it is: else what was read may be half new."""

    def read():
        with contextlib.ExitStack() as stack:
            with nobody():
                reading = stack.enter_context(Journal(shown.journal))
            shown.root.chmod(0o755)
            with Journal(shown.journal) as journal:
                journal.add_run("r2", GRAPH, {}, 2.0)
            assert reading.runs()

    with pytest.raises(WorkspaceError, match="was written while it was read; try again"):
        read()


def test_a_killed_journal_is_read_whole(archive, small_disk):
    """What a killed process left beside the file is read with it; where a part of that is missing, this is said."""
    code = "import os, sys; from pathlib import Path; from dynamo.journal import Journal; "
    code += "j = Journal(Path(sys.argv[1])); j.set_run('r1', 'done', 2.0); os.kill(os.getpid(), 9)"
    done = subprocess.run([sys.executable, "-c", code, str(archive.journal)], check=False)
    assert done.returncode == -signal.SIGKILL
    lock(small_disk)
    with Journal(archive.journal) as journal:
        assert journal.run(None).state == "done"
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    archive.journal.with_name("journal.db-shm").unlink()
    lock(small_disk)
    with pytest.raises(WorkspaceError, match=r"a part of it is in journal\.db-wal; copy both"):
        Journal(archive.journal)


def test_a_watch_may_end_while_a_journal_is_opened_to_read(shown, nobody, monkeypatch):
    """What it had beside the file goes when it ends: the file is whole then, at whichever moment that is."""
    shown.root.chmod(0o755)
    shown.journal.with_name("journal.db-wal").touch()
    shown.root.chmod(0o555)
    stat, seen = Path.stat, []

    def once(path, **options):
        if path.name == "journal.db-wal":
            if seen:
                raise FileNotFoundError(path)
            seen.append(path)
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", once)
    with nobody(), Journal(shown.journal) as journal:
        assert [run.id for run in journal.runs()] == ["r1"]


@pytest.mark.parametrize("left", ["journal.db.lock", ""])
def test_an_older_journal_that_cannot_be_written_is_told(small_disk, older, left):
    """It cannot be brought up to date, and is not read as what it is not."""
    workspace = Workspace.open(small_disk / "ws")
    older(workspace.journal).communicate()
    for path in workspace.root.glob("journal.db*"):
        if path.name not in {"journal.db", left}:
            path.unlink()
    lock(small_disk)
    with pytest.raises(
        WorkspaceError, match="cannot be brought up to date where it cannot be written; read it with"
    ):
        Journal(workspace.journal)


def test_what_cannot_be_read_or_begun_is_told(archive, small_disk):
    """A run needs a workspace that can be written, and is refused in words; a new one cannot be made."""
    lock(small_disk)
    with pytest.raises(WorkspaceError, match="cannot write in the workspace"):
        LocalEngine(archive)
    with Journal(archive.journal) as journal, pytest.raises(WorkspaceError, match="readonly"):
        journal.set_run("r1", "done", 1.0)
    with pytest.raises(WorkspaceError, match="Read-only file system; choose another"):
        Workspace.open(small_disk / "new")
    with pytest.raises(WorkspaceError, match="cannot open the journal"):
        Journal(small_disk / "none.db")
