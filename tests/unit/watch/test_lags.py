"""Of what data alerts are, window after window."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest

from dynamo.alerts.lifecycle import Cycle
from dynamo.alerts.policy import Policy
from dynamo.alerts.store import AlertStore, Judged
from dynamo.watch.lags import Lags, newest_judged
from dynamo.watch.standing import Standing
from dynamo.watch.times import Times

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def take():
    """Take a run in the window of some minute: by kind the minute of its data, and what share of them is known."""
    lags, newest = Lags(), {}

    def one(window, known=1.0, *, again=False, **kinds):
        cycles = []
        for kind, minute in kinds.items():
            late = minute <= newest.get(kind, -1) and not again
            newest[kind] = max(minute, newest.get(kind, -1))
            issued = NOON + timedelta(minutes=minute)
            cycle = Cycle("a.yaml", f"r{window}", kind, issued, issued, known)
            cycles.append(Judged(cycle, "late" if late else "judged", []))
        words = {one.cycle.hazard: Standing(one.outcome, one.cycle.hazard) for one in cycles}
        lags.take(cycles, cycles, Times(NOON.timestamp() + 60 * window), words, "a.yaml: ")
        return lags.words

    return one


@pytest.mark.parametrize("step", [5, 15, 60])
def test_two_steps_and_ten_minutes_are_how_old_data_may_be(take, step):
    """Of a radar whose frames are damaged from then on; of one that was judged twice, too."""
    take(0, RAIN=0)
    take(step, RAIN=step)
    take(step, RAIN=step, again=True)
    until = 3 * step + 10
    said = [take(window, RAIN=step) for window in (until - 2, until - 1, until)]
    assert said == ["", "", ""]
    assert take(until + 1, RAIN=step) == "4 windows in a row: RAIN"


def test_a_kind_of_which_products_no_longer_speak_is_no_trouble(take, caplog):
    """Once a run says so of which no product is missing; it is not told that newer data came."""
    caplog.set_level(logging.INFO)
    for window in (0, 10, 20, 30):
        said = take(window, RAIN=window, HAIL=0)
    assert said == "3 windows in a row: HAIL"
    assert take(40, 0.0, RAIN=40) == said
    assert take(50, RAIN=50) == ""
    assert [record.getMessage() for record in caplog.records] == [
        "a.yaml: 3 windows in a row: HAIL",
        "a.yaml: HAIL: no product speaks of it any more",
    ]
    assert [take(window, RAIN=window, HAIL=0) for window in (60, 70)] == ["", ""]


def test_that_products_are_of_another_time_stays_in_windows_without_newer_data(take):
    """They say nothing else of it."""
    said = take(60, RAIN=0)
    assert "products are of" in said
    assert take(61, RAIN=0) == said


def test_the_newest_data_are_those_of_any_kind_of_the_feed(tmp_path):
    """Found by what each kind has, however many cycles there were."""
    journal = tmp_path / "journal.db"
    assert newest_judged(journal, "a.yaml") is None
    with AlertStore(journal) as store:
        for n, (feed, kind, minute) in enumerate(
            [("a.yaml", "RAIN", 5), ("a.yaml", "HAIL", 10), ("a.yaml", "RAIN", 9), ("b.yaml", "RAIN", 20)]
        ):
            issued = NOON + timedelta(minutes=minute)
            store.judge(Cycle(feed, f"r{n}", kind, issued, issued, 1.0), [], Policy())
    assert newest_judged(journal, "a.yaml") == NOON.timestamp() + 600
