"""What comes is expected from what came: the gap between batches, and whether they grow."""

from __future__ import annotations

import json

import pytest

from dynamo.fleet.forecast import CLASSES, KEPT, Rhythm
from dynamo.fleet.view import Load, View


def after(works, gap=60.0, first=0.0):
    """Return the rhythm after batches of these core-seconds, each due within a gap and seen twice."""
    rhythm = Rhythm({})
    for n, work in enumerate(works):
        at = first + n * gap
        load = Load("tile", at + gap, 10, 0, work, 1.5 * work, longest=7.0)
        rhythm = rhythm.after(View(at, loads=[load]))
        rhythm = rhythm.after(View(at + 10.0, loads=[Load("tile", at + gap, 5, 0, work / 2, work / 2)]))
    return rhythm


def test_batches_that_come_each_minute_are_expected_each_minute():
    """The fourth came at 180: at 240 and 300 there will be as much, due a minute later."""
    found = after([100.0] * 4).coming(190.0, 310.0)
    assert [(one.at, one.due, one.work, one.high, one.cores) for one in found] == [
        (240.0, 300.0, 100.0, 150.0, 10),
        (300.0, 360.0, 100.0, 150.0, 10),
    ]
    assert found[0].why == "tile comes every 60 s"


def test_two_batches_are_no_rhythm():
    """And one that stopped is expected no longer."""
    assert after([100.0] * 2).coming(70.0, 600.0) == []
    assert after([100.0] * 4).coming(400.0, 600.0) == []


def test_what_grows_evenly_is_expected_to_grow_on():
    """By 50 a minute, but never to more than three times the most that came."""
    found = after([100.0, 150.0, 200.0, 250.0]).coming(190.0, 6000.0)
    assert [one.work for one in found[:2]] == pytest.approx([300.0, 350.0])
    assert max(one.work for one in found) == pytest.approx(750.0)


def test_what_falls_is_not_expected_to_fall():
    """Letting go too early costs more."""
    assert after([250.0, 200.0, 150.0, 100.0]).coming(190.0, 250.0)[0].work == pytest.approx(150.0)


def test_it_is_plain_json_and_bounded():
    """As many batches as the trend is taken from, and the classes that were seen last."""
    rhythm = after([100.0] * 30)
    for n in range(CLASSES + 3):
        rhythm = rhythm.after(View(0.0, loads=[Load(f"kind {n}", 60.0, 1, 0, 1.0, 1.0)]))
    state = rhythm.state()
    assert len(state) == CLASSES
    assert len(after([100.0] * 30).state()["tile"]) == KEPT
    assert Rhythm.restore(json.loads(json.dumps(state))) == rhythm
