"""The desk of a feed: where the journal cannot take anything, and what is wrong with files that arrive."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest

from dynamo.errors import UserError
from dynamo.journal import Workspace
from dynamo.journal.database import DiskFullError
from dynamo.journal.workspace import UnderWayError
from dynamo.triggers.inbox import Inbox
from dynamo.watch.counts import Counts
from dynamo.watch.desk import Desk
from dynamo.watch.feed import read_feed
from dynamo.watch.health import health
from dynamo.watch.runs import WAITS
from dynamo.watch.turns import Turns

ASKS = "is a clock or a time zone wrong? such files wait until then"
FRAME = "inputs: {frame: 'in/*.txt'}\n"
FLOW = """
from dynamo import Input, Output, task, workflow

@task
def copy(source: Input, copied: Output):
    copied.write_text(source.read_text())

@workflow
def flow(frame: Input):
    copy(frame, copied="copy.txt")
"""


@pytest.fixture
def folder(tmp_path):
    """The folder that the desk watches."""
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture
def work(tmp_path, folder):
    """Let a desk work from when it has begun until something is done."""

    def run(until, more="", counts=None):
        (tmp_path / "flow.py").write_text(FLOW)
        (tmp_path / "w.yaml").write_text(
            f"workflow: ./flow.py:flow\n{'' if 'inputs:' in more else FRAME}{more}"
        )
        counts = counts or Counts()
        run.turns = turns = Turns()

        async def main():
            stop, begun = asyncio.Event(), asyncio.Event()
            desk = Desk(read_feed(tmp_path / "w.yaml"), Workspace.open(tmp_path / "ws"), None, counts, turns)
            working = asyncio.create_task(desk.work(stop, begun.set))
            working.add_done_callback(lambda _: begun.set())
            try:
                await begun.wait()
                await until(counts)
            finally:
                stop.set()
                await working

        asyncio.run(main())
        turns.runs.close()

    return run


@pytest.fixture
def refused(work, folder, monkeypatch):
    """Run a desk whose inbox never takes a window until `enough`; return how often it was asked."""
    (folder / "a_20260101_120000.txt").write_text("a")

    def run(again, enough):
        tried, five = [], asyncio.Event()
        monkeypatch.setattr("dynamo.watch.desk.AGAIN", again)

        def taken(self, time, run, wall):
            tried.append(time)
            if len(tried) == 5:
                five.set()
            self.full = again > 1
            return False

        monkeypatch.setattr(Inbox, "taken", taken)
        work(lambda _: enough(five), "trigger: {backlog: all}\n")
        return len(tried)

    return run


def test_a_window_that_a_full_disk_refused_is_not_begun_again_at_once(refused):
    """It waits for its turn beside the others: the desk sleeps, and reads nothing meanwhile."""

    async def some_turns(_):
        for _ in range(200):
            await asyncio.sleep(0)

    assert 1 <= refused(3600.0, some_turns) <= 3  # a directory that is watched anew may wake it once or twice


def test_a_window_that_was_refused_is_begun_again_by_itself(refused):
    """Also where the desk sleeps by times of before: it was another one that had it begin."""

    assert refused(0.001, asyncio.Event.wait) >= 5


def test_that_runs_wait_for_room_on_the_disk_is_a_trouble_until_they_do_not(work, caplog):
    """The engine tells it, in its own thread; the feed is not well meanwhile."""

    async def full_and_not(counts):
        runs = work.turns.runs
        runs.attach(asyncio.get_running_loop())
        runs.waits(DiskFullError("the disk is full"))
        await asyncio.sleep(0)
        assert counts.troubles == {"disk": WAITS}
        assert not health(counts, time.time(), 60)["ok"]
        runs.waits(None)
        await asyncio.sleep(0)
        assert counts.troubles == {}

    work(full_and_not)
    assert [r.getMessage() for r in caplog.records] == [WAITS, "the disk has room again"]


def test_a_window_begins_while_another_process_has_the_run_of_the_one_before(work, folder, monkeypatch):
    """With one run at a time, the desk goes on as soon as it hears of it."""
    monkeypatch.setattr("dynamo.watch.desk.AGAIN", 3600.0)
    put(folder, "a_20260101_120000.txt")

    async def the_next_is_begun(_):
        runs = work.turns.runs
        runs.attach(asyncio.get_running_loop())
        asked = []
        await until(lambda: asked.extend(runs.take([])) or asked)
        first = asked.pop()
        put(folder, "a_20260101_120100.txt")
        await until(lambda: len(work.turns._waiting) == 1)
        runs.refused(first, UnderWayError("another has it"))
        await until(lambda: asked.extend(runs.take([])) or asked)
        assert asked[0].run != first.run

    work(the_next_is_begun, "trigger: {backlog: all, at_once: 1, wait: 0 s}\n")


def test_a_run_that_another_process_had_for_a_moment_is_asked_for_again(work, folder, monkeypatch, caplog):
    """Although it is over when the desk hears of it; this is told once. All else ends the window."""
    monkeypatch.setattr("dynamo.watch.desk.AGAIN", 0.001)
    put(folder, "a_20260101_120000.txt")

    async def it_is_refused(counts):
        runs = work.turns.runs
        runs.attach(asyncio.get_running_loop())
        asked = []
        for _ in range(3):
            await until(lambda: asked.extend(runs.take([])) or asked)
            runs.refused(asked.pop(), UnderWayError("another has it"))
        await until(lambda: asked.extend(runs.take([])) or asked)
        assert not counts.runs
        runs.refused(asked.pop(), UserError("no such task"))
        await until(lambda: counts.runs["failed"])

    work(it_is_refused, "trigger: {backlog: all}\n")
    said = "2026-01-01 12:00:00Z: "
    assert [r.getMessage() for r in caplog.records] == [
        f"{said}another has it; it is judged when that is over",
        f"{said}failed: no such task",
    ]


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)


def put(folder, name):
    """Put a file there whole; return its name."""
    (folder / ".part").write_text("a")
    (folder / ".part").rename(folder / name)
    return name


def ahead(folder, hours):
    """Put a file from the future there; return its name."""
    stamp = time.strftime("%Y%m%d_%H%M%S", time.gmtime(time.time() + hours * 3600 + 30))
    return put(folder, f"a_{stamp}.txt")


def test_files_from_the_future_are_told_once(work, folder, caplog):
    """One line in the log, however many they are; a trouble as long as any waits, which a restart would not mend."""
    first = ahead(folder, 3)
    said = f"{first!r} is from the future, by 3 h 0 min; {ASKS}"

    async def some_come_and_go(counts):
        assert counts.troubles == {"ahead": said}
        assert health(counts, time.time(), 60)["ok"]
        second = ahead(folder, 4)
        await until(lambda: second in counts.troubles["ahead"])
        for path in folder.iterdir():
            path.unlink()
        await until(lambda: not counts.troubles)
        third = ahead(folder, 5)
        await until(lambda: third in counts.troubles.get("ahead", ""))

    work(some_come_and_go)
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == [said]


def test_files_without_a_time_are_told_and_are_a_trouble_until_one_with_a_time_comes(work, folder, caplog):
    """Also those of before a restart, which would not mend it; until then no data is run, and its age goes on."""
    put(folder, "sweep.txt")

    async def some_come(counts):
        assert list(counts.troubles) == ["files"]
        assert "'sweep.txt' is in no window, as no time is found in its name" in counts.troubles["files"]
        assert health(counts, time.time(), 60)["ok"]
        assert counts.data_age(counts.since + 100) == 100
        put(folder, "another.txt")
        await until(lambda: "'another.txt'" in counts.troubles["files"])

    async def one_is_right(counts):
        assert "'another.txt'" in counts.troubles["files"]
        put(folder, "a_20260101_120000.txt")
        await until(lambda: not counts.troubles)

    since = "inputs: {frame: {files: 'in/*.txt', from: 2026-01-01T00:00Z}}\n"
    work(some_come, since)
    said = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert len(said) == 1
    assert said[0].startswith("'sweep.txt' is in no window")
    work(one_is_right, since)
    assert "'sweep.txt' is in no window" in caplog.records[-1].getMessage()
    assert "(and 1 more file like it)" in caplog.records[-1].getMessage()


def test_a_run_that_failed_is_called_so_in_the_log(work, folder, caplog):
    """Behind the time of its window; here the workflow is not there any more."""

    async def one_comes(counts):
        (folder.parent / "flow.py").unlink()
        put(folder, "a_20260101_120000.txt")
        await until(lambda: counts.runs["failed"])

    work(one_comes)
    (record,) = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert record.getMessage().startswith("2026-01-01 12:00:00Z: failed: ")


def test_what_was_wrong_with_judging_is_over_where_nobody_is_told_any_more(work):
    """Else a run file that was edited so would be unwell for ever."""
    counts = Counts()
    for what in ("times", "judging", "subscribers"):
        counts.trouble(what, "wrong")

    async def begun(_):
        pass

    work(begun, counts=counts)
    assert list(counts.troubles) == ["subscribers"]


def test_a_window_has_what_is_known_of_an_input_that_starts_none(work, folder):
    """None, then the newest that is no newer than the window; it is run at once in either case."""
    (folder.parent / "so").mkdir()
    more = (
        "inputs: {frame: 'in/*.txt', sounding: {files: 'so/*.txt', last: 1}}\n"
        "trigger: {needs: {sounding: {starts: false, quorum: 0}}}\n"
    )
    asked = []

    async def some_come(counts):
        work.turns.runs.attach(asyncio.get_running_loop())
        work.turns.runs.ask = asked.append
        (folder.parent / "flow.py").write_text(
            FLOW.replace("frame: Input)", "frame: Input, sounding: list[Input])")
        )
        put(folder, "a_20260101_120000.txt")
        await until(lambda: asked)
        put(folder.parent / "so", "s_20260101_000000.txt")
        put(folder.parent / "so", "s_20260101_120200.txt")
        await until(lambda: counts.arrivals == 3)
        put(folder, "a_20260101_120100.txt")
        await until(lambda: len(asked) == 2)

    work(some_come, more)
    assert [one.settings["inputs"]["sounding"] for one in asked] == [0, 1]
