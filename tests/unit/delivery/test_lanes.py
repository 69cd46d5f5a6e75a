"""How many more requests may start."""

from __future__ import annotations

from dynamo.delivery.lanes import LASTS, Lanes


def test_a_request_that_lasts_makes_room():
    """It goes on in the slow lane."""
    lanes = Lanes(2, 5)
    lanes.start("a", 0.0, failing=False)
    lanes.start("b", 0.0, failing=False)
    assert lanes.room(LASTS / 2) == (0, 5)
    lanes.again("b", LASTS / 2)
    assert lanes.room(LASTS) == (1, 4)
    assert set(lanes.busy) == {"a", "b"}
    lanes.end("a")
    lanes.end("b")
    assert lanes.room(LASTS) == (2, 5)
    assert len(lanes) == 0


def test_a_channel_that_failed_takes_no_room_from_healthy_ones():
    """It starts in the slow lane, and stays there."""
    lanes = Lanes(1, 1)
    lanes.start("a", 0.0, failing=True)
    lanes.again("a", 1.0)
    assert lanes.room(9.0) == (1, 0)


def test_the_slow_lane_is_bounded_too():
    """What lasts stays where it is when that is full."""
    lanes = Lanes(3, 1)
    for name in "abc":
        lanes.start(name, 0.0, failing=False)
    assert lanes.room(9.0) == (1, 0)
    assert lanes.room(9.0) == (1, 0)
