"""The first jobs are in the queue before DAGMan starts: it takes them for its own, also where dynamo died meanwhile."""

from __future__ import annotations

import json
import os
import subprocess
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
#: Runs dynamo, in which something happens as it calls a method that is given the number of the DAG's cluster.
MEANWHILE = """
import os, signal, sys
from dynamo.cli import main
from dynamo.condor.schedd import Schedd

gate, method, what = os.path.abspath('gate'), sys.argv.pop(1), sys.argv.pop(1)
real = getattr(Schedd, method)

def instead(schedd, cluster, *given):
    setattr(Schedd, method, real)  # once
    match what:
        case 'killed': os.kill(os.getpid(), signal.SIGKILL)
        case 'interrupted': os.kill(os.getpid(), signal.SIGINT)
        case 'cancelled': schedd.remove(cluster)
        case 'waits': open(gate).read()
    return real(schedd, cluster, *given)

setattr(Schedd, method, instead)
main()
"""
#: The last steps of a submission: the first jobs, which the DAG waits for, and that it need wait no longer.
STEPS = ("_submit_first", "release")


@pytest.fixture
def place(pool, request) -> Path:
    """A folder that this machine and the access point both see, with a run file of naps."""
    folder = pool.folder(request.node.name.replace("[", "-").strip("]"))
    (folder / "flow.py").write_text(FLOW)
    (folder / "meanwhile.py").write_text(MEANWHILE)
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
def begun(pool, place):
    """Begin a run of naps so long, to which something happens meanwhile; return its id, and how dynamo ended."""

    def begin(step, what, seconds, *options):
        python = ["/opt/dynamo/bin/python", "meanwhile.py", step, what]
        run = ["run", "naps.yaml", "--param", f"seconds={seconds}", *options]
        done = pool.submit_exec([*python, *run], folder=place)
        (run,) = (path.name for path in (place / ".dynamo" / "runs").iterdir())
        return run, done

    return begin


def jobs_of(history):
    """The nodes of the jobs that a run had."""
    return sorted(node for _, universe, node, _ in history if universe == "5")


NODES = ["gather", "nap-0", "nap-1", "nap-2", "nap-3"]
ALL = "0\n1\n2\n3\n"


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
def test_what_was_submitted_by_halves_is_gone_on_with(pool, place, queue, until, begun, step):
    """Dynamo was killed in the midst of it: the DAG takes what jobs there are, and no job is submitted twice."""
    run, killed = begun(step, "killed", 3)
    assert killed.returncode in (-9, 137), killed.stdout + killed.stderr
    done = pool.dynamo(place, "resume")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (place / "products" / "all.txt").read_text() == ALL
    until(lambda: queue(run) == [], "the DAG has ended")
    assert jobs_of(queue(run, "condor_history")) == NODES


def test_who_asks_how_such_a_run_stands_has_it_begin(pool, place, until, begun):
    """Nobody follows it, but its products are published."""
    begun("release", "killed", 0.1)
    assert "in the pool" in pool.dynamo(place, "status").stdout
    until((place / "products" / "all.txt").exists, "the products are published")


@pytest.mark.parametrize("step", STEPS)
def test_what_was_submitted_by_halves_is_cancelled_whole(pool, place, until, queue, begun, step):
    """No job of the run stays in the queue."""
    run, _ = begun(step, "killed", 600)
    done = pool.dynamo(place, "cancel")
    assert done.returncode == 0, done.stdout + done.stderr
    until(lambda: queue(run) == [], "all jobs have left the queue")


def test_what_had_ended_is_not_run_again_after_that(pool, place, until, queue, begun):
    """Of a DAG that never began there is no rescue DAG; the journal knows what its first jobs have made."""
    run, _ = begun("release", "killed", 0.1, "--force")
    until(lambda: len(queue(run)) == 1, "the first jobs have ended, and the DAG waits")
    assert pool.dynamo(place, "cancel").returncode == 0
    again = ["/opt/dynamo/bin/python", "meanwhile.py", "release", "killed", "resume"]
    assert pool.submit_exec(again, folder=place).returncode in (-9, 137)
    done = pool.dynamo(place, "resume")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (place / "products" / "all.txt").read_text() == ALL
    until(lambda: queue(run) == [], "the DAG has ended")
    assert jobs_of(queue(run, "condor_history")) == NODES


@pytest.mark.parametrize("step", STEPS)
def test_ctrl_c_comes_after_all_is_submitted(place, until, begun, step):
    """Nobody follows the run any more, and it goes on to its end, as is said."""
    run, left = begun(step, "interrupted", 0.1)
    assert left.returncode == 130, left.stdout + left.stderr
    assert f"left: {run} goes on without us" in left.stderr
    until((place / "products" / "all.txt").exists, "the products are published")


@pytest.mark.parametrize("step", STEPS)
def test_what_is_cancelled_as_it_is_submitted_leaves_nothing(until, queue, begun, step):
    """Jobs of a DAG that was removed before they were there are removed as well."""
    run, _ = begun(step, "cancelled", 600)
    until(lambda: queue(run) == [], "all jobs have left the queue")


@pytest.mark.parametrize("step", STEPS)
def test_a_schedd_that_dies_meanwhile_is_waited_for(pool, place, queue, until, step):
    """Dynamo goes on when it is there again; nothing is submitted twice."""
    os.mkfifo(place / "gate")
    pool.hand_over(place)
    where = ["docker", "exec", "--user", "dynamo", "--workdir", str(place), f"{pool.pool.prefix}-submit"]
    command = ["/opt/dynamo/bin/python", "meanwhile.py", step, "waits", "run", "naps.yaml"]
    followed = subprocess.Popen(
        [*where, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    with (place / "gate").open("w"):  # when it is at that step
        pool.kill("submit", "condor_schedd")
    said, _ = followed.communicate(timeout=200)
    assert followed.returncode == 0, said
    assert (place / "products" / "all.txt").read_text() == ALL
    (run,) = (path.name for path in (place / ".dynamo" / "runs").iterdir())
    until(lambda: queue(run) == [], "the DAG has ended")
    assert jobs_of(queue(run, "condor_history")) == NODES
