"""Docker as a cloud: the suite of providers against the real engine, and something between that fails on demand."""

from __future__ import annotations

import http.client
import json
import os
import socket
import socketserver
import threading
import uuid
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from types import SimpleNamespace

import pytest
from dynamo.provisioners.docker import driver

from dynamo.errors import UserError
from dynamo.fleet.machine import MachineSpec, Tags
from dynamo.fleet.network import NetworkSpec
from dynamo.fleet.provider import NetworkProvider, ProviderSettings
from dynamo.fleet.refusals import (
    AuthError,
    BadRequestError,
    GoneError,
    NoCapacityError,
    OutcomeUnknownError,
    QuotaError,
    ThrottledError,
    UnavailableError,
)
from dynamo.pool.host import docker_socket
from dynamo.pool.image import WORKER_IMAGE
from dynamo.testing.providers import PROVIDER_CHECKS, ProviderBench
from tests.cloud.docker_use import bits

_MIB = 2**20


class _Between:
    """Stands before Docker's socket, passes on what comes, and fails the calls that it is told to."""

    def __init__(self, path):
        self.path = str(path)
        self.fault = lambda verb, path: None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self):
                outer._answer(self)

            do_GET = do_POST = do_DELETE = do_PUT = do_HEAD = handle_one  # noqa: N815

            def log_message(self, *args):
                pass

            def address_string(self):
                return "docker"

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True

        self._server = Server(self.path, Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @contextmanager
    def failing(self, end, status=0, words="", *, done=False):
        """Meanwhile calls whose path ends so are answered by this; 0 closes the connection; `done` carries them out."""
        self.fault = lambda verb, path: (
            (status, words, done) if verb in {"POST", "PUT"} and end in path else None
        )
        try:
            yield
        finally:
            self.fault = lambda verb, path: None

    def _answer(self, handler):
        length = int(handler.headers.get("Content-Length") or 0)
        body = handler.rfile.read(length) if length else self._chunks(handler)
        fault = self.fault(handler.command, handler.path)
        status, answer, kind = 0, b"", "application/json"
        if fault is None or fault[2]:
            status, answer, kind = self._pass_on(handler, body)
        if fault:
            status, answer, kind = fault[0], json.dumps({"message": fault[1]}).encode(), "application/json"
        if not status:
            handler.close_connection = True
            return
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        if status != 204:
            handler.send_header("Content-Length", str(len(answer)))
        handler.end_headers()
        handler.wfile.write(answer)

    @staticmethod
    def _chunks(handler):
        if handler.headers.get("Transfer-Encoding") != "chunked":
            return b""
        whole = b""
        while size := int(handler.rfile.readline(), 16):
            whole += handler.rfile.read(size)
            handler.rfile.readline()
        handler.rfile.readline()
        return whole

    @staticmethod
    def _pass_on(handler, body):
        class Connection(http.client.HTTPConnection):
            def connect(self):
                self.sock = socket.socket(socket.AF_UNIX)
                self.sock.connect(docker_socket())

        connection = Connection("docker")
        headers = {
            name: value
            for name, value in handler.headers.items()
            if name.lower() not in {"transfer-encoding", "content-length"}
        }
        connection.request(handler.command, handler.path, body, headers)
        answer = connection.getresponse()
        whole = answer.status, answer.read(), answer.headers.get("Content-Type", "application/json")
        connection.close()
        return whole


@pytest.fixture
def between(tmp_path, docker):
    """Docker, behind something that fails on demand."""
    with _Between(tmp_path / "docker.sock") as made:
        yield made


def _provider(host="", **options):
    return driver.connect(
        ProviderSettings("here", "docker", options={**options, **({"host": host} if host else {})})
    )


@pytest.fixture
def bench(between, fleet_image, docker):
    """How the suite reaches Docker."""
    made = []

    def stranger():
        name = f"stranger-{uuid.uuid4().hex[:8]}"
        one = docker.api.create_container(fleet_image, name=name)["Id"]
        made.append(one)
        return one, lambda: bool(docker.api.inspect_container(one))

    create = "/containers/create"
    yield ProviderBench(
        connect=lambda: _provider(f"unix://{between.path}"),
        spec=MachineSpec(Tags("", "", ""), "", cores=1, memory=256 * _MIB),
        faults={
            AuthError: lambda: between.failing(create, 403, "authorization denied by plugin"),
            BadRequestError: lambda: between.failing(create, 404, "No such image: nothing:latest"),
            NoCapacityError: lambda: between.failing("/start", 500, "write /x: no space left on device"),
            OutcomeUnknownError: lambda: between.failing(create, done=True),
            ThrottledError: lambda: between.failing(create, 429, "too many requests"),
            UnavailableError: lambda: between.failing("/archive", 500, "server error"),
        },
        cannot={QuotaError: "Docker knows no accounts"},
        stranger=stranger,
    )
    for one in made:
        docker.api.remove_container(one, force=True)


@pytest.mark.parametrize("check", PROVIDER_CHECKS.values(), ids=PROVIDER_CHECKS)
def test_docker_is_a_provider(bench, check):
    """Docker passes the suite that all providers pass."""
    check(bench)


def test_it_makes_networks_too(bench):
    """It has the verbs of networks, so the suite tries them."""
    assert isinstance(bench.connect(), NetworkProvider)


def test_an_order_whose_start_was_lost_is_completed(bench, between):
    """The answer to the start is lost: the machine runs, and the order given again returns it."""
    with bench.slice() as name:
        order = bench.order(name)
        with between.failing("/start", done=True), pytest.raises(OutcomeUnknownError):
            bench.connect().create(order)
        (found,) = bench.connect().list(name)
        assert found.state == "running"
        assert bench.connect().create(order).id == found.id


def test_an_order_that_was_cut_off_before_the_start_is_completed(bench, between):
    """A container that was made and not started is pending; the order given again starts it."""
    with bench.slice() as name:
        order = bench.order(name)
        with between.failing("/containers/create", done=True), pytest.raises(OutcomeUnknownError):
            bench.connect().create(order)
        (found,) = bench.connect().list(name)
        assert found.state == "pending"
        made = bench.connect().create(order)
        assert (made.id, made.state) == (found.id, "running")


def test_a_machine_has_what_was_asked_for(bench, docker):
    """Cores, memory and rights are those that were asked for; the user data is on it, and nowhere in its listing."""
    with bench.slice() as name:
        order = bench.order(name)
        made = bench.connect().create(order)
        attrs = docker.api.inspect_container(made.id)
        host = attrs["HostConfig"]
        assert (host["NanoCpus"], host["Memory"]) == (10**9, 256 * _MIB)
        assert host["AutoRemove"]
        assert host["CapDrop"] == ["ALL"]
        assert "NET_ADMIN" not in host["CapAdd"]
        assert attrs["Config"]["Hostname"] == order.name
        assert order.user_data not in json.dumps(attrs)
        shown = docker.containers.get(made.id).exec_run(["cat", "/var/lib/cloud/seed/nocloud/user-data"])
        assert shown.output.decode() == order.user_data


def test_a_machine_that_switches_itself_off_is_gone(bench, docker):
    """`poweroff` on the machine ends the container, and Docker removes it: nothing is left to pay for."""
    with bench.slice() as name:
        made = bench.connect().create(bench.order(name))
        docker.containers.get(made.id).exec_run(["poweroff"])
        _await_removal(docker, made.id)
        assert bench.connect().list(name) == []
        with pytest.raises(GoneError):
            bench.connect().describe(made.id)


def test_an_image_that_is_not_there_is_a_wrong_request(bench):
    """The real engine's words for it are told as such, with what to do, and nothing is made."""
    with bench.slice() as name:
        order = replace(bench.order(name), image="nobody/has-this:1")
        with pytest.raises(BadRequestError, match="dynamo pool build"):
            bench.connect().create(order)
        assert bench.connect().list(name) == []


def test_more_cores_than_the_machine_has_are_a_wrong_request(bench):
    """The real engine refuses more cores than it has; nothing is made."""
    with bench.slice() as name:
        with pytest.raises(BadRequestError, match="CPUs"):
            bench.connect().create(replace(bench.order(name), cores=(os.cpu_count() or 1) + 1000))
        assert bench.connect().list(name) == []


def test_a_network_that_is_not_there_leaves_no_machine(bench):
    """A machine that cannot be connected is removed, and the network that is missing is named."""
    with bench.slice() as name:
        with pytest.raises(BadRequestError, match="no-such-network"):
            bench.connect().create(replace(bench.order(name), networks=("no-such-network",)))
        assert bench.connect().list(name) == []


def test_docker_that_is_not_there_is_unavailable(tmp_path):
    """Where no Docker answers, nothing was done, and that is what is told, for each verb."""
    nobody = _provider(f"unix://{tmp_path}/none.sock")
    order = MachineSpec(Tags("a", "b", "c"), "d")
    for call in (
        lambda: nobody.create(order),
        lambda: nobody.list("a"),
        lambda: nobody.describe("x"),
        lambda: nobody.destroy("x"),
        nobody.offerings,
        lambda: nobody.create_network(NetworkSpec(Tags("a", "b", "c"), "10.9.0.0/24")),
        lambda: nobody.list_networks("a"),
        lambda: nobody.destroy_network("x"),
    ):
        with pytest.raises(UnavailableError, match="none runs there"):
            call()


def test_networks_that_overlap_are_a_wrong_request(bench):
    """The real engine refuses addresses that are taken."""
    with bench.slice() as name:
        provider = bench.connect()
        provider.create_network(NetworkSpec(Tags(name, "one", uuid.uuid4().hex), "10.233.78.0/24"))
        with pytest.raises(BadRequestError, match=r"overlaps .*: take others, as of 10.0.0.0/8"):
            provider.create_network(NetworkSpec(Tags(name, "two", uuid.uuid4().hex), "10.233.78.0/25"))
        with pytest.raises(BadRequestError, match="no addresses"):
            provider.create_network(NetworkSpec(Tags(name, "three", uuid.uuid4().hex), "10.233.79.1/24"))
        assert len(provider.list_networks(name)) == 1


def test_a_connection_is_held_to_the_bandwidth_of_its_network(bench, docker):
    """iperf3 between two machines: fast on a network without a bandwidth, held to it on one that has one, both ways."""
    with bench.slice() as name:
        free = _network(bench, name, "free", "10.233.80.0/24", None)
        slow = _network(bench, name, "slow", "10.233.81.0/24", 50e6)
        networks = (free.id, slow.id)
        server, client = (
            bench.connect().create(replace(bench.order(name), networks=networks)) for _ in range(2)
        )
        at = _addresses(docker, server.id)
        for port in ("5201", "5202"):
            docker.containers.get(server.id).exec_run(["iperf3", "-s", "-D", "-p", port])
        machine = docker.containers.get(client.id)
        unshaped = bits(machine, at[free.id])
        out = bits(machine, at[slow.id])
        back = bits(machine, at[slow.id], "-R")
        assert unshaped > 500e6
        for measured in (out, back):
            assert 25e6 < measured < 55e6, f"{measured / 1e6:.0f} Mb/s"
        shaped = bench.connect().create_network(NetworkSpec(slow.tags, slow.cidr, bandwidth=20e6))
        assert shaped in bench.connect().list_networks(name)
        assert (shaped.id, shaped.bandwidth) == (slow.id, 20e6)
        for measured in (bits(machine, at[slow.id]), bits(machine, at[slow.id], "-R")):
            assert 10e6 < measured < 30e6, f"{measured / 1e6:.0f} Mb/s"


def test_a_machine_cannot_lift_its_bandwidth(bench, docker):
    """The machine itself has no right to change what shapes it."""
    with bench.slice() as name:
        slow = _network(bench, name, "slow", "10.233.82.0/24", 50e6)
        made = bench.connect().create(replace(bench.order(name), networks=(slow.id,)))
        one = docker.containers.get(made.id)
        shown = one.exec_run(["tc", "qdisc"]).output.decode()
        assert "tbf" in shown
        assert "rate 50Mbit" in shown
        assert one.exec_run(["tc", "qdisc", "del", "dev", "eth0", "root"]).exit_code != 0


def test_a_bandwidth_that_is_changed_holds_for_machines_to_come_too_and_leaves_nothing(bench, docker):
    """And it can be lifted; what it is written on goes with the network."""
    with bench.slice() as name:
        slow = _network(bench, name, "slow", "10.233.84.0/24", 50e6)
        first = bench.connect().create(replace(bench.order(name), networks=(slow.id,)))
        foreign = docker.containers.run(WORKER_IMAGE, ["sleep", "inf"], detach=True, network=slow.id)
        try:
            bench.connect().create_network(NetworkSpec(slow.tags, slow.cidr, bandwidth=20e6))
            assert "tbf" not in foreign.exec_run(["tc", "qdisc"]).output.decode()  # it is somebody else's
        finally:
            foreign.remove(force=True)
        later = bench.connect().create(replace(bench.order(name), networks=(slow.id,)))
        machines = [docker.containers.get(one.id) for one in (first, later)]
        for one in machines:
            assert "rate 20Mbit" in one.exec_run(["tc", "qdisc"]).output.decode()
        bench.connect().create_network(NetworkSpec(slow.tags, slow.cidr))
        assert [one.bandwidth for one in bench.connect().list_networks(name)] == [0.0]
        for one in machines:
            assert "tbf" not in one.exec_run(["tc", "qdisc"]).output.decode()
        assert len(docker.volumes.list(filters={"label": f"dynamo-slice={name}"})) == 1
    assert docker.volumes.list(filters={"label": f"dynamo-slice={name}"}) == []


def test_a_machine_that_ends_while_its_network_is_shaped_anew_is_let_be(bench, docker, monkeypatch):
    """And one that is not up yet: Docker lists both, and knows neither."""
    with bench.slice() as name:
        slow = _network(bench, name, "slow", "10.233.85.0/24", 50e6)
        asked = docker.api.inspect_network

        def listed(self, id_, *arguments, **named):
            found = asked(id_, *arguments, **named)
            return {**found, "Containers": {**found.get("Containers", {}), "ep-0123": {}, "gone": {}}}

        monkeypatch.setattr(type(docker.api), "inspect_network", listed)
        shaped = bench.connect().create_network(NetworkSpec(slow.tags, slow.cidr, bandwidth=20e6))
        assert shaped.bandwidth == 20e6
        monkeypatch.undo()


@pytest.mark.parametrize("price", ["much", "-1", "nan"])
def test_a_price_that_is_none_is_refused(price):
    """A price must be a number from 0 up."""
    with pytest.raises(UserError, match="usd_per_hour"):
        _provider(usd_per_hour=price)


def test_the_price_is_that_of_the_slice(docker):
    """What is offered is the whole machine below, at the price that the slice says; 0 where it says none."""
    (free,) = _provider().offerings()
    (priced,) = _provider(usd_per_hour="0.25").offerings()
    assert (free.usd_per_hour, priced.usd_per_hour) == (0.0, 0.25)
    assert free.cores == docker.info()["NCPU"]
    assert driver.to_measure
    assert not driver.needs_credentials


def _network(bench, slice_, group, cidr, bandwidth):
    return bench.connect().create_network(
        NetworkSpec(Tags(slice_, group, uuid.uuid4().hex), cidr, bandwidth=bandwidth)
    )


def _addresses(docker, id_):
    networks = docker.api.inspect_container(id_)["NetworkSettings"]["Networks"]
    return {one["NetworkID"]: one["IPAddress"] for one in networks.values()}


def _await_removal(docker, id_):
    import docker as bindings

    with suppress(bindings.errors.NotFound):
        docker.api.wait(id_, timeout=60, condition="removed")


def test_what_says_not_of_which_provider_it_is_is_not_lost(monkeypatch):
    """Made before that was written on it: it is listed, and so taken away; what is of another provider is not."""
    import docker as bindings

    labels = Tags("dfw", "workers", "7f").written()
    theirs = [{}, {"dynamo-provider": "a"}, {"dynamo-provider": "b"}]
    things = [
        {"Id": str(n), "State": "running", "Created": 1.0, "Labels": labels | more}
        for n, more in enumerate(theirs)
    ]

    def listed(*, filters, **_):
        wanted = [tuple(one.split("=")) for one in filters["label"]]
        return [one for one in things if all(one["Labels"].get(key) == value for key, value in wanted)]

    def no_volume(_):
        raise bindings.errors.NotFound("no such volume", response=SimpleNamespace(status_code=404))

    @contextmanager
    def engine(*_, **__):
        yield SimpleNamespace(
            api=SimpleNamespace(containers=listed, networks=listed, inspect_volume=no_volume)
        )

    here = driver.connect(ProviderSettings("a", "docker"))
    monkeypatch.setattr(type(here), "_docker", engine)
    assert [one.id for one in here.list("dfw")] == ["0", "1"]
    assert [one.id for one in here.list_networks("dfw")] == ["0", "1"]
    assert here.list("other") == []
