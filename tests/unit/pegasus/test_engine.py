"""The Pegasus engine against a stand-in for the planner: what it records, brings home, and says when it goes wrong."""

from __future__ import annotations

import os
import re
import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from dynamo.engine import Products, Request
from dynamo.errors import InfrastructureError, UserError
from dynamo.journal import Journal, Workspace
from dynamo.pegasus.engine import run
from dynamo.planning import Selection
from dynamo.runfile import prepare
from dynamo.targets.pegasus_work import Names

STAND_IN = Path(__file__).parent / "stand_in.py"

WORKFLOW = """\
from dynamo import Input, Output, fuse, task, tell, workflow


@task(deadline="1 min")
def split(scan: Input, parts: list[Output]) -> None:
    tell(echo_km2=512.5)
    for part, line in zip(parts, open(scan).read().splitlines(), strict=True):
        open(part, "w").write(line)


@task
def double(part: Input, out: Output) -> None:
    text = open(part).read()
    assert text != "bad"
    open(out, "w").write(2 * text)


@workflow
def chain(scan: Input):
    first, second = split(scan, ["part_0", "part_1"])
    with fuse("both"):
        double(double(first, "once.txt"), "say/twice 1.txt")
    double(second, "other.txt")
"""


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    """A run file, and the stand-in as `pegasus-plan` first on the PATH."""
    (tmp_path / "chain.py").write_text(WORKFLOW)
    (tmp_path / "scan.txt").write_text("a\nb\n")
    (tmp_path / "run.yaml").write_text("workflow: ./chain.py:chain\ninputs: {scan: scan.txt}\n")
    command(tmp_path, monkeypatch, "pegasus-plan", f'exec {sys.executable} {STAND_IN} "$@"')
    return prepare(tmp_path / "run.yaml")


def command(folder: Path, monkeypatch, name: str, text: str) -> None:
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / "bin" / name).chmod(0o755)
    if str(folder / "bin") not in os.environ["PATH"]:
        monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")


def asked(prepared, **more) -> Request:
    folder = prepared.path.parent / "products"
    return Request("r1", prepared.graph, Products(str(folder), ("say/*", "other.txt")), **more)


def workspace(prepared) -> Workspace:
    return Workspace.open(prepared.workspace)


def submit(prepared) -> Path:
    return workspace(prepared).runs / "r1" / "pegasus" / "submit" / "run0001"


def log(prepared, *lines: str) -> None:
    submit(prepared).mkdir(parents=True, exist_ok=True)
    with (submit(prepared) / "jobstate.log").open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


def planned_only(prepared, monkeypatch) -> None:
    """Let `pegasus-plan` plan, and run nothing: the test writes the log."""
    answer = shlex.quote(f'{{"submit_dir": "{submit(prepared)}"}}')
    command(prepared.path.parent, monkeypatch, "pegasus-plan", f"mkdir -p submit/run0001; echo {answer}")


def test_a_run_makes_its_products_and_a_journal(prepared):
    """As with any engine; the products have their own names again."""
    events = []
    summary = run(workspace(prepared), asked(prepared), observer=events.append, rest=0.05)
    assert summary.ok
    assert (summary.ran, summary.blocked) == (4, 0)
    folder = prepared.path.parent / "products"
    assert {p.name: p.read_text() for p in folder.rglob("*.txt")} == {
        "twice 1.txt": "aaaa",
        "other.txt": "bb",
    }
    assert {(e.kind, e.task) for e in events} >= {("started", "split"), ("done", "double-2")}
    with Journal(workspace(prepared).journal) as journal:
        assert journal.run("r1").state == "done"
        assert {t.state for t in journal.tasks("r1").values()} == {"done"}
        attempts = {a.task: a for a in journal.attempts("r1")}
    assert set(attempts) == set(prepared.graph.tasks)
    assert all(a.outcome == "ok" and a.cpu > 0 for a in attempts.values())  # as the jobs themselves told


