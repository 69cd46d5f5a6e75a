"""A run is compiled with what its jobs tell of themselves, also those that are described while it runs."""

from __future__ import annotations

import re
import time

import orjson
import pytest

from dynamo.condor.compilation import compile_run, dag_options
from dynamo.condor.options import PoolOptions
from dynamo.condor.unfold import write
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
    """Sizes of what was made before are known by then; they are due when their workflow is, or when they say."""
    folder = compiled.folder
    compiled.send("copy", copy="ok")
    graph = load_object(f"{compiled.root}/flow.py:more").expand(
        "more", {"source": ("a", folder.path / "jobs/copy/out/a")}, {"outs": ["b"]}, {}
    )
    (found,) = folder.job("more").outputs.values()
    (folder.job("more").folder / found).write_bytes(orjson.dumps(graph.to_json()))
    write(folder.path, "flow", "more")
    size = len("a of copy")
    assert list(told(folder.path / "more__more.dag").values()) == [
        ["flow/more/copy", f"bytes={size};tasks=1", "1800000060"],
        ["flow/more/copy+more/urgent", f"bytes={7 + size};tasks=2", "1800000040"],
    ]
