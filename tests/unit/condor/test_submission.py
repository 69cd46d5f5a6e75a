"""A DAG is submitted, and begins, whatever happens meanwhile; only jobs of one that was removed are removed."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from dynamo.condor.engine import HTCondorEngine
from dynamo.condor.options import PoolOptions
from dynamo.condor.submission import submit
from dynamo.errors import InfrastructureError


@dataclass
class Queue:
    """A schedd that takes a DAG, in which then is `state`; `away` when it is to let it begin."""

    held: bool = True
    state_of_it: dict = field(default_factory=dict)
    away: bool = False
    name: str = "ap"
    spools: bool = False
    asked: list[str] = field(default_factory=list)

    def submit(self, dag, run, *, rescue=False, first=()):
        return 77

    def release(self, cluster):
        self.asked.append("release")
        if self.away:
            raise InfrastructureError("the schedd is away")
        return self.held

    def state(self, cluster):
        return self.state_of_it

    def clear(self, cluster):
        self.asked.append("clear")


@pytest.fixture
def run(pool):
    """A run with a DAG that nobody has submitted."""
    pool.submit("@workflow\ndef flow():\n    make(out='a')\n", ("make",))
    return pool


@pytest.mark.parametrize(
    ("queue", "asked"),
    [
        (Queue(), ["release"]),
        (Queue(held=False), ["release", "clear"]),
        (Queue(held=False, state_of_it={"JobStatus": 3}), ["release", "clear"]),
        (Queue(held=False, state_of_it={"JobStatus": 2}), ["release"]),
        (Queue(away=True), ["release"]),
    ],
)
def test_jobs_are_removed_only_where_their_dag_was(run, queue, asked):
    """Another hand may have let it begin; and a schedd that is away is asked again by who follows the run."""
    assert submit(run.run, run.folder, queue, first=["a job"]) == 77
    assert queue.asked == asked
    assert run.journal.submission("r1")["cluster"] == 77


def test_a_dag_without_jobs_before_it_is_not_held(run):
    """One that is gone on with, or that is sent to another machine."""
    queue = Queue()
    submit(run.run, run.folder, queue)
    assert queue.asked == []


@pytest.mark.parametrize("begins", [True, False])
def test_who_asks_lets_a_dag_begin_that_has_not(run, begins):
    """Of one that has, the schedd need not answer."""
    if begins:
        run.own.began()
    engine = HTCondorEngine(run.workspace, PoolOptions(), modules=(str(run.root),))
    engine.schedd = Queue()
    engine.look(run.request)
    assert engine.schedd.asked == ([] if begins else ["release"])
