"""What is kept of sightings in the journal, and of when feeds woke and fell asleep, so that a restart changes nothing.

Goes wrong: `WorkspaceError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dynamo.journal.database import Opened
from dynamo.triggers.wakefulness import Cause, Sighting

__all__ = ["Ended", "Sightings", "Waking"]

_ADD_SIGHTING = (
    "INSERT OR REPLACE INTO sightings (feed, condition, run, time, area, known, held, wrong, seen)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_ADD_WAKING = "INSERT INTO wakings (feed, at, awake, cause, said) VALUES (?, ?, ?, ?, ?)"
#: Runs that are told at once.
_MOST = 200


@dataclass(frozen=True, slots=True)
class Ended:
    """A run of a feed that ended: its id, the data time of its window (Unix seconds), and why it failed if it did."""

    run: str
    time: float
    reason: str


@dataclass(frozen=True, slots=True)
class Waking:
    """When a feed woke, or fell asleep (Unix seconds), and why."""

    at: float
    awake: bool
    cause: Cause
    said: str


class Sightings(Opened):
    """Sightings and wakings in the journal's file; may be used by one thread."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, (_ADD_SIGHTING, _ADD_WAKING))

    def fresh(self, feed: str, condition: str, other: str, span: float) -> list[Ended]:
        """Return runs of the `other` feed that nobody looked at for `feed` yet, the newest first.

        Those whose windows are up to `span` seconds older than its newest one that ended.
        """
        rows = self._db.execute(
            "SELECT run, time, reason FROM windows w WHERE feed = ?1 AND state IN ('done', 'failed')"
            " AND time >= (SELECT time FROM windows WHERE feed = ?1 AND state IN ('done', 'failed')"
            "   ORDER BY time DESC LIMIT 1) - ?2"
            " AND run != '' AND NOT EXISTS (SELECT 1 FROM sightings s"
            "   WHERE s.feed = ?3 AND s.condition = ?4 AND s.run = w.run)"
            " ORDER BY time DESC LIMIT ?5",
            (other, span, feed, condition, _MOST),
        )
        return [Ended(*row) for row in rows]

    def add(self, feed: str, condition: str, found: Mapping[str, Sighting], seen: float) -> None:
        """Record what runs showed, by their ids."""
        with self.change():
            for run, one in found.items():
                row = (feed, condition, run, one.time, one.area, one.known, one.held, one.wrong, seen)
                self._db.write(_ADD_SIGHTING, row)

    def sightings(self, feed: str, condition: str, span: float, until: float) -> list[Sighting]:
        """Return those of up to `span` seconds before the newest, without those after `until` (Unix seconds)."""
        rows = self._db.execute(
            "SELECT time, area, known, held, wrong FROM sightings WHERE feed = ?1 AND condition = ?2 AND time <= ?3"
            " AND time >= (SELECT max(time) FROM sightings WHERE feed = ?1 AND condition = ?2 AND time <= ?3) - ?4"
            " ORDER BY time",
            (feed, condition, until, span),
        )
        return [Sighting(time, area, known, bool(held), wrong) for time, area, known, held, wrong in rows]

    def newest(self, feed: str) -> float | None:
        """Return the data time of the newest window of a feed, whatever became of it (Unix seconds)."""
        found: tuple[float | None] = self._db.execute(
            "SELECT max(time) FROM windows WHERE feed = ?", (feed,)
        ).fetchone()
        return found[0]

    def asleep(self, feed: str, since: float) -> float | None:
        """Return the data time of the newest window after `since` that a feed let be because it slept."""
        found: tuple[float | None] = self._db.execute(
            "SELECT max(time) FROM windows WHERE feed = ? AND time > ? AND state = 'asleep'", (feed, since)
        ).fetchone()
        return found[0]

    def waking(self, feed: str) -> Waking | None:
        """Return when a feed woke or fell asleep last."""
        return next(iter(self.wakings(feed, 1)), None)

    def wakings(self, feed: str, limit: int) -> list[Waking]:
        """Return when a feed woke and fell asleep, the latest first."""
        rows = self._db.execute(
            "SELECT at, awake, cause, said FROM wakings WHERE feed = ? ORDER BY id DESC LIMIT ?",
            (feed, limit),
        )
        return [Waking(at, bool(awake), cause, said) for at, awake, cause, said in rows]

    def forget_wakings(self, feed: str) -> None:
        """Forget when a feed woke that waits for nothing any more."""
        self._db.execute("DELETE FROM wakings WHERE feed = ?", (feed,))

    def add_waking(self, feed: str, one: Waking) -> None:
        """Record that a feed woke or fell asleep."""
        self._db.write(_ADD_WAKING, (feed, one.at, one.awake, one.cause, one.said))
