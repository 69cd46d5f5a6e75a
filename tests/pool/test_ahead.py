"""The first jobs are in the queue before DAGMan starts: it takes them for its own, also where dynamo died meanwhile."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

FLOW = """
import time
from dynamo import Input, Output, task, workflow


@task
def nap(out: Output, *, seconds: float, n: int):
    time.sleep(seconds)
    open(out, "w").write(f"{n}\\n")


@task
def gather(naps: list[Input], out: Output):
    open(out, "w").write("".join(open(nap).read() for nap in naps))


@workflow
def naps(seconds: float = 0.1):
    gather([nap(seconds=seconds, n=n, out=f"{n}.txt") for n in range(4)], out="all.txt")
"""
#: Runs dynamo, which is killed as it calls one of its methods.
DIES = """
import os, signal, sys
from dynamo.cli import main
from dynamo.condor.schedd import Schedd

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(Schedd, sys.argv.pop(1), die)
main()
"""
#: The last steps of a submission: the first jobs, which the DAG waits for, and that it need wait no longer.
STEPS = ("_submit_first", "release")


@pytest.fixture
def place(pool, request) -> Path:
    """A folder that this machine and the access point both see, with a run file of naps."""
    folder = pool.folder(request.node.name.replace("[", "-").strip("]"))
    (folder / "flow.py").write_text(FLOW)
    (folder / "dies.py").write_text(DIES)
    (folder / "naps.yaml").write_text(
        "workflow: ./flow.py:naps\nproducts: products\nengine: {name: htcondor, slots: 4}\n"
    )
    pool.hand_over(folder)
    return folder


@pytest.fixture
def queue(pool):
    """What the queue has of the jobs of a run, or what it had with `tool`: cluster, universe, node, DAG."""

    def ask(run, tool="condor_q"):
        asked = ["ClusterId", "JobUniverse", "DynamoJob", "DAGManJobId"]
        which = ["-constraint", f'DynamoRun == "{run}"']
        done = pool.submit_exec([tool, *(["-allusers"] if tool == "condor_q" else []), *which, "-af", *asked])
        assert done.returncode == 0, done.stderr
        return sorted(tuple(line.split()) for line in done.stdout.splitlines())

    return ask


@pytest.fixture
def killed(pool, place, queue):
    """Begin a run with `dynamo` killed in the midst of submitting, and return its id."""

    def begin(where, *arguments):
        done = pool.submit_exec(
            ["/opt/dynamo/bin/python", "dies.py", where, "run", "naps.yaml", *arguments], folder=place
        )
        assert done.returncode in (-9, 137), done.stdout + done.stderr
        (run,) = (path.name for path in (place / ".dynamo" / "runs").iterdir())
        assert queue(run)
        return run

    return begin


def test_a_dag_takes_the_first_jobs_for_its_own(pool, place, queue, until):
    """Each job is in the queue once, and all belong to the DAG; that found the first ones there."""
    done = pool.dynamo(place, "run", "naps.yaml", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (place / "products" / "all.txt").read_text() == "0\n1\n2\n3\n"
    run = json.loads(done.stdout)["run"]
    until(lambda: queue(run) == [], "the DAG has ended")
    jobs = queue(run, "condor_history")
    (dag,) = [cluster for cluster, universe, _, _ in jobs if universe == "7"]
    nodes = [(node, of) for cluster, universe, node, of in jobs if universe == "5"]
    assert sorted(nodes) == [("gather", dag), *((f"nap-{n}", dag) for n in range(4))]
    (log,) = (place / ".dynamo" / "runs" / run).glob("dag-1/naps.dag.dagman.out")
    assert "4 nodes claim to have jobs submitted to queue" in log.read_text()


@pytest.mark.parametrize("step", STEPS)
def test_what_was_submitted_by_halves_is_gone_on_with(pool, place, queue, until, killed, step):
    """Dynamo was killed in the midst of it: the DAG takes what jobs there are, and no job is submitted twice."""
    run = killed(step, "--param", "seconds=3")
    done = pool.dynamo(place, "resume")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (place / "products" / "all.txt").read_text() == "0\n1\n2\n3\n"
    until(lambda: queue(run) == [], "the DAG has ended")
    jobs = queue(run, "condor_history")
    assert sorted(node for _, universe, node, _ in jobs if universe == "5") == [
        "gather", "nap-0", "nap-1", "nap-2", "nap-3",
    ]  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
def test_what_was_submitted_by_halves_is_cancelled_whole(pool, place, until, queue, killed, step):
    """No job of the run stays in the queue."""
    run = killed(step, "--param", "seconds=600")
    done = pool.dynamo(place, "cancel")
    assert done.returncode == 0, done.stdout + done.stderr
    until(lambda: queue(run) == [], "all jobs have left the queue")
