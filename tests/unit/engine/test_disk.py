"""A disk that is full or read-only: named, blamed on the machine, and gone on with once there is room."""

from __future__ import annotations

import contextlib
import itertools
import os
import sqlite3
import subprocess
from collections import deque
from contextlib import closing
from dataclasses import replace

import pytest

from dynamo.cli import main
from dynamo.journal import Workspace
from dynamo.planning import Selection

FLOW = """
    @task
    def big(out: Output, *, size: int):
        Path(out).write_bytes(b'x' * size)

    @workflow
    def flow():
        copy(make(out='a'), out='b')
        big(out='c', size=20_000_000)
"""


def test_a_full_disk_fails_the_task_as_the_machines_fault(lab, small_disk):
    """The task that fills the disk is tried again, then told as the machine's failure; the others are done."""
    lab.workspace = Workspace.open(small_disk / "ws")
    summary = lab.run(FLOW)
    (failure,) = summary.failures
    assert failure.task == "big"
    assert failure.infrastructure
    assert "No space left on device" in failure.error
    assert "tried 3 times" in failure.error
    assert lab.published() == {"a": "made", "b": "made"}
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    assert lab.run().reused == 2


def test_a_full_or_read_only_disk_is_exit_3_in_words(lab, small_disk, fill_disk, capfd):
    """A disk that is full before the run, or cannot be written, is exit code 3 and no traceback."""
    lab.write(FLOW)
    (lab.root / "flow.yaml").write_text(
        f"workflow: ./flow.py:flow\nworkspace: {small_disk}/ws\nproducts: out\n"
    )

    def call(code: int) -> str:
        with contextlib.chdir(lab.root), pytest.raises(SystemExit) as end:
            main(["run", "flow.yaml", "-q"])
        said = "".join(capfd.readouterr())
        assert end.value.code == code, said
        assert "Traceback" not in said
        return said

    fill_disk(small_disk / "filler")
    assert any(words in call(3) for words in ("disk is full", "No space", "disk I/O error", "unable to open"))
    (small_disk / "filler").unlink()
    # It is the task that is to blame, though the journal meets the full disk as well.
    assert "No space left on device" in call(3)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    call(3)


WAITING = """
    @task
    def wait(out: Output, *, until: str):
        note('waits')
        while not os.path.exists(until):
            time.sleep(0.01)
        Path(out).write_text('waited')

    @workflow
    def slow(until: str):
        wait(out='slow.txt', until=until)
"""


class Lasting:
    """A source that outlasts a full disk: it makes room when it is told, or after `until` turns of waiting."""

    outlasts = True

    def __init__(self, *requests):
        self.left, self.told, self.waited, self.filler = deque(requests), [], [], None
        self.looked = self.until = 0

    def fileno(self):
        return -1

    def take(self, running):
        if self.waited[-1:] == [True]:
            self.looked += 1
            if self.looked == self.until:
                self.filler.unlink()
        wanted = [self.left.popleft() for _ in range(len(self.left))]
        return wanted if wanted or running else None

    def ended(self, summary):
        self.told.append((summary.run, summary.ok))

    def refused(self, request, error):
        self.told.append((request.run, error.message))

    def full(self, error):
        assert "disk is full" in error.message
        self.told.append("full")
        if not self.until:
            self.filler.unlink()

    def waits(self, error):
        assert error is None or "disk is full" in error.message
        if self.waited[-1:] != [error is not None]:  # what changes
            self.waited.append(error is not None)


@pytest.fixture
def crowded(lab, small_disk, fill_disk, monkeypatch):
    """Return a run that waits, its source, and what fills the disk and lets it go on."""
    monkeypatch.setattr("dynamo.engine.local.PATIENCE", 0.1)
    monkeypatch.setattr("dynamo.engine.room.AGAIN", 0.05)
    monkeypatch.setattr("dynamo.engine.local.IDLE", 0.05)
    lab.workspace = Workspace.open(small_disk / "ws")
    lab.write(WAITING)
    gate = lab.root / "gate"
    source = Lasting(lab.request(lab.graph(str(gate), name="slow")))
    source.filler = small_disk / "filler"

    def fill():
        fill_disk(source.filler)
        gate.touch()

    return lab, source, fill


def test_a_source_that_outlasts_a_full_disk_has_its_runs_begun_again(crowded):
    """What ran when the journal found no room is ended, and ends well once there is some."""
    lab, source, fill = crowded
    with lab.engine() as engine:
        engine.observer = lambda event: fill() if event.kind == "started" and not source.told else None
        engine.serve(source)
    assert source.told == ["full", ("run-0", True)]
    assert source.waited == [True, False]
    assert lab.published() == {"slow.txt": "waited"}
    with lab.journal() as journal:
        assert journal.run(None).state == "done"
        outcomes = [a.outcome for run in ("run-0", "run-1") for a in journal.attempts(run)]
    assert sorted(outcomes) == ["lost", "ok"], "and the other reuses what was made"


def test_a_run_during_which_the_disk_is_always_full_is_given_up(crowded):
    """It may be what fills it: after three times others have the disk."""
    lab, source, fill = crowded
    refused, other = source.refused, lab.request(lab.graph(str(lab.root / "gate"), name="slow"))

    def given_up(request, error):
        refused(request, error)
        source.left.append(other)

    source.refused = given_up
    with lab.engine() as engine:
        engine.observer = lambda event: fill() if event.kind == "started" and event.run == "run-0" else None
        engine.serve(source)
    *full, (run, why), ended = source.told
    assert full == ["full"] * 3
    assert run == "run-0"
    assert "the disk of the workspace was full 3 times while it ran; make room" in why
    assert ended == ("run-1", True)
    assert source.waited == [True, False] * 3


