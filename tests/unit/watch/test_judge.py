"""Products of a run in, alerts out."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dynamo.alerts.lifecycle import Policy
from dynamo.alerts.store import AlertStore
from dynamo.alerts.subscriber import Subscribers
from dynamo.errors import DataError
from dynamo.runfile.alerts import AlertsRule, MatchRule
from dynamo.watch.judge import Judge, Products
from dynamo.watch.people import read_people

NOW = datetime.now(UTC).replace(microsecond=0)
RING = [[-97.2, 32.6], [-97.0, 32.6], [-97.0, 32.8], [-97.2, 32.8], [-97.2, 32.6]]


class Case:
    """A folder with products, and a judge of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "people.csv").write_text("id,lon,lat\nclinic,-97.1,32.7\n")
        rules = [MatchRule("STORM", 45.0, 5.0), MatchRule("HAIL")]
        people, _ = read_people(AlertsRule("people.csv", rules), folder, ["desk", "box"])
        self.subscribers: Callable[[], Subscribers] = lambda: people
        self.judge = Judge(
            folder / "journal.db", "a.yaml", self.subscribers, ["desk", "box"], ["*.geojson"], Policy(clear_after=1)
        )  # fmt: skip

    def made(self, run: str, minute: int = 0, name: str = "storm", levels=(50,), **more) -> Products:
        """Write a product of a run."""
        issued = (NOW + timedelta(minutes=minute)).isoformat()
        shapes = [
            {"type": "Feature", "properties": {"level": level}, "geometry": {"type": "Polygon", "coordinates": [RING]}}
            for level in levels
        ]  # fmt: skip
        head = {"hazard": "STORM", "units": "dBZ", "issued": issued, "valid_time": issued, **more}
        folder = self.folder / run
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.geojson").write_text(
            json.dumps({"type": "FeatureCollection", **head, "features": shapes})
        )
        (folder / "picture.png").write_bytes(b"no hazard")
        return Products(run, str(folder), sorted(str(path) for path in folder.iterdir()))


@pytest.fixture
def case(tmp_path):
    """A judge whose journal is closed in the end."""
    case = Case(tmp_path)
    yield case
    case.judge.close()


def test_a_run_is_judged_once(case):
    """The second time nobody is told anything; each channel of the feed has one delivery."""
    products = case.made("r1")
    (alert,) = case.judge(products)
    assert (alert.kind, alert.hazard, alert.level, alert.run) == ("new", "STORM", 50, "r1")
    assert case.judge(products) == []
    with AlertStore(case.folder / "journal.db") as store:
        assert store.counts() == {("a.yaml/box", "waiting"): 1, ("a.yaml/desk", "waiting"): 1}


def test_kinds_of_hazards_are_judged_by_themselves(case):
    """One is over, the other begins."""
    case.judge(case.made("r1"))
    case.made("r2", 1, levels=())
    told = case.judge(case.made("r2", 1, "hail", hazard="HAIL", levels=(2,)))
    assert sorted((alert.hazard, alert.kind) for alert in told) == [("HAIL", "new"), ("STORM", "cancelled")]


def test_levels_that_nobody_asks_for_are_as_if_they_were_not_there(case):
    """They tell nothing, and are no reason to go on."""
    assert case.judge(case.made("r1", levels=(30, 40))) == []
    (alert,) = case.judge(case.made("r2", 1, levels=(30, 45)))
    assert alert.level == 45
    (alert,) = case.judge(case.made("r3", 2, levels=(30,)))
    assert alert.kind == "cancelled"


def test_where_nothing_was_seen_there_is_no_all_clear(case):
    """A radar that is off says nothing about the storm."""
    case.judge(case.made("r1"))
    assert case.judge(case.made("r2", 1, levels=(), known_share=0.0)) == []
    (alert,) = case.judge(case.made("r3", 2, levels=(), known_share=0.9))
    assert alert.kind == "cancelled"


def test_older_data_tells_nothing(case):
    """Its run came late."""
    case.judge(case.made("r2", 1))
    assert case.judge(case.made("r1", 0, levels=(60,))) == []


def test_a_product_that_is_no_hazard_is_named_and_nothing_is_recorded(case):
    """Also of the products that are right: the run may be judged when it is mended."""
    products = case.made("r1")
    bad = case.folder / "r1" / "bad.geojson"
    bad.write_text("[1, 2]")
    with pytest.raises(DataError) as error:
        case.judge(Products("r1", products.folder, [*products.paths, str(bad)]))
    assert str(bad) in str(error.value)
    assert len(case.judge(products)) == 1
