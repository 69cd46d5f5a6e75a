"""A fleet from end to end, on a real pool: workers come when nowcasts are submitted, and go when these are done."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from dynamo.fleet.ledger import Ledger
from tests.cloud.docker_use import NOWCAST, lay
from tests.conftest import pool_of

_SLICE = "e2e"
_DOCUMENT = """
slice: e2e
pool: {{name: {pool}}}
providers:
  here: {{driver: docker, network: {network}}}
nodes:
  workers: {{provider: here, size: {{cores: 1, memory: 2 GiB}}, max: 2, idle: 15 s}}
limits: {{cores: 2}}
"""


@pytest.fixture(scope="module")
def empty_pool(docker, fleet_image, tmp_path_factory, samples):
    """A pool without a worker."""
    with pool_of(docker, tmp_path_factory, f"test-{os.getpid()}-e", workers=0) as made:
        try:
            yield made
        finally:
            for one in containers(docker):
                one.remove(force=True)


def containers(docker: Any) -> list[Any]:
    """Return the machines of the slice, also those that stand still."""
    return docker.containers.list(all=True, ignore_removed=True, filters={"label": f"dynamo-slice={_SLICE}"})


class Running:
    """``dynamo fleet run`` in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.lines = folder, []
        command = [sys.executable, "-m", "dynamo.cli", "fleet", "run", "slice.yaml", "--interval", "2"]
        self.process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        with self.process.stdout as lines:
            self.lines.extend(lines)

    def said(self) -> str:
        """Return what it printed so far."""
        return "".join(self.lines)

    def end(self, with_: int = signal.SIGTERM) -> int:
        """End it, and return its exit code."""
        self.process.send_signal(with_)
        code = self.process.wait(60)
        self.reader.join(60)
        return code


