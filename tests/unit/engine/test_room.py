"""Room on the disk: what finds none waits for it, and a run that was at work then is gone on with twice."""

from __future__ import annotations

import errno
import math

import pytest

from dynamo.engine import Request
from dynamo.engine.room import Room
from dynamo.engine.workers import Reported
from dynamo.graph import Graph
from dynamo.journal.database import DiskFullError
from dynamo.worker.job import Report

REQUEST = Request("r", Graph("flow", {}, {}))
FULL = DiskFullError("the disk is full")


class Told:
    """A source that keeps what it is told."""

    def __init__(self, *, outlasts=True):
        self.outlasts, self.refusals, self.waited = outlasts, [], []

    def refused(self, request, error):
        self.refusals.append((request.run, error.message))

    def waits(self, error):
        self.waited.append(error and error.message)


def ended(room, *, at_work=frozenset({"r"}), source=None):
    return [request.resume for request in room.again([REQUEST], at_work, source or Told())]


def no_room(monkeypatch, code=errno.ENOSPC):
    def write(*_):
        raise OSError(code, "no")

    monkeypatch.setattr("pathlib.Path.write_bytes", write)


def test_a_run_is_gone_on_with_twice(tmp_path):
    """The third time it is given up; what follows under its name begins anew."""
    room, source = Room(tmp_path), Told()
    assert [ended(room, source=source) for _ in range(4)] == [[True], [True], [], [True]]
    ((run, why),) = source.refusals
    assert run == "r"
    assert "full 3 times while it ran; make room" in why


def test_a_run_of_which_nothing_was_at_work_is_always_gone_on_with(tmp_path):
    """It cannot be what fills the disk."""
    room = Room(tmp_path)
    assert all(ended(room, at_work=frozenset({"other"})) == [True] for _ in range(5))
    assert [ended(room) for _ in range(3)] == [[True], [True], []]


def test_a_run_that_ended_is_forgotten(tmp_path):
    """How often it was ended before no longer counts."""
    room = Room(tmp_path)
    for _ in range(5):
        assert ended(room)
        room.forget("r")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_nothing_begins_before_there_is_room(tmp_path, monkeypatch, code):
    """Whoever waits is let go by the first look that finds some, of the disk or of the user's share of it."""
    monkeypatch.setattr("dynamo.engine.room.AGAIN", 0.0)
    room = Room(tmp_path)
    assert room.may_begin()
    with monkeypatch.context() as patch:
        no_room(patch, code)
        assert room.may_begin(), "what waits for nothing does not look"
        room.wait(FULL, Told())
        assert not room.may_begin()
        assert not room.opened()
    assert room.may_begin()
    assert room.opened()
    assert not room.opened(), "it is told once"
    assert not list(tmp_path.iterdir()), "nothing is left of the look"


def test_it_is_looked_after_a_pause(tmp_path, monkeypatch):
    """Until then nothing begins, though there may be room."""
    monkeypatch.setattr("dynamo.engine.room.AGAIN", math.inf)
    room = Room(tmp_path)
    room.wait(FULL, Told())
    assert not room.may_begin()


def test_another_trouble_of_the_disk_keeps_nothing_waiting(tmp_path, monkeypatch):
    """Who meets it tells it."""
    monkeypatch.setattr("dynamo.engine.room.AGAIN", 0.0)
    no_room(monkeypatch, errno.EIO)
    room = Room(tmp_path)
    room.wait(FULL, Told())
    assert room.may_begin()


def test_that_nothing_waits_any_more_is_told_once(tmp_path, monkeypatch):
    """And only where anything did, once there is room."""
    monkeypatch.setattr("dynamo.engine.room.AGAIN", 0.0)
    room, source = Room(tmp_path), Told()
    room.over(source)
    for _ in range(2):
        room.wait(FULL, source)
        room.over(source)
    assert room.may_begin()
    for _ in range(2):
        room.over(source)
    assert source.waited == ["the disk is full", "the disk is full", None]


@pytest.mark.parametrize("outlasts", [True, False])
def test_a_task_that_found_the_disk_full_is_waited_for_where_that_is_outlasted(tmp_path, outlasts):
    """With its name; else nobody waits for it."""
    room, source = Room(tmp_path), Told(outlasts=outlasts)
    reports = [Report("fine", "ok", 0, 1), Report("lost", "trouble", 0, 1), Report("big", "full", 0, 1, "no")]
    room.look_at([Reported(None, report) for report in reports], source)
    assert source.waited == (["the disk is full: big: no"] if outlasts else [])
