"""How a run went, in words for the log of a watch."""

from __future__ import annotations

from dynamo.engine.events import Summary
from dynamo.watch.orders import done


def ended(*warnings: str) -> Summary:
    """Return how a run ended."""
    return Summary("flow-1", "flow", 3, 1, (), 0, 0, (), "out", 0.52, 0.0, warnings)


def test_warnings_of_a_run_are_told_with_it():
    """The first, and how many there are."""
    said = "flow-1: 3 ran, 1 reused, in 0.5 s"
    assert done(ended()) == said
    assert done(ended("read: odd")) == f"{said}; 1 warning: read: odd"
    assert done(ended("read: odd", "b: c")) == f"{said}; 2 warnings, the first: read: odd"
