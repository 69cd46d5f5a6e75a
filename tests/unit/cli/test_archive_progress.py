"""How a range stands while it runs, on a terminal and in a log file."""

from __future__ import annotations

import pytest

from dynamo.archive.work import Ended
from dynamo.cli import archive_progress
from dynamo.cli.archive_progress import ArchiveProgress
from dynamo.triggers.window import Window


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand."""
    now = [1000.0]
    monkeypatch.setattr(archive_progress, "monotonic", lambda: now[0])
    return now


def ended(n, state="done", error=""):
    return Ended(Window(n * 60.0, n * 60.0, {}), state, error=error)


def test_a_log_file_gets_a_line_each_ten_seconds_and_each_kind_of_failure_once(clock, capsys):
    """However many windows end in between; rate and time left go by what ended lately."""
    progress = ArchiveProgress(1000)
    progress.begin([ended(n, "reused") for n in range(100)], 900)
    for n in range(100, 400):
        clock[0] += 0.1
        progress.end(ended(n, "failed" if n % 10 == 0 else "done", "no echo" if n % 10 == 0 else ""))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "1,000 windows: 900 to run, 100 done before"
    assert lines[1] == "failed: 1970-01-01 01:40:00Z: no echo"
    assert len(lines) == 4
    assert lines[2] == "200 of 1,000 windows, 10 failed; 600 a minute, 1 min 20 s left"


def test_the_rate_is_that_of_the_last_minute(clock):
    """After a slow hour it follows what is quick now, and the other way round."""
    progress = ArchiveProgress(10_000, quiet=True)
    progress.begin([], 10_000)
    for _ in range(100):
        clock[0] += 30
        progress.end(ended(1))
    assert progress.per_second == pytest.approx(1 / 30)
    for _ in range(2000):
        clock[0] += 0.05
        progress.end(ended(1))
    assert progress.per_second == pytest.approx(20, rel=0.01)


def test_quiet_says_nothing_and_a_terminal_has_one_line(clock, capsys, monkeypatch):
    """The line is there while it runs, and gone after it."""
    quiet = ArchiveProgress(3, quiet=True)
    with quiet.shown():
        quiet.begin([], 3)
        quiet.end(ended(1, "failed", "no echo"))
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    progress = ArchiveProgress(3)
    with progress.shown():
        progress.begin([], 3)
        clock[0] += 30
        progress.end(ended(1))
    said = capsys.readouterr().err
    assert "1 of 3 windows; 2 a minute, 1 min 0 s left" in said
