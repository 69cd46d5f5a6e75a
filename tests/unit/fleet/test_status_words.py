"""What ``dynamo fleet status`` prints: bars of any width, and what is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamo.fleet.record import WorkerRecord
from dynamo.fleet.status_words import sparkline, status_words

DATA = {
    "at": 1000.0, "policy": "work", "paused": False, "stages": {}, "cores": 12, "ready": 8, "busy": 6, "supply": 8.0,
    "target": 10.4, "demand": 9.25, "figures": {}, "waiting": 1200, "running": 12, "overdue": 0, "work": 199.4,
    "usd_per_hour": 5.5, "usd_today": 2.138, "limits": {}, "pool": True, "lateness": {}, "jobs": {}, "boots": {},
    "troubles": {}, "out": {}, "rests": {}, "failed": 0, "failures": {}, "elasticity": {}, "groups": ["workers"],
    "offers": [], "providers": ["c"], "cores_of": {}, "interval": 10.0,
}  # fmt: skip
ROW = {"at": 990.0, "demand": 2.0, "supply": 4.0, "usd_per_hour": 1.5}


def words(history=(), workers=(), controller="process 1 on radar", now=1003.0, **data) -> list[str]:
    """Return the lines."""
    return status_words("dfw", {**DATA, **data}, controller, workers, list(history), now).splitlines()


def line(name: str, lines: list[str]) -> str:
    """Return what stands behind a name."""
    (found,) = [one[12:] for one in lines if one[2:12].strip() == name]
    return found


@given(st.lists(st.floats(0, 1e9), max_size=300), st.integers(1, 80))
def test_bars_are_as_many_as_there_is_room_for(values, width):
    """Never more, never fewer where there are so many values; the highest is the largest value, there where it is."""
    bars = sparkline(values, width)
    assert len(bars) == min(len(values), width)
    assert set(bars) <= set("▁▂▃▄▅▆▇█")
    if values and max(values) > 0:
        at = values.index(max(values)) * len(bars) // len(values)
        assert "█" in bars[max(at - 1, 0) : at + 2]


@pytest.mark.parametrize(
    ("values", "bars"),
    [
        ([], ""),
        ([3], "█"),
        ([0], "▁"),
        ([0, 0, 0], "▁▁▁"),
        ([1e-9], "█"),
        ([0, 1, 2, 4], "▁▃▅█"),
        ([-1, 2], "▁█"),
    ],
)
def test_bars_of_few_values(values, bars):
    """None, one, and all zeros."""
    assert sparkline(values) == bars


def test_of_more_values_than_bars_the_largest_are_shown():
    """A peak of one turn is seen."""
    assert sparkline([0] * 119 + [5] + [0] * 120, 60) == "▁" * 29 + "█" + "▁" * 30
    assert len(sparkline(list(range(61)))) == 60


def test_bars_may_have_the_scale_of_others():
    """So that two lines can be compared; a value above it makes it larger."""
    assert sparkline([1, 2], most=4) == "▃▅"
    assert sparkline([1, 2], most=1) == "▅█"


def test_why_nothing_is_bought_is_said():
    """In the words of the last decision, or because somebody has paused it."""
    why = ["7 cores are due.", "1 of 1 x o not bought: the slice may cost 0.3 dollars an hour"]
    assert line("why", words(why=why)) == (
        "7 cores are due; 1 of 1 x o not bought: the slice may cost 0.3 dollars an hour"
    )
    assert line("why", words(why=why, paused=True)).startswith("somebody has paused it: nothing is bought")
    assert not [one for one in words(why=[]) if one.startswith("  why")]


def test_a_turn_that_does_not_end_is_said():
    """As where a pool that is gone holds it up; not where nobody looks after it, which is said anyway."""
    assert "  ! no turn has ended for 31 s; one is due each 10 s" in words(now=1031.0)
    assert not [one for one in words(now=1029.0) if "no turn" in one]
    assert not [one for one in words(now=1031.0, controller="") if "no turn" in one]


def test_all_is_said_of_a_fleet_that_is_well():
    """Queue, cores, cost, and that nothing is wrong."""
    lines = words()
    assert lines[0] == "fleet dfw: process 1 on radar looks after it; this was so 3 s ago"
    assert line("queue", lines) == "1,200 waiting, 12 running; 199 core-seconds left"
    assert line("cores", lines) == (
        "12 paid, 8 in the pool, 6 busy; 10 wanted by work, 9.2 needed by the queue"
    )
    assert line("cost", lines) == "5.50 dollars an hour, 2.14 today (UTC)"
    assert line("late", lines) == "nothing in the last hour; 0 jobs done"
    assert line("failed", lines) == "nothing in the last day"
    assert len(lines) == 6
    assert "!" not in "".join(lines)


def test_what_is_late_fails_and_costs_is_said():
    """By class and by group, and against the budget."""
    lines = words(
        overdue=7,
        jobs={
            "lead": {"done": 100, "due": 90, "late": 3},
            "éclair": {"done": 5, "due": 5, "late": 5},
            "fine": {"done": 8, "due": 8, "late": 0},
        },
        failures={"workers": 2, "big": 1},
        limits={"usd_per_hour": 6.0, "usd_per_day": 50.0},
        boots={"workers/c/two/spot": [7, 40.0, 95.0]},
        elasticity={"theta_u": 4.6, "theta_o": 269.4, "tau_u": 6.0, "tau_o": 84.0},
    )
    assert "12 running, 7 OVERDUE; " in line("queue", lines)
    assert line("late", lines) == "lead 3 of 90, éclair 5 of 5 in the last hour; 113 jobs done"
    assert line("failed", lines) == "workers 2 machines, big 1 machine in the last day"
    assert line("cost", lines) == "5.50 of 6.00 dollars an hour, 2.14 of 50.00 today (UTC)"
    assert line("boot", lines) == "workers/c/two/spot: half within 40 s, nine in ten within 1 min 35 s, of 7"
    assert line("followed", lines) == (
        "theta_U 5% missing, in 6% of the last hour (tau_U); theta_O 269% too much, in 84% (tau_O)"
    )


def test_troubles_stand_at_the_end():
    """With what to do where somebody must."""
    lines = words(
        controller="", paused=True, troubles={"c": "list: the cloud does not answer"},
        out={"workers": "the key is not valid"}, rests={"workers/c/two/spot": [1063.0, "no room"]},
    )  # fmt: skip
    assert lines[0] == "fleet dfw: NOBODY looks after it; this was so 3 s ago, PAUSED"
    assert lines[-3:] == [
        "  ! c: list: the cloud does not answer",
        "  ! workers is out of service: the key is not valid (dynamo fleet resume --group workers)",
        "  ! workers/c/two/spot is not asked for 1 min 0 s: no room (sooner: dynamo fleet resume --group workers)",
    ]


def test_workers_are_named_as_drain_wants_them():
    """With their stage, and why."""
    one = WorkerRecord(
        "t",
        "dfw",
        "workers",
        "wölkchen",
        "o",
        "dfw-workers-t",
        "draining",
        943.0,
        1.0,
        1,
        1,
        why="it is idle",
    )
    lines = words(workers=[one])
    assert lines[-1] == "  dfw-workers-t  draining for 1 min 0 s, 1 core at wölkchen: it is idle"


def test_the_last_hour_is_drawn_with_one_scale_for_demand_and_supply():
    """The cost has its own."""
    lines = words([ROW, {**ROW, "demand": 8.0, "usd_per_hour": 3.0}])
    assert line("demand", lines) == "▃█ 2 to 8"
    assert line("supply", lines) == "▅▅ 4 to 4"
    assert lines[-1] == "  cost      ▅█ 1.5 to 3"
    lines = words([{**ROW, "demand": 0.0, "supply": 0.0, "usd_per_hour": 0.0}])
    assert line("demand", lines) == line("supply", lines) == "▁ 0 to 0"


def test_a_clock_that_was_set_back_is_no_matter():
    """Ages are not below nothing."""
    assert words(now=900.0)[0].endswith("0 ms ago")
