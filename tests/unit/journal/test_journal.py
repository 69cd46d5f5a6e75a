"""The journal: transactions, migrations, corruption; and what retention may take."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

import dynamo.journal as journal_package
from dynamo.errors import UserError, WorkspaceError
from dynamo.graph import Graph, Task
from dynamo.journal import Journal, Parts, Result, Workspace, locks, retention
from dynamo.journal.database import DiskFullError
from dynamo.journal.experience import _TOLD
from dynamo.journal.retention import Freed, collect
from dynamo.journal.workspace import UnderWayError
from dynamo.worker.job import Made, Report
from dynamo.worker.store import adopt, stored_path

GRAPH = Graph("flow", {"t": Task("t", "t", "python", "m:f", {"i": "s"}, {"o": "out"}, {"p": 1})}, {"s": "/s"})


def test_what_is_written_is_read_back(journal):
    """Runs, tasks, attempts, results, latest keys and digests come back as they were."""
    parts = Parts("code", {"p": [1, None]}, {"s": "d"}, ("out",))
    result = Result("key", "run-1", "t", {"out": Made("digest", 3, 1 << 60)})
    with journal.change():
        journal.add_run("run-1", GRAPH, {"cores": 2}, 10.0)
        journal.start_attempt("run-1", "t", 1, "w0-1", 11.0, "t", "never run before")
        journal.end_attempt(
            "run-1", 1, "ok", Report("t", "ok", 11.5, 12.0, exit_code=0, cpu=0.5, peak=9, logged=7)
        )
        journal.set_task("run-1", "t", "t", "done", "never run before", "key")
        journal.add_result(result, 12.0)
        journal.set_latest("flow", "t", "key", parts, 12.0)
        journal.set_digest("/s", 1, 2, 3, "d")
        journal.set_run("run-1", "done", 13.0)
    assert journal.graph("run-1") == GRAPH
    record = journal.run(None)
    assert (record.id, record.state, record.created, record.ended) == ("run-1", "done", 10.0, 13.0)
    assert record.settings == {"cores": 2}
    assert journal.tasks("run-1")["t"].state == "done"
    (attempt,) = journal.attempts("run-1")
    assert (attempt.n, attempt.outcome, attempt.started, attempt.exit, attempt.peak) == (1, "ok", 11.5, 0, 9)
    assert journal.count_attempts("run-1") == {"t": 1}
    assert journal.result("key") == result
    assert journal.result("other") is None
    assert journal.latest("flow", "t") == ("key", parts)
    assert journal.latest("flow", "u") is None
    assert journal.known_digest("/s", 1, 2, 3) == "d"
    assert journal.known_digest("/s", 1, 2, 4) is None


def test_a_transaction_is_whole_or_not_at_all(journal, workspace):
    """An error inside undoes all of it; another connection never sees a part."""

    def half():
        journal.add_run("run-1", GRAPH, {}, 1.0)
        with Journal(workspace.journal) as other:
            assert other.runs() == []
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), journal.change():
        half()
    assert journal.runs() == []
    with journal.change():
        journal.add_run("run-1", GRAPH, {}, 1.0)
    with Journal(workspace.journal) as other:
        assert [r.id for r in other.runs()] == ["run-1"]


def test_lost_attempts_and_their_tasks(journal):
    """What was in flight is marked as lost, and its task waits again; what had ended stays."""
    with journal.change():
        journal.add_run("r", GRAPH, {}, 1.0)
        for task in "ab":
            journal.start_attempt("r", task, 1, "w", 2.0, "t", "never run before")
        journal.end_attempt("r", 1, "ok", Report("a", "ok", 2.0, 3.0))
        journal.set_task("r", "a", "t", "done", "", "k")
        assert {t.task: t.state for t in journal.tasks("r").values()} == {"a": "done", "b": "running"}
        assert list(journal.tasks("r", live=False)) == ["a"]
        assert journal.lose_attempts("r", 9.0) == ["b"]
    assert list(journal.tasks("r")) == ["a"]
    assert {a.task: (a.outcome, a.ended) for a in journal.attempts("r")} == {
        "a": ("ok", 3.0),
        "b": ("lost", 9.0),
    }


def test_runs_are_found_by_the_beginning_of_their_id(journal):
    """The latest by default; a beginning that is not unique, and no run at all, are told."""
    with pytest.raises(UserError, match="no runs in"):
        journal.run(None)
    with journal.change():
        for n, run in enumerate(["a-1", "a-12", "b-1"]):
            journal.add_run(run, GRAPH, {}, float(n))
    assert journal.run(None).id == "b-1"
    assert journal.run("b").id == "b-1"
    assert journal.run("a-1").id == "a-1"
    with pytest.raises(UserError, match="'a' may be any of a-12, a-1"):
        journal.run("a")
    with pytest.raises(UserError, match=r"no run 'b-2' .*did you mean 'b-1'"):
        journal.run("b-2")
    assert [r.id for r in journal.runs(limit=2)] == ["b-1", "a-12"]


def test_expansions_of_expansions(journal):
    """The graph of a run holds what run-time workflows added, also in what was added; it can be had without."""
    outer = Task("e", "e", "expand", "m:e", {}, {"o": "out"}, {})
    inner = Task("e/f", "e/f", "expand", "m:f", {}, {"o": "out"}, {})
    last = Task("e/f/t", "e/f/t", "python", "m:t", {}, {"o": "out"}, {})
    with journal.change():
        journal.add_run("r", Graph("g", {"e": outer}), {}, 1.0)
        journal.add_expansion("r", "e/f", Graph("e/f", {"e/f/t": last}))
        journal.add_expansion("r", "e", Graph("e", {"e/f": inner}))
    graph = journal.graph("r")
    assert list(graph.tasks) == ["e", "e/f", "e/f/t"]
    assert graph.producer == {"out": "e/f/t"}
    assert list(journal.graph("r", expanded=False).tasks) == ["e"]


def test_opening_again_migrates_nothing_and_a_newer_schema_is_refused(workspace):
    """A journal of this version opens at once; one of a later version is refused, and left as it is."""
    Journal(workspace.journal).close()
    Journal(workspace.journal).close()
    db = sqlite3.connect(workspace.journal)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(WorkspaceError, match=r"written by a newer dynamo .schema 99"):
        Journal(workspace.journal)


def test_a_migration_that_fails_leaves_nothing(workspace, monkeypatch):
    """A script that fails half-way leaves the journal as it was."""
    monkeypatch.setattr(
        "dynamo.journal.database._statements", lambda _: ["CREATE TABLE a (x);", "CREATE nonsense;"]
    )
    with pytest.raises(WorkspaceError, match="cannot use the journal"):
        Journal(workspace.journal)
    monkeypatch.undo()
    with Journal(workspace.journal) as journal:
        assert journal.runs() == []


def test_a_file_that_is_no_journal_is_refused(workspace):
    """A damaged file is the infrastructure's fault, with what to do; it is left as it is."""
    workspace.journal.write_bytes(b"no database" * 999)
    with pytest.raises(WorkspaceError, match="file is not a database; move it away"):
        Journal(workspace.journal)
    assert workspace.journal.read_bytes() == b"no database" * 999


