"""The account of a run: counts by what was told, warnings, and products that cannot be put in their place."""

from __future__ import annotations

from dynamo.engine import Products
from dynamo.engine.account import Account
from dynamo.graph import Task

ONE, TWO = (Task(name, name, "python", f"flow:{name}", {}, {}, {}) for name in ("one", "two"))


def test_what_is_told_is_counted_and_given_once():
    """The summary goes by it, and what was taken is not given again."""
    account = Account("r", "flow", Products(), 100.0)
    account.tell("started", ONE, 101.0)
    account.tell("done", ONE, 102.0, seconds=1.0)
    account.tell("started", TWO, 103.0)
    account.tell("reused", TWO, 104.0)
    assert [event.kind for event in account.take_news()] == ["started", "done", "started", "reused"]
    assert account.take_news() == []
    summary = account.summary([], 105.0)
    assert (summary.ran, summary.reused, summary.left, summary.blocked) == (1, 1, 0, 0)
    assert (summary.first, summary.seconds) == (1.0, 5.0)


def test_a_task_is_warned_of_once():
    """What it did wrong first is told; another task's warning is its own."""
    account = Account("r", "flow", Products(), 100.0)
    for task, text in ((ONE, "loud"), (ONE, "again"), (TWO, "quiet")):
        account.warn(task, text)
    assert account.summary([], 101.0).warnings == ("one: loud", "two: quiet")
    assert [event.text for event in account.take_news()] == ["loud", "quiet"]


def test_failures_stand_in_the_order_of_the_tasks(tmp_path):
    """However they ended; a log or sandbox that is not there is not named."""
    account = Account("r", "flow", Products(), 100.0)
    (tmp_path / "log").write_text("last words\n")
    account.fail(TWO, "two broke", str(tmp_path / "log"), "", ["three"], infrastructure=False)
    account.fail(ONE, "one broke", str(tmp_path / "none"), str(tmp_path), [], infrastructure=True)
    one, two = account.summary(["one", "two", "three"], 101.0).failures
    assert (one.error, one.log, one.tail, one.sandbox) == ("one broke", "", "", str(tmp_path))
    assert (two.error, two.blocked, two.sandbox) == ("two broke", ("three",), "")
    assert (two.log, two.tail.strip()) == (str(tmp_path / "log"), "last words")


def test_a_product_that_cannot_be_put_in_its_place_hinders_no_other(tmp_path):
    """The others are published, and the summary is not well."""
    (tmp_path / "stored").write_text("made")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/file").write_text("in the way of a folder")
    account = Account("r", "flow", Products(str(tmp_path / "out")), 100.0)
    for name in ("file/below", "good"):
        account.exist(name, str(tmp_path / "stored"))
    for _ in range(2):  # published once
        account.publish()
    summary = account.summary([], 101.0)
    assert summary.products == (f"{tmp_path}/out/good",)
    assert len(summary.unpublished) == 1
    assert summary.missing == ("file/below",)
    assert not summary.ok
