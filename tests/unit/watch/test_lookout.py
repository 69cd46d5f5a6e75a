"""The lookout of a feed that waits for weather, on a real journal: what it makes of what is in there."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import contextmanager

import pytest

from dynamo.journal import Journal, Workspace
from dynamo.journal.database import DiskFullError
from dynamo.triggers.inbox import Inbox
from dynamo.triggers.sightings import Sightings
from dynamo.triggers.store import Store
from dynamo.triggers.wakefulness import Sighting
from dynamo.triggers.window import Window
from dynamo.watch.counts import Counts
from dynamo.watch.feed import read_feed
from dynamo.watch.health import health
from dynamo.watch.lookout import lookout

TEXT = """
workflow: ./flow.py:flow
inputs: {frame: 'in/*.txt'}
"""
WHEN = "trigger: {when: {run: now.yaml, product: '*.geojson', level: 45, area: 10 km2, hold: 60 s}, stale: 100 s}\n"
#: When the data begin: long ago, as of an archive.
BEGIN = 1_490_772_600.0


@pytest.fixture
def looked(tmp_path):
    """Open the lookout of a run file that waits, with its inbox and store."""
    Journal(Workspace.open(tmp_path / ".dynamo").journal).close()
    (tmp_path / "now.yaml").write_text(TEXT)

    @contextmanager
    def opened(when=WHEN):
        (tmp_path / "hail.yaml").write_text(TEXT + when)
        feed, workspace, counts = read_feed(tmp_path / "hail.yaml"), Workspace(tmp_path / ".dynamo"), Counts()
        with Store(workspace.journal) as store, lookout(feed, workspace, counts, "") as found:
            inbox = Inbox(store, feed.name, feed.rules, feed.readings)
            inbox.seen([], 0.0, 0.0)
            yield found, inbox, store, counts

    return opened


def heard(found, *seen):
    """Let runs of the other be seen, of data so many seconds after the begin."""
    digest = found._condition.digest
    rows = {str(n): Sighting(BEGIN + n, area, held=area >= 10) for n, area in seen}
    found._sightings.add("hail.yaml", digest, rows, time.time())
    asyncio.run(found.listen())


def comes(found, inbox, store, seconds):
    """Let a window come; return whether it is let be."""
    moment = BEGIN + seconds
    store.add_window("hail.yaml", Window(moment, moment, {}, data=moment), 0.0)
    return found.lets_be(store.window("hail.yaml", moment), inbox)


def test_one_that_waits_for_nothing_lets_nothing_be(looked):
    """And never listens again."""
    with looked("") as (found, inbox, store, counts):
        asyncio.run(found.listen())
        assert not comes(found, inbox, store, 0)
        assert found.roused(store, inbox) is None
        assert found.every == float("inf")
        assert counts.mood is None


def test_the_newest_that_was_let_be_is_run_when_it_wakes(looked):
    """As one that comes now, so that nobody thinks that it waited; those before it are not."""
    with looked() as (found, inbox, store, counts):
        heard(found, (0, 0))
        assert comes(found, inbox, store, 1)
        assert comes(found, inbox, store, 2)
        assert found.roused(store, inbox) is None
        assert (counts.asleep, counts.data_time) == (2, BEGIN + 2)
        heard(found, (3, 20))
        before = time.time()
        one = found.roused(store, inbox)
        assert (one.window.time, one.state) == (BEGIN + 2, "queued")
        assert one.queued >= before
        assert store.window("hail.yaml", BEGIN + 2).queued == one.queued
        assert found.roused(store, inbox) is None
        assert store.window("hail.yaml", BEGIN + 1).state == "asleep"


def test_what_is_too_far_behind_stays_asleep(looked):
    """By as much as is `stale`."""
    with looked() as (found, inbox, store, _):
        heard(found, (0, 0))
        assert comes(found, inbox, store, 1)
        heard(found, (102, 20))
        assert found.roused(store, inbox) is None
        heard(found, (50, 0))
        assert comes(found, inbox, store, 3) is False


@pytest.mark.parametrize("state", ["running", "done", "failed", "superseded"])
def test_what_was_overtaken_stays_asleep(looked, state):
    """A window that came later ran before it slept again."""
    with looked() as (found, inbox, store, _):
        heard(found, (0, 0))
        assert comes(found, inbox, store, 1)
        store.add_window("hail.yaml", Window(BEGIN + 2, BEGIN + 2, {}), 0.0)
        store.start("hail.yaml", BEGIN + 2, "run", 0.0)
        if state != "running":
            store.end("hail.yaml", BEGIN + 2, state, "", 0.0)
        heard(found, (3, 20))
        assert found.roused(store, inbox) is None


def test_that_the_other_sleeps_itself_is_fair_weather(looked):
    """Of a chain of three: it is no silence."""
    with looked() as (found, inbox, store, _):
        heard(found, (0, 0))
        for seconds in (30, 60, 90):
            store.add_window("now.yaml", Window(BEGIN + seconds, BEGIN + seconds, {}), 0.0)
            store.end("now.yaml", BEGIN + seconds, "asleep", "fair", 0.0)
            assert comes(found, inbox, store, seconds + 1)
        assert comes(found, inbox, store, 149)
        assert not comes(found, inbox, store, 151)
        assert found.now.cause == "silent"


def test_the_state_is_that_of_before_after_a_restart(looked):
    """Also where it was silence that it woke of, told by windows of its own; and nothing is recorded again."""
    with looked() as (found, inbox, store, counts):
        heard(found, (0, 0))
        assert not comes(found, inbox, store, 61)
        assert found.now.cause == "silent"
    with looked() as (found, inbox, store, counts):
        asyncio.run(found.listen())
        assert found.now.cause == "silent"
        assert "nothing certain was heard of now.yaml" in counts.troubles["when"]
        assert health(counts, time.time(), 60)["ok"]
        assert [one.cause for one in found._sightings.wakings("hail.yaml", 9)] == ["silent", "clear"]


def test_it_wakes_when_nothing_newer_comes_for_so_long_on_a_clock_that_nobody_sets(looked, monkeypatch):
    """The other's data stand still, and it has no windows of its own: only time goes on."""
    with looked() as (found, *_):
        heard(found, (0, 0))
        began = time.monotonic()
        for passed, cause in ((59.0, "clear"), (61.0, "silent")):
            monkeypatch.setattr(time, "monotonic", lambda now=began + passed: now)
            assert found.decide().cause == cause
        monkeypatch.undo()
        heard(found, (1, 0))
        assert found.now.cause == "clear"