def dynamo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of dynamo on this machine."""
    return subprocess.run(
        [sys.executable, "-m", "dynamo.cli", *arguments],
        cwd=folder, check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def story(folder: Path) -> dict[str, list[str]]:
    """Return what became of each worker."""
    told: dict[str, list[str]] = {}
    with Ledger(folder / ".dynamo" / "journal.db", _SLICE) as ledger:
        for event in ledger.events():
            if event.token and event.what != "destroy":
                told.setdefault(event.token, []).append(event.what)
    return told


def _text(path: Path) -> str:
    return path.read_bytes().decode("latin-1")


def test_a_burst_of_nowcasts_on_an_empty_pool(empty_pool, docker, until, tmp_path, samples):
    """Workers boot by cloud-init, join with their token, run the jobs, are drained, and nothing is left of them.

    In the midst of it the controller is killed, and another goes on. No secret is in what is printed, kept or shown.
    """
    place = empty_pool.folder("burst")
    shutil.copy(samples / "grids" / "casa_dfw_merged_1min_40x400x400.nc", place / "frames.nc")
    horizons = (10, 15, 20)
    for horizon in horizons:
        (place / f"nowcast-{horizon}.yaml").write_text(NOWCAST.format(horizon=horizon))
    document = _DOCUMENT.format(pool=empty_pool.settings.name, network=empty_pool.pool.prefix)
    (tmp_path / "slice.yaml").write_text(document)
    fleet = Running(tmp_path)
    try:
        with ThreadPoolExecutor(len(horizons)) as cycles:
            runs = [cycles.submit(empty_pool.dynamo, place, "run", f"nowcast-{h}.yaml") for h in horizons]
            until(lambda: len(containers(docker)) == 2, "two machines are ordered", 120)
            second = dynamo(tmp_path, "fleet", "run", "slice.yaml")
            assert second.returncode == 2
            assert f"process {fleet.process.pid} on" in second.stderr
            fleet.end(signal.SIGKILL)
            before = fleet.said()
            fleet = Running(tmp_path)
            done = [run.result() for run in runs]
        for one in done:
            assert one.returncode == 0, one.stdout + one.stderr + fleet.said()
        for horizon in horizons:
            assert len(list((place / "products").glob(f"*/reflectivity_{horizon:02d}.nc"))) >= 1
        status = dynamo(tmp_path, "fleet", "status", "slice.yaml", "--json")
        assert status.returncode == 0, status.stdout + status.stderr
        assert "by the policy work" in dynamo(tmp_path, "fleet", "explain", "slice.yaml").stdout
        seen = {
            "docker inspect": json.dumps([one.attrs for one in containers(docker)]),
            "docker logs": "".join(one.logs().decode() for one in containers(docker)),
            "processes": subprocess.run(["ps", "axeww"], capture_output=True, text=True, check=True).stdout,
        }
        until(lambda: not containers(docker), "all machines are gone", 180)
        until(
            lambda: all(one[-1] == "gone" for one in story(tmp_path).values()),
            "all are written down as gone",
            60,
        )
        assert fleet.end() == 0, fleet.said()
    finally:
        if fleet.process.poll() is None:
            fleet.end(signal.SIGKILL)
    told = story(tmp_path)
    assert 2 <= len(told) <= 4
    assert ["requested", "booting", "joined", "draining", "stopping", "gone"] in told.values(), told
    assert dynamo(tmp_path, "slice", "destroy", "slice.yaml", "--yes").returncode == 0
    key = empty_pool.pool.state.signing_key().strip()
    seen |= {
        "what it printed": before + fleet.said(),
        "the journal": "".join(
            one.read_bytes().decode("latin-1") for one in (tmp_path / ".dynamo").glob("journal.db*")
        ),
        "status": status.stdout,
    }
    for where, text in seen.items():
        assert key not in text, f"the pool's key is in {where}"
        assert not re.search(r"eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}", text), (
            f"a token of HTCondor is in {where}"
        )


def test_a_slice_is_brought_about_and_taken_away(empty_pool, docker, tmp_path):
    """The least of its workers joins; a second time nothing changes; and in the end nothing is listed."""
    document = _DOCUMENT.format(pool=empty_pool.settings.name, network=empty_pool.pool.prefix)
    (tmp_path / "slice.yaml").write_text(document.replace("max: 2", "min: 1, max: 2"))
    try:
        first = dynamo(tmp_path, "slice", "apply", "slice.yaml", "--yes")
        assert first.returncode == 0, first.stdout + first.stderr
        assert len(containers(docker)) == 1
        again = dynamo(tmp_path, "slice", "apply", "slice.yaml", "--yes")
        assert (again.returncode, "nothing is to be done" in again.stdout) == (0, True), (
            again.stdout + again.stderr
        )
        assert len(containers(docker)) == 1
        assert "say --yes" in dynamo(tmp_path, "slice", "destroy", "slice.yaml").stderr
    finally:
        gone = dynamo(tmp_path, "slice", "destroy", "slice.yaml", "--yes")
    assert gone.returncode == 0, gone.stdout + gone.stderr
    assert "nothing is left of 'e2e'" in gone.stdout
    assert not containers(docker)


def _as_user(machine: Any, command: str) -> str:
    """Run a command on a machine as the user whose the jobs are."""
    code, said = machine.exec_run(["sh", "-c", command], user="dynamo", workdir="/home/dynamo")
    assert code == 0, said.decode()
    return said.decode()


def test_a_user_submits_at_an_access_point_of_the_slice(empty_pool, docker, until, tmp_path, samples):
    """It joins by its token; its jobs are seen, matched and run on workers that come for them; nothing is left.

    By what is on it one can neither offer slots, nor submit elsewhere, nor see what others have in their queues.
    """
    document = _DOCUMENT.format(pool=empty_pool.settings.name, network=empty_pool.pool.prefix)
    front = "submit: {provider: here, size: {cores: 1, memory: 1 GiB}, count: 1, role: submit}\n  workers:"
    (tmp_path / "slice.yaml").write_text(document.replace("workers:", front))
    fleet = None
    try:
        applied = dynamo(tmp_path, "slice", "apply", "slice.yaml", "--yes")
        assert applied.returncode == 0, applied.stdout + applied.stderr
        (machine,) = containers(docker)
        assert machine.labels["dynamo-group"] == "submit"
        fleet = Running(tmp_path)
        frames = (samples / "grids" / "casa_dfw_merged_1min_40x400x400.nc").read_bytes()
        lay(machine, "/home/dynamo", {"frames.nc": frames, "n.yaml": NOWCAST.format(horizon=10)})
        _as_user(
            machine,
            "mkdir w && cp frames.nc n.yaml w && cd w && dynamo run n.yaml && ls products/*/motion.nc",
        )
        assert any("workers" in line and "joined" in line for line in fleet.lines), fleet.said()
        heard = ["test", "-s", "/var/lib/dynamo-worker/heard"]
        until(lambda: machine.exec_run(heard).exit_code == 0, "its dead-man switch finds it in the pool")
        manager = f"manager.{empty_pool.settings.domain}"
        refused = machine.exec_run(
            ["condor_ping", "-type", "collector", "ADVERTISE_STARTD", "WRITE", "DAEMON"]
        )
        assert refused.output.decode().count("failed!") == 3, refused.output
        other = ["condor_q", "-pool", manager, "-name", f"submit.{empty_pool.settings.domain}", "-allusers"]
        assert b"DENIED" in machine.exec_run(other).output
        kept = (tmp_path / ".dynamo" / "journal.db").read_bytes() + json.dumps(machine.attrs).encode()
        assert machine.exec_run(["base64", "-w0", "/etc/condor/passwords.d/queue"]).output not in kept
        assert fleet.end() == 0, fleet.said()
    finally:
        if fleet is not None and fleet.process.poll() is None:
            fleet.end(signal.SIGKILL)
        gone = dynamo(tmp_path, "slice", "destroy", "slice.yaml", "--yes")
    assert (gone.returncode, containers(docker)) == (0, []), gone.stdout + gone.stderr
    queues = empty_pool.pool.execute("manager", ["condor_status", "-schedd", "-af", "Name"])
    assert queues.split() == [f"submit.{empty_pool.settings.domain}"]
    denied = empty_pool.pool.execute("manager", ["condor_config_val", "DENY_ADVERTISE_SCHEDD"])
    assert f"worker-{machine.attrs['Config']['Hostname']}@" in denied
