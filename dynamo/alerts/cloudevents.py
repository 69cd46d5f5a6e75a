"""CloudEvents 1.0 over HTTP: an alert as an event with GeoJSON in it, structured or binary, and back.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md

An `Alert` enters, the body and the headers of a request leave. The event's ``type`` is ``dynamo.alert.new``,
``.updated`` or ``.cancelled``, its ``subject`` the subscriber, and an exercise carries the attribute ``exercise``,
so that a router can tell it without reading the data. What can go wrong: a body that is no such event (`DataError`).
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from datetime import UTC
from typing import Any
from urllib.parse import quote

import orjson

from dynamo.alerts import geojson
from dynamo.alerts.alert import Alert
from dynamo.alerts.reading import json_from
from dynamo.alerts.words import plain
from dynamo.errors import DataError

__all__ = ["BINARY_MARK", "CONTENT_TYPE", "binary", "read_structured", "structured"]

CONTENT_TYPE = "application/cloudevents+json"
#: The header that tells a binary event from a body without one.
BINARY_MARK = "ce-specversion"

# Section 3.1.3.2: printable ASCII stands for itself, except space, double quote and percent.
_SAFE = "".join(c for c in string.printable if "!" <= c <= "~" and c not in '"%')


def _attributes(alert: Alert) -> dict[str, str | bool]:
    """Return the context attributes, without the content type of the data."""
    said: dict[str, str | bool] = {
        "specversion": "1.0",
        "id": plain(alert.id),
        "source": f"/dynamo/{quote(plain(alert.feed), safe='')}",
        "type": f"dynamo.alert.{alert.kind}",
        "time": alert.sent.astimezone(UTC).isoformat().replace("+00:00", "Z"),
    }
    if subject := plain(alert.subscriber):  # an empty one is not allowed
        said["subject"] = subject
    if alert.exercise:
        said["exercise"] = True
    return said


def structured(alert: Alert) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of an event that is all in the body."""
    event: dict[str, Any] = {
        **_attributes(alert),
        "datacontenttype": geojson.CONTENT_TYPE,
        "data": geojson.feature(alert),
    }
    return orjson.dumps(event), {"content-type": CONTENT_TYPE}


def binary(alert: Alert) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of an event whose attributes are headers; the body is the GeoJSON."""
    headers = {"content-type": geojson.CONTENT_TYPE}
    for name, value in _attributes(alert).items():
        headers[f"ce-{name}"] = quote("true" if value is True else str(value), safe=_SAFE)
    return geojson.dumps(alert), headers


def read_structured(body: bytes) -> Alert:
    """Return the alert of a structured event; of a binary one the body is GeoJSON, and read as such.

    Raises
    ------
    DataError
        It is no event, or not one of an alert.
    """
    event = json_from(body)
    if not isinstance(event, Mapping) or event.get("specversion") != "1.0" or "data" not in event:
        raise DataError("this is no CloudEvent 1.0 with data")
    return geojson.to_alert(event["data"])
