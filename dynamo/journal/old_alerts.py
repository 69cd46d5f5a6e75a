"""Forgetting alerts that are over, so that a watch may run for years.

Enters: a journal and a time. Leaves: how many alerts went, each with its deliveries and their tries. An episode goes
as a whole, never one that is under way (unless its feed is not judged any more), nor one with a delivery that still
waits. Cycles go too, but for the newest of each feed and hazard, by which older data are known to be late; and
positions that nobody goes by any more.
"""

from __future__ import annotations

from pathlib import Path

from dynamo.journal.database import Database

__all__ = ["forget_alerts"]

#: How many alerts go in one transaction: other processes write between two.
_BATCH = 2000
#: Of an episode, the last alert was made, or expires, lately; or its hazard was judged lately, of old data perhaps: it
#: may still count to its all clear.
_GOES_ON = """(
  json_extract(state, '$[1][#-1]') >= ?1 OR json_extract(state, '$[8]') >= ?1
  OR (feed, hazard) IN (SELECT c.feed, c.hazard FROM cycles c WHERE max(c.issued, c.judged) >= ?1))
"""
_END = f"DELETE FROM episodes WHERE NOT {_GOES_ON}"  # noqa: S608 - constants
_GO_ON = f"SELECT json_extract(state, '$[0]') FROM episodes WHERE {_GOES_ON}"  # noqa: S608 - constants
_UNDER_WAY = "SELECT json_extract(state, '$[0]') FROM episodes"
#: Of an episode, the newest alert is old; and it does not go on; and nothing of it waits.
_OLD = """
SELECT a.id FROM alerts a
WHERE a.made < ?1
  AND a.episode NOT IN ({kept})
  AND NOT EXISTS (SELECT 1 FROM alerts b WHERE b.episode = a.episode AND b.made >= ?1)
  AND NOT EXISTS (
    SELECT 1 FROM alerts b JOIN deliveries d ON d.alert = b.id
    WHERE b.episode = a.episode AND d.state = 'waiting')
"""
#: A dead letter may have been put back into the queue meanwhile.
_FORGET = """
DELETE FROM alerts WHERE id = ?1
  AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.alert = ?1 AND d.state = 'waiting')
"""
_PICTURES = "DELETE FROM pictures WHERE NOT EXISTS (SELECT 1 FROM alerts a WHERE a.run = pictures.run)"
_OLD_CYCLES = """
DELETE FROM cycles WHERE issued < ?1
  AND issued < (SELECT max(c.issued) FROM cycles c WHERE c.feed = cycles.feed AND c.hazard = cycles.hazard)
"""


def forget_alerts(path: Path, *, before: float, dry_run: bool = False) -> int:
    """Forget alerts made, and cycles issued, before the Unix time `before`; return how many alerts.

    Cheap where little is old. `path` is the journal; raises `WorkspaceError` where it cannot be used.
    """
    database = Database(path, ())
    try:
        if dry_run:
            return len(_ids(database, _GO_ON, before))
        # To list them may take longer than others wait for a transaction. None is needed: what is not under way once
        # these have ended is never gone on with, so what is listed then gets no more alerts.
        database.execute(_END, (before,))
        old = _ids(database, _UNDER_WAY, before)
        gone = 0
        for first in range(0, len(old), _BATCH):
            with database.change():
                gone += sum(database.execute(_FORGET, (a,)).rowcount for a in old[first : first + _BATCH])
        if gone:
            database.execute(_PICTURES)
        database.execute(_OLD_CYCLES, (before,))
        database.execute("DELETE FROM earlier_cycles WHERE issued < ?", (before,))
        database.execute("DELETE FROM positions WHERE time < ?", (before,))
    finally:
        database.close()
    return gone


def _ids(database: Database, kept: str, before: float) -> list[str]:
    return [row[0] for row in database.execute(_OLD.format(kept=kept), (before,))]
