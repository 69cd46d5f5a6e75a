"""Two clouds on one machine that do not reach each other: a worker of one joins the pool in the other by a tunnel."""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dynamo.errors import UserError
from dynamo.pool.pool import Pool
from dynamo.pool.settings import PoolSettings
from tests.cloud.test_fleet_run import Running, dynamo
from tests.conftest import RunningPool, pool_of

_SLICE = "afar"
#: Outside of what Docker gives networks by itself, one after the other: 172.17.0.0/12 and 192.168.0.0/16.
_DATA = ipaddress.ip_network("10.233.90.0/24")
#: Of the tunnel's part of the addresses, the first.
_HUB = "10.233.90.129"
_DOCUMENT = """
slice: afar
pool: {{name: {pool}}}
providers:
  here: {{driver: docker, network: {network}}}
  there: {{driver: docker}}
networks:
  data:
    cidr: 10.233.90.0/24
    spans: [there]
    bandwidth: {bandwidth}
    ports: [9618, 5201]
    tunnel: {{hub: "{hub}"}}
nodes:
  near: {{provider: here, size: {{cores: 1, memory: 2 GiB}}, min: {least}, max: 1}}
  far: {{provider: there, size: {{cores: 1, memory: 2 GiB}}, min: {least}, max: 1, networks: [data]}}
limits: {{cores: 2}}
"""
_JOB = """
executable = /bin/sh
arguments = "-c 'hostname; cat given > made'"
transfer_executable = false
should_transfer_files = YES
transfer_input_files = given
output = out
error = err
log = log
request_memory = 64
requirements = TARGET.DynamoGroup == "far"
queue
"""
#: Says whether a TCP connection comes about within three seconds.
_KNOCK = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)
    print("open")
except OSError:
    print("shut")
"""


#: What the hub would have to do for an answer from elsewhere to come back at all.
_MASQUERADE = (
    "add table ip probe; add chain ip probe post { type nat hook postrouting priority 100; };"
    "add rule ip probe post masquerade"
)


def device_of(manager) -> str:
    """Return what the tunnel is called on the hub."""
    return said(manager, "wg", "show", "interfaces")


def bridge(docker) -> str:
    """Return the address of this machine that every network of Docker reaches."""
    return docker.networks.get("bridge").attrs["IPAM"]["Config"][0]["Gateway"]


@pytest.fixture(scope="module")
def hub(docker, fleet_image, tmp_path_factory) -> Iterator[RunningPool]:
    """A pool without a worker of its own, whose central manager may be the hub of a tunnel."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as free:
        free.bind((bridge(docker), 0))
        place = f"{bridge(docker)}:{free.getsockname()[1]}"
    with pool_of(docker, tmp_path_factory, f"test-{os.getpid()}-t", workers=0, tunnel=place) as made:
        try:
            yield made
        finally:
            for one in containers(docker):
                one.remove(force=True)
            for one in docker.networks.list(filters={"label": f"dynamo-slice={_SLICE}"}):
                one.remove()


def containers(docker, **labels):
    """Return the machines of the slice that have such labels, also those that stand still."""
    wanted = [f"dynamo-slice={_SLICE}", *(f"dynamo-{name}={value}" for name, value in labels.items())]
    return docker.containers.list(all=True, ignore_removed=True, filters={"label": wanted})


def said(container, *command: str) -> str:
    """Return what a command in a container printed."""
    code, out = container.exec_run(list(command))
    assert code == 0, out.decode()
    return out.decode().strip()


def reaches(container, address: str, port: int) -> bool:
    """Whether a container reaches a port."""
    return said(container, "python3", "-c", _KNOCK, address, str(port)) == "open"


def measured(worker, *direction: str) -> float:
    """Return the bits a second of one direction of the tunnel, as iperf3 counts them where they arrive."""
    found = json.loads(said(worker, "iperf3", "--json", "--client", _HUB, "--time", "4", *direction))
    return found["end"]["sum_received"]["bits_per_second"]


