"""A run is compiled with what its jobs tell of themselves, also those that are described while it runs."""

from __future__ import annotations

import re
import time
from dataclasses import replace

import orjson
import pytest

from dynamo.condor.compilation import compile_run, dag_options
from dynamo.condor.options import PoolOptions
from dynamo.condor.run import PoolRun
from dynamo.condor.unfold import write
from dynamo.planning.select import Selection
from dynamo.worker.loading import load_object

FLOW = """
@task(deadline='40 s')
def urgent(source: Input, out: Output):
    Path(out).write_text('')

@workflow(runtime=True, deadline='1 min')
def more(source: Input, outs: list[Output]):
    copy(source, out=outs[0])
    copy('{beside}', out='c')
    urgent(source, out='d')

@workflow
def flow():
    more(copy('{scan}', out='a'), outs=['b'])
"""


@pytest.fixture
def compiled(pool, tmp_path):
    """A run that began at a known time, compiled; its inputs are of 5 and 7 bytes."""
    scan, beside = tmp_path / "scan", tmp_path / "beside"
    scan.write_bytes(b"scan\n")
    beside.write_bytes(b"beside\n")
    pool.submit(FLOW.format(scan=scan, beside=beside), ("copy",), ("more",))
    with pool.run.journal.change():
        graph = pool.run.settle(time.time())
    pool.run.began = 1_800_000_000.5
    options = dag_options(pool.run, PoolOptions(), 2, here=True)
    pool.folder, _ = compile_run(pool.run, graph, tmp_path / "dag", options)
    return pool


def told(dag):
    """Return what each job of a DAG tells, by the end of its name."""
    found = re.findall(
        r'^VARS (\S+) .*kind="([^"]*)" features="([^"]*)" due="([^"]*)"', dag.read_text(), re.MULTILINE
    )
    return {name: said for name, *said in found}


def test_jobs_tell_sizes_of_inputs_and_when_they_are_due(compiled):
    """By what is known when the run is compiled: one waits for what another has still to make."""
    assert told(compiled.folder.dag) == {
        "copy": ["flow/copy", "bytes=5;tasks=1", "undefined"],
        "more": ["flow/more", "tasks=1", "1800000060"],
    }


def test_jobs_that_are_described_while_it_runs_tell_it_too(compiled):
    """What was made before, and told of it, is known by then; they are due when their workflow is, or when they say."""
    folder = compiled.folder
    compiled.facts = {"echo_km2": 80.5}
    compiled.send("copy", copy="ok")
    graph = load_object(f"{compiled.root}/flow.py:more").expand(
        "more", {"source": ("a", folder.path / "jobs/copy/out/a")}, {"outs": ["b"]}, {}
    )
    (found,) = folder.job("more").outputs.values()
    (folder.job("more").folder / found).write_bytes(orjson.dumps(graph.to_json()))
    write(folder.path, "flow", "more")
    size = len("a of copy")
    assert list(told(folder.path / "more__more.dag").values()) == [
        ["flow/more/copy", f"echo_km2=80.5;bytes={size};tasks=1", "1800000060"],
        ["flow/more/copy+more/urgent", f"echo_km2=80.5;bytes={7 + size};tasks=2", "1800000040"],
    ]


def test_jobs_carry_what_the_run_before_told(pool, tmp_path):
    """A task of the cycle before told it, and this cycle cannot know better when it is submitted."""
    pool.submit("@workflow\ndef flow():\n    copy(make(out='a'), out='b')\n", ("make", "copy"))
    pool.facts = {"echo_km2": 812.25}
    pool.log.submitted("make-to-copy")
    pool.log.began("make-to-copy")
    pool.send("make-to-copy", make="ok", copy="ok")
    pool.log.ended("make-to-copy")
    pool.followed(pool.run)
    assert pool.states() == {"make": "done", "copy": "done"}
    pool.request = replace(pool.request, run="r2", selection=Selection(force=("make", "copy")))
    run = pool.run = PoolRun(
        pool.request, pool.workspace, pool.journal, pool.run.facts, lambda graph: None, time.time()
    )
    with run.journal.change():
        run.open()
        graph = run.settle(time.time())
    folder, _ = compile_run(run, graph, tmp_path / "dag", dag_options(run, PoolOptions(), 2, here=True))
    assert [features for _, features, _ in told(folder.dag).values()] == ["echo_km2=812.25;tasks=2;usual=1"]
