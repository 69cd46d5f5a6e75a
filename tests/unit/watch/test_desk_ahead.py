"""The desk of a feed: what it says of files from the future."""

from __future__ import annotations

import asyncio
import logging
import time

from dynamo.journal import Workspace
from dynamo.watch.counts import Counts
from dynamo.watch.desk import Desk
from dynamo.watch.feed import read_feed
from dynamo.watch.health import health
from dynamo.watch.turns import Turns

ASKS = "is a clock or a time zone wrong? such files wait until then"
FLOW = """
from dynamo import Input, Output, task, workflow

@task
def copy(source: Input, copied: Output):
    copied.write_text(source.read_text())

@workflow
def flow(frame: Input):
    copy(frame, copied="copy.txt")
"""


def test_files_from_the_future_are_told_once(tmp_path, caplog):
    """One line in the log, however many they are; a trouble as long as any waits, which a restart would not mend."""
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "flow.py").write_text(FLOW)
    (tmp_path / "w.yaml").write_text("workflow: ./flow.py:flow\ninputs: {frame: 'in/*.txt'}\n")

    def put(hours):
        stamp = time.strftime("%Y%m%d_%H%M%S", time.gmtime(time.time() + hours * 3600 + 30))
        name = f"a_{stamp}.txt"
        (folder / ".part").write_text("a")
        (folder / ".part").rename(folder / name)
        return name

    first = put(3)
    counts, turns = Counts(), Turns()

    async def until(condition):
        while not condition():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)

    async def main():
        stop, begun = asyncio.Event(), asyncio.Event()
        desk = Desk(read_feed(tmp_path / "w.yaml"), Workspace.open(tmp_path / "ws"), None, counts, turns)
        working = asyncio.create_task(desk.work(stop, begun.set))
        await begun.wait()
        said = f"{first!r} is from the future, by 3 h 0 min; {ASKS}"
        assert counts.troubles == {"ahead": said}
        assert health(counts, time.time(), 60)["ok"]
        second = put(4)
        await until(lambda: second in counts.troubles["ahead"])
        for path in folder.iterdir():
            path.unlink()
        await until(lambda: not counts.troubles)
        third = put(5)
        await until(lambda: third in counts.troubles.get("ahead", ""))
        stop.set()
        await working
        assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == [said]

    asyncio.run(main())
    turns.runs.close()
