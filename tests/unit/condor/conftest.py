"""A run on a pool that is made up: DAG, journal, logs and reports are real; what happens, the test says."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

import pytest

from dynamo.condor.folder import DagFolder
from dynamo.condor.follow import Follower
from dynamo.condor.run import PoolRun
from dynamo.engine import Event, Products, Request
from dynamo.engine.known import Facts
from dynamo.graph import Graph
from dynamo.graph.model import Task
from dynamo.journal import Attempt, Journal, Workspace
from dynamo.targets.code import carry
from dynamo.targets.dag_folder import write_dag
from dynamo.targets.dagman import DagOptions
from dynamo.worker.job import Made, Report, found_name
from dynamo.worker.loading import load_object
from dynamo.worker.returned import Returned, Tried

HEAD = """
from pathlib import Path
from dynamo import Input, Output, fuse, task, workflow

@task
def make(out: Output, *, text: str = 'made'):
    Path(out).write_text(text)

@task
def copy(source: Input, out: Output):
    Path(out).write_text(Path(source).read_text())
"""
BYTES = "\t0  -  Run Bytes Sent By Job\n\t0  -  Run Bytes Received By Job"
#: Unix time of the first event.
BEGAN = time.mktime((2026, 1, 1, 0, 0, 0, 0, 0, -1))


@dataclass
class EventLog:
    """Writes an event log as HTCondor does."""

    path: Path
    cluster: int = 10
    clusters: dict[str, int] = field(default_factory=dict)
    second: int = 0
    start: float = BEGAN

    def write(self, number: int, job: str, text: str) -> None:
        """Write one event: its number, the job's name, and its text from behind the time on."""
        self.second += 1
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(BEGAN + self.second))
        with self.path.open("a") as file:
            file.write(f"{number:03} ({self.clusters[job]:03}.000.000) {at} {text}\n...\n")

    def submitted(self, job: str = "") -> None:
        self.cluster += 1
        self.clusters[job] = self.cluster
        notes = f'\n    [ DAGNodeName = "{job}"; JobBatchName = "flow.dag+50" ]' if job else ""
        self.write(0, job, f"Job submitted from host: <127.0.0.1:9618?sock=schedd_7_6140>{notes}")

    def began(self, job: str = "", machine: str = "slot1@one") -> None:
        self.write(
            1, job, f"Job executing on host: <10.0.0.1:9618?sock=startd>\n\tSlotName: {machine}\n\tCpus = 1"
        )

    def ended(self, job: str = "", code: int = 0) -> None:
        how = f"(1) Normal termination (return value {code})"
        if code < 0:
            how = f"(0) Abnormal termination (signal {-code})\n\t(0) No core file"
        usage = "\t\tUsr 0 00:00:00, Sys 0 00:00:00  -  "
        kinds = ("Run Remote", "Run Local", "Total Remote", "Total Local")
        sent = ("Run Bytes Sent", "Run Bytes Received", "Total Bytes Sent", "Total Bytes Received")
        lines = [*(f"{usage}{kind} Usage" for kind in kinds), *(f"\t0  -  {kind} By Job" for kind in sent)]
        self.write(5, job, "\n".join([f"Job terminated.\n\t{how}", *lines]))

    def evicted(self, job: str) -> None:
        line = "\t\tUsr 0 00:00:00, Sys 0 00:00:00  -  Run {} Usage"
        usage = f"{line.format('Remote')}\n{line.format('Local')}"
        self.write(
            4, job,
            f"Job was evicted.\n\t(0) CPU times\n{usage}\n\t0  -  Run Bytes Sent By Job\n"
            "\t0  -  Run Bytes Received By Job\n\tReason: the owner came back",
        )  # fmt: skip

    def lost(self, job: str) -> None:
        self.write(
            24,
            job,
            "Job reconnection failed\n    Job disconnected too long\n    Can not reconnect to one, rescheduling job",
        )

    def silent(self, job: str) -> None:
        self.write(
            22,
            job,
            "Job disconnected, attempting to reconnect\n"
            "    Socket between submit and execute hosts closed unexpectedly\n"
            "    Trying to reconnect to slot1@one <10.0.0.1:9618?sock=startd>",
        )

    def back(self, job: str) -> None:
        self.write(
            23,
            job,
            "Job reconnected to slot1@one\n    startd address: <10.0.0.1:9618?sock=startd>\n"
            "    starter address: <10.0.0.1:9618?sock=starter>",
        )

    def broke(self, job: str) -> None:
        self.write(
            7,
            job,
            f"Shadow exception!\n\tError from slot1@one: gone\n{BYTES}",
        )

    def held(
        self, job: str, code: int = 34, reason: str = "Job has gone over memory limit of 1024 megabytes"
    ) -> None:
        self.write(12, job, f"Job was held.\n\t{reason}\n\tCode {code} Subcode 102")

    def released(self, job: str) -> None:
        self.write(
            13, job, "Job was released.\n\tThe job attribute PeriodicRelease expression evaluated to TRUE"
        )

    def removed(self, job: str = "") -> None:
        self.write(9, job, "Job was aborted.\n\tvia condor_rm (by user dynamo)")

    def image_size(self, job: str) -> None:
        self.write(
            6,
            job,
            "Image size of job updated: 12345\n\t6  -  MemoryUsage of job (MB)\n\t5120  -  ResidentSetSize of job (KB)",
        )


