"""What is kept of arrivals and windows in the journal, so that a restart runs nothing twice and loses nothing.

All writes inside ``with store.change():`` are there whole or not at all. Goes wrong: `WorkspaceError`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import orjson

from dynamo.journal.database import Opened
from dynamo.triggers.arrival import Arrival, Outcome
from dynamo.triggers.window import Window

__all__ = ["Ended", "Feed", "Past", "Queued", "Store", "WindowState", "forget"]

WindowState = Literal["queued", "running", "done", "failed", "superseded", "passed", "asleep"]
#: Those that end a window.
Ended = Literal["done", "failed", "superseded", "asleep"]
#: Files of one input that a restart reads back for the windows to come.
FRAMES = 4096
#: Rows that are removed in one transaction, so that a watch does not wait long for it.
_BATCH = 5000
#: Outcomes of files that later windows may use.
_FRAMES = "('waiting', 'used', 'kept', 'backlog', 'late', 'passed')"

_SET_FEED = "INSERT OR REPLACE INTO feeds (feed, low, tick, since, backlog) VALUES (?, ?, ?, ?, ?)"
_SET_ARRIVAL = (
    "INSERT OR REPLACE INTO arrivals (feed, input, path, size, mtime, time, source, seen, outcome)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_SET_OUTCOME = (
    "UPDATE arrivals SET outcome = ? WHERE feed = ? AND input = ? AND path = ? AND size = ? AND mtime = ?"
)
_ADD_WINDOW = (
    "INSERT INTO windows (feed, time, first, files, complete, data, state, reason, queued, ended)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_START = (
    "UPDATE windows SET state = 'running', run = ?, started = ?"
    " WHERE feed = ? AND time = ? AND state IN ('queued', 'running')"
)
_END = (
    "UPDATE windows SET state = ?, reason = ?, ended = ?"
    " WHERE feed = ? AND time = ? AND state IN ('queued', 'running')"
)
_WAKE = (
    "UPDATE windows SET state = 'queued', reason = '', queued = ?, ended = NULL"
    " WHERE feed = ? AND time = ? AND state = 'asleep'"
)
_WRITES = (_SET_FEED, _SET_ARRIVAL, _SET_OUTCOME, _ADD_WINDOW, _START, _END, _WAKE)
_COLUMNS = "feed, time, first, files, complete, data, state, reason, run, queued, started, ended"


@dataclass(frozen=True, slots=True)
class Feed:
    """Where a feed stands, in Unix seconds.

    See `Windows.low`; the last tick of its clock; when it began; and up to which data time windows were asked for as a
    backlog.
    """

    low: float
    tick: float
    since: float
    backlog: float = -math.inf


@dataclass(frozen=True, slots=True)
class Past:
    """When a file last arrived and a window was last done, and of when the newest data done are; Unix seconds."""

    arrival: float | None
    done: float | None
    data: float | None


@dataclass(frozen=True, slots=True)
class Queued:
    """A window as it is recorded; `queued`, `started` and `ended` are Unix seconds."""

    feed: str
    window: Window
    state: WindowState
    reason: str
    run: str
    queued: float
    started: float | None
    ended: float | None


class Store(Opened):
    """Arrivals and windows in the journal's file; may be used by one thread."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _WRITES)

    # Feeds

    def feed(self, feed: str) -> Feed | None:
        """Return where a feed stands, or None where it never began."""
        row = self._db.execute(
            "SELECT low, tick, since, backlog FROM feeds WHERE feed = ?", (feed,)
        ).fetchone()
        return Feed(*row) if row else None

    def set_feed(self, feed: str, state: Feed) -> None:
        """Record where a feed stands."""
        self._db.write(_SET_FEED, (feed, state.low, state.tick, state.since, state.backlog))

    def past(self, feed: str) -> Past:
        """Return what a feed did last. What was there when it first began did not arrive."""
        (arrival,) = self._db.execute(
            "SELECT max(seen) FROM arrivals WHERE feed = ?1 AND seen > (SELECT since FROM feeds WHERE feed = ?1)",
            (feed,),
        ).fetchone()
        done, data = self._db.execute(
            "SELECT max(ended), max(data) FROM windows WHERE feed = ? AND state = 'done'", (feed,)
        ).fetchone()
        return Past(arrival, done, data)

    # Arrivals

    def is_known(self, feed: str, arrival: Arrival) -> bool:
        """Whether this file, unchanged, was recorded; not where it was deleted in the meantime."""
        row = self._db.execute(
            "SELECT size, mtime FROM arrivals WHERE feed = ? AND input = ? AND path = ? AND outcome != 'gone'",
            (feed, arrival.input, arrival.path),
        ).fetchone()
        return bool(row == (arrival.size, arrival.mtime))

    def add_arrival(self, feed: str, arrival: Arrival, seen: float, outcome: Outcome) -> None:
        """Record a file, in the place of what was recorded of its path."""
        a = arrival
        self._db.write(
            _SET_ARRIVAL, (feed, a.input, a.path, a.size, a.mtime, a.time, a.source, seen, outcome)
        )

    def set_outcome(self, feed: str, arrival: Arrival, outcome: Outcome) -> None:
        """Record what became of a file that was recorded."""
        a = arrival
        self._db.write(_SET_OUTCOME, (outcome, feed, a.input, a.path, a.size, a.mtime))

    def undecided(self, feed: str) -> list[Arrival]:
        """Return the files that wait for their window, or for their time."""
        return self._arrivals("feed = ? AND outcome IN ('waiting', 'ahead')", (feed,))

    def frames(self, feed: str, name: str) -> list[Arrival]:
        """Return the newest files of one input that windows know and later ones may use, the oldest first."""
        where = f"feed = ? AND input = ? AND outcome IN {_FRAMES} ORDER BY time DESC LIMIT {FRAMES}"
        return self._arrivals(where, (feed, name))[::-1]

    def outcomes(self, feed: str) -> dict[str, int]:
        """Return how many files had which outcome."""
        sql = "SELECT outcome, count(*) FROM arrivals WHERE feed = ? GROUP BY outcome"
        return dict(self._db.execute(sql, (feed,)).fetchall())

    def _arrivals(self, where: str, parameters: tuple[object, ...]) -> list[Arrival]:
        sql = f"SELECT input, path, size, mtime, time, source FROM arrivals WHERE {where}"  # noqa: S608 - ours
        return [Arrival(*row) for row in self._db.execute(sql, parameters)]

    # Windows

    def add_window(self, feed: str, window: Window, now: float) -> None:
        """Record a window as queued, or as passed over."""
        state, ended = ("passed", now) if window.passed else ("queued", None)
        files = orjson.dumps(dict(window.files)).decode()
        w = window
        row = (feed, w.time, w.first, files, w.complete, w.data, state, w.passed, now, ended)
        self._db.write(_ADD_WINDOW, row)

    def start(self, feed: str, time: float, run: str, now: float) -> None:
        """Record that a window runs, before its run begins."""
        self._db.write(_START, (run, now, feed, time))

    def end(self, feed: str, time: float, state: Ended, reason: str, now: float) -> None:
        """Record how a window ended."""
        self._db.write(_END, (state, reason, now, feed, time))

    def wake(self, feed: str, time: float, now: float) -> None:
        """Record that a window that was asleep is to be run."""
        self._db.write(_WAKE, (now, feed, time))

    def spans(self, feed: str, low: float) -> list[tuple[float, float]]:
        """Return first and last data time of each window from `low` on."""
        sql = "SELECT first, time FROM windows WHERE feed = ? AND time >= ? ORDER BY time"
        return self._db.execute(sql, (feed, low)).fetchall()

    def window(self, feed: str, time: float) -> Queued | None:
        """Return the window of this data time."""
        return next(iter(self._windows("feed = ? AND time = ?", (feed, time))), None)

    def windows(self, feed: str, states: Sequence[WindowState], limit: int = -1) -> list[Queued]:
        """Return the windows of a feed that are in one of these states, the newest first."""
        marks = ", ".join("?" * len(states))
        where = f"feed = ? AND state IN ({marks}) ORDER BY time DESC LIMIT ?"
        return self._windows(where, (feed, *states, limit))

    def standing(self) -> dict[str, dict[WindowState, tuple[int, float]]]:
        """Return, for each feed that ever began, how many windows are in each state, and their newest data time."""
        begun = self._db.execute("SELECT feed FROM feeds ORDER BY feed")
        found: dict[str, dict[WindowState, tuple[int, float]]] = {feed: {} for (feed,) in begun}
        rows = self._db.execute(
            "SELECT feed, state, count(*), max(time) FROM windows GROUP BY feed, state ORDER BY feed"
        )
        for feed, state, count, newest in rows:
            found.setdefault(feed, {})[state] = (count, newest)
        return found

    def of_run(self, run: str) -> Queued | None:
        """Return the window that a run was begun for."""
        return next(iter(self._windows("run = ?", (run,))), None)

    def pending(self, feed: str) -> list[Queued]:
        """Return the windows that are queued or running, the oldest first."""
        return self._windows("feed = ? AND state IN ('queued', 'running') ORDER BY time", (feed,))

    def _windows(self, where: str, parameters: tuple[object, ...]) -> list[Queued]:
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM windows WHERE {where}", parameters)  # noqa: S608 - ours
        return [
            Queued(feed, _window(time, first, files, complete, data, state, reason), state, reason, *rest)
            for feed, time, first, files, complete, data, state, reason, *rest in rows
        ]

    # Forgetting

    def forget(self, before: float) -> int:
        """Remove arrivals and windows that were decided before `before` (Unix seconds); return how many.

        What is newer than a feed's `low` stays, and so does `low`: a file that is still on disk, but forgotten,
        is late when it is seen again. So do files that the windows to come may use, while their input goes on.
        """
        arrivals = (
            "DELETE FROM arrivals WHERE (feed, input, path) IN (SELECT a.feed, a.input, a.path FROM arrivals a"
            " LEFT JOIN feeds f ON f.feed = a.feed WHERE a.seen < ? AND a.outcome NOT IN ('waiting', 'ahead')"
            " AND (a.time IS NULL OR a.time < coalesce(f.low, 9e999)) LIMIT ?)"
        )
        windows = (
            "DELETE FROM windows WHERE (feed, time) IN (SELECT w.feed, w.time FROM windows w"
            " LEFT JOIN feeds f ON f.feed = w.feed WHERE w.ended < ? AND w.state NOT IN ('queued', 'running')"
            " AND w.time < coalesce(f.low, 9e999) LIMIT ?)"
        )
        total = 0
        # The newest of each are what it goes by; a feed may have heard nothing for long.
        sightings = (
            "DELETE FROM sightings WHERE (feed, condition, run) IN (SELECT feed, condition, run FROM sightings s"
            " WHERE seen < ? AND time < (SELECT max(time) - 172800 FROM sightings o"
            " WHERE o.feed = s.feed AND o.condition = s.condition) LIMIT ?)"
        )
        wakings = (
            "DELETE FROM wakings WHERE id IN (SELECT id FROM wakings w WHERE at < ?"
            " AND id < (SELECT max(id) FROM wakings o WHERE o.feed = w.feed) LIMIT ?)"
        )
        for sql in (arrivals, windows, sightings, wakings):
            while count := self._db.execute(sql, (before, _BATCH)).rowcount:
                total += count
        return total


def _window(
    time: float, first: float, files: str, complete: int, data: float | None, state: str, reason: str
) -> Window:
    paths = {name: tuple(found) for name, found in orjson.loads(files).items()}
    return Window(time, first, paths, bool(complete), reason if state == "passed" else "", data)


def forget(path: Path, before: float) -> int:
    """For ``dynamo gc``: open the journal, `Store.forget`, close it."""
    with Store(path) as store:
        return store.forget(before)
