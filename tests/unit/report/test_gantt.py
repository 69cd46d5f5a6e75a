"""The chart of who did what when."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from dynamo.journal import Attempt
from dynamo.report.gantt import LEFT, RIGHT, WIDTH, gantt


def attempt(
    task: str, start: float, end: float | None, worker: str = "w0", outcome: str = "ok", **more
) -> Attempt:
    row = {"n": 1, "error": "", "exit": None, "cpu": 0.5, "peak": 3 << 20, "logged": 0} | more
    return Attempt(task=task, worker=worker, started=start, ended=end, outcome=outcome, **row)


def chart(attempts, end=None) -> ET.Element:
    def step_of(task: str) -> str:
        return task.split("-", maxsplit=1)[0]

    steps = {step_of(a.task): i for i, a in enumerate(attempts)}
    colours = {step: min(n, 8) for n, step in enumerate(steps)}
    return ET.fromstring(gantt(attempts, step_of, colours, end or max(a.ended or 0 for a in attempts)))


def blocks(root) -> list[ET.Element]:
    return [r for r in root.iter("rect") if re.fullmatch(r"s\d", r.get("class"))]


def told(root) -> list[str]:
    return [t.text for t in root.iter("title")]


def test_nothing_that_ran_is_no_chart():
    """A run whose results were all reused has none; attempts that were blocked never began."""
    assert gantt([], str, {}, 0.0) == ""
    assert gantt([attempt("a", 0, 0, outcome="blocked")], str, {"a": 0}, 0.0) == ""


def test_an_attempt_is_as_long_as_it_took():
    """One second of four is a quarter of the axis, on the lane of its worker."""
    root = chart([attempt("a", 100, 101), attempt("b", 101, 104, "w1")])
    one, three = blocks(root)
    axis = WIDTH - LEFT - RIGHT
    assert float(one.get("width")) == pytest.approx(axis / 4, abs=0.2)
    assert float(three.get("width")) == pytest.approx(axis * 3 / 4, abs=0.2)
    assert float(three.get("x")) == pytest.approx(LEFT + axis / 4, abs=0.2)
    assert float(three.get("y")) > float(one.get("y"))
    assert [e.text for e in root.iter("text") if e.get("class") == "lane"] == ["w0", "w1"]


def test_the_tooltip_says_task_time_cpu_memory_and_error():
    """What one wants to know of a bar."""
    text = told(chart([attempt("a-1", 10, 12, n=2, outcome="failed", error="bad <b>")]))[0]
    assert text == "a-1 (attempt 2): failed, 2 s\nfrom 0 ms to 2 s on w0\nCPU 500 ms, memory 3 MiB\nbad <b>"


def test_ten_thousand_attempts_are_few_blocks_that_count_them_all():
    """The sizes of the blocks add up, and no pixel holds more than a few of them."""
    attempts = [
        attempt(f"{'ab'[n % 3 == 0]}-{n}", n * 0.002, n * 0.002 + 0.0019, f"w{n % 2}") for n in range(10_000)
    ]
    root = chart(attempts)
    assert len(blocks(root)) < 1000
    assert sum(int(t.split(" ")[0].replace(",", "")) for t in told(root) if "attempts" in t) == 10_000
    assert any(re.search(r"\d+ x a, \d+ x b", t) for t in told(root))


def test_a_failure_among_many_is_still_seen():
    """A block that holds a failed attempt has a red edge and says how many."""
    attempts = [attempt(f"a-{n}", n * 0.001, n * 0.001 + 0.0009) for n in range(5000)]
    attempts[2500] = attempt("a-2500", 2.5, 2.5009, outcome="timeout")
    root = chart(attempts)
    assert sum(r.get("class") == "bad" for r in root.iter("rect")) == 1
    assert sum(", 1 failed" in t for t in told(root)) == 1


def test_idle_hours_between_parts_of_a_resumed_run_are_cut_out():
    """Ten hours of nothing leave room for the seconds of work before and after."""
    root = chart([attempt("a", 0, 5), attempt("b", 36_005, 36_010)])
    assert "10 h 0 min idle" in told(root)
    assert all(float(r.get("width")) > 400 for r in blocks(root))


def test_what_is_under_way_reaches_to_now():
    """An attempt without an end is drawn up to the end given."""
    first, second = blocks(chart([attempt("a", 0, 5), attempt("b", 0, None, "w1", "running")], end=10.0))
    assert float(second.get("width")) == pytest.approx(2 * float(first.get("width")), abs=0.2)


def test_many_workers_have_thin_lanes_without_names():
    """A hundred lanes stay on one screen."""
    root = chart([attempt("a", 0, 1, f"w{n}") for n in range(100)])
    assert float(root.get("viewBox").split()[3]) < 600
    assert not [e for e in root.iter("text") if e.get("class") == "lane"]


def test_attempts_of_no_length_are_drawn():
    """A clock that stood still gives no division by zero."""
    assert len(blocks(chart([attempt("a", 5, 5)]))) == 1
