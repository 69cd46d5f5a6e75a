"""The demo of a fleet does what its README says, for real, and leaves nothing behind, also where it is interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dynamo.pool.state import PoolState

#: The images may have to be built, and machines that are busy boot slowly.
pytestmark = pytest.mark.timeout(1200)
DEMO = Path(__file__).resolve().parents[2] / "examples" / "06-fleet" / "demo.sh"


class Demo:
    """The demo as it runs, of a pool and a slice of its own name."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name, self.out = folder, name, folder.parent / "out.txt"
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        with self.out.open("wb") as out:
            self.process = subprocess.Popen(
                [DEMO, folder, "1", name], stdout=out, stderr=subprocess.STDOUT, env=environment,
                start_new_session=True,
            )  # fmt: skip

    def said(self) -> str:
        """Return what it printed so far."""
        return self.out.read_text()

    def interrupt(self) -> int:
        """Do what Ctrl-C does, and return the exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(300)


@pytest.fixture
def demo(docker, fleet_image, tmp_path):
    """The demo with one storm; what it should have taken away is taken away in any case."""
    made = Demo(tmp_path / "demo", f"test-{os.getpid()}-demo")
    yield made
    if made.process.poll() is None:
        made.interrupt()
    for one in left(docker, made.name):
        one.remove(force=True)


def left(docker: Any, name: str) -> list[Any]:
    """Return the containers of its slice and of its pool, also those that stand still."""
    return [
        one
        for label in (f"dynamo-slice={name}", f"dynamo.pool={name}")
        for one in docker.containers.list(all=True, ignore_removed=True, filters={"label": label})
    ]


def nothing_is_left(demo: Demo, docker: Any) -> None:
    """Check that neither a container, nor a network, nor a key of the pool is left."""
    assert not left(docker, demo.name), demo.said()
    assert not docker.networks.list(names=[f"dynamo-{demo.name}"])
    assert not PoolState(demo.name).folder.exists()


def test_a_storm_brings_workers_and_its_end_takes_them_away(demo, docker):
    """Its lines tell each step, the chart is drawn, and Docker has nothing of it in the end."""
    assert demo.process.wait(900) == 0, demo.said()
    said = demo.said()
    for step in ("requested: ", "joined: the pool hears of it", "draining: ", "gone: "):
        assert step in said
    assert " done: 188 ran, 0 reused, in " in said
    assert "  late      " in said
    assert "<svg" in (demo.folder / "fleet.svg").read_text()
    nothing_is_left(demo, docker)


def test_ctrl_c_takes_all_of_it_away(demo, docker, until):
    """When a machine was just bought."""
    until(lambda: left(docker, demo.name) and "requested: " in demo.said(), "a machine is ordered", 600)
    assert demo.interrupt() == 130, demo.said()
    assert f"nothing is left of '{demo.name}'" in demo.said()
    nothing_is_left(demo, docker)
