"""Limits and deaths, decided without a clock or a process."""

from __future__ import annotations

import pytest

from dynamo.graph import Needs
from dynamo.worker.limits import Lost, breach, how_it_died
from dynamo.worker.logs import LIMIT, cut, rescue, shorten


@pytest.mark.parametrize(
    ("needs", "seconds", "grown", "outcome"),
    [
        (Needs(), 1e9, 1 << 50, None),
        (Needs(timeout=2.0), 2.0, 0, None),
        (Needs(timeout=2.0), 2.1, 0, "timeout"),
        (Needs(memory=100), 0, 100, None),
        (Needs(memory=100), 0, 101, "memory"),
        (Needs(memory=100, timeout=1.0), 2.0, 101, "timeout"),
    ],
)
def test_breach(needs, seconds, grown, outcome):
    """Only what is declared is enforced, and only beyond it."""
    found = breach(needs, seconds, grown)
    assert (found and found.outcome) == outcome


@pytest.mark.parametrize(
    ("code", "oom", "words"),
    [
        (0, False, "ended by itself with exit code 0"),
        (3, False, "exit code 3 (did the task call os._exit?)"),
        (-9, False, "signal 9 (SIGKILL); somebody killed it, or"),
        (-9, True, "signal 9 (SIGKILL); the machine ran out of memory"),
        (-11, False, "signal 11 (SIGSEGV); a fault in compiled code"),
        (-15, False, "signal 15 (SIGTERM)"),
        (-99, False, "signal 99 (an unknown signal)"),
    ],
)
def test_how_a_worker_died_in_words(code, oom, words):
    """Each way to die has its words."""
    assert words in how_it_died(Lost(code, oom))


def test_logs_are_cut_and_shortened(tmp_path):
    """A log keeps its beginning and end, under way and finished; short ones are left alone."""
    log = tmp_path / "log"
    assert cut(str(log)) == 0
    log.write_bytes(b"short")
    assert (cut(str(log)), shorten(str(log))) == (0, 0)
    log.write_bytes(b"begin" + b"x" * LIMIT + b"end")
    assert shorten(str(log)) > 0
    text = log.read_bytes()
    assert text.startswith(b"begin")
    assert text.endswith(b"end")
    assert b"left out ...]" in text
    assert len(text) < LIMIT
    log.write_bytes(b"begin" + b"x" * LIMIT + b"end")
    cut(str(log))
    assert log.read_bytes().endswith(b"xend")
    assert rescue(str(tmp_path / "none"), str(tmp_path / "a" / "b")) == 0
    assert not (tmp_path / "a").exists()
    rescue(str(log), str(tmp_path / "a" / "b"))
    text = (tmp_path / "a" / "b").read_bytes()
    assert text.startswith(b"begin")
    assert text.endswith(b"xend")
    assert b"\0" not in text


@pytest.mark.parametrize("holes", [True, False])
def test_a_log_that_is_cut_frees_its_middle_and_goes_on(tmp_path, monkeypatch, holes):
    """What is written after the cut follows, with holes or without; the disk gets its room back."""
    if not holes:
        monkeypatch.setattr("dynamo.worker.logs._punch", lambda *_: False)
    log = tmp_path / "log"
    with log.open("ab", buffering=0) as file:
        file.write(b"begin" + b"x" * 3 * LIMIT + b"so far")
        assert cut(str(log)) == (0 if holes else 3 * LIMIT + 11 - (2 << 20))
        assert log.stat().st_blocks * 512 < (2 << 20) + (1 << 16)
        file.write(b" and on")
    assert log.read_bytes().endswith(b"so far and on")
    assert log.read_bytes().startswith(b"begin")


def test_a_container_that_ran_out_of_its_memory_is_told_its_limit():
    """And one that could not be started, why."""
    died = how_it_died(Lost(-9, oom=True, limit=100 << 20))
    assert "its container came upon its limit of 100 MiB of memory: declare more with memory=" in died
    told = how_it_died(Lost(1, oom=False, unstarted="no such image"))
    assert told == "the container of its worker could not be started: no such image"
