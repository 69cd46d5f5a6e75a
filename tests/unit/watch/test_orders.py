"""How a run went, in words for the log of a watch."""

from __future__ import annotations

import pytest

from dynamo.engine.events import Summary
from dynamo.triggers.window import Window
from dynamo.watch.feed import read_feed
from dynamo.watch.orders import done, order

FLOW = """
from dynamo.graph import Input, Output, task, workflow

@task
def read(frame: Input, out: Output) -> None: ...

@workflow
def flow(frames: list[Input]) -> None:
    read(frames[0], "a.json")
"""


def ended(*warnings: str) -> Summary:
    """Return how a run ended."""
    return Summary("flow-1", "flow", 3, 1, (), 0, 0, (), "out", 0.52, 0.0, warnings)


def test_warnings_of_a_run_are_told_with_it():
    """The first, and how many there are."""
    said = "flow-1: 3 ran, 1 reused, in 0.5 s"
    assert done(ended()) == said
    assert done(ended("read: odd")) == f"{said}; 1 warning: read: odd"
    assert done(ended("read: odd", "b: c")) == f"{said}; 2 warnings, the first: read: odd"


@pytest.mark.parametrize(("trigger", "named"), [("every: 1 min", "073300Z"), ("wait: 1 s", "073140Z")])
def test_products_are_named_by_the_tick_or_the_newest_file(tmp_path, trigger, named):
    """Two ticks without new data are two folders: a later, poorer composite replaces none."""
    (tmp_path / "flow.py").write_text(FLOW)
    frame = tmp_path / "a-20170329-073140.nc"
    frame.touch()
    (tmp_path / "run.yaml").write_text(
        f"workflow: ./flow.py:flow\ninputs: {{frames: '*.nc'}}\nproducts: '{{time}}'\ntrigger: {{{trigger}}}\n"
    )
    at = 1_490_772_780.0  # 07:33:00
    request = order(read_feed(tmp_path / "run.yaml"), Window(at, at, {"frames": (str(frame),)}), 0)
    assert request.products.folder.endswith(f"20170329T{named}")