def test_a_journal_damaged_inside_is_told_when_it_is_met(journal, workspace):
    """Damage behind the first page comes as a `WorkspaceError`, not as SQLite's own."""
    with journal.change():
        for n in range(200):
            journal.add_run(f"r{n}", GRAPH, {"x": "y" * 500}, float(n))
    journal.close()
    size = workspace.journal.stat().st_size
    with workspace.journal.open("r+b") as file:
        for page in range(1, size // 4096):
            file.seek(page * 4096)
            file.write(b"\xff" * 4096)
    with pytest.raises(WorkspaceError, match="move it away"), Journal(workspace.journal) as damaged:
        damaged.runs()


def _add_many(journal: Journal) -> None:
    with journal.change():
        for n in range(1, 999):
            journal.add_run(f"r{n}", GRAPH, {"x": os.urandom(900).hex()}, 0.0)


def test_a_full_disk_undoes_the_transaction_and_says_so(small_disk, fill_disk):
    """Where the disk is full, the transaction is undone, the error says so, and later writes work again."""
    workspace = Workspace.open(small_disk / "ws")
    with Journal(workspace.journal) as journal:
        filler = small_disk / "filler"
        with journal.change():
            journal.add_run("r0", GRAPH, {}, 0.0)
        fill_disk(filler)
        with pytest.raises(WorkspaceError, match=r"disk is full|disk I/O error"):
            _add_many(journal)
        assert [r.id for r in journal.runs()] == ["r0"]
        filler.unlink()
        with journal.change():
            journal.add_run("r1", GRAPH, {}, 0.0)
        assert len(journal.runs()) == 2


def test_a_disk_that_is_full_for_a_moment_is_waited_for(small_disk, fill_disk, monkeypatch):
    """With patience, a transaction that found no room is done again whole once there is some."""
    workspace = Workspace.open(small_disk / "ws")
    with Journal(workspace.journal) as journal:
        filler, pauses = small_disk / "filler", []
        fill_disk(filler)

        def room(seconds):
            pauses.append(seconds)
            filler.unlink(missing_ok=True)

        monkeypatch.setattr("dynamo.journal.database.time.sleep", room)
        with journal.change(patience=9.0):
            journal.add_run("r0", GRAPH, {"x": os.urandom(90_000).hex()}, 0.0)
            journal.start_attempt("r0", "t", 1, "w", 2.0, "t", "")
            assert journal.result("none") is None
        assert pauses
        assert [r.id for r in journal.runs()] == ["r0"]
        assert [a.n for a in journal.attempts("r0")] == [1]


def test_what_was_executed_at_once_is_not_tried_again(small_disk, fill_disk):
    """A transaction that asked for more than rows to be written cannot be done again: it fails at once."""
    workspace = Workspace.open(small_disk / "ws")
    with Journal(workspace.journal) as journal:
        with journal.change():
            journal.add_run("r0", GRAPH, {}, 0.0)
        fill_disk(small_disk / "filler")

        def replace():
            with journal.change(patience=9.0):
                journal.remove_run("r0")
                journal.add_run("r1", GRAPH, {"x": os.urandom(90_000).hex()}, 0.0)

        with pytest.raises(WorkspaceError, match="disk is full"):
            replace()
        assert [r.id for r in journal.runs()] == ["r0"]


def test_ctrl_c_as_a_transaction_begins_leaves_none_open(journal, monkeypatch):
    """The signal may come when SQLite has begun it and before Python knows."""
    begin = journal._db._begin

    def interrupted():
        begin()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(journal._db, "_begin", interrupted)
        with pytest.raises(KeyboardInterrupt), journal.change():
            pass
    with journal.change():
        journal.add_run("r", GRAPH, {}, 1.0)
    assert [r.id for r in journal.runs()] == ["r"]


def test_many_open_a_new_journal_at_one_time(tmp_path):
    """Each waits for the one that makes the file."""
    code = "import sys; from pathlib import Path; from dynamo.journal import Journal; Journal(Path(sys.argv[1])).runs()"
    for n in range(3):
        line = [sys.executable, "-c", code, str(tmp_path / f"{n}.db")]
        started = [subprocess.Popen(line, stderr=subprocess.PIPE) for _ in range(6)]
        said = [process.communicate()[1] for process in started]
        assert [process.returncode for process in started] == [0] * 6, said


def test_rows_are_applied_after_those_they_refer_to(journal):
    """Within one change, an attempt can end that began in it, and be asked for, in whatever order it is told."""
    with journal.change():
        journal.end_attempt("r", 1, "ok", Report("a", "ok", 2.0, 3.0))
        journal.start_attempt("r", "a", 1, "w", 2.0, "t", "")
        journal.add_run("r", GRAPH, {}, 1.0)
        assert [a.outcome for a in journal.attempts("r")] == ["ok"]
        result = Result("key", "r", "a", {})
        journal.use_result("key", 8.0)
        journal.add_result(result, 7.0)
        assert journal.result("key") == result
    assert list(journal.results()) == [(8.0, result)]


def test_a_journal_of_the_first_version_is_brought_up_to_date(workspace):
    """What was recorded before the second migration is there after it; what ran then no longer does."""
    first = (Path(journal_package.__file__).parent / "0001_first.sql").read_text()
    db = sqlite3.connect(workspace.journal)
    db.executescript(
        first
        + """
        INSERT INTO runs VALUES ('r', 'flow', 'interrupted', 1.0, NULL, x'00', '{}');
        INSERT INTO tasks VALUES ('r', 'a', 't', 'done', 'never run before', 'k'), ('r', 'b', 't', 'running', '', NULL);
        INSERT INTO attempts (run, task, n, worker, started, outcome) VALUES ('r', 'a', 1, 'w', 2.0, 'ok');
        PRAGMA user_version = 1;
        """
    )
    db.close()
    with Journal(workspace.journal) as journal:
        assert list(journal.tasks("r")) == ["a"]
        assert [(a.task, a.outcome) for a in journal.attempts("r")] == [("a", "ok")]


# Retention


def store(workspace: Workspace, text: str, used: float) -> Made:
    """Put a file into the store as if it had been used at that time."""
    file = workspace.root / "file"
    file.write_text(text)
    made = adopt(str(file), str(workspace.store))
    os.utime(stored_path(workspace.store, made.digest), (used, used))
    return made


def fill(workspace: Workspace, journal: Journal) -> dict[str, Made]:
    """Record an old run and a new one; they share a file."""
    made = {
        name: store(workspace, name, at) for name, at in (("old", 100.0), ("both", 100.0), ("new", 900.0))
    }
    with journal.change():
        for run, at in (("run-old", 100.0), ("run-new", 900.0)):
            journal.add_run(run, GRAPH, {}, at)
            journal.set_run(run, "done", at + 1)
            (workspace.runs / run).mkdir()
        journal.set_digest("/frames/old", 1, int(100e9), 1, "d")
        journal.set_digest("/frames/new", 1, int(900e9), 1, "d")
        for task, at in (("old", 100.0), ("new", 900.0)):
            journal.set_latest("flow", task, task, Parts("", {}, {}, ()), at)
        journal.add_result(Result("old", "run-old", "t", {"a": made["old"], "b": made["both"]}), 100.0)
        journal.add_result(Result("new", "run-new", "t", {"a": made["new"], "b": made["both"]}), 900.0)
    return made


def kept(workspace: Workspace, made: dict[str, Made]) -> set[str]:
    """Return which of these files are still stored."""
    return {n for n, m in made.items() if Path(stored_path(workspace.store, m.digest)).exists()}


def test_a_submission_is_kept_with_its_run(workspace, journal):
    """Where it stands is there again after it was written, and goes with the run; how long tasks took is an average."""
    fill(workspace, journal)
    assert journal.submission("run-old") == {}
    with journal.change():
        journal.set_submission("run-old", {"folder": "/x", "cluster": 7})
    assert journal.submission("run-old") == {"folder": "/x", "cluster": 7}
    with journal.change():
        for n, took in ((1, 1.0), (2, 3.0)):
            journal.start_attempt("run-old", "t", n, "w", 0.0, "step", "")
            journal.end_attempt("run-old", n, "ok", Report("t", "ok", 10.0, 10.0 + took))
        journal.start_attempt("run-old", "t", 3, "w", 0.0, "step", "")
        journal.end_attempt("run-old", 3, "failed", Report("t", "failed", 10.0, 99.0))
    assert journal.durations(GRAPH.name) == {"step": 2.0}
    journal.remove_run("run-old")
    assert journal.submission("run-old") == {}
    assert journal.durations(GRAPH.name) == {}


def telling(journal: Journal, run: str, at: float, runfile: str | None, **tasks: dict[str, float]) -> None:
    """Record a run whose tasks told something, with their results."""
    with journal.change():
        journal.add_run(run, GRAPH, {"runfile": runfile} if runfile else {}, at)
        for n, (task, facts) in enumerate(tasks.items()):
            journal.start_attempt(run, task, 1, "w", at, "step", "")
            journal.end_attempt(run, 1, "ok", Report(task, "ok", at, at + n, facts=facts))
            journal.set_task(run, task, "step", "done", "", f"{run}-{task}")
            journal.add_result(Result(f"{run}-{task}", run, task, {}), at)


def test_what_tasks_told_is_known_to_the_next_run_of_the_same_run_file(journal):
    """Of each name, what the latest run that told it told at most; another run file or workflow tells it nothing."""
    telling(journal, "a", 1.0, "/now.yaml", t={"echo_km2": 10.0, "storms": 4.0})
    telling(journal, "b", 2.0, "/now.yaml", t={"echo_km2": 7.0}, u={"echo_km2": 9.0}, v={})
    telling(journal, "c", 3.0, "/hail.yaml", t={"echo_km2": 99.0})
    assert journal.facts("d", "flow", "/now.yaml", 9.0) == {"echo_km2": 9.0, "storms": 4.0}
    assert journal.facts("d", "flow", "/hail.yaml", 9.0) == {"echo_km2": 99.0}
    assert journal.facts("d", "flow", None, 9.0) == {}
    assert journal.facts("d", "other", "/now.yaml", 9.0) == {}
    journal.remove_run("b")
    assert journal.facts("d", "flow", "/now.yaml", 9.0) == {"echo_km2": 10.0, "storms": 4.0}


def test_what_runs_told_two_hours_ago_says_nothing_of_the_next(journal):
    """After three quiet days the first cycle is not told the echo of the last storm; what it made itself it is."""
    telling(journal, "storm", 1000.0, "/now.yaml", t={"echo_km2": 9000.0, "storms": 4.0})
    telling(journal, "later", 1100.0, "/now.yaml", t={"echo_km2": 8000.0})
    for now, known in (
        (8100.0, {"echo_km2": 8000.0, "storms": 4.0}),
        (8250.0, {"echo_km2": 8000.0}),
        (8350.0, {}),
    ):
        assert journal.facts("next", "flow", "/now.yaml", now) == known
    assert journal.facts("storm", "flow", "/now.yaml", 1e9) == {"echo_km2": 9000.0, "storms": 4.0}


def test_a_run_that_told_nothing_costs_no_look_at_its_attempts(journal):
    """Of a large run every attempt would else be read by each submission for two hours."""
    plan = journal._db.execute(f"EXPLAIN QUERY PLAN {_TOLD}", (0.0, "flow", None, 64)).fetchall()
    runs, attempts = [detail for *_, detail in plan]
    assert " INDEX runs_by_time " in runs
    assert " INDEX attempts_telling " in attempts


def test_what_a_run_has_already_is_newer_than_what_another_told(journal):
    """That is what it made itself before, and what it reuses of an older run."""
    telling(journal, "old", 1.0, "/now.yaml", t={"echo_km2": 5.0, "storms": 2.0})
    telling(journal, "latest", 2.0, "/now.yaml", t={"echo_km2": 70.0}, u={"storms": 8.0})
    telling(journal, "own", 3.0, "/now.yaml")
    assert journal.facts("own", "flow", "/now.yaml", 9.0) == {"echo_km2": 70.0, "storms": 8.0}
    with journal.change():
        journal.set_task("own", "t", "step", "reused", "", "old-t")
    assert journal.facts("own", "flow", "/now.yaml", 9.0) == {"echo_km2": 5.0, "storms": 2.0}


def test_the_old_goes_and_what_the_new_needs_stays(workspace, journal):
    """Old runs and results go with the files that no kept result names; a dry run only counts."""
    made = fill(workspace, journal)
    counted = collect(workspace, journal, before=500.0, dry_run=True)
    assert kept(workspace, made) == {"old", "both", "new"}
    assert collect(workspace, journal, before=500.0) == counted == Freed(1, 1, 1, 3)
    assert kept(workspace, made) == {"both", "new"}
    assert [r.id for r in journal.runs()] == ["run-new"]
    assert journal.result("old") is None
    assert not (workspace.runs / "run-old").exists()
    assert journal.known_digest("/frames/old", 1, int(100e9), 1) is None
    assert journal.known_digest("/frames/new", 1, int(900e9), 1) == "d"
    assert journal.latest("flow", "old") is not None
    assert collect(workspace, journal, before=500.0) == Freed(0, 0, 0, 0)
    assert journal.latest("flow", "old") is None
    assert journal.latest("flow", "new") is not None


def test_a_reused_result_counts_as_new(workspace, journal):
    """What was reused lately stays, however old it is."""
    made = fill(workspace, journal)
    with journal.change():
        journal.use_result("old", 800.0)
    collect(workspace, journal, before=500.0)
    assert kept(workspace, made) == {"old", "both", "new"}


def test_a_live_run_keeps_all_that_was_used_since_it_began(workspace, journal):
    """While a run is under way, nothing that was made or used since its beginning goes."""
    made = fill(workspace, journal)
    with workspace.lock("run-old"):
        assert collect(workspace, journal, before=5000.0) == Freed(0, 0, 0, 0)
    assert kept(workspace, made) == {"old", "both", "new"}
    assert collect(workspace, journal, before=5000.0).files == 3
    assert kept(workspace, made) == set()


def test_a_run_that_a_pool_has_stays_though_nobody_follows_it(workspace, journal):
    """It goes on there: its folder holds its DAG, and what it needs is not removed; once it has ended it is old."""
    made = fill(workspace, journal)
    with journal.change():
        journal.add_run("run-far", GRAPH, {"engine": "htcondor"}, 50.0)
    assert collect(workspace, journal, before=5000.0) == Freed(0, 0, 0, 0)
    assert kept(workspace, made) == {"old", "both", "new"}
    with journal.change():
        journal.set_run("run-far", "interrupted", 60.0)
    assert collect(workspace, journal, before=5000.0).runs == 3


def test_a_file_that_a_worker_begins_to_use_meanwhile_stays(workspace, journal, monkeypatch):
    """A worker that adopts the same contents between the decision and the removal keeps the file."""
    made = fill(workspace, journal)
    rename = os.rename

    def meanwhile(source, target):
        if str(target).endswith(".gc"):
            os.utime(source, (5000.0, 5000.0))
        rename(source, target)

    monkeypatch.setattr(os, "rename", meanwhile)
    collect(workspace, journal, before=500.0)
    assert kept(workspace, made) == {"old", "both", "new"}


def test_a_run_that_is_gone_on_with_meanwhile_stays(workspace, journal, monkeypatch):
    """A run that another process takes up right after it was found idle keeps its row and its lock file."""
    fill(workspace, journal)
    monkeypatch.setattr(Workspace, "is_live", lambda *_: False)
    with workspace.lock("run-old"):
        assert collect(workspace, journal, before=500.0).runs == 0
        assert (workspace.runs / "run-old" / "lock").exists()
    assert [r.id for r in journal.runs()] == ["run-new", "run-old"]


def test_a_run_that_was_gone_on_with_meanwhile_stays(workspace, journal, monkeypatch):
    """A run that was taken up, and ended, since it was found to be old is old no more."""
    fill(workspace, journal)

    def meanwhile(_workspace, run):
        journal.set_run(run, "done", 900.0)
        return False

    monkeypatch.setattr(Workspace, "is_live", meanwhile)
    assert collect(workspace, journal, before=500.0).runs == 0
    assert [r.id for r in journal.runs()] == ["run-new", "run-old"]


def test_a_run_is_locked_until_its_folder_is_gone(workspace, journal, monkeypatch):
    """Nobody can go on with a run while its folder is removed."""
    fill(workspace, journal)
    live = []
    rmtree = shutil.rmtree

    def watched(path, **options):
        live.append(workspace.is_live(Path(path).name))
        rmtree(path, **options)

    monkeypatch.setattr(shutil, "rmtree", watched)
    collect(workspace, journal, before=500.0)
    assert live == [True]


def test_more_runs_go_than_files_may_be_open(workspace, journal):
    """The locks of many old runs do not use up the files that a process may have open."""
    with journal.change():
        for n in range(300):
            journal.add_run(f"r{n}", GRAPH, {}, 1.0)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = max(int(n) for n in os.listdir("/dev/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 150, hard))
    try:
        assert collect(workspace, journal, before=500.0).runs == 300
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert list(workspace.runs.iterdir()) == []


def test_a_run_can_write_while_the_store_is_looked_at(workspace, journal, monkeypatch):
    """No transaction is open while every file is looked at: it may take longer than a run waits."""
    fill(workspace, journal)
    stored = retention._stored

    def slowly(folder):
        for found in stored(folder):
            other = sqlite3.connect(workspace.journal, timeout=0, isolation_level=None)
            with contextlib.closing(other):
                other.execute("BEGIN IMMEDIATE")
                other.execute("ROLLBACK")
            yield found

    monkeypatch.setattr(retention, "_stored", slowly)
    assert collect(workspace, journal, before=500.0) == Freed(1, 1, 1, 3)


@contextlib.contextmanager
def shut(*folders, mode=0o000):
    """Let nobody but root into folders, or write there."""
    for folder in folders:
        folder.chmod(mode)
    yield
    for folder in folders:
        folder.chmod(0o755)


@pytest.mark.parametrize("mode", [0o555, 0o444, 0o000])
def test_a_run_of_another_user_keeps_no_other_one(served, nobody, mode):
    """Where root ran something once, with whatever umask, all else is removed; what is left, and why, is said."""
    with nobody(), Journal(served.journal) as journal:
        fill(served, journal)
        made = Path(stored_path(served.store, store(served, "of root", 100.0).digest))
        journal.add_run("run-of-root", GRAPH, {}, 50.0)
        journal.set_run("run-of-root", "done", 51.0)
        with served.lock("run-of-root"):
            (served.runs / "run-of-root" / "lock").chmod(0o444)
        with shut(served.runs / "run-of-root", made.parent, mode=mode):
            freed = collect(served, journal, before=500.0)
        assert [run.id for run in journal.runs()] == ["run-new", "run-of-root"]
    assert (freed.runs, freed.results, freed.files) == (1, 1, 1)
    assert set(freed.left) - {str(made)} == {"run-of-root"}
    assert "Permission denied" in freed.left["run-of-root"]
    assert freed.trouble.startswith("could not remove run-of-root")
    assert made.exists()


def test_a_run_of_which_it_cannot_be_told_keeps_what_it_may_be_using(served, nobody):
    """Where it did not end it may be under way; once it is older than what is kept, that is said."""
    with nobody(), Journal(served.journal) as journal:
        made = fill(served, journal)
        journal.add_run("run-of-root", GRAPH, {}, 50.0)
        with served.lock("run-of-root"), shut(served.runs / "run-of-root"):
            freed = collect(served, journal, before=500.0)
    assert (freed.runs, freed.results, freed.files) == (0, 0, 0)
    assert "cannot tell whether run run-of-root is under way" in freed.trouble
    assert "what is newer stays" in freed.trouble
    assert kept(served, made) == {"old", "both", "new"}


def test_a_full_disk_ends_retention(workspace, journal, monkeypatch):
    """It is no matter of one run."""
    fill(workspace, journal)

    def full(*_):
        raise DiskFullError("no room")

    monkeypatch.setattr(Workspace, "lock", full)
    with pytest.raises(DiskFullError):
        collect(workspace, journal, before=500.0)


def test_leftovers_of_a_killed_gc_go(workspace, journal):
    """A file that a killed ``gc`` had set aside is removed by the next."""
    made = fill(workspace, journal)
    path = Path(stored_path(workspace.store, made["old"].digest))
    path.rename(f"{path}.gc")
    collect(workspace, journal, before=500.0)
    assert not list(workspace.store.rglob("*.gc*"))


def test_the_lock_of_a_run(workspace):
    """A run is live while its lock is held, also seen from the same process; twice is refused."""
    assert not workspace.is_live("r")
    with workspace.lock("r"):
        assert workspace.is_live("r")
        with pytest.raises(UserError, match="under way"), workspace.lock("r"):
            pass
    assert not workspace.is_live("r")


def test_who_only_looks_at_a_run_keeps_nobody_from_it(workspace, monkeypatch):
    """He is waited for, but not for ever; a process that has the run is not waited for at all."""
    with workspace.lock("r"):
        pass
    with (workspace.runs / "r" / "lock").open("rb") as looked:
        fcntl.flock(looked, fcntl.LOCK_SH)  # as `is_live` does
        monkeypatch.setattr(locks, "PATIENCE", 0.0)
        with pytest.raises(UnderWayError), workspace.lock("r"):
            pass
        monkeypatch.setattr(locks, "PATIENCE", 60.0)
        monkeypatch.setattr("time.sleep", lambda _: fcntl.flock(looked, fcntl.LOCK_UN))
        with workspace.lock("r"):
            monkeypatch.setattr("time.sleep", lambda _: pytest.fail("it waits"))
            with pytest.raises(UnderWayError), workspace.lock("r"):
                pass


def test_only_a_lock_that_is_held_means_that_a_run_is_under_way(workspace):
    """For want of files, as for any other reason, it cannot be told, and that is said."""
    with workspace.lock("r"):
        pass
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(WorkspaceError, match=r"Too many open files.*/r/lock"), workspace.lock("r"):
            pass
        with pytest.raises(WorkspaceError, match=r"cannot tell whether run r is under way: .*Too many open"):
            workspace.is_live("r")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_runs_and_engines_lock_on_nfs(workspace, nfs):
    """Who looks whether a run or an engine is at work opens its lock to read only."""
    _, lock = workspace.engine_folder()
    with workspace.lock("r"):
        pass
    assert not workspace.is_live("r")
    lock.close()
    _, second = workspace.engine_folder()
    assert len(list(workspace.sandboxes.iterdir())) == 1
    second.close()


def test_folders_of_other_users_do_not_keep_an_engine_away(served, nobody):
    """What a killed engine of root left stays where it may not be looked into."""
    old = served.sandboxes / "killed"
    old.mkdir(mode=0o000)
    with nobody():
        folder, lock = served.engine_folder()
    assert sorted(path.name for path in served.sandboxes.iterdir()) == sorted([folder.name, "killed"])
    lock.close()
    old.chmod(0o700)


def test_folders_of_dead_engines_go_and_those_of_live_ones_stay(workspace):
    """A new engine removes the sandboxes of engines that are no more."""
    (workspace.sandboxes / "killed-before-its-lock").mkdir()
    first, lock = workspace.engine_folder()
    assert [p.name for p in workspace.sandboxes.iterdir()] == [first.name]
    second, other = workspace.engine_folder()
    assert first.exists()
    lock.close()
    third, last = workspace.engine_folder()
    assert (first.exists(), second.exists(), third.exists()) == (False, True, True)
    other.close()
    last.close()


def test_a_workspace_that_is_not_there(tmp_path):
    """Verbs that only look do not make a workspace."""
    with pytest.raises(UserError, match="there is no workspace"):
        Workspace.find(tmp_path / "none")
    assert not (tmp_path / "none").exists()
