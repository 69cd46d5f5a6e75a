"""A worker's life on a real pool: it boots by cloud-init, joins, works, is drained, and ends when nobody cares."""

from __future__ import annotations

import ipaddress
import json
import subprocess
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from dynamo.provisioners.docker import driver

from dynamo.errors import InfrastructureError
from dynamo.fleet.certificate import join_certificate
from dynamo.fleet.join import JoinDesk, Ticket
from dynamo.fleet.join_ledger import JoinLedger
from dynamo.fleet.join_service import JoinService
from dynamo.fleet.machine import Machine, MachineSpec, Tags
from dynamo.fleet.network import NetworkSpec
from dynamo.fleet.provider import ProviderSettings
from dynamo.fleet.queue_key import QueueKeys
from dynamo.fleet.trust import PoolManager, Trust
from dynamo.fleet.userdata import WorkerStart, user_data
from dynamo.fleet.worker_config import PoolPlace
from tests.cloud.docker_use import lay

_SLICE = f"life-{uuid.uuid4().hex[:8]}"
_GIB = 2**30
_JOB = """executable = {executable}
arguments = {arguments}
transfer_executable = false
should_transfer_files = YES
requirements = TARGET.DynamoToken == "{order}"
output = out.txt
error = err.txt
log = job.log
request_cpus = 1
request_memory = 64MB
request_disk = 10MB
queue
"""


@dataclass
class Worker:
    """A worker that was ordered, and what it was told."""

    machine: Machine
    order: str
    join_token: str
    user_data: str = field(repr=False, default="")

    @property
    def name(self) -> str:
        return self.machine.name


@dataclass
class Yard:
    """What a controller has: a pool, a provider, a journal, the join service."""

    pool: Any
    docker: Any
    journal: Path
    trust: Trust
    service: JoinService
    certificate: Any
    place: PoolPlace
    names: list[str] = field(default_factory=list)

    @property
    def provider(self):
        """A new object, as each thread makes its own."""
        return driver.connect(ProviderSettings("here", "docker", options={"network": self.pool.pool.prefix}))

    def order(self, *, idle=600.0, join_url="", spoilt=False, networks=(), **start) -> Worker:
        order = uuid.uuid4().hex
        name, now = f"w-{order[:8]}", time.time()
        ticket = Ticket(
            name, order, "workers", "workers/here//on-demand", now + 600, now + 3600,
            cores=1, memory=_GIB, idle=idle, grace=start.get("grace", 20.0),
        )  # fmt: skip
        with JoinLedger(self.journal) as store:
            token = JoinDesk(store).issue(ticket)
        told = WorkerStart(
            name, order, join_url or self.service.url(), self.certificate.text, token[::-1] if spoilt else token,
            **{"lifetime": 3600.0, "grace": 20.0, "check": 1.0, **start},
        )  # fmt: skip
        text = user_data(told)
        spec = MachineSpec(
            Tags(_SLICE, "workers", order), name, cores=1, memory=_GIB, user_data=text, networks=networks
        )
        self.names.append(name)
        return Worker(self.provider.create(spec), order, token, text)

    def ads(self, worker: Worker) -> list[dict[str, Any]]:
        return self.pool.pool.ads("-constraint", f'DynamoToken == "{worker.order}"')

    def run(self, worker: Worker, *command: str) -> tuple[int, str]:
        code, said = self.docker.containers.get(worker.machine.id).exec_run(list(command))
        return code, said.decode(errors="replace")

    def submit(self, worker: Worker, executable: str, arguments: str = "") -> Path:
        folder = self.pool.folder(f"job-{uuid.uuid4().hex[:8]}")
        text = _JOB.format(executable=executable, arguments=arguments, order=worker.order)
        (folder / "job.sub").write_text(text)
        done = self.pool.submit_exec(["condor_submit", "job.sub"], folder=folder)
        assert done.returncode == 0, done.stderr
        return folder

    def words(self, worker: Worker) -> list[str]:
        """Follow what the machine says until it is off, and gone."""
        said = self.docker.api.logs(worker.machine.id, stream=True, follow=True)
        lines = b"".join(said).decode(errors="replace").splitlines()
        self.gone(worker)
        return lines

    def gone(self, worker: Worker) -> None:
        """Wait until the container was removed, which is Docker's own doing."""
        import docker

        with suppress(docker.errors.NotFound):
            self.docker.api.wait(worker.machine.id, timeout=120, condition="removed")
        assert worker.machine.id not in [one.id for one in self.provider.list(_SLICE)]


