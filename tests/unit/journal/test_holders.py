"""Who has a journal open: nobody changes it under an older dynamo."""

from __future__ import annotations

import contextlib
import errno
import fcntl
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


@pytest.fixture
def strict():
    """Make files that no other user may read."""
    before = os.umask(0o077)
    yield
    os.umask(before)


def test_who_looks_first_leaves_a_lock_for_all_who_have_the_journal(served, strict, nobody):
    """Root may look at a workspace of a service, with whatever umask: the service's watch has its lock."""
    Journal(served.journal).close()
    states = [path.stat() for path in (served.journal, served.journal.with_name("journal.db.lock"))]
    model, lock = ((state.st_uid, state.st_gid, state.st_mode) for state in states)
    assert lock == model
    with nobody():
        Journal(served.journal).close()


def test_a_link_in_place_of_the_lock_gives_nothing_away(served, tmp_path, strict):
    """A file that was there keeps its mode and owner, wherever a link leads."""
    other = tmp_path / "other"
    other.touch()
    before = other.stat()
    served.journal.with_name("journal.db.lock").symlink_to(other)
    Journal(served.journal).close()
    after = other.stat()
    assert (after.st_uid, after.st_mode) == (before.st_uid, before.st_mode)


def test_who_can_write_a_journal_needs_its_lock(served, nobody):
    """Without it an upgrade would go on under what is written: it is refused, with what makes it right again."""
    lock = served.journal.with_name("journal.db.lock")
    lock.touch()
    lock.chmod(0o000)
    with nobody(), pytest.raises(WorkspaceError, match=rf"cannot open {lock}: Permission denied.*`") as told:
        Journal(served.journal)
    subprocess.run(str(told.value).split("`")[1], shell=True, check=True)
    with nobody():
        Journal(served.journal).close()


def test_a_journal_is_made_and_opened_on_nfs(workspace, nfs):
    """The lock is asked for together and alone, of a file that was there and of one that was not."""
    Journal(workspace.journal).close()
    (workspace.root / "journal.db").unlink()
    Journal(workspace.journal).close()


@pytest.mark.parametrize("wanted", [fcntl.LOCK_SH, fcntl.LOCK_EX])
def test_a_file_system_that_locks_nothing_is_told(workspace, monkeypatch, wanted):
    """It says who must act, whichever lock it is."""

    def none(_file, how):
        if how & wanted:
            raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", none)
    with pytest.raises(WorkspaceError, match=r"cannot lock .*lock: No locks available; choose a workspace"):
        Journal(workspace.journal)
