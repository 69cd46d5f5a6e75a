"""Limits and deaths, decided without a clock or a process."""

from __future__ import annotations

import pytest

from dynamo.engine.limits import Lost, breach, how_it_died
from dynamo.engine.logs import LIMIT, cut, rescue, shorten
from dynamo.graph import Needs


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
    assert cut(str(log)) + log.stat().st_size == LIMIT + 8
    assert log.read_bytes().endswith(b"xend")
    assert rescue(str(tmp_path / "none"), str(tmp_path / "a" / "b")) == 0
    assert not (tmp_path / "a").exists()
    rescue(str(log), str(tmp_path / "a" / "b"))
    assert (tmp_path / "a" / "b").read_bytes().startswith(b"begin")
