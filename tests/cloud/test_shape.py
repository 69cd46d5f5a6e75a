"""A machine that holds its own connection to a bandwidth, where its cloud does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.resources import files
from typing import Any

import yaml

from dynamo.fleet.record import WorkerRecord
from dynamo.fleet.slice_checks import load
from dynamo.fleet.starter import bandwidth
from dynamo.fleet.userdata import WorkerStart, user_data
from tests.cloud.docker_use import bits, lay

_START = WorkerStart("w-1", "order-1", "https://10.0.0.1:9617/join", "pem", "t" * 43)
_SCRIPT = "/var/lib/cloud/scripts/per-boot/dynamo-shape"
_SLICE = """
slice: s
providers: {a: {driver: docker}, b: {driver: docker}}
networks:
  fast: {cidr: 10.0.0.0/24, spans: a, bandwidth: 1 Gb/s}
  slow: {cidr: 10.0.1.0/24, spans: [a, b], bandwidth: 50 Mb/s}
  free: {cidr: 10.0.2.0/24, spans: a}
nodes:
  both: {provider: a, count: 1, size: {cores: 1, memory: 1 GiB}, networks: [fast, slow, free]}
  free: {provider: a, count: 1, size: {cores: 1, memory: 1 GiB}, networks: free}
"""


@contextmanager
def machine(docker: Any, image: str, **more: Any) -> Iterator[Any]:
    """A machine that does nothing yet."""
    made = docker.containers.run(image, ["sleep", "infinity"], detach=True, init=True, **more)
    try:
        yield made
    finally:
        made.remove(force=True)


def test_a_machine_holds_itself_to_its_bandwidth(docker, fleet_image):
    """By what its user data lays down and cloud-init runs at each boot; twice is no different, and it says so."""
    written = {
        one["path"]: one for one in yaml.safe_load(user_data(replace(_START, bandwidth=50e6)))["write_files"]
    }
    assert written[_SCRIPT]["permissions"] == "0755"
    rights = {"cap_drop": ["ALL"], "cap_add": ["NET_ADMIN", "DAC_OVERRIDE"]}
    with machine(docker, fleet_image) as other, machine(docker, fleet_image, **rights) as one:
        other.exec_run(["iperf3", "-s", "-D"])
        other.reload()
        address = (
            other.attrs["NetworkSettings"]["IPAddress"]
            or next(iter(other.attrs["NetworkSettings"]["Networks"].values()))["IPAddress"]
        )
        assert bits(one, address) > 500e6
        for path in ("/etc/dynamo/worker.conf", _SCRIPT):
            lay(one, "/", {path: written[path]["content"]}, mode=0o755)
        for _ in range(2):
            assert one.exec_run(["sh", _SCRIPT]).exit_code == 0
        said = one.exec_run(["cat", "/var/log/dynamo-worker.log"]).output.decode()
        assert said.splitlines() == ["bandwidth: eth0 is held to 50000000bit/s, both ways"] * 2
        for measured in (bits(one, address), bits(one, address, "-R")):
            assert 25e6 < measured < 55e6, f"{measured / 1e6:.0f} Mb/s"


def test_a_machine_that_cannot_says_so(docker, fleet_image):
    """Without the right, as without the kernel's modules, it works all the same, and its log tells."""
    content = next(
        one["content"]
        for one in yaml.safe_load(user_data(replace(_START, bandwidth=50e6)))["write_files"]
        if one["path"] == "/etc/dynamo/worker.conf"
    )
    script = (files("dynamo.fleet") / "shape.sh").read_text()
    with machine(docker, fleet_image, cap_drop=["ALL"], cap_add=["DAC_OVERRIDE"]) as one:
        lay(one, "/", {"/etc/dynamo/worker.conf": content, _SCRIPT: script}, mode=0o755)
        one.exec_run(["sh", _SCRIPT])
        assert (
            b"eth0 could not be held to 50000000bit/s"
            in one.exec_run(["cat", "/var/log/dynamo-worker.log"]).output
        )


def test_the_slowest_network_counts(tmp_path):
    """Of those that a machine is in at its provider; without a bandwidth nothing is laid down."""
    (tmp_path / "s.yaml").write_text(_SLICE)
    slice_ = load(tmp_path / "s.yaml")

    def worker(group: str, provider: str) -> WorkerRecord:
        return WorkerRecord("t", "s", group, provider, "", "n", "requested", 0.0, 0.0, 1, 1)

    assert bandwidth(slice_, worker("both", "a")) == 50e6
    assert bandwidth(slice_, worker("free", "a")) == 0.0
    assert "dynamo-shape" not in user_data(_START)
