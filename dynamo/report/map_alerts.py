"""Who was told of the hazards of a run: out of the journal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from dynamo.alerts.alert import Alert
from dynamo.alerts.words import headline
from dynamo.journal.database import Database

__all__ = ["alerts_of", "told"]

#: Alerts on one map at most, the latest.
MOST = 2_000

# Those of the run, and what the same episodes were told before; also the episodes that were open and not expired
# when the run's data was new: a quiet run is shown with the alerts that held during it. A branch of an episode has ids
# that begin with its own name.
_FIND = """
SELECT body FROM alerts WHERE run = ?1 OR (made <= ?2 AND episode IN (
    SELECT episode FROM alerts WHERE run = ?1
    UNION
    SELECT a.episode FROM alerts a WHERE a.made <= ?2 AND a.kind != 'cancelled' AND a.feed = ?3
        AND json_extract(a.body, '$.issued') <= ?4 AND json_extract(a.body, '$.expires') > ?4
        AND a.revision = (SELECT max(b.revision) FROM alerts b WHERE b.episode = a.episode AND b.made <= ?2
            AND rtrim(b.id, '0123456789') = rtrim(a.id, '0123456789'))
)) ORDER BY made DESC LIMIT ?5
"""
_UNTIL = "SELECT max(made) FROM alerts WHERE run = ?"


def alerts_of(journal: Path, run: str, feed: str, *, issued: str, ended: float) -> list[Alert]:
    """Return the alerts of a run and of the episodes that were open in it, the latest first.

    ``issued`` is the time of the run's data (RFC 3339, as alerts write it), ``ended`` (Unix seconds) when it ended.
    """
    database = Database(journal, [])
    try:
        (made,) = database.execute(_UNTIL, (run,)).fetchone()
        until = max(made or 0.0, ended)
        rows = database.execute(_FIND, (run, until, feed, issued, MOST)).fetchall()
    finally:
        database.close()
    return [Alert.from_json(orjson.loads(body)) for (body,) in rows]


def told(alert: Alert) -> dict[str, Any]:
    """Return of an alert what the page shows."""
    said = alert.to_json()
    names = ("id", "kind", "subscriber", "lon", "lat", "sent", "onset", "ends", "run", "exercise")
    return {name: said[name] for name in names} | {"headline": headline(alert)}