@contextmanager
def listening(address: str) -> Iterator[int]:
    """Listen at an address of this machine."""
    with ThreadingHTTPServer((address, 0), BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def write(folder: Path, hub: RunningPool, bandwidth: str, least: int = 1) -> None:
    """Write the slice with such a bandwidth, whole or not at all."""
    text = _DOCUMENT.format(
        pool=hub.settings.name,
        network=hub.pool.prefix,
        hub=hub.settings.tunnel,
        bandwidth=bandwidth,
        least=least,
    )
    (folder / "slice.new").write_text(text)
    (folder / "slice.new").replace(folder / "slice.yaml")


def shapes(manager) -> str:
    """Return what the kernel of the hub holds the tunnel to."""
    return said(manager, "tc", "qdisc", "show")


def ran_on(hub: RunningPool, folder: Path) -> str:
    """Run a job that only the group ``far`` takes, and return on which machine it ran."""
    (folder / "given").write_text("a sweep")
    (folder / "job.sub").write_text(_JOB)
    hub.hand_over(folder)
    assert hub.submit_exec(["condor_submit", "job.sub"], folder=folder).returncode == 0
    waited = hub.submit_exec(["condor_wait", "-wait", "60", "log"], folder=folder)
    assert waited.returncode == 0, (folder / "log").read_text()
    assert (folder / "made").read_text() == "a sweep"
    return (folder / "out").read_text().strip()


def check_filter(hub: RunningPool, docker, manager, submit, worker) -> None:
    """Through the tunnel the pool's ports are reached and nothing else, also where a worker sends it by itself."""
    (there,) = submit.attrs["NetworkSettings"]["Networks"].values()
    assert reaches(worker, there["IPAddress"], 9618)
    manager.exec_run(["iperf3", "--server", "--port", "5202"], detach=True)
    assert reaches(
        submit,
        hub.pool.container("manager").attrs["NetworkSettings"]["Networks"][hub.pool.prefix]["IPAddress"],
        5202,
    )
    assert not reaches(worker, _HUB, 5202)
    with listening(there["Gateway"]) as port:
        assert reaches(submit, there["Gateway"], port)
        assert not reaches(worker, there["Gateway"], port)
    outside = bridge(docker)
    with listening(outside) as port:
        assert reaches(worker, outside, port)
        peer = said(worker, "wg", "show", "dynamo0", "peers")
        said(worker, "wg", "set", "dynamo0", "peer", peer, "allowed-ips", "0.0.0.0/0")
        said(worker, "ip", "rule", "add", "to", outside, "ipproto", "tcp", "table", "77")
        said(worker, "ip", "route", "add", "default", "dev", "dynamo0", "table", "77")
        said(manager, "nft", _MASQUERADE)
        assert not reaches(worker, outside, port)
        assert reaches(worker, there["IPAddress"], 9618)
        # It was the filter that shut it: without it the way is open.
        said(manager, "nft", "delete", "table", "inet", device_of(manager))
        assert reaches(worker, outside, port)


def test_a_worker_of_another_cloud_joins_by_a_tunnel(hub, docker, until, tmp_path):
    """It runs a job; the bandwidth is as the slice says, before and after a change; and in the end nothing is left."""
    write(tmp_path, hub, "8 Mb/s")
    applied = dynamo(tmp_path, "slice", "apply", "slice.yaml", "--yes")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    manager, submit = hub.pool.container("manager"), hub.pool.container("submit")
    (worker,) = containers(docker, group="far")
    seen = {"slice apply": applied.stdout + applied.stderr}
    keys = {
        "the worker's": said(worker, "cat", "/var/lib/dynamo-worker/tunnel.key"),
        "the hub's": said(manager, "sh", "-c", "cat /var/lib/dynamo-tunnel/*.key"),
    }

    # Without the tunnel the two networks do not reach each other; with it, the job and its files go through.
    place = next(iter(submit.attrs["NetworkSettings"]["Networks"].values()))["IPAddress"]
    (data,) = docker.networks.list(filters={"label": f"dynamo-slice={_SLICE}"})
    for network, answer in ((data.name, b"shut"), (hub.pool.prefix, b"open")):
        command = ["python3", "-c", _KNOCK, place, "9618"]
        knocked = docker.containers.run(hub.image, command, network=network, remove=True)
        assert knocked.strip() == answer, network
    assert ran_on(hub, hub.folder("job")) == worker.attrs["Config"]["Hostname"]

    # The bandwidth, before and after a change that a fleet at work reads, and one that is applied.
    manager.exec_run(["iperf3", "--server"], detach=True)
    until(lambda: reaches(worker, _HUB, 5201), "iperf3 listens")
    before = [measured(worker), measured(worker, "--reverse")]
    fleet = Running(tmp_path)
    try:
        until(
            lambda: dynamo(tmp_path, "fleet", "status", "slice.yaml").returncode == 0, "the fleet is at work"
        )
        write(tmp_path, hub, "24 Mb/s")
        until(lambda: shapes(manager).count("24Mbit") == 2, "the fleet has shaped the tunnel anew")
        after = [measured(worker), measured(worker, "--reverse")]
        assert all(0.5 * 8e6 < one < 1.2 * 8e6 for one in before), (before, after)
        assert all(0.5 * 24e6 < one < 1.2 * 24e6 for one in after), (before, after)
        assert [one.id for one in containers(docker, group="far")] == [worker.id]

        check_filter(hub, docker, manager, submit, worker)

        # Who is let go comes through no more.
        assert said(manager, "wg", "show", "all", "peers")
        assert dynamo(tmp_path, "fleet", "pause", "slice.yaml").returncode == 0
        assert dynamo(tmp_path, "fleet", "drain", "slice.yaml", "--all").returncode == 0
        seen |= {
            "docker inspect": json.dumps([one.attrs for one in containers(docker)]),
            "docker logs": "".join(one.logs().decode() for one in containers(docker)),
            "processes": subprocess.run(["ps", "axeww"], capture_output=True, text=True, check=True).stdout,
        }
        until(lambda: not containers(docker), "all machines are gone", 120)
        until(lambda: not said(manager, "wg", "show", "all", "peers"), "its peer is gone")
    finally:
        fleet.end()
    write(tmp_path, hub, "9 Mb/s", least=0)
    again = dynamo(tmp_path, "slice", "apply", "slice.yaml", "--yes")
    assert f"change   data: tunnel at {hub.settings.tunnel}, 9 Mb/s (it is 24 Mb/s)" in again.stdout
    assert (again.returncode, shapes(manager).count("9Mbit")) == (0, 2), again.stdout + again.stderr
    assert "keep     data: tunnel" in dynamo(tmp_path, "slice", "plan", "slice.yaml").stdout
    gone = dynamo(tmp_path, "slice", "destroy", "slice.yaml", "--yes")
    assert gone.returncode == 0, gone.stdout + gone.stderr
    assert "nothing is left of 'afar'" in gone.stdout
    links = said(manager, "ip", "-o", "link")
    assert len(links.splitlines()) == 2, links
    assert said(manager, "ls", "/var/lib/dynamo-tunnel") == "hub.sh"
    assert "inet dt" not in said(manager, "nft", "list", "tables")
    seen |= {
        "what it printed": fleet.said() + gone.stdout + gone.stderr,
        "the journal": "".join(
            one.read_bytes().decode("latin-1") for one in (tmp_path / ".dynamo").rglob("*") if one.is_file()
        ),
    }
    for where, text in seen.items():
        for whose, key in keys.items():
            assert len(key) == 44
            assert key not in text, f"{whose} key is in {where}"


@pytest.mark.parametrize(
    ("taken", "why"), [(True, "port is already allocated"), (False, "cannot assign requested address")]
)
def test_a_place_that_cannot_be_had_is_told(hub, docker, tmp_path, monkeypatch, taken, why):
    """By who brings the pool up, before any of it runs."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    place = hub.settings.tunnel if taken else "203.0.113.7:51820"
    pool = Pool(docker, f"test-{os.getpid()}-u")
    try:
        with pytest.raises(
            UserError, match=f"no tunnel can be had at {place}: {why}; name an address of this machine"
        ):
            pool.up(PoolSettings(pool.name, workers=0, mounts=(tmp_path,), tunnel=place), hub.image, print)
        assert not pool.containers()
    finally:
        pool.down()
