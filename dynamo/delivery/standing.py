"""How deliveries stand, in numbers: for the metrics of a watch, however many there are."""

from __future__ import annotations

from pathlib import Path

from dynamo.journal.database import Database

__all__ = ["standing"]

#: Each half is told by an index alone.
_COUNT = """
    SELECT state, count(*) FROM deliveries
    WHERE state <> 'waiting' AND channel >= ?1 AND channel < ?2 GROUP BY state
    UNION ALL
    SELECT 'waiting', count(*) FROM deliveries WHERE state = 'waiting' AND channel >= ?1 AND channel < ?2"""
#: No text that begins as a scope does comes after it with this behind.
_LAST = "\U0010ffff"


def standing(journal: Path, scope: str = "") -> dict[str, int]:
    """Return how many deliveries of the channels whose names begin with `scope` are in each state.

    Raises `WorkspaceError` where the journal cannot be read.
    """
    database = Database(journal, ())
    try:
        found = dict(database.execute(_COUNT, (scope, scope + _LAST)).fetchall())
    finally:
        database.close()
    return {state: found.get(state, 0) for state in ("waiting", "sent", "dead", "dropped")}
