"""What is kept of how a run was asked for, and what a pool makes of it."""

from __future__ import annotations

import pytest

from dynamo.condor.compilation import dag_options
from dynamo.condor.options import PoolOptions
from dynamo.engine import Request
from dynamo.planning import Selection
from dynamo.runfile import prepare
from dynamo.runfile.settings import settings

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
        ("trigger: {every: 5 min}", "every 300 s"),
        (
            "trigger: {cron: '*/5 * * * *', zone: Europe/Berlin}",
            "cron */5 * * * * in Europe/Berlin",
        ),
        ("trigger: {late: 1 min}", ""),
        ("", ""),
    ],
)
def test_jobs_of_a_run_that_a_clock_starts_know_that_clock(tmp_path, trigger, clock):
    """Those that files start know none: nobody knows when the next file comes."""
    (tmp_path / "flow.py").write_text(FLOW)
    (tmp_path / "scan").write_text("scan")
    path = tmp_path / "flow.yaml"
    path.write_text(f"workflow: flow.py:flow\nengine: htcondor\ninputs: {{scans: 'sca*'}}\n{trigger}\n")
    prepared = prepare(path)
    said = settings(prepared, "products", Selection())
    request = Request("r1", prepared.graph, settings=said)
    options = dag_options(Run(request), PoolOptions(), 2, here=True)
    assert (options.clock, options.feed) == (clock, str(path))
