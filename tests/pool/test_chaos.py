"""Parts of a pool, and dynamo itself, are killed while a run is under way: nothing is lost, nothing done twice."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from dataclasses import dataclass, field

import pytest

from dynamo.targets.dagman import WORKER
from dynamo.testing.bench import Bench, Case, Ended
from dynamo.worker.returned import Returned

#: Two jobs of four tasks each, after a first one.
_TASKS = 8
_SECONDS = 1.5


@dataclass
class Flight:
    """A `dynamo` that is under way in the submit container, in the folder of a case."""

    pool: object
    case: Case
    arguments: list[str]
    process: subprocess.Popen = field(init=False)

    def __post_init__(self) -> None:
        self.pool.hand_over(self.case.folder)
        where = ["docker", "exec", "--user", "dynamo", "--workdir", str(self.case.folder)]
        # Shells ignore Ctrl-C for what runs in the background, and docker does not pass signals on.
        script = 'echo $$ > pid; exec dynamo "$@"'
        self.process = subprocess.Popen(
            [*where, f"{self.pool.pool.prefix}-submit", "bash", "-c", script, "bash", *self.arguments],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def signal(self, name: str) -> None:
        """Send a signal to it."""
        pid = (self.case.folder / "pid").read_text().strip()
        done = self.pool.submit_exec(["bash", "-c", f"kill -{name} {pid}"])
        assert done.returncode == 0, done.stderr

    def ended(self) -> Ended:
        """Wait until it ends."""
        text, _ = self.process.communicate(timeout=240)
        return Ended(self.process.returncode, text)


def bench_of(pool, name, engine):
    """A folder of this name in which `dynamo` runs in the submit container."""

    def dynamo(folder, arguments):
        done = pool.dynamo(folder, *arguments)
        return Ended(done.returncode, done.stdout + done.stderr)

    return Bench(pool.folder(name), engine, dynamo)


@pytest.fixture
def under_way(pool, until, request):
    """A run whose first task is done, and of whose others some are running."""

    def running():
        assert flight.process.poll() is None, flight.ended()
        if not case.product("first.txt"):
            return False  # what reads a journal that is not there makes one, which would be ours
        return any(t.startswith("waits") and told.state == "running" for t, told in case.story().items())

    source = {"source.txt": "src;"}
    case = bench_of(pool, request.node.name, "htcondor").case(
        "lengthy", source, {"source": "source.txt"}, count=_TASKS, seconds=_SECONDS
    )
    flight = Flight(pool, case, ["run", "run.yaml"])
    until(running, "the first tasks run")
    return flight


@pytest.fixture
def short_lease(pool):
    """The pool gives up a worker that it does not hear of after half a minute, not two."""
    file = "/etc/condor/config.d/90-test.conf"
    pool.pool.execute("submit", ["bash", "-c", f"echo JOB_DEFAULT_LEASE_DURATION = 30 > {file}"])
    yield
    pool.pool.execute("submit", ["rm", file])


def whole(case, *, lost=0):
    """Check that all was done, once each; that a kill has cost each `lost` attempts at most."""
    assert sorted(case.products()) == sorted(["first.txt", *(f"waited/{n}.txt" for n in range(_TASKS))])
    assert case.state() == "done"
    for task, told in case.story().items():
        assert told.attempts.count("ok") == 1, f"{task}: {told}"
        assert set(told.attempts) <= {"ok", "lost"}, f"{task}: {told}"
        assert len(told.attempts) <= 1 + lost, f"{task}: {told}"
    done = Counter(
        tried.report.task
        for path in (case.workspace.runs / case.latest()).glob("dag-*/jobs/*/out/*.report.json")
        for tried in Returned.read(path).tried
        if tried.ended == "ok"
    )
    assert set(done.values()) == {1}, f"tasks that jobs have run to their end more than once: {done}"
    assert len(done) == 1 + _TASKS


def test_a_queue_that_is_killed_costs_nothing(pool, until, under_way):
    """The schedd is killed (SIGKILL) in mid-run: the master starts it anew, and the run goes on; nothing is lost."""
    first = under_way.case.product("first.txt")
    pool.kill("submit", "condor_schedd")
    ended = under_way.ended()
    assert ended.code == 0, ended.text
    assert under_way.case.product("first.txt") == first
    whole(under_way.case, lost=1)


#: A worker that says all is well at first, and does nothing; then it does what it is told.
_IDLER = """#!/bin/sh
[ -e /tmp/{mark} ] || {{ touch /tmp/{mark}; exit 0; }}
exec {worker} "$@"
"""


def test_a_job_that_ended_without_a_word_is_run_again(pool):
    """To HTCondor it went well, as one may whose schedd was killed; what it has not done goes into a further DAG."""
    idler = _IDLER.format(mark=f"idle-{os.getpid()}", worker=WORKER)
    for worker in ("worker-1", "worker-2"):
        pool.pool.execute(
            worker, ["sh", "-c", 'printf %s "$1" > /tmp/idler; chmod 755 /tmp/idler', "sh", idler]
        )
    case = bench_of(pool, "idler", {"name": "htcondor", "worker": "/tmp/idler"}).case(
        "lengthy", {"source.txt": "src;"}, {"source": "source.txt"}, count=2, seconds=0.0
    )
    ended = case.run()
    assert ended.code == 0, ended.text
    assert sorted(case.products()) == ["first.txt", "waited/0.txt", "waited/1.txt"]
    told = case.story()["stamp"]
    assert told.attempts[0] == "lost"
    assert "it sent no report back" in told.errors[0]
    assert told.attempts[-1] == "ok"


def test_a_startd_that_is_killed_costs_its_job_in_flight_at_most(pool, until, short_lease, under_way):
    """What ran on that machine is run again; what was done is not."""
    first = under_way.case.product("first.txt")
    pool.kill("worker-1", "condor_startd")
    ended = under_way.ended()
    assert ended.code == 0, ended.text
    assert under_way.case.product("first.txt") == first
    whole(under_way.case, lost=1)


def test_a_worker_that_is_killed_costs_its_job_in_flight_at_most(pool, until, short_lease, under_way):
    """A container of the pool is killed, and comes back later: its job is run again, there or elsewhere."""
    first = under_way.case.product("first.txt")
    pool.kill("worker-1")
    pool.start("worker-1")
    ended = under_way.ended()
    assert ended.code == 0, ended.text
    assert under_way.case.product("first.txt") == first
    whole(under_way.case, lost=1)
    until(lambda: len(pool.pool.ads()) == 2, "both workers offer their slots")


def test_dynamo_that_is_killed_is_missed_by_nobody(pool, until, under_way):
    """The run goes on in the pool, and its products are published; resume takes it in, and runs nothing."""
    case = under_way.case
    under_way.signal("KILL")
    assert under_way.ended().code == 137
    until(lambda: len(case.products()) == 1 + _TASKS, "the pool publishes all products by itself")
    products = case.products()
    ended = case.dynamo("resume")
    assert ended.code == 0, ended.text
    assert case.products() == products
    whole(case)


def test_dynamo_that_is_killed_can_be_followed_again_at_once(pool, until, under_way):
    """Resume follows what is in the queue; it submits nothing a second time."""
    case = under_way.case
    under_way.signal("KILL")
    under_way.ended()
    ended = case.dynamo("resume")
    assert ended.code == 0, ended.text
    whole(case)
    assert len(list((case.workspace.runs / case.latest()).glob("dag-*"))) == 1


def test_ctrl_c_leaves_the_run_in_the_pool(pool, until, under_way):
    """It says how to follow the run again, and how to end it; resume follows it to its end."""
    case = under_way.case
    under_way.signal("INT")
    left = under_way.ended()
    assert left.code == 130, left.text
    assert "goes on" in left.text
    assert "dynamo resume" in left.text
    assert "dynamo cancel" in left.text
    ended = case.dynamo("resume")
    assert ended.code == 0, ended.text
    whole(case)