def test_what_is_from_the_future_is_not_believed(looked):
    """Data of tomorrow: it would sleep until then."""
    with looked() as (found, *_):
        now = time.time() - BEGIN
        heard(found, (now - 30, 20), (now + 86_400, 0))
        assert found.now.cause == "held"


def test_where_the_disk_is_full_it_goes_on_and_says_so_once(looked, monkeypatch, caplog):
    """What it knows is in memory; only the list of wakings misses it."""

    def full(*_):
        raise DiskFullError("full")

    with looked() as (found, inbox, store, _), caplog.at_level(logging.INFO):
        heard(found, (0, 0))
        monkeypatch.setattr(Sightings, "add_waking", full)
        heard(found, (3, 20))
        asyncio.run(found.listen())
        assert not comes(found, inbox, store, 4)
    said = [record.getMessage() for record in caplog.records]
    assert [line.partition(":")[0] for line in said] == ["asleep", "awake"]


def test_a_run_without_the_product_is_a_trouble_until_one_has_it(looked):
    """Nothing was heard by it; here a run of which the journal knows no task."""
    with looked() as (found, inbox, store, counts):
        heard(found, (0, 0))
        store.add_window("now.yaml", Window(BEGIN + 9, BEGIN + 9, {}), 0.0)
        store.start("now.yaml", BEGIN + 9, "run-9", 0.0)
        store.end("now.yaml", BEGIN + 9, "done", "", 0.0)
        asyncio.run(found.listen())
        assert "run run-9 of now.yaml made no product like '*.geojson'" in counts.troubles["when"]
        assert comes(found, inbox, store, 10)
        heard(found, (20, 0))
        assert not counts.troubles


def test_a_price_lets_nothing_be_and_rises_with_the_weather(looked):
    """Also while nothing is known."""
    with looked(WHEN.replace("hold: 60 s", "hold: 60 s, priority: 10").replace("{when", "{priority: -2, when")) as (
        found, inbox, store, counts,
    ):  # fmt: skip
        asyncio.run(found.listen())
        assert (found.priority, counts.mood.said) == (10, "priority 10: nothing was heard of now.yaml yet")
        heard(found, (0, 0))
        assert found.priority == -2
        assert not comes(found, inbox, store, 1)
        heard(found, (2, 20))
        assert found.priority == 10
        assert counts.asleep == 0


def test_a_misspelt_product_is_said_as_that_and_not_as_a_long_silence(looked, caplog):
    """One run of the other is there, and says nothing: at once, and nothing was waited for."""
    caplog.set_level(logging.INFO)
    with looked() as (found, _, _, counts):
        wrong = Sighting(BEGIN, wrong="run now-1 made no product like '*.geojson'; it made rain.nc")
        found._sightings.add("hail.yaml", found._condition.digest, {"now-1": wrong}, time.time())
        asyncio.run(found.listen())
        yet = "nothing certain was heard of now.yaml yet: a run of now.yaml, data of 2017-03-29 07:30:00Z"
        said = f"{yet}, says nothing: {wrong.wrong}"
        assert caplog.messages == [f"awake: {said}"]
        assert counts.troubles["when"] == said
        assert "for more than" not in said
