"""The windows of a range are those that a watch makes of the same files when each comes in its order."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamo.archive.replay import Range, replay
from dynamo.errors import UserError
from dynamo.triggers.arrival import Arrival
from dynamo.triggers.clock import Cron, Every, due
from dynamo.triggers.rules import InputRules, Rules
from dynamo.triggers.window import Windows

WALL = 1e9


def frame(time, name="scan", source="", *, path=None):
    return Arrival(name, path or f"/{name}/{source}{time}", 1, 0, time, source)


def watched(rules, arrivals):
    """What a watch makes: files come in order, and who waits for a file that cannot come waits in vain."""
    windows, made, now, opened = Windows(rules), [], 0.0, None
    for time, group in groupby(sorted(arrivals, key=lambda a: (a.time, a.path)), lambda a: a.time):
        if opened is not None and time - opened > rules.tolerance:
            now += rules.wait
            made += windows.step((), now, WALL).windows
        step = windows.step(group, now, WALL)
        made += step.windows
        if step.due is None:
            opened = None
        elif opened is None or time - opened > rules.tolerance:
            opened = time
    return made + list(windows.step((), math.inf, WALL).windows)


def rules_of(draw):
    def one(name):
        sources = draw(st.integers(1, 3))
        return InputRules(
            name,
            last=draw(st.none() | st.integers(1, 4)),
            within=draw(st.none() | st.integers(0, 40)),
            drives=name == "a" or draw(st.booleans()),
            sources=sources,
            quorum=draw(st.integers(0, sources)),
            fewest=draw(st.integers(1, 2)),
        )

    names = draw(st.sampled_from([("a",), ("a", "b")]))
    same = draw(st.sampled_from(["first", "last"]))
    return Rules(tuple(map(one, names)), tolerance=draw(st.integers(0, 15)), wait=20.0, same=same)


@st.composite
def cases(draw):
    rules = rules_of(draw)
    arrival = st.builds(
        frame, st.integers(0, 120), st.sampled_from([i.name for i in rules.inputs]), st.sampled_from("AB")
    )
    return rules, draw(st.lists(arrival, max_size=30, unique_by=lambda a: a.path)), draw(st.integers(0, 120))


@given(cases())
def test_the_windows_of_all_times_are_those_of_a_watch(case):
    """The same keys, files, completeness and reasons, whatever the rules."""
    rules, arrivals, _ = case
    found = replay(rules, None, arrivals, Range(-math.inf, math.inf), WALL)
    assert list(found.windows) == watched(rules, arrivals)


@given(cases())
def test_a_range_cut_in_two_gives_each_window_once(case):
    """What is before the range is known to its windows, and none is made of a half."""
    rules, arrivals, cut = case
    whole = replay(rules, None, arrivals, Range(-math.inf, math.inf), WALL)
    parts = [
        replay(rules, None, arrivals, Range(first, last), WALL)
        for first, last in ((-math.inf, cut - 0.5), (cut - 0.5, math.inf))
    ]
    assert parts[0].windows + parts[1].windows == whole.windows
    assert set(parts[0].left_out) | set(parts[1].left_out) == set(whole.left_out)


@given(st.lists(st.integers(0, 1000), max_size=30, unique=True), st.integers(0, 300), st.integers(1, 4))
def test_ticks_are_those_of_a_watch(times, first, last):
    """Each tick of the clock takes the files that are there by then."""
    rules, schedule = Rules((InputRules("scan", last=last, drives=False),), wait=5.0), Every(50)
    found = replay(rules, schedule, [frame(t) for t in times], Range(first, 900), WALL)
    windows, made, ticked = Windows(rules), [], datetime.fromtimestamp(first - 0.5, UTC)
    for now in range(901):
        tick = due(schedule, ticked, datetime.fromtimestamp(now, UTC))
        ticked = tick or ticked
        came = [frame(now)] if now in times else []
        made += windows.step(came, now, WALL, [tick.timestamp()] if tick else []).windows
    made += windows.step((), math.inf, WALL).windows
    there = [(w.time, w.files) for w in made if not w.passed and w.time >= first]
    # A tick before which nothing came waits in a watch, and has what came meanwhile no more than here: nothing.
    assert [(w.time, w.files) for w in found.windows if not w.passed] == there


def test_a_clock_goes_by_its_zone_also_where_it_is_changed():
    """On the night of the change the fixed hour runs once, and the next day an hour earlier in UTC."""

    def unix(text):
        return datetime.fromisoformat(text).timestamp()

    range_ = Range(unix("2017-03-25T00:00Z"), unix("2017-03-27T00:00Z"))
    found = replay(Rules(()), Cron("0 6 * * *", "Europe/Berlin"), [], range_, WALL * 9)
    assert [w.time for w in found.windows] == [unix("2017-03-25T05:00Z"), unix("2017-03-26T04:00Z")]


def test_both_ends_are_of_the_range():
    """Windows at the very first and the very last second of it are made."""
    found = replay(
        Rules((InputRules("scan"),)), None, [frame(t) for t in (9, 10, 15, 20, 21)], Range(10, 20), WALL
    )
    assert [w.time for w in found.windows] == [10, 15, 20]
    found = replay(Rules(()), Every(10), [], Range(10, 20), WALL)
    assert [w.time for w in found.windows] == [10, 20]


def test_what_is_in_no_window_is_told_with_the_reason():
    """A second file of one time, one from outside the input's own times, from the future, without a time."""
    rules = Rules((InputRules("scan", from_=5),))
    twin, old, ahead = frame(10, path="/scan/again"), frame(2), frame(WALL + 7000)
    timeless = Arrival("scan", "/scan/readme", 1, 0, None)
    files = [frame(10, path="/scan/10"), twin, old, ahead, timeless]
    found = replay(rules, None, files, Range(0, 2 * WALL), WALL)
    assert dict(found.left_out) == {
        twin: "duplicate", old: "outside", ahead: "ahead", timeless: "timeless",
    }  # fmt: skip
    assert [w.time for w in found.windows] == [10]


def test_a_clock_of_too_many_ticks_is_refused():
    """A mistake in the unit does not fill the memory."""
    with pytest.raises(UserError, match="more than 1,000,000 ticks"):
        replay(Rules(()), Every(0.001), [], Range(0, 1e6), WALL)
