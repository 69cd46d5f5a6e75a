"""A real pool in containers: it runs jobs and DAGs, trusts tokens alone, and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from dynamo.errors import InfrastructureError, UserError
from dynamo.pool.host import connect
from dynamo.pool.pool import LABEL, Pool
from dynamo.pool.settings import PoolSettings
from dynamo.pool.status import status, words

_NODE = """universe = vanilla
executable = /bin/cp
transfer_executable = false
should_transfer_files = YES
arguments = $(source) $(target)
transfer_input_files = $(source)
request_cpus = 1
request_memory = 64MB
request_disk = 10MB
queue
"""

#: Runs on this machine, in a process of its own: the bindings read their configuration once.
_SPOOL = """
import sys, time
import htcondor2
collector = htcondor2.Collector()
print(len(collector.query(htcondor2.AdType.Startd)))
schedd = htcondor2.Schedd(collector.locate(htcondor2.DaemonType.Schedd))
job = {"executable": "/bin/cat", "transfer_executable": "false", "arguments": "in.txt", "output": "out.txt",
       "transfer_input_files": "in.txt", "should_transfer_files": "YES",
       "request_memory": "64MB", "request_disk": "10MB"}
handed = schedd.submit(htcondor2.Submit(job), spool=True)
schedd.spool(handed)
this = f"ClusterId == {handed.cluster()}"
end = time.monotonic() + 90
while not any(ad["JobStatus"] == 4 for ad in schedd.query(this, ["JobStatus"])):
    assert time.monotonic() < end, schedd.query(this)
    time.sleep(0.2)
schedd.retrieve(this)
schedd.act(htcondor2.JobAction.Remove, this)
print(open("out.txt").read())
"""


_SUBMIT = """
import htcondor2
schedd = htcondor2.Schedd(htcondor2.Collector().locate(htcondor2.DaemonType.Schedd))
schedd.submit(htcondor2.Submit({"executable": "/bin/true"}), spool=True)
"""


def test_the_workers_offer_their_slots(pool):
    """Each worker offers one slot a core, with the memory that was asked for."""
    slots = pool.pool.ads()
    assert sorted(ad["Machine"].split(".")[0] for ad in slots) == ["worker-1", "worker-2"]
    assert {(ad["Cpus"], ad["Memory"]) for ad in slots} == {(1, 2048)}


def test_up_again_leaves_all_as_it_is(pool):
    """A pool that fits what is asked for is left alone: the same containers go on."""
    before = [one.id for one in pool.pool.containers()]
    told: list[str] = []
    pool.pool.up(pool.settings, pool.image, told.append)
    assert [one.id for one in pool.pool.containers()] == before
    assert told == []


def test_status_tells_containers_slots_and_queue(pool):
    """The words name every container and what the slots and the queue do."""
    text = words(status(pool.pool))
    assert "all its containers run" in text
    for line in ("manager", "submit", "worker-1", "worker-2"):
        assert f"  {line}" in text
    assert "1 slot: " in text
    assert "queue: " in text


def test_a_chain_runs_and_its_files_come_back(pool, until):
    """DAGMan runs two nodes one after the other; what the first makes is what the second reads; it is the owner's."""
    folder = pool.folder("chain")
    (folder / "node.sub").write_text(_NODE)
    (folder / "in.txt").write_text("data")
    (folder / "chain.dag").write_text(
        'JOB a node.sub\nJOB b node.sub\nVARS a source="in.txt" target="a.txt"\n'
        'VARS b source="a.txt" target="b.txt"\nPARENT a CHILD b\n'
    )
    done = pool.submit_exec(["condor_submit_dag", "chain.dag"], folder=folder)
    assert done.returncode == 0, done.stderr
    log = folder / "chain.dag.dagman.log"
    until(lambda: "\n005 " in log.read_text(), "the end of the DAG")
    assert (folder / "b.txt").read_text() == "data"
    assert (folder / "b.txt").stat().st_uid == (os.getuid() or 1000)


