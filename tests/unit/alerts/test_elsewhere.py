"""Calls in processes of their own, and the matches that are found by several."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import shapely

from dynamo.alerts import matching
from dynamo.alerts.elsewhere import call
from dynamo.alerts.hazard import HazardField
from dynamo.alerts.match import match
from dynamo.alerts.subscriber import Rule, Subscribers

ISSUED = datetime(2026, 3, 25, 5, tzinfo=UTC)


def test_a_call_is_made_by_another_process():
    """That has ended when it returns."""
    other = call(os.getpid)
    assert other != os.getpid()
    with pytest.raises(ProcessLookupError):
        os.kill(other, 0)


def test_what_is_printed_is_no_part_of_the_answer(capfd):
    """It goes to the log."""
    assert call(eval, "print('hm') or 7") == 7
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "hm\n")


def test_what_is_printed_before_the_call_is_no_part_of_the_answer(tmp_path, monkeypatch, capfd):
    """A site's own start-up file may greet."""
    (tmp_path / "sitecustomize.py").write_text("print('welcome')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    assert call(os.getpid) != os.getpid()
    assert capfd.readouterr().err == "welcome\n"


def test_who_stops_all_processes_of_a_service_does_not_have_the_work_done_twice():
    """The call goes on, for us who end when it is done."""
    stopped = (
        "(lambda os: os.kill(os.getpid(), 15) or os.kill(os.getpid(), 2) or os.getpid())(__import__('os'))"
    )
    assert call(eval, stopped) != os.getpid()


def test_what_is_large_goes_both_ways():
    """More than any pipe holds."""
    assert call(bytes.upper, b"a" * 5_000_000) == b"A" * 5_000_000


def test_the_call_of_a_process_that_is_killed_is_made_here():
    """Nothing is lost, only time."""
    here = os.getpid()
    fatal = (
        f"(lambda os: os.getpid() if os.getpid() == {here} else os.kill(os.getpid(), 9))(__import__('os'))"
    )
    assert call(eval, fatal) == here


def test_where_no_process_can_be_had_the_call_is_made_here(monkeypatch):
    """For example without a place for one more."""
    for path in ("/nowhere/python", None):
        monkeypatch.setattr(sys, "executable", path)
        assert call(os.getpid) == os.getpid()


def test_a_fault_is_raised_here(capfd):
    """As without the other process, which tells it to the log."""
    with pytest.raises(ZeroDivisionError):
        call(divmod, 1, 0)
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_work_that_is_shared_out_finds_the_same(monkeypatch):
    """In the same order, whatever the number of processes."""
    rng = np.random.default_rng(3)
    at = rng.uniform((-98, 31.5), (-96, 33.5), (500, 2))
    people = Subscribers.of(
        [(f"s{n}", lon, lat) for n, (lon, lat) in enumerate(at.tolist())],
        [Rule("STORM", 20, 10.0, 60), Rule("STORM", 30, 30.0, 5, "desk"), Rule("HAIL", 1, 5.0)],
    )
    fields = [
        HazardField(
            hazard, "dBZ", ISSUED, ISSUED + timedelta(minutes=lead), lead, np.array([20.0, 35.0]),
            np.array([shapely.Point(lon, 32.5 + lead / 50).buffer(size) for size in (0.3, 0.1)]),
        )
        for hazard, lon in (("STORM", -97.3), ("HAIL", -96.8))
        for lead in (0, 10)
    ]  # fmt: skip
    alone = match(people, fields)
    assert {found.hazard for found in alone} == {"STORM", "HAIL"}
    shared = []
    monkeypatch.setattr(matching, "_SHARE", 1)
    monkeypatch.setattr(matching.os, "cpu_count", lambda: 3)
    monkeypatch.setattr(matching, "call", lambda *given: shared.append(call(*given)) or shared[-1])
    assert match(people, fields) == alone
    assert len(shared) == 4
    assert all(len(table.owner) for table in shared)
