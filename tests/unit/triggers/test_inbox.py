"""Inboxes on a real journal: what is recorded, and what a restart finds."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from dynamo.errors import InternalError, WorkspaceError
from dynamo.triggers.arrival import Reading, Seen
from dynamo.triggers.inbox import Inbox
from dynamo.triggers.rules import InputRules, Rules
from dynamo.triggers.store import Past, Store, forget

WALL = 1e9
ONE = Rules((InputRules("scan", last=3),))


def read(name):
    """The time of `scan-A-0012.nc` is 12."""
    found = re.search(r"-(\d+)\.nc", name)
    return datetime.fromtimestamp(int(found[1]), UTC) if found else None


@pytest.fixture
def place(tmp_path):
    """A folder of files, a journal, and inboxes on them as a new process makes them."""

    class Place:
        folder = tmp_path

        def __init__(self):
            self.stores = []

        def file(self, time, source="A", text="x"):
            path = tmp_path / f"scan-{source}-{time:04d}.nc"
            path.write_text(text)
            return Seen("scan", str(path), len(text), path.stat().st_mtime_ns)

        def inbox(self, rules=ONE, **options):
            self.stores.append(Store(tmp_path / "journal.db"))
            return Inbox(
                self.stores[-1],
                "feed",
                rules,
                {"scan": Reading(read, source=re.compile("-([A-Z])-"))},
                **options,
            )

    place = Place()
    yield place
    for store in place.stores:
        store.close()


def times(windows):
    return [(w.window.time, w.state) for w in windows]


def test_a_window_goes_from_queued_to_done(place):
    """Each state is in the journal, with its run."""
    inbox = place.inbox()
    assert inbox.last_tick is None
    assert inbox.seen([], 0, WALL) == []
    file = place.file(5)
    assert times(inbox.seen([file], 0, WALL)) == [(5, "queued")]
    inbox.taken(5, "run-1", WALL + 1)
    again = place.inbox()
    (found,) = again.pending()
    assert (found.state, found.run, found.window.files) == ("running", "run-1", {"scan": (file.path,)})
    again.finished(5, "done", WALL + 2)
    again.finished(5, "superseded", WALL + 3, "too late to say so")
    assert place.inbox().pending() == []
    done = place.stores[0].window("feed", 5)
    assert (done.state, done.queued, done.started, done.ended) == ("done", WALL, WALL + 1, WALL + 2)
    assert times(place.stores[0].windows("feed", ["done", "failed"])) == [(5, "done")]
    assert place.stores[0].outcomes("feed") == {"used": 1}


def test_what_was_recorded_is_not_taken_again(place):
    """A restart tells all files again, and only what arrived meanwhile makes windows, with the frames before it."""
    files = [place.file(t) for t in (1, 2)]
    inbox = place.inbox(backlog="all")
    assert times(inbox.seen(files, 0, WALL)) == [(1, "queued"), (2, "queued")]
    assert inbox.seen(files, 0, WALL) == []
    files.append(place.file(3))
    windows = place.inbox().seen(files, 0, WALL)
    assert times(windows) == [(3, "queued")]
    assert [p[-7:] for p in windows[0].window.files["scan"]] == ["0001.nc", "0002.nc", "0003.nc"]
    assert len(place.inbox().pending()) == 3


@pytest.mark.parametrize(("backlog", "expected"), [("all", [1, 2, 3]), ("latest", [3]), ("none", [])])
def test_the_backlog_is_handled_once(place, backlog, expected):
    """The choice is for the very first start; what arrives while nobody watches is always taken."""
    files = [place.file(t) for t in (1, 2, 3)]
    assert [w.window.time for w in place.inbox(backlog=backlog).seen(files, 0, WALL)] == expected
    assert place.stores[0].outcomes("feed").get("backlog", 0) == 3 - len(expected)
    files += [place.file(t) for t in (4, 5)]
    assert [w.window.time for w in place.inbox(backlog=backlog).seen(files, 0, WALL)] == [4, 5]


def test_what_waits_for_its_window_waits_on_after_a_restart(place):
    """Half a window is completed by a new process; a file that was deleted meanwhile is not part of it."""
    rules = Rules((InputRules("scan", sources=2),), wait=20)
    inbox = place.inbox(rules)
    inbox.seen([], 0, WALL)
    assert inbox.seen([place.file(5)], 0, WALL) == []
    assert inbox.due == 20
    after = place.inbox(rules)
    assert after.seen([], 500, WALL) == []
    assert after.due == 520
    assert times(after.seen([place.file(5, "B")], 501, WALL)) == [(5, "queued")]
    after.seen([place.file(6)], 502, WALL)
    (place.folder / "scan-A-0006.nc").unlink()
    last = place.inbox(rules)
    assert last.seen([], 0, WALL) == []
    assert last.due is None
    assert place.stores[0].outcomes("feed") == {"used": 2, "gone": 1}
    last.seen([place.file(6)], 0, WALL)
    assert times(last.seen([place.file(6, "B")], 0, WALL)) == [(6, "queued")]


def test_a_window_whose_wait_is_over_is_told_by_a_tick(place):
    """Also one that is passed over."""
    rules = Rules((InputRules("scan", sources=2, quorum=2),), wait=20)
    inbox = place.inbox(rules)
    inbox.seen([], 0, WALL)
    inbox.seen([place.file(5)], 0, WALL)
    assert times(inbox.tick(20, WALL)) == [(5, "passed")]
    assert inbox.pending() == []
    assert place.stores[0].window("feed", 5).reason == "scan: 1 of 2 sources when the wait was over"


def test_deleted_files_are_left_out(place):
    """A folder that keeps an hour of files gives no window a file that is gone."""
    inbox = place.inbox()
    inbox.seen([], 0, WALL)
    one = place.file(1)
    inbox.seen([one], 0, WALL)
    (window,) = inbox.seen([place.file(2)], 0, WALL, gone=[one.path])
    assert len(window.window.files["scan"]) == 1


def test_files_that_may_not_be_looked_at_are_not_gone(place, nobody):
    """Where a folder was locked before a restart, nothing fails, and what was known and waited is known and waits."""
    rules = Rules((InputRules("scan", last=3, sources=2),), wait=20)
    first = place.inbox(rules, backlog="all")
    first.seen([place.file(1)], 0, WALL)
    first.tick(20, WALL)
    first.seen([place.file(2)], 20, WALL)
    place.folder.chmod(0o000)
    with nobody():
        again = Inbox(place.stores[0], "feed", rules, {"scan": Reading(read)})
        again.seen([], 0, WALL)
        (window,) = again.tick(20, WALL)
    place.folder.chmod(0o700)
    assert len(window.window.files["scan"]) == 2


def test_files_that_come_back_are_frames_again(place):
    """A disk that was away for a while takes no frames from the windows after it, and makes none twice."""
    inbox = place.inbox(backlog="all")
    files = [place.file(t) for t in (1, 2)]
    inbox.seen(files, 0, WALL)
    inbox.seen([], 0, WALL, gone=[f.path for f in files])
    assert inbox.seen(files, 0, WALL) == []
    (window,) = inbox.seen([place.file(3)], 0, WALL)
    assert len(window.window.files["scan"]) == 3


def test_ticks_of_a_clock_are_taken_once(place):
    """Also where a restart comes while the tick's window waits for its data."""
    rules = Rules((InputRules("scan", drives=False),), wait=20)
    inbox = place.inbox(rules)
    with pytest.raises(InternalError):
        inbox.tick(0, WALL)
    inbox.seen([], 0, WALL)
    assert inbox.last_tick == WALL
    assert inbox.tick(0, WALL, WALL + 60) == []
    assert inbox.last_tick == WALL + 60
    inbox = place.inbox(rules)
    assert inbox.last_tick == WALL
    inbox.seen([place.file(7)], 0, WALL)
    assert times(inbox.tick(0, WALL, WALL + 60)) == [(WALL + 60, "queued")]
    assert inbox.tick(0, WALL, WALL + 60) == []
    inbox = place.inbox(rules)
    assert inbox.last_tick == WALL + 60
    inbox.seen([], 0, WALL)
    assert times(inbox.tick(0, WALL, WALL)) == [(WALL, "queued")]  # the clock was set back
    assert inbox.last_tick == WALL
    assert inbox.tick(0, WALL, WALL + 60) == []
    assert inbox.last_tick == WALL + 60