def test_jobs_tell_a_fleet_of_themselves_and_of_what_the_run_before_told(prepared):
    """As attributes of their ads; what shares a job tells the same, of all of it."""
    for name in ("r1", "r2"):
        begun = int(time.time())
        assert run(workspace(prepared), replace(asked(prepared), run=name), rest=0.05).ok
    told = yaml.safe_load((workspace(prepared).runs / "r2" / "pegasus" / "workflow.yml").read_text())
    found = {job["id"]: job["profiles"]["condor"] for job in told["jobs"]}
    assert {task: said["+DynamoKind"] for task, said in found.items()} == {
        "split": '"chain/split"', **{f"double-{n}": '"chain/double"' for n in range(3)}
    }  # fmt: skip
    features = {
        task: re.sub(r"usual=[0-9.e-]+", "usual=?", said["+DynamoFeatures"]) for task, said in found.items()
    }
    assert features == {
        "split": '"echo_km2=512.5;bytes=4;tasks=1;usual=?"',
        **dict.fromkeys(("double-0", "double-1"), '"echo_km2=512.5;tasks=2;usual=?"'),
        "double-2": '"echo_km2=512.5;tasks=1;usual=?"',
    }
    assert begun + 60 <= int(found["split"]["+DynamoDue"]) <= time.time() + 60
    assert "+DynamoDue" not in found["double-2"]


def test_a_failed_task_is_named_with_those_that_wait_for_it(prepared):
    """What the log says of a job is told of its task; other tasks go on."""
    (prepared.path.parent / "scan.txt").write_text("bad\nb\n")
    prepared = prepare(prepared.path)
    summary = run(workspace(prepared), asked(prepared), rest=0.05)
    assert not summary.ok
    (failure,) = summary.failures
    assert (failure.task, failure.infrastructure, failure.blocked) == ("double-0", False, ("double-1",))
    assert "its job failed with exit code 2 (JOB_FAILURE); `pegasus-analyzer" in failure.error
    assert [Path(p).name for p in summary.products] == ["other.txt"]
    with Journal(workspace(prepared).journal) as journal:
        states = {t.task: t.state for t in journal.tasks("r1").values()}
        assert journal.run("r1").state == "failed"
    assert states == {"split": "done", "double-0": "failed", "double-1": "blocked", "double-2": "done"}


