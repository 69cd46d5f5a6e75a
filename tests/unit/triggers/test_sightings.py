"""What is kept of sightings, and windows that were let be, in a real journal."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from importlib.resources import files

import pytest

from dynamo.journal import Journal
from dynamo.triggers.sightings import Ended, Sightings, Waking
from dynamo.triggers.store import Feed, Store, forget
from dynamo.triggers.wakefulness import Sighting
from dynamo.triggers.window import Window

KEY = ("hail.yaml", "condition")


@pytest.fixture
def journal(tmp_path):
    """A file of this version."""
    path = tmp_path / "journal.db"
    Journal(path).close()
    return path


def ran(store, feed, time, state="done", reason=""):
    """Record a window that ended."""
    store.add_window(feed, Window(time, time, {}), 0.0)
    if state != "asleep":
        store.start(feed, time, f"{feed}-{time:g}", 0.0)
    store.end(feed, time, state, reason, 0.0)


def test_runs_are_told_until_they_were_looked_at_the_newest_first(journal):
    """Those of the other feed that ended, no older than the span behind its newest; each for each condition."""
    with Store(journal) as store, Sightings(journal) as sightings:
        assert sightings.fresh(*KEY, "now.yaml", 100) == []
        for time, state in ((0.0, "done"), (50.0, "failed"), (100.0, "done"), (150.0, "superseded")):
            ran(store, "now.yaml", time, state, "no rain" if state == "failed" else "")
        ran(store, "other.yaml", 100.0)
        store.add_window("now.yaml", Window(200.0, 200.0, {}), 0.0)
        newest, failed = Ended("now.yaml-100", 100.0, ""), Ended("now.yaml-50", 50.0, "no rain")
        assert sightings.fresh(*KEY, "now.yaml", 99) == [newest, failed]
        sightings.add(*KEY, {newest.run: Sighting(100.0, 3.0, 0.5, held=True)}, 1.0)
        assert sightings.fresh(*KEY, "now.yaml", 99) == [failed]
        assert sightings.fresh("hail.yaml", "another", "now.yaml", 99) == [newest, failed]
        sightings.add(*KEY, {failed.run: Sighting(50.0, wrong="no rain")}, 1.0)
        assert sightings.fresh(*KEY, "now.yaml", 99) == []
        assert sightings.sightings(*KEY, 50, 1e9) == [
            Sighting(50.0, wrong="no rain"), Sighting(100.0, 3.0, 0.5, held=True),
        ]  # fmt: skip
        assert sightings.sightings(*KEY, 49, 1e9) == [Sighting(100.0, 3.0, 0.5, held=True)]
        assert sightings.sightings(*KEY, 49, 99) == [Sighting(50.0, wrong="no rain")]


def test_that_the_other_sleeps_is_told_by_the_newest_window_that_it_let_be(journal):
    """After what was heard of it last."""
    with Store(journal) as store, Sightings(journal) as sightings:
        assert sightings.newest("now.yaml") is None
        ran(store, "now.yaml", 10.0, "asleep")
        ran(store, "now.yaml", 20.0)
        assert sightings.asleep("now.yaml", 0.0) == 10.0
        assert sightings.asleep("now.yaml", 10.0) is None
        assert sightings.newest("now.yaml") == 20.0


def test_a_window_that_was_let_be_may_be_run_after_all(journal):
    """As one that came just now; no other state is undone."""
    with Store(journal) as store:
        ran(store, "hail.yaml", 1.0, "asleep", "fair weather")
        ran(store, "hail.yaml", 2.0)
        for time in (1.0, 2.0):
            store.wake("hail.yaml", time, 7.0)
        found = store.window("hail.yaml", 1.0)
        assert (found.state, found.reason, found.queued, found.ended) == ("queued", "", 7.0, None)
        assert store.window("hail.yaml", 2.0).state == "done"
        assert [one.window.time for one in store.pending("hail.yaml")] == [1.0]


def test_when_it_woke_is_told_the_latest_first_and_forgotten(journal):
    """But for the last of each feed, and what was seen lately by the time of data."""
    day = 86_400.0
    with Store(journal) as store, Sightings(journal) as sightings:
        store.set_feed("hail.yaml", Feed(0.0, 0.0, 0.0))
        for at in (1.0, 2.0, 3.0):
            sightings.add_waking("hail.yaml", Waking(at, at == 2.0, "held", "why"))
        sightings.add(*KEY, {str(time): Sighting(time) for time in (0.0, day, 3 * day)}, 1.0)
        assert sightings.waking("hail.yaml") == Waking(3.0, awake=False, cause="held", said="why")
        assert [one.at for one in sightings.wakings("hail.yaml", 2)] == [3.0, 2.0]
        assert forget(journal, 1e9) == 3
        assert [one.at for one in sightings.wakings("hail.yaml", 9)] == [3.0]
        assert [one.time for one in sightings.sightings(*KEY, 9 * day, 1e9)] == [day, 3 * day]
        sightings.forget_wakings("hail.yaml")
        assert sightings.waking("hail.yaml") is None


def test_a_journal_of_before_is_brought_up_to_date_with_its_windows(tmp_path):
    """All columns stand as they did, what was open is found, and windows may sleep."""
    path = tmp_path / "journal.db"
    scripts = sorted(one for one in files("dynamo.journal").iterdir() if one.name.endswith(".sql"))
    older = [one for one in scripts if one.name < "0017"]
    with closing(sqlite3.connect(path)) as db:
        for script in older:
            db.executescript(script.read_text())
        rows = [
            ("a.yaml", 1.0, 0.5, '{"f": ["x"]}', 1, "done", "", "run", 2.0, 3.0, 4.0, 0.9),
            ("a.yaml", 2.0, 2.0, "{}", 0, "queued", "", "", 2.0, None, None, None),
        ]
        columns = "feed, time, first, files, complete, state, reason, run, queued, started, ended, data"
        db.executemany(f"INSERT INTO windows ({columns}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", rows)
        db.execute(f"PRAGMA user_version = {len(older)}")
        db.commit()
    with Store(path) as store:
        assert store.window("a.yaml", 1.0).window == Window(1.0, 0.5, {"f": ("x",)}, data=0.9)
        assert [one.window.time for one in store.pending("a.yaml")] == [2.0]
        store.end("a.yaml", 2.0, "asleep", "fair weather", 5.0)
        assert store.window("a.yaml", 2.0).state == "asleep"
    with closing(sqlite3.connect(path)) as db:
        assert db.execute(f"SELECT {columns} FROM windows WHERE time = 1").fetchall() == rows[:1]
