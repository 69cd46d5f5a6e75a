"""GeoJSON: an alert as one Feature (RFC 7946), and back.

The geometry is the hazard near the place, or the place itself where there is none (an all clear). The properties
are all facts of the alert by the names that `Alert` has, and its headline. What can go wrong: bytes that are no
such Feature (`DataError`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson

from dynamo.alerts.alert import Alert
from dynamo.alerts.reading import alert_from, json_from
from dynamo.alerts.words import headline
from dynamo.errors import DataError

__all__ = ["CONTENT_TYPE", "dumps", "feature", "loads", "to_alert"]

CONTENT_TYPE = "application/geo+json"


def feature(alert: Alert) -> dict[str, Any]:
    """Return the Feature as JSON values; a broken half of a character (a lone surrogate) becomes ``?``."""
    # Polygons are JSON as they are; to copy them would cost more than all the rest.
    facts = replace(alert, polygons=None).to_json()
    del facts["polygons"]
    said = {name: _whole(value) for name, value in facts.items()}
    return {
        "type": "Feature",
        "id": said["id"],
        "geometry": alert.polygons or {"type": "Point", "coordinates": [alert.lon, alert.lat]},
        "properties": {"headline": headline(alert), **said},
    }


def _whole(value: Any) -> Any:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def dumps(alert: Alert) -> bytes:
    """Return the Feature as UTF-8."""
    return orjson.dumps(feature(alert))


def loads(body: bytes) -> Alert:
    """Return the alert of a Feature.

    Raises
    ------
    DataError
        It is no JSON, or no Feature of an alert.
    """
    return to_alert(json_from(body))


def to_alert(said: Any) -> Alert:
    """Return the alert of a Feature that was read from JSON; `DataError` as `loads`."""
    try:
        geometry, properties = said["geometry"], said["properties"]
        polygons = geometry if geometry["type"] in {"Polygon", "MultiPolygon"} else None
        facts = {**properties, "polygons": polygons}
    except (KeyError, TypeError) as error:
        raise DataError("this is no GeoJSON Feature of an alert") from error
    return alert_from(facts)
