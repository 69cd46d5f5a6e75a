"""The bench tries again what a full disk refused, and turns faults into words."""

from __future__ import annotations

import asyncio

import pytest

from dynamo.errors import DataError, WorkspaceError
from dynamo.journal.database import DiskFullError
from dynamo.watch import bench as module
from dynamo.watch.bench import Bench
from dynamo.watch.counts import Counts
from dynamo.watch.health import health
from dynamo.watch.judge import Products, Verdict

PRODUCTS = Products("run-1", "out", ())


class Judge:
    """Raises or returns what it is given, one after another."""

    def __init__(self, *outcomes):
        self.left, self.closed = list(outcomes), False

    def __call__(self, products):
        """Judge."""
        outcome = self.left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def close(self):
        """Note it."""
        self.closed = True


def judged(judge, counts=None, *, stopped=False):
    """Judge one run; return what was wrong."""

    async def main():
        bench, stop = Bench(judge, counts or Counts(), lambda _: None), asyncio.Event()
        if stopped:
            stop.set()
        try:
            return await bench.judge(PRODUCTS, stop)
        finally:
            await bench.close()

    return asyncio.run(main())


def test_what_a_full_disk_refused_is_judged_again_until_it_is_recorded(monkeypatch):
    """Health says so meanwhile, and no more once it is."""
    monkeypatch.setattr(module, "AGAIN", 0.001)
    counts, said = Counts(), []
    monkeypatch.setattr(
        Counts, "trouble", lambda self, what, text: said.append((what, bool(text)))
    )  # in the order in which it is told
    judge = Judge(DiskFullError("full"), DiskFullError("full"), Verdict())
    assert judged(judge, counts) == ""
    assert said == [("judging", True), ("judging", True), ("times", False), ("judging", False)]
    assert judge.closed


def test_a_full_disk_is_no_trouble_any_more_once_a_run_was_judged_of_which_a_part_failed(monkeypatch):
    """It was recorded; that an earlier run could not be judged may still be so."""
    monkeypatch.setattr(module, "AGAIN", 0.001)
    counts, partial = Counts(), Verdict(whole=False)
    assert judged(Judge(DiskFullError("full"), partial), counts) == ""
    assert counts.troubles == {}
    said = judged(Judge(DataError("no hazard")), counts)
    assert judged(Judge(partial), counts) == ""
    assert counts.troubles == {"judging": said}


def test_a_watch_that_stops_leaves_it_to_the_next():
    """The run is judged when it is gone on with."""
    with pytest.raises(DiskFullError):
        judged(Judge(DiskFullError("full")), stopped=True)


def test_faults_are_told_in_words_and_a_journal_that_breaks_is_raised(caplog):
    """A product that is none, our own fault, and what is wrong with one product of several."""
    assert "cannot be judged: no hazard" in judged(Judge(DataError("no hazard")))
    assert "ValueError: ours" in judged(Judge(ValueError("ours")))
    assert "please report it" in caplog.text
    assert "half" in judged(Judge(Verdict(faults=(DataError("half"),))))
    with pytest.raises(WorkspaceError):
        judged(Judge(WorkspaceError("broken")))


@pytest.mark.parametrize(
    "wrong", [DataError("no hazard"), ValueError("ours"), Verdict(faults=(DataError("half"),))]
)
def test_a_run_that_cannot_be_judged_is_a_trouble_until_one_can(wrong):
    """From the first on: it may be so with each."""
    counts = Counts()
    said = judged(Judge(wrong), counts)
    assert counts.troubles == {"judging": said}
    assert not health(counts, counts.since, 60.0)["ok"]
    assert judged(Judge(Verdict()), counts) == ""
    assert counts.troubles == {}


def test_products_of_another_time_than_their_files_are_a_trouble_that_a_new_start_would_not_mend():
    """Until a run is judged of which they are not."""
    counts = Counts()
    assert judged(Judge(Verdict(off="of 2017")), counts) == ""
    assert counts.troubles == {"times": "of 2017"}
    assert health(counts, counts.since, 60.0)["ok"]
    assert judged(Judge(Verdict()), counts) == ""
    assert counts.troubles == {}
