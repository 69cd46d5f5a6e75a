"""Reading: an alert from what came over a wire, where nothing is taken on trust.

Names and values enter, text or JSON, an `Alert` leaves whose every field has its type. What can go wrong: something
is missing or is not what it should be (`DataError`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from dynamo.alerts.alert import Alert
from dynamo.errors import DataError, InternalError

__all__ = ["alert_from", "json_from"]

_NUMBERS = ("lon", "lat", "level", "distance_km", "bearing_deg", "within_km")
_TIMES = ("issued", "sent", "expires")
_TEXTS = ("id", "episode", "feed", "run", "subscriber", "hazard", "units", "source")
_FLAGS = {True: True, False: False, "true": True, "false": False}


def json_from(body: bytes) -> Any:
    """Return the values of a JSON text; `DataError` where it is none."""
    try:
        return orjson.loads(body)
    except ValueError as error:
        raise DataError(f"this is no JSON: {error}") from None


def alert_from(said: Mapping[str, Any]) -> Alert:
    """Return the alert that `said` tells, by the names that `Alert` has; numbers and flags may be text.

    Raises
    ------
    DataError
        It tells none.
    """
    try:
        read: dict[str, Any] = dict(said)
        read.update({name: _finite(said[name]) for name in _NUMBERS})
        read.update({name: str(said[name]) for name in _TEXTS})
        read.update({name: _FLAGS[said[name]] for name in ("inside", "exercise")})
        read["revision"] = int(said["revision"])
        alert = Alert.from_json(read)
        times = [*(getattr(alert, name) for name in _TIMES), *(r.sent for r in alert.references)]
        times += [time for time in (alert.onset, alert.ends) if time]
        if not all(isinstance(time, datetime) and time.tzinfo for time in times):
            raise DataError("a time without a zone")
    except (InternalError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise DataError(f"this tells no alert: {error}") from error
    return alert


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{number} is no number to go by")
    return number
