"""How a run went, in words for the log of a watch."""

from __future__ import annotations

import pytest

from dynamo.condor.compilation import dag_options
from dynamo.condor.options import PoolOptions
from dynamo.engine.events import Summary
from dynamo.triggers.window import Window
from dynamo.watch.feed import read_feed
from dynamo.watch.orders import done, order


def ended(*warnings: str) -> Summary:
    """Return how a run ended."""
    return Summary("flow-1", "flow", 3, 1, (), 0, 0, (), "out", 0.52, 0.0, warnings)


def test_warnings_of_a_run_are_told_with_it():
    """The first, and how many there are."""
    said = "flow-1: 3 ran, 1 reused, in 0.5 s"
    assert done(ended()) == said
    assert done(ended("read: odd")) == f"{said}; 1 warning: read: odd"
    assert done(ended("read: odd", "b: c")) == f"{said}; 2 warnings, the first: read: odd"


FLOW = """
from dynamo import Input, Output, task, workflow

@task
def count(scans: list[Input], out: Output): ...

@workflow
def flow(scans: list[Input]):
    count(scans, out='count')
"""


class Run:
    """What the options of a DAG are made of."""

    def __init__(self, request):
        self.request, self.id, self.began = request, request.run, 7.0


@pytest.mark.parametrize(
    ("trigger", "clock"),
    [
        ("{every: 5 min}", "every 300 s"),
        ("{cron: '*/5 * * * *', zone: Europe/Berlin}", "cron */5 * * * * in Europe/Berlin"),
        ("{late: 1 min}", ""),
    ],
)
def test_jobs_of_a_run_that_a_clock_starts_know_that_clock(tmp_path, trigger, clock):
    """Those that files start know none: nobody knows when the next file comes."""
    (tmp_path / "flow.py").write_text(FLOW)
    (tmp_path / "scan-20260325T050000Z").write_text("scan")
    path = tmp_path / "flow.yaml"
    path.write_text(f"workflow: flow.py:flow\ninputs:\n  scans: {{files: 'scan-*'}}\ntrigger: {trigger}\n")
    window = Window(
        1774414800.0, 1774414800.0, {"scans": (str(tmp_path / "scan-20260325T050000Z"),)}, complete=True
    )
    request = order(read_feed(path), window)
    options = dag_options(Run(request), PoolOptions(), 2, here=True)
    assert (options.clock, options.feed) == (clock, str(path))
