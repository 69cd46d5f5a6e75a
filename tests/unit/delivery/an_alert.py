"""An alert, as channels are given it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dynamo.alerts.alert import Alert

SENT = datetime(2024, 5, 1, 7, 39, 1, tzinfo=UTC)
ALERT = Alert(
    id="a2", episode="e1", revision=0, kind="new", feed="nowcast", run="r1", subscriber="Baylor",
    lon=-96.78, lat=32.79, hazard="STORM", level=45.0, units="dBZ", issued=SENT, sent=SENT,
    onset=SENT + timedelta(minutes=12), ends=SENT + timedelta(minutes=20), inside=False, distance_km=3.24,
    bearing_deg=225.0, within_km=10.0, expires=SENT + timedelta(minutes=30),
)  # fmt: skip
