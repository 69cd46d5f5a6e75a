"""What is over when it is judged is no new alert."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from dynamo.alerts.policy import Policy
from dynamo.runfile.alerts import AlertsRule, MatchRule
from dynamo.watch.judge import Judge, Products
from dynamo.watch.people import read_people

RING = [[-97.2, 32.6], [-97.0, 32.6], [-97.0, 32.8], [-97.2, 32.8], [-97.2, 32.6]]


class Case:
    """A judge of products whose data is of some minutes ago, with a storm at some of the lead times."""

    def __init__(self, folder, *rules):
        self.folder = folder
        (folder / "people.csv").write_text("id,lon,lat\nclinic,-97.1,32.7\n")
        people, _ = read_people(AlertsRule("people.csv", [*rules]), folder, ["desk"])
        self.judge = Judge(
            folder / "journal.db", "a.yaml", lambda: people, ["desk"], ["*.geojson"], Policy(clear_after=2)
        )

    def told(self, run, ago, near, leads=(0, 5, 10, 60)):
        """Kinds of the alerts of a run whose data is `ago` minutes old, with a storm at the lead times `near`."""
        issued = datetime.now(UTC) - timedelta(minutes=ago)
        folder = self.folder / run
        folder.mkdir()
        for lead in leads:
            head = {
                "type": "FeatureCollection", "hazard": "STORM", "units": "dBZ", "issued": issued.isoformat(),
                "valid_time": (issued + timedelta(minutes=lead)).isoformat(), "lead_minutes": lead, "known_share": 1.0,
            }  # fmt: skip
            shape = {"type": "Feature", "properties": {"level": 50},
                     "geometry": {"type": "Polygon", "coordinates": [RING]}}  # fmt: skip
            text = json.dumps({**head, "features": [shape] if lead in near else []})
            (folder / f"storm-{lead}.geojson").write_text(text)
        verdict = self.judge(Products(run, str(folder), sorted(map(str, folder.iterdir()))))
        assert verdict.faults == ()
        return [alert.kind for alert in verdict.alerts]


@pytest.fixture
def case(tmp_path):
    """Make one; its journal is closed in the end."""
    made = []

    def make(*rules):
        made.append(Case(tmp_path, *rules or [MatchRule("STORM", 45.0, 5.0)]))
        return made[-1]

    yield make
    for one in made:
        one.judge.close()


@pytest.mark.parametrize(
    ("ago", "near", "kinds"),
    [
        (12, [0], []),  # the field of 10 minutes has come, and is clear
        (12, [0, 5], ["new"]),  # clear for too short a time: what is unknown has no polygon either
        (12, [0, 5, 10], ["new"]),  # nobody knows when it goes
        (7, [0], ["new"]),
        (3, [0], ["new"]),
        (12, [0, 60], ["new"]),  # it comes again
        (12, [60], ["new"]),
        (90, [0], ["new"]),  # old data, played again
    ],
)
def test_a_new_alert_is_not_for_what_is_over(case, ago, near, kinds):
    """By the data itself: a later field whose time has come shows the place clear."""
    assert case().told("r1", ago, near) == kinds


def test_of_a_single_field_all_is_told(case):
    """It is always of a time that has passed, and nothing says that the storm is gone."""
    assert case().told("r1", 20, [0], leads=(0,)) == ["new"]


def test_a_field_that_the_rule_does_not_look_at_clears_nothing(case):
    """Nor one that another rule of his does not look at: nobody knows then."""
    short = MatchRule("STORM", 45.0, 5.0, lead=120)
    assert case(short).told("r1", 12, [0]) == ["new"]


def test_who_was_told_goes_on_to_be_told(case):
    """A late cycle updates, and is no clear one."""
    one = case()
    assert one.told("r1", 20, [0, 5, 10, 60]) == ["new"]
    assert one.told("r2", 12, [0]) == []
    assert one.told("r3", 4, []) == []
    assert one.told("r4", 3, []) == ["cancelled"]
