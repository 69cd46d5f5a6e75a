"""The post of a feed: what goes wrong with its own files stops no other feed, and all else ends the watch."""

from __future__ import annotations

import asyncio

import pytest

from dynamo.errors import UserError, WorkspaceError
from dynamo.journal import Workspace
from dynamo.watch import post as module
from dynamo.watch.equipment import Equipment
from dynamo.watch.feed import read_feed
from dynamo.watch.post import Post
from dynamo.watch.turns import Turns


@pytest.fixture
def post(tmp_path, monkeypatch):
    """A post whose desks do what a list says: `begin`, raise an error, or work until they are stopped."""

    turns = Turns()

    def made(*deeds):
        left = [list(one) for one in deeds]

        class Desk:
            def __init__(self, *_):
                self.deeds = left.pop(0)

            async def work(self, stop, begun):
                for deed in self.deeds:
                    if deed == "begin":
                        begun()
                    else:
                        raise deed
                await stop.wait()

        monkeypatch.setattr(module, "Desk", Desk)
        monkeypatch.setattr(module, "PAUSE", 0.01)
        (tmp_path / "w.yaml").write_text("workflow: ./flow.py:flow\ninputs: {frame: 'in/*'}\n")
        feed = read_feed(tmp_path / "w.yaml")
        return Post(Equipment(feed, {}, None), Workspace.open(tmp_path / "ws"), turns)

    yield made
    turns.runs.close()


def work(post, until):
    """Let it work until it begins that often; return what it told of its troubles at each beginning."""

    async def main():
        over, told, looks = asyncio.Event(), [], 0

        def begun():
            told.append(dict(post.counts.troubles))

        task = asyncio.create_task(post.work(over, begun))
        while not task.done() and looks < until:
            looks += post.counts.trouble("seen", "") or not post.counts.troubles
            await asyncio.sleep(0.005)
        over.set()
        await task
        return told

    return asyncio.run(main())


def test_a_fault_of_its_own_files_is_told_and_tried_again(post, caplog):
    """Whoever counts those that have begun hears of it once."""
    one = post(["begin", UserError("cannot read the folder")], ["begin"])
    assert work(one, 10) == [{}]
    assert "w.yaml: nothing is run for 0.01 s: cannot read the folder" in caplog.text
    assert one.counts.troubles == {}


@pytest.mark.parametrize(
    "deeds",
    [[UserError("cannot read")], ["begin", WorkspaceError("full")], ["begin", ValueError("ours")]],
    ids=["at the start", "workspace", "our own"],
)
def test_all_else_ends_the_watch(post, deeds):
    """So does a fault of its files before it has begun."""
    with pytest.raises(type(deeds[-1])):
        work(post(deeds), 10)
