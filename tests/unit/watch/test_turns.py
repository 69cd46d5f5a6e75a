"""The queue of a watch: windows of several desks, one engine, and desks that come and go."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from dynamo.errors import UserError
from dynamo.journal.database import DiskFullError
from dynamo.triggers.queue import FeedRule
from dynamo.triggers.store import Queued
from dynamo.triggers.window import Window
from dynamo.watch.turns import Turns


def window(feed, time):
    """A window that waits."""
    return Queued(feed, Window(time, time, {}), "queued", "", "", 0.0, None, None)


class Desk:
    """Begins what it is told to, and notes all."""

    def __init__(self, turns):
        self.turns, self.told = turns, []

    def start(self, one):
        """Begin a window at once."""
        self.told.append(("start", one.window.time))
        self.turns.begin(one, SimpleNamespace(run=f"{one.feed}-{one.window.time}"))

    def give_up(self, one, reason):
        """Note it."""
        self.told.append(("give up", one.window.time))

    def ended(self, one, summary):
        """Note it, and be done with the run."""
        self.told.append(("ended", one.window.time))
        self.turns.over(summary.run)

    def refused(self, one, request, error):
        """Note it, and be done with the run."""
        self.told.append(("refused", one.window.time))
        self.turns.over(request.run)

    def mind_disk(self):
        """Note it."""
        self.told.append(("full", bool(self.turns.full)))


async def _heard():
    """Let the loop tell what it was given."""
    await asyncio.sleep(0)


def test_all_feeds_share_one_limit_and_a_feed_that_is_done_makes_room():
    """A window of either begins as soon as there is room."""

    async def main():
        turns = Turns(1)
        turns.runs.attach(asyncio.get_running_loop())
        a, b = Desk(turns), Desk(turns)
        turns.join("a", FeedRule(limit=2), None, a)
        turns.join("b", FeedRule(limit=2), None, b)
        turns.wait(window("a", 1))
        turns.go_on()
        turns.wait(window("b", 2))
        turns.go_on()
        assert (a.told, b.told) == ([("start", 1)], [])
        assert turns.is_busy("b")
        turns.runs.ended(SimpleNamespace(run="a-1"))
        await _heard()
        turns.go_on()
        assert (a.told, b.told) == ([("start", 1), ("ended", 1)], [("start", 2)])
        assert not turns.is_busy("a")
        turns.runs.close()

    asyncio.run(main())


def test_feeds_that_share_a_limit_begin_in_turns():
    """Also where the data of one are always the newer: a slow radar is not left waiting for ever."""

    async def main():
        turns = Turns(1)
        turns.runs.attach(asyncio.get_running_loop())
        fast, slow = Desk(turns), Desk(turns)
        turns.join("fast", FeedRule(limit=1), None, fast)
        turns.join("slow", FeedRule(limit=1), None, slow)
        turns.wait(window("slow", 1))
        for time in (100, 101, 102):
            turns.wait(window("fast", time))
            turns.go_on()
            (run,) = turns._running
            turns.runs.ended(SimpleNamespace(run=run))
            await _heard()
        assert ("start", 1) in slow.told
        turns.runs.close()

    asyncio.run(main())


def test_without_a_limit_each_feed_has_its_own():
    """Nobody waits for another feed."""
    turns = Turns()
    a, b = Desk(turns), Desk(turns)
    turns.join("a", FeedRule(limit=1), None, a)
    turns.join("b", FeedRule(limit=2), None, b)
    for time in range(4):
        turns.wait(window("a", time))
        turns.wait(window("b", time))
    turns.go_on()
    assert (a.told, b.told) == ([("start", 3)], [("start", 3), ("start", 2)])
    turns.runs.close()


def test_what_is_told_while_no_desk_has_the_feed_is_told_to_the_next():
    """Runs go on meanwhile, and take their room; what waited is for the next desk to find in the journal."""

    async def main():
        turns = Turns()
        turns.runs.attach(asyncio.get_running_loop())
        first, second = Desk(turns), Desk(turns)
        turns.join("a", FeedRule(limit=2), None, first)
        for time in (1, 2, 3):
            turns.wait(window("a", time))
        turns.go_on()
        turns.leave("a")
        turns.runs.ended(SimpleNamespace(run="a-3"))
        turns.runs.refused(SimpleNamespace(run="a-2"), UserError("no"))
        await _heard()
        assert first.told == [("start", 3), ("start", 2)]
        assert turns.is_under_way("a-3")
        turns.join("a", FeedRule(limit=2, stale=1), None, second)
        assert second.told == [("ended", 3), ("refused", 2)]
        assert not turns.is_busy("a")
        turns.wait(window("a", 1))
        turns.go_on()
        assert second.told[2:] == [("give up", 1)], "the newest that ran is known"
        turns.runs.close()

    asyncio.run(main())


def test_a_run_that_another_process_has_takes_no_place_until_it_is_begun_again():
    """Else nothing would begin until that is over; it is under way for whoever asks."""
    turns = Turns()
    desk = Desk(turns)
    turns.join("a", FeedRule(limit=1), None, desk)
    first, request = window("a", 1), SimpleNamespace(run="a-1")
    turns.wait(first)
    turns.go_on()
    turns.put_off("a-1")
    turns.wait(window("a", 2))
    turns.go_on()
    assert desk.told == [("start", 1), ("start", 2)]
    assert turns.is_under_way("a-1")
    turns.over("a-2")
    turns.begin(first, request)
    turns.wait(window("a", 3))
    turns.go_on()
    assert desk.told[2:] == []
    turns.over("a-1")
    turns.go_on()
    assert desk.told[2:] == [("start", 3)]
    turns.runs.close()


def test_every_desk_hears_that_runs_wait_for_room_on_the_disk():
    """One that comes later finds it said."""

    async def main():
        turns = Turns()
        turns.runs.attach(asyncio.get_running_loop())
        a, b = Desk(turns), Desk(turns)
        turns.join("a", FeedRule(), None, a)
        turns.runs.waits(DiskFullError("the disk is full"))
        await _heard()
        assert a.told == [("full", True)]
        assert turns.full
        turns.join("b", FeedRule(), None, b)
        turns.runs.waits(None)
        await _heard()
        assert (a.told, b.told) == ([("full", True), ("full", False)], [("full", False)])
        turns.runs.close()

    asyncio.run(main())


def test_a_price_that_rises_brings_what_waits_to_the_front():
    """And one that falls puts it back; what runs goes on."""

    async def main():
        turns = Turns(1)
        desks = {feed: Desk(turns) for feed in ("a", "b")}
        for feed, desk in desks.items():
            turns.join(feed, FeedRule(0, 1), None, desk)
        for feed in ("a", "b"):
            for time in (1.0, 2.0):
                turns.wait(window(feed, time))
        turns.price("b", 10)
        turns.go_on()
        turns.price("b", -5)
        turns._ended(SimpleNamespace(run="b-2.0"))
        await _heard()
        turns.go_on()
        assert [desks["b"].told, desks["a"].told] == [[("start", 2.0), ("ended", 2.0)], [("start", 2.0)]]
        turns.runs.close()

    asyncio.run(main())