@dataclass
class MadeUp:
    """A run, whose DAG is submitted to nobody."""

    root: Path
    events: list[Event] = field(default_factory=list)
    facts: dict[str, float] = field(default_factory=dict)

    def submit(self, text: str, *units: Sequence[str]) -> Follower:
        """Write a workflow, compile it with these tasks in each job, and follow it."""
        file = self.root / "flow.py"
        file.write_text(HEAD + dedent(text))
        graph: Graph = load_object(f"{file}:flow").graph()
        self.workspace = Workspace.open(self.root / ".dynamo")
        self.out = self.root / "products"
        self.request = Request("r1", graph, Products(str(self.out)))
        run = self._run()
        with run.journal.change():
            run.open()
            graph = run.settle(time.time())
        for task in graph.tasks.values():
            run.facts.code(task.call)
        carried = carry([t.call for t in graph.tasks.values()], run.facts.code_states())
        self.path = self.workspace.runs / "r1" / "dag-1"
        products = {"folder": str(self.out), "only": []}
        write_dag(self.path, graph, units, {}, carried, DagOptions(python=sys.executable), products)
        with run.journal.change():
            run.journal.set_submission("r1", {"folder": str(self.path), "cluster": 10})
        self.folder = DagFolder(self.path)
        self.log, self.own = EventLog(self.folder.nodes_log), EventLog(self.folder.own_log)
        self.own.submitted()
        return self.followed(run)

    def attach(self, *, failing: bool = True) -> Follower:
        """Follow it anew, as after a crash."""
        run = self._run()
        with run.journal.change():
            run.attach()
            run.settle(time.time())
        return self.followed(run, failing=failing)

    def _run(self) -> PoolRun:
        if hasattr(self, "journal"):
            self.journal.close()
        self.journal = Journal(self.workspace.journal)
        facts = Facts(self.workspace, self.journal, (str(self.root),))
        return PoolRun(self.request, self.workspace, self.journal, facts, lambda graph: None, time.time())

    def followed(self, run: PoolRun, *, failing: bool = True) -> Follower:
        self.run = run
        follower = Follower(run, DagFolder(self.path), failing=failing)
        follower.catch_up()
        return follower

    def send(
        self, job: str, again: bool = False, error: str = "", damaged: Sequence[str] = (), /, **ended: str
    ) -> None:
        """Have a job send back its report, with these endings of its tasks (``_`` for ``-``), and what they made.

        Each that is ok tells `facts`.
        """
        folder = self.folder.job(job).folder
        path = folder / "out" / f"{job}.report.json"
        told = Returned.read(path) if again else Returned(job)
        told = Returned(job, told.rounds + 1, "b", "host", 1.0, 2.0, 3.0, told.tried, error)
        counts = {t.report.task: t.n for t in told.tried}
        for name, how in ended.items():
            task = self.request.graph.tasks[name.replace("_", "-")]
            n = counts[task.id] = counts.get(task.id, 0) + 1
            made = dict(self._make(job, task, damaged)) if how == "ok" else {}
            at = BEGAN + 100 * told.rounds + len(told.tried)
            why = "" if how == "ok" else f"{task.id} {how}"
            facts = self.facts if how == "ok" else {}
            report = Report(
                task.id, "ok" if how == "ok" else "failed", at, at + 0.5, why, made=made, facts=facts
            )
            (folder / "out/logs").mkdir(exist_ok=True)
            (folder / f"out/logs/{task.id}.{n}.log").write_text(f"log {n} of {task.id}")
            told = told.with_one(Tried(n, how, report, f"out/logs/{task.id}.{n}.log", told.rounds))
        told.write(path)

    def _make(self, job: str, task: Task, damaged: Sequence[str]) -> Iterator[tuple[str, Made]]:
        for name in [found_name(task)] if task.kind == "expand" else task.output_names:
            data = f"{name} of {task.id}".encode()
            path = self.folder.job(job).folder / self.folder.job(job).outputs[name]
            path.write_bytes(b"?" if name in damaged else data)
            yield name, Made(hashlib.sha256(data).hexdigest(), len(data), 1)

    def attempts(self) -> list[tuple[str, int, str]]:
        """What the journal has: task, number, outcome."""
        order = list(self.request.graph.order())
        found = sorted(self.all_attempts(), key=lambda a: (a.n, order.index(a.task)))
        return [(a.task, a.n, a.outcome) for a in found]

    def all_attempts(self) -> list[Attempt]:
        return self.journal.attempts("r1")

    def states(self) -> dict[str, str]:
        return {task: record.state for task, record in self.journal.tasks("r1").items()}

    def summary(self):
        self.run.account.publish()
        return self.run.account.summary(self.run.ready.tasks, time.time())


@pytest.fixture
def pool(tmp_path):
    made = MadeUp(tmp_path)
    yield made
    if hasattr(made, "journal"):
        made.journal.close()


@pytest.fixture
def log(tmp_path):
    return EventLog(tmp_path / "x.log")


@pytest.fixture
def flow_head():
    """What a workflow of these tests begins with."""
    return HEAD


@pytest.fixture
def event_log():
    """What writes an event log."""
    return EventLog
