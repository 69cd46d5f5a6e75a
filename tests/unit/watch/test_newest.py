"""Where no run is named, that of the newest data is meant."""

from __future__ import annotations

import pytest

from dynamo.graph import Graph
from dynamo.journal import Journal
from dynamo.triggers.store import Store
from dynamo.triggers.window import Window
from dynamo.watch.newest import newest_run


@pytest.fixture
def journal(tmp_path):
    """Runs of windows of 600, 900 and 300 s, begun in this order; the one of 900 s failed."""
    with Store(tmp_path / "journal.db") as store, Journal(tmp_path / "journal.db") as journal:
        for begun, data in enumerate((600.0, 900.0, 300.0)):
            store.add_window("a.yaml", Window(data, data, {}), 0.0)
            store.start("a.yaml", data, f"run-{data:.0f}", float(begun))
            store.end("a.yaml", data, "failed" if data == 900 else "done", "", 9.0)
            journal.add_run(f"run-{data:.0f}", Graph("w", {}, {}), {}, float(begun))
        yield journal


def test_the_newest_data_are_meant_not_the_run_begun_last(journal):
    """After a restart with a backlog that one is of older data; who wants products wants those that are done."""
    assert journal.run(None).id == "run-300"
    assert newest_run(journal).id == "run-900"
    assert newest_run(journal, ["done"]).id == "run-600"


def test_a_run_begun_by_hand_after_them_is_meant_itself(journal):
    """It has no window."""
    journal.add_run("mine", Graph("w", {}, {}), {}, 10.0)
    assert newest_run(journal).id == "mine"


def test_a_run_that_was_removed_is_not_meant(journal):
    """Its window may be there for longer."""
    journal.remove_run("run-900")
    assert newest_run(journal).id == "run-600"
