"""How deliveries stand, in numbers: for the metrics of a watch, however many there are."""

from __future__ import annotations

from pathlib import Path

from dynamo.journal.database import Database

__all__ = ["tally"]

#: Each half is told by an index alone, in its own order.
_COUNT = """
    SELECT state, count(*) FROM deliveries
    WHERE state <> 'waiting' AND channel >= ?1 AND channel < ?2 GROUP BY channel, state
    UNION ALL
    SELECT 'waiting', count(*) FROM deliveries WHERE state = 'waiting' AND channel >= ?1 AND channel < ?2"""
#: No text that begins as a scope does comes after it with this behind.
_LAST = "\U0010ffff"


def tally(journal: Path, scope: str = "") -> dict[str, int]:
    """Return how many deliveries of the channels whose names begin with `scope` are in each state.

    Raises `WorkspaceError` where the journal cannot be read.
    """
    found = {"waiting": 0, "sent": 0, "dead": 0, "dropped": 0}
    database = Database(journal, ())
    try:
        for state, number in database.execute(_COUNT, (scope, scope + _LAST)):
            found[state] += number
    finally:
        database.close()
    return found
