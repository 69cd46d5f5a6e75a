"""The loop of the engine, against a queue that is made up: it ends, whatever becomes of its DAGs, and says why."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from dynamo.condor import engine as module
from dynamo.condor import outage
from dynamo.condor.engine import HTCondorEngine
from dynamo.condor.folder import DagFolder
from dynamo.condor.options import PoolOptions
from dynamo.condor.schedd import Slot
from dynamo.engine import Products, Request
from dynamo.errors import InfrastructureError
from dynamo.journal import Journal, Workspace
from dynamo.worker.limits import RETRIES
from dynamo.worker.loading import load_object

FLOW = """
@workflow
def flow():
    copy(make(out='a'), out='b')
"""


@dataclass
class Queue:
    """Stands for a schedd; each DAG that is submitted ends at once, as `ends` says of its first job."""

    ends: list[str]
    event_log: type
    away: bool = False
    name: str = "ap"
    spools: bool = False
    dags: list[DagFolder] = field(default_factory=list)

    def check_shared(self):
        """Nothing is shared."""

    def slots(self):
        return [Slot(4, 1 << 34)] * 2

    def find(self, run):
        return 0

    def state(self, cluster):
        if self.away:
            raise InfrastructureError("the schedd is away")
        return {"JobStatus": 2} if self.ends[len(self.dags) - 1] in ("waits", "runs") else {}

    def release(self, cluster):
        """None waits to be released."""
        return True

    def submit(self, dag, run, *, rescue=False, first=()):
        assert len(self.dags) < len(self.ends), "one DAG too many"
        how = self.ends[len(self.dags)]
        self.dags.append(DagFolder(dag.parent))
        self.log, self.own = self.event_log(self.dags[-1].nodes_log), self.event_log(self.dags[-1].own_log)
        self.job = next(iter(self.dags[-1].jobs))
        self.own.submitted()
        self.log.submitted(self.job)
        if how == "waits":
            return 7
        self.log.began(self.job)
        match how:
            case "runs":
                return 7
            case "well":  # and has sent nothing
                self.log.ended(self.job)
            case "held":
                self.log.held(self.job, 35, "image is not there")
                self.log.removed(self.job)
            case "fails":
                self.log.ended(self.job, 3)
        self.own.ended("", 0 if how == "well" else 1)
        return 7


@pytest.fixture
def begin(tmp_path, monkeypatch, flow_head, event_log):
    """Have an engine with such a queue; seconds between looks are short."""
    monkeypatch.setattr(module, "TICK", 0.0)
    for name, seconds in (("PAUSE", 0.0), ("SILENCE", 0.0), ("LONGEST", 0.2)):
        monkeypatch.setattr(outage, name, seconds)
    (tmp_path / "flow.py").write_text(flow_head + FLOW)

    def made(*ends, **queue):
        graph = load_object(f"{tmp_path}/flow.py:flow").graph()
        workspace = Workspace.open(tmp_path / ".dynamo")
        told = []
        engine = HTCondorEngine(workspace, PoolOptions(), modules=(str(tmp_path),), observer=told.append)
        engine.schedd = Queue(list(ends), event_log, **queue)
        return engine, Request("r1", graph, Products(str(tmp_path / "products"))), told

    return made


@pytest.mark.parametrize(
    ("ends", "why"),
    [
        (["well", "held"], "its container image cannot be used"),
        (["well", "fails"], "it sent no report back"),
        (["well", "nothing"], "its DAG ended without it"),
        (["well"] * (1 + RETRIES), "it sent no report back"),
        (["fails"], "it sent no report back"),
    ],
)
def test_a_run_whose_dags_come_to_nothing_ends_with_the_reason_of_the_last(begin, ends, why):
    """What was lost is tried again a few times, and only while that is what happens to it."""
    engine, request, _ = begin(*ends)
    summary = engine.run(request)
    assert len(engine.schedd.dags) == len(ends)
    assert not summary.ok
    assert why in summary.failures[0].error
    assert all(failure.infrastructure for failure in summary.failures)


def said(engine):
    """What the journal has for who asks how the run stands."""
    with Journal(engine.workspace.journal) as journal:
        return journal.submission("r1")["said"]


def test_who_asks_how_a_run_stands_is_told_what_is_so_now(begin):
    """Not what somebody was told who followed it before; when it has ended without a word, why is told as ever."""
    engine, request, _ = begin("waits")

    def leave(event):
        if event.kind == "told":
            raise KeyboardInterrupt

    engine.observer = leave
    with pytest.raises(KeyboardInterrupt):
        engine.run(request)
    queue, request = engine.schedd, replace(request, resume=True)
    engine.observer = lambda _: None
    queue.log.held(queue.job, 35, "image is not there")
    engine.look(request)
    assert "1 job held" in said(engine)
    queue.log.released(queue.job)
    queue.log.began(queue.job)
    engine.look(request)
    assert said(engine) == "cluster 7 of ap"
    queue.log.ended(queue.job)
    queue.own.ended("", 0)
    engine.look(request)
    with Journal(engine.workspace.journal) as journal:
        assert journal.run("r1").state == "failed"
        assert "it sent no report back" in journal.tasks("r1")["make"].reason


def test_an_access_point_that_stays_away_is_told_once_and_not_followed_for_ever(begin):
    """It is asked again and again meanwhile."""
    engine, request, told = begin("runs", away=True)
    with pytest.raises(InfrastructureError, match="the schedd is away"):
        engine.run(request)
    texts = [event.text for event in told if event.kind == "told"]
    assert [text for text in texts if "is away; the run goes on there" in text] == texts[-1:]
