"""The lines of the log of `dynamo watch`."""

from __future__ import annotations

import logging

import pytest

from dynamo.cli.watch import _Lines


@pytest.mark.parametrize(
    ("level", "line"),
    [
        (logging.INFO, "00:00:05Z 1 % said"),
        (logging.WARNING, "00:00:05Z warning: 1 % said"),
        (logging.ERROR, "00:00:05Z error: 1 % said"),
    ],
)
def test_a_line_says_when_and_how_bad(level, line):
    """In UTC; what is as it should be is marked by nothing."""
    record = logging.LogRecord("dynamo", level, "", 0, "%d %% said", (1,), None)
    record.created = 5.0
    assert _Lines().format(record) == line