def test_a_job_finds_dynamo_on_its_worker(pool, until):
    """The commands dynamo and dynamo-worker stand ready for jobs, of the version that runs here."""
    from dynamo import __version__

    folder = pool.folder("version")
    (folder / "v.sub").write_text(
        "executable = /usr/local/bin/dynamo\ntransfer_executable = false\narguments = --version\noutput = v.out\n"
        "error = v.err\nlog = v.log\nrequest_memory = 128MB\nrequest_disk = 10MB\nqueue\n"
    )
    assert pool.submit_exec(["condor_submit", "v.sub"], folder=folder).returncode == 0
    until(lambda: "\n005 " in (folder / "v.log").read_text(), "the end of the job")
    assert __version__ in (folder / "v.out").read_text()


def test_the_bindings_of_this_machine_submit_and_fetch(pool, tmp_path):
    """With the client configuration, slots are listed, and a job is spooled, run and fetched from this machine."""
    (tmp_path / "in.txt").write_text("from afar")
    done = _here(pool.config, tmp_path, _SPOOL)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:2] == ["2", "from afar"]


@pytest.mark.parametrize("token", [None, "wrong", "expired", "of a worker"])
def test_without_a_good_token_nobody_submits(pool, tmp_path, until, token):
    """No token, one that another key signed, one that is over, and one that is for offering slots: each is refused."""
    tokens = tmp_path / "tokens.d"
    tokens.mkdir(mode=0o700)
    if token == "wrong":
        good = (pool.pool.state.tokens / "user").read_text().strip()
        text = f"{good[:-8]}{'A' * 8}\n"
    elif token == "expired":
        text = pool.pool.token("dynamo", lifetime=1)
        until(lambda: _expired(text), "the end of a token")
    elif token:
        text = pool.pool.token("worker", limits=("ADVERTISE_STARTD", "ADVERTISE_MASTER"))
    if token:
        (tokens / "user").write_text(text)
        (tokens / "user").chmod(0o600)
    config = tmp_path / "condor_config"
    config.write_text(
        f"{pool.config.read_text()}SEC_TOKEN_DIRECTORY = {tokens}\nSEC_TOKEN_SYSTEM_DIRECTORY =\n"
    )
    done = _here(config, tmp_path, _SUBMIT)
    assert done.returncode != 0
    assert "HTCondorException" in done.stderr


def test_a_worker_that_is_killed_comes_back(pool, until):
    """A worker's container that was killed is told by status, and `up` starts it again with its slot."""
    pool.kill("worker-2")
    found = status(pool.pool)
    assert not found.sound
    assert "not running: worker-2" in words(found)
    pool.pool.up(pool.settings, pool.image, print)
    until(lambda: status(pool.pool).sound, "all of the pool runs")


def test_a_queue_that_is_killed_is_started_again(pool, until):
    """The master starts a schedd that was killed, and the queue answers again."""
    pool.kill("submit", "condor_schedd")
    until(lambda: pool.submit_exec(["condor_q"]).returncode == 0, "the queue answers")


def test_down_leaves_nothing(pool):
    """Containers, network, volume and tokens are gone, and status says how to get a pool."""
    client = connect()
    other = Pool(client, f"{pool.pool.name}-b")
    other.up(PoolSettings(other.name, workers=1), pool.image, print)
    folder = other.state.folder
    assert folder.stat().st_mode & 0o077 == 0
    machine = client.containers.run(pool.image, ["sleep", "600"], detach=True, network=other.prefix)
    with pytest.raises(UserError, match=f"machines that are not its own: {machine.name}; end them first"):
        other.down()
    assert len(other.containers()) == 3
    machine.remove(force=True)
    assert other.down() == 3
    mine = {"label": f"{LABEL}={other.name}"}
    assert client.containers.list(all=True, ignore_removed=True, filters=mine) == []
    assert client.networks.list(filters=mine) == []
    assert client.volumes.list(filters=mine) == []
    assert not folder.exists()
    assert "dynamo pool up" in words(status(other))
    client.close()


def test_a_command_that_fails_is_told_with_its_words(pool):
    """What a command in a container said is in the error."""
    with pytest.raises(InfrastructureError, match="no-such-file"):
        pool.pool.execute("submit", ["cat", "no-such-file"])


def _here(config, folder, program):
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder, check=False, capture_output=True, text=True, timeout=150,
        env={**os.environ, "CONDOR_CONFIG": str(config)},
    )  # fmt: skip


def _expired(token):
    import base64
    import json
    import time

    body = token.split(".")[1]
    return time.time() > 2 + json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["exp"]