def test_what_is_forgotten_is_not_taken_again(place):
    """Old rows go, the mark of what was done stays: files that are still on disk are late."""
    files = [place.file(t) for t in range(1, 30)]
    inbox = place.inbox(backlog="all")
    for queued in inbox.seen(files, 0, WALL):
        inbox.taken(queued.window.time, "run", WALL)
        inbox.finished(queued.window.time, "done", WALL)
    assert forget(place.folder / "journal.db", WALL) == 0
    assert forget(place.folder / "journal.db", WALL + 1) == 56
    after = place.inbox(backlog="all")
    assert after.seen(files, 0, WALL) == []
    assert place.stores[0].outcomes("feed") == {"used": 1, "late": 28}
    (window,) = after.seen([place.file(30)], 0, WALL)
    assert [p[-7:] for p in window.window.files["scan"]] == ["0028.nc", "0029.nc", "0030.nc"]


def test_what_still_waits_is_not_forgotten(place):
    """Neither a window that is to run, nor a file whose window is open."""
    inbox = place.inbox(Rules((InputRules("scan", sources=2),)), backlog="all")
    inbox.seen([place.file(1), place.file(1, "B"), place.file(2)], 0, WALL)
    place.stores[0].forget(WALL * 2)
    assert times(inbox.pending()) == [(1, "queued")]
    assert len(place.stores[0].undecided("feed")) == 1