@pytest.fixture(scope="module")
def yard(pool, docker, fleet_image, tmp_path_factory):
    """All that a controller has, with the join service at the address of this machine in the pool's network."""
    folder = tmp_path_factory.mktemp("yard")
    subnet = docker.networks.get(pool.pool.prefix).attrs["IPAM"]["Config"][0]["Subnet"]
    host = str(ipaddress.ip_network(subnet)[1])
    place = PoolPlace(f"manager.{pool.settings.domain}:9618", pool.settings.domain)
    trust = Trust(PoolManager(pool.pool), place, _SLICE)
    journal = folder / "journal.db"
    certificate = join_certificate(folder / "keys", [host])
    keys = QueueKeys(folder, place.trust_domain)
    with JoinService(lambda: JoinLedger(journal), trust, place, certificate, keys, host=host) as service:
        made = Yard(pool, docker, journal, trust, service, certificate, place)
        try:
            yield made
        finally:
            for machine in made.provider.list(_SLICE):
                made.provider.destroy(machine.id)
            for network in made.provider.list_networks(_SLICE):
                made.provider.destroy_network(network.id)
            trust.revoke(made.names)  # or jobs of later tests wait for machines whose ads are still there
            trust.revoke([])
            left = docker.containers.list(
                all=True, ignore_removed=True, filters={"label": f"dynamo-slice={_SLICE}"}
            )
            assert left == []


@pytest.fixture(scope="module")
def worker(yard, until):
    """A worker that has joined; it is on a network of its slice too, beside that of the pool."""
    spec = NetworkSpec(Tags(_SLICE, "data", uuid.uuid4().hex), "10.233.83.0/24", bandwidth=100e6)
    network = yard.provider.create_network(spec)
    made = yard.order(networks=(network.id,))
    until(lambda: yard.ads(made), "the worker is in the pool")
    return made


def test_a_worker_says_what_it_is(yard, worker):
    """Its ad has its order, its node group and its offer, and the cores and memory that were asked for."""
    (ad,) = yard.ads(worker)
    assert ad["DynamoGroup"] == "workers"
    assert ad["DynamoOffer"] == "workers/here//on-demand"
    assert ad["ClassAdLifetime"] == 180
    assert (ad["Cpus"], ad["Memory"], ad["TotalSlots"]) == (1, 1024, 1)
    assert ad["AuthenticatedIdentity"] == f"worker-{worker.name}@{yard.pool.settings.domain}"
    assert yard.service.counts.joined >= 1


def test_a_worker_is_on_the_networks_of_its_slice(yard, worker):
    """It has an address in each, and its connection to one with a bandwidth is shaped; the pool hears it too."""
    addresses = yard.provider.describe(worker.machine.id).addresses
    assert len(addresses) == 2
    assert any(one.startswith("10.233.83.") for one in addresses)
    assert "rate 100Mbit" in yard.run(worker, "tc", "qdisc")[1]


def test_cloud_init_says_that_it_is_done(yard, worker):
    """Debian's cloud-init has no error, and nothing that it had to mend."""
    status = json.loads(yard.run(worker, "cloud-init", "status", "--format", "json")[1])
    assert (status["status"], status["errors"], status["recoverable_errors"]) == ("done", [], {})
    assert status["datasource"] == "nocloud"


def test_the_image_has_no_word_about_a_pool(docker, fleet_image):
    """A machine that was never told anything has neither configuration nor token."""
    places = " ".join(f"/etc/condor/{name}" for name in ("config.d", "tokens.d", "passwords.d", "dynamo"))
    look = f"find {places} -type f 2> /dev/null; true"
    assert docker.containers.run(fleet_image, ["sh", "-c", look], remove=True) == b""


def test_a_worker_runs_a_job(yard, worker, until):
    """A job that asks for this worker runs there, as the user who submitted it, and its output comes back."""
    folder = yard.submit(worker, "/usr/bin/python3", "-c __import__('os').system('hostname;id')")
    until(lambda: "\n005 " in (folder / "job.log").read_text(), "the end of the job")
    host, user = (folder / "out.txt").read_text().splitlines()
    assert host == worker.name
    assert "(dynamo)" in user