def test_without_pegasus_the_message_says_what_to_install(prepared, monkeypatch):
    """And what works without it."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InfrastructureError) as error:
        run(workspace(prepared), asked(prepared))
    for words in (
        "Pegasus 5.0 or later and HTCondor",
        "https://pegasus.isi.edu",
        "dynamo compile RUNFILE --target pegasus",
    ):
        assert words in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("echo no site >&2; exit 1", "pegasus-plan ended with exit code 1; try it by hand: cd "),
        ("echo planned", "did not say where it put the workflow"),
    ],
)
def test_a_planner_that_fails_is_told_with_its_words(prepared, monkeypatch, text, said):
    """The run has failed."""
    command(prepared.path.parent, monkeypatch, "pegasus-plan", text)
    with pytest.raises(InfrastructureError) as error:
        run(workspace(prepared), asked(prepared))
    assert said in str(error.value)
    with Journal(workspace(prepared).journal) as journal:
        assert journal.run("r1").state == "failed"


def test_only_a_part_is_refused(prepared):
    """Pegasus runs a graph whole."""
    with pytest.raises(UserError, match="--until"):
        run(workspace(prepared), asked(prepared, selection=Selection(only=("split",))))


def interrupt(event) -> None:
    raise KeyboardInterrupt


def test_who_follows_may_leave_and_come_back(prepared, monkeypatch):
    """The workflow goes on; what the log told meanwhile is recorded once."""
    planned_only(prepared, monkeypatch)
    log(
        prepared,
        "100 INTERNAL *** DAGMAN_STARTED 7.0 ***",
        "101 dynamo-worker_split EXECUTE 8.0 condorpool - 1",
    )
    with pytest.raises(KeyboardInterrupt):
        run(workspace(prepared), asked(prepared), observer=interrupt)
    log(
        prepared,
        "105 dynamo-worker_split JOB_SUCCESS 0 condorpool - 1",
        "105 dynamo-worker_split POST_SCRIPT_SUCCESS 0 condorpool - 1",
        *(
            f"{n} dynamo-worker_double-{i} {s} 0 condorpool - 1"
            for i in range(3)
            for n, s in ((106, "EXECUTE"), (108, "JOB_SUCCESS"))
        ),
        "109 INTERNAL *** DAGMAN_FINISHED 0 ***",
    )
    outputs = workspace(prepared).runs / "r1" / "pegasus" / "outputs"
    outputs.mkdir()
    for name in ("other.txt", "say/twice 1.txt"):
        (outputs / Names(prepared.graph).files[name]).write_text(name)
    summary = run(workspace(prepared), asked(prepared, resume=True), rest=0.01)
    assert summary.ok
    assert len(summary.products) == 2
    with Journal(workspace(prepared).journal) as journal:
        attempts = {a.task: (a.n, a.started, a.ended, a.outcome) for a in journal.attempts("r1")}
    assert attempts["split"] == (1, 101.0, 105.0, "ok")
    assert len(attempts) == 4


def test_a_workflow_that_ended_is_submitted_again(prepared, monkeypatch):
    """By `pegasus-run`; what the old log says counts no more."""
    planned_only(prepared, monkeypatch)
    log(
        prepared,
        "100 dynamo-worker_split EXECUTE 8.0 condorpool - 1",
        "101 dynamo-worker_split JOB_FAILURE 3 condorpool - 1",
        "102 INTERNAL *** DAGMAN_FINISHED 1 ***",
    )
    summary = run(workspace(prepared), asked(prepared), rest=0.01)
    assert summary.failures[0].infrastructure
    late = "9999999999"
    again = f"{late} dynamo-worker_split EXECUTE 9.0 condorpool - 2\\n{late} INTERNAL *** DAGMAN_FINISHED 1 ***\\n"
    command(prepared.path.parent, monkeypatch, "pegasus-run", f"printf '{again}' >> $1/jobstate.log")
    summary = run(workspace(prepared), asked(prepared, resume=True), rest=0.01)
    with Journal(workspace(prepared).journal) as journal:
        assert [(a.task, a.n) for a in journal.attempts("r1")] == [("split", 1), ("split", 2)]
    assert not summary.ok


def test_tasks_that_share_a_job_are_known_by_their_reports(prepared, monkeypatch):
    """The log names only the job that stands for them; a product that did not come home is a failure."""
    events = []
    run(workspace(prepared), asked(prepared), rest=0.05)
    state = workspace(prepared).runs / "r1" / "pegasus"
    reports = {p.name: p.read_bytes() for p in (state / "outputs").glob("*.report.json")}
    other = Request("r2", prepared.graph, asked(prepared).products)
    home = workspace(prepared).runs / "r2" / "pegasus"
    answer = shlex.quote(f'{{"submit_dir": "{home}/submit/run0001"}}')
    command(prepared.path.parent, monkeypatch, "pegasus-plan", f"mkdir -p submit/run0001; echo {answer}")
    (home / "outputs").mkdir(parents=True)
    (home / "submit" / "run0001").mkdir(parents=True)
    (home / "submit" / "run0001" / "jobstate.log").write_text(
        "100 merge_dynamo-worker_PID1_ID1 EXECUTE 8.0 condorpool - 1\n"
        "101 merge_dynamo-worker_PID1_ID1 JOB_SUCCESS 0 condorpool - 1\n102 INTERNAL *** DAGMAN_FINISHED 0 ***\n"
    )
    for name, content in reports.items():
        (home / "outputs" / name).write_bytes(content)
    (home / "outputs" / "other.txt").write_text("damaged")
    summary = run(workspace(prepared), other, observer=events.append, rest=0.01)
    assert summary.ran == 4
    assert {f.task: f.error for f in summary.failures}["double-2"].startswith("'other.txt' came home damaged")
    assert {f.task: f.error for f in summary.failures}["double-1"].startswith(
        "'say/twice 1.txt' did not come home"
    )
    assert {e.task for e in events if e.kind == "done"} == set(prepared.graph.tasks)
