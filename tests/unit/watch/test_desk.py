"""The desk of a feed: what it does where the journal cannot take anything."""

from __future__ import annotations

import asyncio

import pytest

from dynamo.journal import Workspace
from dynamo.triggers.inbox import Inbox
from dynamo.watch.counts import Counts
from dynamo.watch.desk import Desk
from dynamo.watch.feed import read_feed
from dynamo.watch.turns import Turns

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
def refused(tmp_path, monkeypatch):
    """Run a desk whose inbox never takes a window until `enough`; return how often it was asked."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a_20260101_120000.txt").write_text("a")
    (tmp_path / "flow.py").write_text(FLOW)
    (tmp_path / "w.yaml").write_text(
        "workflow: ./flow.py:flow\ninputs: {frame: 'in/*.txt'}\ntrigger: {backlog: all}\n"
    )

    def run(again, enough):
        tried, five = [], asyncio.Event()
        monkeypatch.setattr("dynamo.watch.desk.AGAIN", again)

        def taken(self, time, run, wall):
            tried.append(time)
            if len(tried) == 5:
                five.set()
            self.full = mark_full
            return False

        monkeypatch.setattr(Inbox, "taken", taken)
        turns = Turns()

        async def main():
            stop, begun = asyncio.Event(), asyncio.Event()
            desk = Desk(
                read_feed(tmp_path / "w.yaml"), Workspace.open(tmp_path / "ws"), None, Counts(), turns
            )
            working = asyncio.create_task(desk.work(stop, begun.set))
            await begun.wait()
            await enough(five)
            stop.set()
            await working

        mark_full = again > 1
        asyncio.run(main())
        turns.runs.close()
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
