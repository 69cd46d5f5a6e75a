"""The post of a feed: what goes wrong with its own files stops no other feed, and all else ends the watch."""

from __future__ import annotations

import asyncio
import logging

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

    def made(*deeds, edited=""):
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
        with (tmp_path / "w.yaml").open("a") as file:
            file.write(edited)
        return Post(Equipment(feed, {}, None), Workspace.open(tmp_path / "ws"), turns)

    yield made
    turns.runs.close()


def work(post, until=lambda: False):
    """Let it work until something is so and nothing troubles it; return how often it said that it had begun."""

    async def main():
        over, times = asyncio.Event(), 0

        def begun():
            nonlocal times
            times += 1

        task = asyncio.create_task(post.work(over, begun))
        while not task.done() and not (until() and not post.counts.troubles):
            await asyncio.wait({task}, timeout=0.01)
        over.set()
        await task
        return times

    return asyncio.run(main())


def test_a_fault_of_its_own_files_is_told_and_tried_again(post, caplog):
    """Whoever counts those that have begun hears of it once."""
    one = post(["begin", UserError("cannot read the folder")], ["begin"])
    assert work(one, lambda: "for 0.01 s" in caplog.text) == 1
    assert "w.yaml: nothing is run for 0.01 s: cannot read the folder" in caplog.text
    assert one.counts.troubles == {}


def test_what_was_edited_while_the_watch_began_holds_soon(post, monkeypatch, caplog):
    """A run file is read long before anybody looks whether it changes."""
    monkeypatch.setattr(module, "LOOK", 0.01)
    monkeypatch.setattr(module, "check_workflow", lambda _: [])
    caplog.set_level(logging.INFO)
    one = post(["begin"], ["begin"], edited="trigger: {at_once: 1}\n")
    assert one.feed.trigger.at_once != 1
    work(one, lambda: "w.yaml was edited" in caplog.text)
    assert one.feed.trigger.at_once == 1


def test_what_was_edited_before_what_it_names_was_right_holds_once_that_is(post, monkeypatch, caplog):
    """It is told once and tried again, although nobody edits the run file any more."""
    monkeypatch.setattr(module, "LOOK", 0.01)
    one, tried = post(["begin"], ["begin"], edited="trigger: {at_once: 1}\n"), []

    def right_in_the_end(feed):
        tried.append(one.counts.troubles.get("run file"))
        if len(tried) < 4:
            raise UserError("no such parameter yet")
        return []

    monkeypatch.setattr(module, "check_workflow", right_in_the_end)
    work(one, lambda: one.feed.trigger.at_once == 1)
    assert tried == [None] + ["no such parameter yet"] * 3
    assert caplog.text.count("stays as it was") == 1


def test_rules_that_can_never_match_are_told_when_the_run_file_holds(post, monkeypatch, caplog):
    """Not at each try of one whose subscribers are not there yet."""
    monkeypatch.setattr(module, "LOOK", 0.01)
    monkeypatch.setattr(module, "check_workflow", lambda _: ["level: no polygon reaches 60"])
    one, tried, equip = post(["begin"], ["begin"], edited="trigger: {at_once: 1}\n"), [], module.equip

    def right_in_the_end(*feed):
        tried.append(caplog.text.count("no polygon"))
        if len(tried) < 4:
            raise UserError("no subscribers yet")
        return equip(*feed)

    monkeypatch.setattr(module, "equip", right_in_the_end)
    work(one, lambda: one.feed.trigger.at_once == 1)
    assert tried == [0, 0, 0, 0]
    assert caplog.text.count("w.yaml: level: no polygon reaches 60") == 1


def test_a_run_file_that_is_right_is_read_once(post, monkeypatch):
    """Only a faulty one is tried again."""
    monkeypatch.setattr(module, "LOOK", 0.001)
    one, looks, tried = post(["begin"], ["begin"], edited="trigger: {at_once: 1}\n"), [], []
    monkeypatch.setattr(module, "check_workflow", lambda feed: tried.append(feed) or [])
    monkeypatch.setattr(one, "_tell", lambda: looks.append(len(tried)))
    work(one, lambda: looks.count(1) > 20)
    assert len(tried) == 1


def test_what_it_works_with_is_made_anew_until_it_is_right(post, monkeypatch, caplog):
    """What the first desk used was closed with it; what is wrong by then is told instead."""
    one = post(["begin", UserError("first")], ["begin"])
    equip, made = module.equip, []

    def faulty_once(feed, journal, label):
        made.append(feed)
        if len(made) == 1:
            raise UserError("second")
        return equip(feed, journal, label)

    monkeypatch.setattr(module, "equip", faulty_once)
    first = one._equipment
    work(one, lambda: len(made) == 2)
    assert one._equipment is not first
    assert "first" in caplog.text
    assert "second" in caplog.text
    assert one.counts.troubles == {}


@pytest.mark.parametrize(
    "deeds",
    [[UserError("cannot read")], ["begin", WorkspaceError("full")], ["begin", ValueError("ours")]],
    ids=["at the start", "workspace", "our own"],
)
def test_all_else_ends_the_watch(post, deeds):
    """So does a fault of its files before it has begun."""
    with pytest.raises(type(deeds[-1])):
        work(post(deeds))