def test_a_run_that_cannot_begin_for_want_of_room_waits_for_those_that_run(crowded):
    """Nothing is ended for it, also where nothing else would be outlasted."""
    lab, source, fill = crowded
    take, first = source.take, []

    def when_it_waits(running):
        if first and source.filler.exists():
            first.append(len(running))
            if len(first) == 4:
                source.filler.unlink()
                (lab.root / "gate").touch()
        return take(running)

    def started(event):
        if event.kind == "started" and not first:
            fill()
            (lab.root / "gate").unlink()
            first.append(0)
            source.left.append(lab.request(lab.graph(str(lab.root / "gate"), name="slow")))

    source.take = when_it_waits
    with lab.engine() as engine:
        engine.observer = started
        engine.serve(source)
    assert first == [0, 1, 2, 2]
    assert source.told == [("run-0", True), ("run-1", True)]
    assert source.waited[0]
    assert source.waited[-1:] == [False], "it is told once that it is over"
    assert source.waited.count(False) == 1


@pytest.fixture
def grown(crowded):
    """Return an engine whose journal has room in its write-ahead log, as after some hours, and its source and lab."""
    lab, source, _ = crowded
    (lab.root / "gate").touch()
    with (
        lab.engine() as engine,
        closing(sqlite3.connect(lab.workspace.journal, isolation_level=None)) as other,
    ):
        other.execute("CREATE TABLE waste (x)")
        other.execute("INSERT INTO waste VALUES (zeroblob(1500000))")
        other.execute("DROP TABLE waste")
        other.execute("PRAGMA wal_checkpoint(RESTART)")
        yield lab, source, engine


def test_a_task_that_finds_the_disk_full_waits_for_room(grown, fill_disk):
    """Also where the journal has room: it is tried again when there is some, and nothing is begun before."""
    lab, source, engine = grown
    fill_disk(source.filler)
    source.until = 5
    source.left.append(lab.request(lab.graph(str(lab.root / "gate"), name="slow")))
    engine.serve(source)
    assert sorted(source.told) == [("run-0", True), ("run-1", True)]
    assert source.waited == [True, False]
    with lab.journal() as journal:
        outcomes = [a.outcome for run in ("run-0", "run-1") for a in journal.attempts(run)]
    assert sorted(outcomes) == ["lost", "ok"], "and the other reuses what was made"


def test_a_task_that_fills_the_disk_by_itself_is_given_up_and_keeps_no_other_waiting(grown):
    """What it wrote is removed each time, so others go on; it is tried no faster than the journal tries."""
    lab, source, engine = grown
    lab.write(FLOW)
    source.left = deque([lab.request(lab.graph(), run="fills")])
    engine.observer = lambda event: (
        source.left.append(lab.request(lab.graph(), run="other", selection=Selection(only=("b",))))
        if event.kind == "retried" and not any(source.left) and not source.told
        else None
    )
    engine.serve(source)
    assert source.told[-1] == ("fills", False)
    assert set(source.told[:-1]) == {("other", True)}
    with lab.journal() as journal:
        tries = [a for a in journal.attempts("fills") if a.task == "big"]
    assert [a.outcome for a in tries] == ["lost"] * 3
    assert all(later.started - a.ended >= 0.1 for a, later in itertools.pairwise(tries))


@pytest.mark.parametrize("pages", [4, 8, 12, 16, 20, 26, 32])
def test_a_run_of_which_nothing_was_at_work_is_not_given_up(crowded, fill_disk, pages):
    """Where there is room for the beginning of a run only, it waits like any other."""
    lab, source, _ = crowded
    (lab.root / "gate").touch()
    request = source.left[0]
    with lab.engine() as engine:
        engine.serve(source)
        fill_disk(source.filler)
        os.truncate(source.filler, source.filler.stat().st_size // 4096 * 4096 - pages * 4096)
        source.until = 15
        source.left.append(replace(request, run="late"))
        engine.serve(source)
    assert [told for told in source.told if told != "full"] == [("run-0", True), ("late", True)]


@pytest.mark.parametrize(
    ("told", "machine"),
    [
        ("raise OSError(errno.EDQUOT, 'no')", True),
        ("raise ValueError('no map') from OSError(errno.ENOSPC, 'no')", True),
        ("raise ValueError('no map')", True),
        ("raise ValueError('no map') from None", False),
        ("raise OSError(errno.EACCES, 'no') from None", False),
    ],
)
def test_an_error_that_comes_of_a_full_disk_is_the_machines(lab, told, machine):
    """Whatever the task made of it, unless it says that it has nothing to do with it."""
    summary = lab.run(
        f"""
        import errno

        @task
        def draw(out: Output):
            try:
                raise OSError(errno.ENOSPC, 'no room')
            except OSError:
                {told}

        @workflow
        def flow():
            draw(out='a')
        """,
        inline=True,
    )
    (failure,) = summary.failures
    assert failure.infrastructure is machine
    assert ("tried 3 times" in failure.error) is machine