def test_a_worker_s_token_opens_nothing_else(yard, worker, until):
    """With all that is on the machine one can neither submit, nor read the queue, drain, configure, nor get a token."""
    submit, manager = (f"{one}.{yard.pool.settings.domain}" for one in ("submit", "manager"))
    machine = yard.docker.containers.get(worker.machine.id)
    lay(machine, "/tmp", {"try.sub": "executable = /bin/true\nqueue\n"})
    assert yard.run(worker, "condor_status", "-af", "Name")[0] == 0
    for command in (
        ["condor_submit", "-remote", submit, "/tmp/try.sub"],
        ["condor_q", "-name", submit, "-allusers"],
        ["condor_rm", "-name", submit, "-all"],
        ["condor_drain", f"slot1@worker-1.{yard.pool.settings.domain}"],
        ["condor_off", "-name", submit, "-schedd"],
        ["condor_reconfig", "-name", manager],
        ["condor_userprio", "-setprio", f"dynamo@{yard.pool.settings.domain}", "1"],
        ["condor_token_fetch", "-name", submit, "-type", "SCHEDD"],
    ):
        code, said = yard.run(worker, "timeout", "60", *command)
        assert code != 0, f"{command[0]} was allowed: {said}"
        assert "denied" in said.lower() or "fail" in said.lower() or "error" in said.lower(), said


def test_secrets_are_nowhere(yard, worker, pool, tmp_path):
    """Neither the pool's key nor a token is in Docker's words, logs, processes, errors, the journal, or in the way."""
    idtoken = yard.run(worker, "cat", "/etc/condor/tokens.d/dynamo")[1].strip()
    assert idtoken.count(".") == 2
    key = pool.pool.state.signing_key().strip()
    machine = yard.docker.containers.get(worker.machine.id)
    seen = {
        "docker inspect": json.dumps(machine.attrs),
        "docker logs": machine.logs().decode(),
        "processes here": subprocess.run(["ps", "axeww"], capture_output=True, text=True, check=True).stdout,
        "processes there": yard.run(worker, "ps", "axeww")[1],
        "the journal": "".join(
            one.read_bytes().decode("latin-1") for one in yard.journal.parent.glob("journal.db*")
        ),
        "logs there": yard.run(worker, "sh", "-c", "cat /var/log/cloud-init* /var/log/condor/*")[1],
        "what cloud-init tells": yard.run(worker, "cloud-init", "query", "--all")[1],
        "files that all can read": yard.run(
            worker, "sh", "-c", "find /etc/dynamo /etc/condor /var/lib/dynamo-worker /run -type f -perm -004 "
            "-exec cat {} +"
        )[1],
        "errors": _errors(yard, worker),
    }  # fmt: skip
    for where, text in seen.items():
        for what, secret in (
            ("the pool's key", key),
            ("the token of HTCondor", idtoken),
            ("the join token", worker.join_token),
        ):
            if (where, what) != ("what cloud-init tells", "the join token"):  # root's view of the user data
                assert secret not in text, f"{what} is in {where}"
    assert key not in worker.user_data
    assert idtoken not in worker.user_data


def test_the_join_token_is_spent(yard, worker):
    """Who finds it in the user data later, as a job may on a cloud, gets nothing for it."""
    form = f"--data worker={worker.name} --data order={worker.order} --data nonce=mine"
    call = (
        f"printf 'header = \"Authorization: Bearer {worker.join_token}\"' > /tmp/call; "
        f"curl --silent --config /tmp/call --cacert /etc/dynamo/join.pem {form} {yard.service.url()}"
    )
    assert yard.run(worker, "sh", "-c", call)[1] == "this join token was used already\n"
    assert yard.run(worker, "test", "-e", "/etc/dynamo/join.token")[0] == 1


def test_a_worker_is_drained_and_released(yard, until):
    """A job that runs is let finish, none is begun; then the machine is destroyed, and its ad and its trust with it."""
    worker = yard.order()
    until(lambda: yard.ads(worker), "the worker is in the pool")
    folder = yard.submit(worker, "/bin/sleep", "5")
    until(lambda: any(ad["Activity"] == "Busy" for ad in yard.ads(worker)), "the job runs")
    yard.pool.pool.execute("manager", ["condor_drain", "-graceful", f"slot1@{worker.name}"])
    until(lambda: any(ad["State"] == "Drained" for ad in yard.ads(worker)), "the worker is drained")
    assert "\n005 " in (folder / "job.log").read_text()
    assert "\n004 " not in (folder / "job.log").read_text()
    yard.provider.destroy(worker.machine.id)
    with JoinLedger(yard.journal) as store:
        JoinDesk(store).revoke(worker.name, time.time())
        assert worker.name in store.revoked(time.time())
        yard.trust.revoke(store.revoked(time.time()))
    assert yard.ads(worker) == []
    assert worker.machine.id not in [one.id for one in yard.provider.list(_SLICE)]


