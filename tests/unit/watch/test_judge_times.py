"""The judge where the times of products and those of their files differ."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta

import pytest

from dynamo.alerts.policy import Policy
from dynamo.runfile.alerts import AlertsRule, MatchRule
from dynamo.watch.judge import Judge, Products
from dynamo.watch.people import read_people
from dynamo.watch.times import Times

NOON = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)


@pytest.fixture
def judged(tmp_path):
    """Judge a run with data of some minute in a window of another."""
    (tmp_path / "people.csv").write_text("id,lon,lat\nclinic,-97.1,32.7\n")
    people, _ = read_people(AlertsRule("people.csv", [MatchRule("STORM")]), tmp_path, ["desk"])
    judge = Judge(tmp_path / "journal.db", "a.yaml", lambda: people, ["desk"], ["*.geojson"], Policy())

    def run(minute, window):
        folder = tmp_path / f"r{minute}-{window}"
        folder.mkdir()
        issued = (NOON + timedelta(minutes=minute)).isoformat()
        head = {"hazard": "STORM", "units": "dBZ", "issued": issued, "valid_time": issued, "known_share": 1.0}
        path = folder / "storm.geojson"
        path.write_text(json.dumps({"type": "FeatureCollection", **head, "features": []}))
        times = Times(NOON.timestamp() + 60 * window)
        return judge(Products(folder.name, str(folder), [str(path)], times, "a.yaml: "))

    run.judge = judge
    yield run
    judge.close()


def test_products_of_another_time_than_their_files_are_told_once_and_again_where_it_turns(judged, caplog):
    """As long as it is so it stands in the verdict."""
    sides = [judged(*of).off for of in ((0, 0), (1, 61), (2, 62), (3, 63), (64, 4), (65, 65), (66, 126))]
    assert [bool(said) for said in sides] == [False, True, True, True, True, False, True]
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 3
    assert all(one.startswith("a.yaml: STORM: products are of ") for one in said)


def test_a_run_without_hazards_does_not_change_that_products_are_of_another_time(judged):
    """It says nothing of times: what is wrong is not mended by a run of which a part failed."""
    said = judged(0, 60).off
    assert said
    assert judged.judge(Products("r", "", [], missing=["storm.geojson"])).off == said


def test_a_window_without_newer_data_is_told_with_its_time(judged, caplog):
    """A newest frame that was damaged: where to look is told, too."""
    judged(0, 0)
    judged(1, 1)
    verdict = judged(1, 2)
    said = verdict.standings["STORM"].words
    assert (
        f"in the window of {NOON + timedelta(minutes=2):%Y-%m-%d %H:%M:%SZ}: not newer than what was judged"
        in said
    )
    assert said.endswith("so nobody is told; see dynamo logs --run r1-2")
    assert [record.getMessage() for record in caplog.records] == [f"a.yaml: {said}"]
    assert judged(3, 3).standings["STORM"].state == "judged"


def test_a_window_that_comes_late_itself_changes_not_how_its_kind_stands(judged, caplog):
    """Those of a backlog, of which the newest is run first: newer data were judged, and that is how it stands."""
    before = judged(9, 9).standings
    late = judged(3, 3)
    assert [one.outcome for one in late.cycles] == ["late"]
    assert late.standings == before
    assert caplog.records == []


def test_windows_in_a_row_without_newer_data_are_a_trouble_after_a_while_until_one_has_some(judged, caplog):
    """In the log when that begins and when it is over, beside the first such window; not as of another time before."""
    caplog.set_level(logging.INFO)
    sides = [
        judged(*of).off for of in ((0, 0), (1, 1), (1, 12), (1, 13), (1, 14), (1, 15), (16, 16), (16, 17))
    ]
    counts = [said.partition(" windows in a row: STORM, data of ")[0] for said in sides]
    assert counts == ["", "", "", "", "3", "4", "", ""]
    first, begin, over, again = (record.getMessage() for record in caplog.records)
    assert first.startswith("a.yaml: STORM, data of ")
    assert begin == f"a.yaml: {sides[4]}"
    assert over == "a.yaml: STORM: newer data are judged again"
    assert again.startswith("a.yaml: STORM, data of ")


def test_windows_between_two_data_are_none_however_many(judged):
    """Files of another input, which come each minute, make them, also where data take three minutes to come."""
    often = [(0, 0), *((5, 8 + n) for n in range(5)), *((10, 13 + n) for n in range(5))]
    assert not any(judged(*of).off for of in often)
    assert judged(10, 30).off == ""
    assert judged(10, 31).off.startswith("6 windows in a row")


def test_data_that_are_still_not_newer_are_not_told_as_of_another_time(judged):
    """After more than ten minutes, too: it is known by then why."""
    assert [judged(0, window).off.partition(": products")[1] for window in range(20)] == [""] * 20
