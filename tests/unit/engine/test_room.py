"""Room on the disk: a run that is ended for want of it is gone on with twice, then given up."""

from __future__ import annotations

import pytest

from dynamo.engine import Request
from dynamo.engine.room import Room
from dynamo.errors import UserError
from dynamo.graph import Graph

REQUEST = Request("r", Graph("flow", {}, {}))


def test_a_run_is_gone_on_with_twice():
    """The third time it is given up; what follows under its name begins anew."""
    room = Room()
    assert [room.again(REQUEST).resume for _ in range(2)] == [True, True]
    with pytest.raises(UserError, match="full 3 times while it ran; make room"):
        room.again(REQUEST)
    assert room.again(REQUEST).resume


def test_a_run_that_ended_is_forgotten():
    """How often it was ended before no longer counts."""
    room = Room()
    for _ in range(5):
        room.again(REQUEST)
        room.forget("r")


def test_nothing_begins_too_early():
    """Before the time that was named, nothing is tried."""
    room = Room()
    assert room.may_begin(0.0)
    room.wait(5.0)
    assert not room.may_begin(4.9)
    assert room.may_begin(5.0)


def test_that_nothing_waits_any_more_is_told_once():
    """And only where anything did."""
    room = Room()
    assert not room.over()
    for until in (1.0, 2.0):
        room.wait(until)
    assert room.over()
    assert not room.over()
