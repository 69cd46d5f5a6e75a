"""What is judged late: told as what was, and not sent where it has expired."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from dynamo.alerts.cap import dumps
from dynamo.alerts.policy import Policy
from dynamo.alerts.store import AlertStore
from dynamo.alerts.words import describe, headline
from dynamo.delivery.outbox import Outbox
from dynamo.runfile.alerts import AlertsRule, MatchRule
from dynamo.watch.judge import Judge, Products
from dynamo.watch.people import read_people

RING = [[-97.2, 32.6], [-97.0, 32.6], [-97.0, 32.8], [-97.2, 32.8], [-97.2, 32.6]]


class Case:
    """A judge of products whose data is of some minutes ago, with a storm at some of the lead times."""

    def __init__(self, folder):
        self.folder, self.journal = folder, folder / "journal.db"
        (folder / "people.csv").write_text("id,lon,lat\nclinic,-97.1,32.7\n")
        people, _ = read_people(AlertsRule("people.csv", [MatchRule("STORM", 45.0, 5.0)]), folder, ["desk"])
        self.judge = Judge(self.journal, "a.yaml", lambda: people, ["desk"], ["*.geojson"], Policy())

    def told(self, run, ago, near, known=1.0):
        """Alerts of a run whose data is `ago` minutes old; `known` is the share at lead times after the first."""
        issued = datetime.now(UTC) - timedelta(minutes=ago)
        folder = self.folder / run
        folder.mkdir()
        for lead in (0, 5, 10):
            head = {
                "type": "FeatureCollection", "hazard": "STORM", "units": "dBZ", "issued": issued.isoformat(),
                "valid_time": (issued + timedelta(minutes=lead)).isoformat(), "lead_minutes": lead,
                "known_share": known if lead else 1.0,
            }  # fmt: skip
            shape = {"type": "Feature", "properties": {"level": 50},
                     "geometry": {"type": "Polygon", "coordinates": [RING]}}  # fmt: skip
            text = json.dumps({**head, "features": [shape] if lead in near else []})
            (folder / f"storm-{lead}.geojson").write_text(text)
        return self.judge(Products(run, str(folder), sorted(map(str, folder.iterdir())))).alerts

    def sent(self, alert):
        """Whether a sender has the only delivery of an alert to send now, and how it stands then."""
        with Outbox(self.journal, "one", scope="a.yaml/") as outbox:
            batches = outbox.claim(datetime.now(UTC).timestamp(), healthy=9)
            outbox.record([], [batch.channel for batch in batches], 0.0)
        with AlertStore(self.journal) as store:
            (delivery,) = store.deliveries(alert.id)
        items = [item.id for batch in batches for item in batch.items]
        return delivery.id in items, f"{delivery.state} {delivery.reason}".strip()


@pytest.fixture
def case(tmp_path):
    """Make one; its journal is closed in the end."""
    case = Case(tmp_path)
    yield case
    case.judge.close()


@pytest.mark.parametrize("known", [1.0, 0.3, 0.0])
@pytest.mark.parametrize("ago", [12, 25])
def test_a_storm_is_told_whatever_later_fields_do_not_show(case, ago, known):
    """Where they show nothing it may be unknown, below the storm itself; so it is told as what was."""
    (alert,) = case.told("r1", ago, [0], known)
    assert (alert.kind, alert.ends, case.sent(alert)) == ("new", alert.issued, (True, "waiting"))
    until = f"until {alert.ends:%H:%M} UTC"
    said = f"STORM 50 dBZ was within 5 km of clinic at least {until}"
    if alert.ends.date() == alert.sent.date():
        assert headline(alert) == said
        assert f"<headline>{said}</headline>" in dumps(alert).decode()
    assert f"from {alert.onset:%Y-%m-%d %H:%M} UTC, at least until {alert.ends:%Y-%m-%d %H:%M}" in describe(
        alert
    )


def test_what_has_expired_when_it_is_judged_is_recorded_and_not_sent(case):
    """The storm that is still there with the next data is sent."""
    (alert,) = case.told("r1", 45, [0])
    assert alert.expires < alert.sent
    assert case.sent(alert) == (False, "dropped expired")
    (alert,) = case.told("r2", 5, [0])
    assert (alert.kind, case.sent(alert)) == ("updated", (True, "waiting"))
