"""A disk that is full or read-only: named, blamed on the machine, and gone on with once there is room."""

from __future__ import annotations

import contextlib
import subprocess
from collections import deque

import pytest

from dynamo.cli import main
from dynamo.journal import Workspace

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
    """A source that outlasts a full disk: it makes room when it is told."""

    def __init__(self, *requests):
        self.left, self.told, self.waited, self.filler = deque(requests), [], [], None

    def fileno(self):
        return -1

    def take(self, running):
        wanted = [self.left.popleft() for _ in range(len(self.left))]
        return wanted if wanted or running else None

    def ended(self, summary):
        self.told.append((summary.run, summary.ok))

    def refused(self, request, error):
        self.told.append((request.run, error.message))

    def full(self, error):
        assert "disk is full" in error.message
        self.told.append("full")
        self.filler.unlink()

    def waits(self, error):
        assert error is None or "disk is full" in error.message
        self.waited.append(error is not None)


@pytest.fixture
def crowded(lab, small_disk, fill_disk, monkeypatch):
    """Return a run that waits, its source, and what fills the disk and lets it go on."""
    monkeypatch.setattr("dynamo.engine.local.PATIENCE", 0.1)
    monkeypatch.setattr("dynamo.engine.local.AGAIN", 0.05)
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
        assert [a.outcome for a in journal.attempts("run-0")] == ["lost", "ok"]


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