def test_a_change_is_whole_or_not_at_all(place):
    """Where the journal cannot be written, the next process finds nothing of it, and does it."""
    inbox = place.inbox()
    inbox.seen([], 0, WALL)
    file = place.file(1)
    place.stores[0]._db.execute("PRAGMA query_only = ON")
    with pytest.raises(WorkspaceError):
        inbox.seen([file], 0, WALL)
    assert times(place.inbox().seen([file], 0, WALL)) == [(1, "queued")]


def test_names_without_a_time(place):
    """The time of change stands in, unless the rules need one from the name."""
    path = place.folder / "latest.nc"
    path.write_text("x")
    seen = Seen("scan", str(path), 1, 7_500_000_000)
    assert Reading(read).arrival(seen).time == 7.5
    assert Reading(read, needs_time=True).arrival(seen).time is None
    assert Reading(read, source=re.compile("^[a-z]+")).arrival(seen).source == "latest"


def test_rules_and_readings_are_of_the_same_inputs(place):
    """A slip of the caller is told by name."""
    place.inbox()
    with pytest.raises(InternalError, match="inputs other, scan"):
        Inbox(place.stores[0], "feed", ONE, {"other": Reading(read)})


def test_on_a_full_disk_nothing_is_told_before_it_is_recorded_and_nothing_is_lost(place):
    """Nobody waits; each later call tries again, and what was decided follows in its order."""
    inbox = place.inbox(backlog="all")
    inbox.seen([place.file(1)], 0, WALL)
    full = place.stores[0]._db
    (pages,) = full.execute("PRAGMA page_count").fetchone()
    full.execute(f"PRAGMA max_page_count = {pages}")
    made = times(inbox.seen([place.file(t) for t in range(2, 900)], 1, WALL))
    assert inbox.full
    assert made == []
    inbox.finished(1, "done", WALL + 1)
    assert not inbox.taken(1, "run-1", WALL)
    assert inbox.tick(2, WALL) == []
    assert times(place.inbox().pending()) == [(1, "queued")]
    full.execute("PRAGMA max_page_count = 100000")
    assert times(inbox.tick(3, WALL)) == [(t, "queued") for t in range(2, 900)]
    assert not inbox.full
    assert times(place.inbox().pending()) == [(t, "queued") for t in range(2, 900)]
    assert place.stores[0].outcomes("feed") == {"used": 899}
    assert inbox.taken(899, "run-2", WALL)


def test_a_backlog_that_was_asked_for_is_known_after_a_restart(place):
    """By the data time of its newest file; another choice asks for nothing."""
    place.inbox(backlog="all").seen([place.file(t) for t in (1, 5)], 0, WALL)
    after = place.inbox()
    assert after.asked == 5
    after.seen([place.file(9)], 0, WALL)
    assert place.inbox().asked == 5
    assert place.stores[0].feed("other") is None


def test_what_was_there_at_first_did_not_arrive(place):
    """What came while nobody watched did, and what is known did so before."""
    files = [place.file(1)]
    first = place.inbox(backlog="all")
    first.seen(files, 0, WALL)
    assert first.arrived == 0
    assert place.stores[0].past("feed") == Past(None, None, None)
    files.append(place.file(2))
    after = place.inbox()
    after.seen(files, 0, WALL + 5)
    assert after.arrived == 1
    after.taken(2, "run", WALL)
    after.finished(2, "done", WALL + 7)
    assert place.stores[0].past("feed") == Past(WALL + 5, WALL + 7, 2)


def test_a_window_of_a_clock_knows_of_when_its_data_are(place):
    """Its own time is that of the tick; without any file it has none."""
    inbox = place.inbox(Rules((InputRules("scan", last=3, drives=False, quorum=0),)))
    inbox.seen([], 0, WALL)
    inbox.tick(0, WALL, WALL + 60)
    (empty,) = inbox.tick(30, WALL)
    inbox.seen([place.file(5), place.file(7)], 31, WALL)
    (window,) = inbox.tick(32, WALL, WALL + 120)
    assert (empty.window.data, window.window.time, window.window.data) == (None, WALL + 120, 7)
    assert [one.window.data for one in place.inbox().pending()] == [None, 7]


def test_files_from_the_future_are_known_while_they_wait(place):
    """The one from furthest ahead, also after a restart, until its time has come or it is deleted."""
    files = [place.file(5), place.file(2000), place.file(3000)]
    inbox = place.inbox()
    assert inbox.ahead is None
    assert times(inbox.seen(files, 0, 10)) == [(5, "queued")]
    assert inbox.ahead.time == 3000
    inbox = place.inbox()
    assert inbox.seen(files, 0, 10) == []
    assert inbox.ahead.time == 3000
    inbox.seen([], 0, 10, gone=[files[2].path])
    assert inbox.ahead.time == 2000
    assert times(inbox.tick(0, 1400)) == [(2000, "queued")]
    assert inbox.ahead is None
