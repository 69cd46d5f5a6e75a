"""The jobs of a DAG that are submitted before it: those that could start, told what DAGMan would tell them."""

from __future__ import annotations

import re

import pytest

from dynamo.images.image import Image
from dynamo.targets.ahead import MOST, ahead
from dynamo.targets.dagman import DagOptions, dag_text
from dynamo.targets.jobs import compile_jobs
from dynamo.worker.loading import load_object

FLOW = """
from dynamo import Input, Output, command, task, workflow

@task
def make(out: Output, *, n: int):
    open(out, "w").write(str(n))

@task(priority=2)
def soon(out: Output):
    open(out, "w").write("soon")

@command(image="tools")
def tool(out: Output):
    return ["touch", out]

@task
def use(made: Input, out: Output):
    open(out, "w").write(open(made).read())

@workflow
def flow(many: int = 3):
    made = [make(n=n, out=f"{n}.txt") for n in range(many)]
    use(made[0], out="used.txt")
    soon(out="soon.txt")
    tool(out="tool.txt")
"""


@pytest.fixture
def begun(tmp_path):
    """Describe what begins a DAG with a job for each task: what each job is told, and the DAG."""
    (tmp_path / "flow.py").write_text(FLOW)

    def made(many=3, **options):
        graph = load_object(f"{tmp_path}/flow.py:flow").graph(many=many)
        given = DagOptions(run="r1", **options)
        compiled = compile_jobs(graph, [(task,) for task in graph.order()])
        texts = ahead(compiled, given, "/run/dag-1/flow.dag.nodes.log")
        told = [dict(line.split(" = ", 1) for line in text.splitlines() if " = " in line) for text in texts]
        return {one["JOB"]: one for one in told}, dag_text(compiled, "flow", "flow", given, final=False)

    return made


def test_what_waits_for_nothing_is_submitted_the_most_urgent_first(begun):
    """And of these no more than there are slots, or than would hold up the DAG."""
    told, _ = begun()
    assert list(told) == ["soon", "make-0", "make-1", "make-2", "tool"]
    assert list(begun(slots=2)[0]) == ["soon", "make-0"]
    assert len(begun(many=50, slots=99)[0]) == MOST


def test_each_is_told_what_the_dag_says_of_it(begun):
    """The same variables and priority; DAGMan finds the node in the log of its jobs, and keeps the slot as it does."""
    told, dag = begun()
    for job, said in told.items():
        variables = dict(re.findall(r'(\w+)="([^"]*)"', " ".join(re.findall(f"VARS {job} (.*)", dag))))
        assert said["again"] == "0"
        assert variables.pop("again") == "$(RETRY)"
        assert {key: said[key] for key in variables} == variables
        assert said["priority"] == next(iter(re.findall(rf"PRIORITY {job} (\d+)", dag)), "0")
        assert (said["submit_event_notes"], said["My.DAGNodeName"]) == (f"DAG Node: {job}", f'"{job}"')
        assert (said["log"], said["batch_name"]) == ("/run/dag-1/flow.dag.nodes.log", "r1")
        assert said["My.DynamoRun"] == '"r1"'
    assert [job for job, said in told.items() if "keep_claim_idle" in said] == ["make-0"]


def test_what_only_dagman_holds_back_is_left_to_it(begun):
    """Steps of which only so many jobs may run, and commands in images of their own."""
    assert list(begun(limits={"make": 1})[0]) == ["soon", "tool"]
    images = {name: Image(name, docker=f"{name}:1") for name in ("default", "tools")}
    assert "tool" not in begun(container="docker", images=images)[0]
