"""Positions that subscribers posted: the newest of each, kept in the journal.

Enters: who is where since when. Leaves: the same, durable, for as long as it counts. Goes wrong: a place that is none
(`UserError`), the journal (`WorkspaceError`). A connection for each call: none of them is made often.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dynamo.errors import UserError
from dynamo.journal.database import Database

__all__ = ["AHEAD", "Position", "positions_since", "record_positions"]

#: Seconds by which a position may be ahead of our clock. What is more was recorded while our clock was wrong: nobody
#: is there yet.
AHEAD = 60.0

# Posted once more with the same time, it is the same position, or a correction.
_PUT = """
INSERT INTO positions (feed, subscriber, lon, lat, time) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (feed, subscriber) DO UPDATE SET lon = excluded.lon, lat = excluded.lat, time = excluded.time
WHERE excluded.time >= positions.time OR positions.time > ?6
"""
_KNOWN = "SELECT time FROM positions WHERE feed = ? AND subscriber = ?"
_SINCE = "SELECT subscriber, lon, lat FROM positions WHERE feed = ? AND time > ? AND time <= ?"


@dataclass(frozen=True, slots=True)
class Position:
    """Where a subscriber of a feed was at a time.

    Parameters
    ----------
    feed, subscriber
        Who.
    lon, lat
        WGS 84 degrees.
    time
        Unix seconds.

    Raises
    ------
    UserError
        There is no such place.
    """

    feed: str
    subscriber: str
    lon: float
    lat: float
    time: float

    def __post_init__(self) -> None:
        if not (abs(self.lon) <= 180 and abs(self.lat) <= 90):  # also where one is not a number
            swapped = abs(self.lat) <= 180 and abs(self.lon) <= 90
            raise UserError(
                f"longitude {self.lon:g}, latitude {self.lat:g} is out of range"
                + (": are they swapped?" if swapped else "; expected -180 to 180 and -90 to 90")
            )


def record_positions(journal: Path, positions: Iterable[Position]) -> list[float | None]:
    """Keep positions, all in one transaction that outlives a power cut.

    Returns
    -------
    list
        For each: None, or the later time (Unix seconds) of the one that is known, which then stays; one that is of
        the future does not.
    """
    database = Database(journal, ())
    try:
        database.execute("PRAGMA synchronous = FULL")
        with database.change():
            return [_put(database, position) for position in positions]
    finally:
        database.close()


def _put(database: Database, one: Position) -> float | None:
    row = (one.feed, one.subscriber, one.lon, one.lat, one.time, time.time() + AHEAD)
    if database.execute(_PUT, row).rowcount:
        return None
    return float(database.execute(_KNOWN, row[:2]).fetchone()[0])


def positions_since(journal: Path, feed: str, since: float) -> dict[str, tuple[float, float]]:
    """Return longitude and latitude of each subscriber of a feed who has been seen after `since` (Unix seconds).

    Not of one who is said to be somewhere in the future.
    """
    database = Database(journal, ())
    try:
        rows = database.execute(_SINCE, (feed, since, time.time() + AHEAD))
        return {subscriber: (lon, lat) for subscriber, lon, lat in rows}
    finally:
        database.close()