def test_a_worker_that_was_let_go_cannot_offer_slots(yard, worker, until):
    """Its token is refused, also by who knew it before; others go on; and it is believed again where that is undone."""
    other = yard.order()
    until(lambda: yard.ads(other), "the other worker is in the pool")
    yard.trust.revoke([other.name])
    assert yard.ads(other) == []
    yard.run(other, "condor_reconfig")  # has it say anew that it is there
    manager = yard.pool.pool
    refused = f"PERMISSION DENIED to worker-{other.name}@"
    until(
        lambda: refused in manager.execute("manager", ["cat", "/var/log/condor/CollectorLog"]),
        "its ad is refused, over the connection that it had",
    )
    code, _ = yard.run(other, "condor_status")
    assert code != 0, "a token that was revoked was taken anew"
    assert yard.ads(other) == []
    assert yard.run(worker, "condor_status")[0] == 0
    yard.trust.revoke([])
    until(lambda: yard.run(other, "condor_reconfig")[0] == 0 and yard.ads(other), "it is believed again")
    yard.provider.destroy(other.machine.id)


def _idle(yard, _):
    """No job for as long as it is kept idle: HTCondor ends, the machine is off, and Docker has removed it."""
    worker = yard.order(idle=3.0)
    assert any("HTCondor has ended" in line for line in yard.words(worker))


def _old(yard, until):
    """Its lifetime is over: no new job, the one that runs is finished, and the machine is off."""
    worker = yard.order(lifetime=45.0, grace=60.0)
    until(lambda: yard.ads(worker), "the worker is in the pool")
    folder = yard.submit(worker, "/bin/sleep", "45")
    assert any("was to live 45 s" in line for line in yard.words(worker))
    until(lambda: "\n005 " in (folder / "job.log").read_text(), "the end of the job")
    assert "\n004 " not in (folder / "job.log").read_text(), "the job was thrown out"


def _lost(yard, until):
    """Its network is taken away: after as long as it bears that, the machine is off."""
    worker = yard.order(silent=30.0)
    until(lambda: yard.ads(worker), "the worker is in the pool")
    yard.docker.networks.get(yard.pool.pool.prefix).disconnect(worker.machine.id)
    assert any("no contact with the pool" in line for line in yard.words(worker))


def _alone(yard, _):
    """Nobody answers where it shall join: after as long as it bears that, the machine is off."""
    worker = yard.order(silent=5.0, join_url="https://192.0.2.1:9/join")
    assert any("no contact with the pool" in line for line in yard.words(worker))


_ENDS = {"without work": _idle, "too old": _old, "lost the pool": _lost, "cannot join": _alone}


@pytest.fixture(scope="module")
def ends(yard, until):
    """All ends at once: most of each is waiting."""
    with ThreadPoolExecutor(len(_ENDS)) as together:
        yield {name: together.submit(end, yard, until) for name, end in _ENDS.items()}


@pytest.mark.parametrize("end", _ENDS)
def test_a_worker_ends_itself(end, ends):
    """By what is in its own user data, with no controller; of each it says why."""
    ends[end].result()


def test_a_worker_that_is_refused_ends_itself(yard):
    """Its token is not good: the machine says so, and is off at once."""
    worker = yard.order(spoilt=True)
    said = yard.words(worker)
    assert any("refuses this machine: this is no join token of this worker" in line for line in said)
    assert worker.join_token[::-1] not in "\n".join(said)


def test_a_worker_survives_that_the_service_is_away(yard, until, tmp_path):
    """The controller is dead while the machine boots: it asks until somebody answers, and joins."""
    certificate = join_certificate(yard.journal.parent / "keys", [])
    host = yard.service.url().split("/")[2].rsplit(":", 1)[0]
    keys = QueueKeys(tmp_path, yard.place.trust_domain)
    with JoinService(
        lambda: JoinLedger(yard.journal), yard.trust, yard.place, certificate, keys, host=host
    ) as service:
        url = service.url()
    worker = yard.order(join_url=url)
    until(lambda: "again in" in yard.docker.containers.get(worker.machine.id).logs().decode(), "it asks")
    with JoinService(
        lambda: JoinLedger(yard.journal), yard.trust, yard.place, certificate, keys, host=host,
        port=service.port,
    ):  # fmt: skip
        until(lambda: yard.ads(worker), "the worker is in the pool")
    yard.provider.destroy(worker.machine.id)


def _errors(yard, worker) -> str:
    """Have things fail, and return what is said of it."""
    said = []
    for command in (["condor_token_create", "-key", "nobody"], ["false"]):
        try:
            PoolManager(yard.pool.pool).run(command)
        except InfrastructureError as error:
            said.append(repr(error) + error.message)
    assert len(said) == 2
    spec = MachineSpec(
        Tags(_SLICE, "workers", "x"), "x", image="nobody/has-this:1", user_data=worker.user_data
    )
    try:
        yard.provider.create(replace(spec, cores=1))
    except InfrastructureError as error:
        said.append(repr(error) + error.message + repr(spec))
    assert len(said) == 3
    return "\n".join(said)
