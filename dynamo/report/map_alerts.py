"""Who was told of the hazards of a run, and who asked to be: out of the journal, and out of a file of points.

Goes wrong: `UserError` where the file cannot be read or holds no points.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from dynamo.alerts.alert import Alert
from dynamo.alerts.words import headline
from dynamo.errors import UserError
from dynamo.journal.database import Database

__all__ = ["alerts_of", "people_in", "told"]

#: Alerts on one map at most, the latest.
MOST = 2_000

# Those of the run, and what the same episodes were told before; also the episodes that were open and not expired
# when the run's data was new: a quiet run is shown with the alerts that held during it.
_FIND = """
SELECT body FROM alerts WHERE run = ?1 OR (made <= ?2 AND episode IN (
    SELECT episode FROM alerts WHERE run = ?1
    UNION
    SELECT a.episode FROM alerts a WHERE a.made <= ?2 AND a.kind != 'cancelled' AND a.feed = ?3
        AND json_extract(a.body, '$.issued') <= ?4 AND json_extract(a.body, '$.expires') > ?4
        AND a.revision = (SELECT max(b.revision) FROM alerts b WHERE b.episode = a.episode AND b.made <= ?2)
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


def people_in(path: Path) -> list[dict[str, Any]]:
    """Return the points of a GeoJSON file with the names they have: ``id``, ``lon`` and ``lat``."""
    try:
        said = orjson.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"cannot read the subscribers {path}: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise UserError(f"{path} is no GeoJSON: {error}") from error
    features = said.get("features") if isinstance(said, dict) else None
    if not isinstance(features, list):
        raise UserError(f"{path} is no GeoJSON FeatureCollection of points")
    return [_person(path, number, feature) for number, feature in enumerate(features, 1)]


def _person(path: Path, number: int, feature: Any) -> dict[str, Any]:
    try:
        if feature["geometry"]["type"] != "Point":
            raise ValueError  # noqa: TRY301 - told below like all that is no point
        lon, lat = map(float, feature["geometry"]["coordinates"][:2])
        known = feature.get("properties") or {}
        name = feature.get("id") or known.get("id") or known.get("name") or f"point {number}"
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{path}, feature {number}: expected a GeoJSON Point with longitude, latitude"
        ) from error
    return {"id": str(name), "lon": lon, "lat": lat}
