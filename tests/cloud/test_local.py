"""Workers on this machine: the suite of providers where HTCondor is, and a fleet from end to end without root."""

from __future__ import annotations

import errno
import json
import os
import re
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from dynamo.provisioners import local_processes
from dynamo.provisioners.local import driver
from dynamo.provisioners.local_errors import refusals

from dynamo.errors import UserError
from dynamo.fleet.machine import MachineSpec, Tags
from dynamo.fleet.provider import ProviderSettings
from dynamo.fleet.refusals import AuthError, BadRequestError, GoneError, NoCapacityError, UnavailableError
from tests.cloud.docker_use import NOWCAST, lay
from tests.cloud.local_life import ENDS
from tests.cloud.local_use import CHECKS
from tests.conftest import ROOT

_PYTHON = "/opt/dynamo/bin/python"
#: As docs/howto/workers.md says it.
_PERSONAL = """
mkdir -p -m 700 config.d log spool execute passwords.d tokens.d
mv personal-condor.conf condor_config
condor_master
"""


class Laptop:
    """A container that is a person's machine: HTCondor and dynamo are installed, and nothing of it is configured."""

    def __init__(self, container: Any) -> None:
        self.container = container
        self.home = "/home/dynamo"

    def sh(self, command: str, **environment: str) -> tuple[int, str]:
        """Run a command as the person; return its exit code and all it printed."""
        given = {"CONDOR_CONFIG": f"{self.home}/personal-condor/condor_config", **environment}
        done = self.container.exec_run(
            ["sh", "-c", command], user="dynamo", workdir=self.home, environment=given
        )
        return done.exit_code, done.output.decode(errors="replace")

    def do(self, command: str, **environment: str) -> str:
        """Run a command that must not fail; return what it printed."""
        code, said = self.sh(command, **environment)
        assert code == 0, f"{command}: {said}"
        return said

    def put(self, folder: str, files: Mapping[str, str | bytes]) -> None:
        """Lay files down that are the person's."""
        self.do(f"mkdir -p {folder}")
        lay(self.container, folder, files, owner=1000)

    def put_tests(self, name: str) -> None:
        """Lay a script of the neighbours of this file down."""
        self.put(f"{self.home}/tests", {name: (Path(__file__).parent / name).read_bytes()})

    def start_pool(self) -> None:
        """Start HTCondor of the person's own, as the page says it."""
        config = (ROOT / "examples/slices/personal-condor.conf").read_bytes()
        self.put(f"{self.home}/personal-condor", {"personal-condor.conf": config})
        self.do(f"cd personal-condor && {_PERSONAL}")

    def processes(self) -> list[str]:
        """Return the command lines of what runs, but for who asks."""
        return [
            line for line in self.do("ps -eo args=").splitlines() if not line.startswith(("ps ", "sh -c ps"))
        ]


@contextmanager
def a_laptop(docker: Any, fleet_image: str) -> Iterator[Laptop]:
    """A machine; a folder on it is a small disk."""
    made = docker.containers.run(
        fleet_image, ["sleep", "infinity"], detach=True, init=True, name=f"dynamo-laptop-{uuid.uuid4().hex[:8]}",
        hostname="laptop", entrypoint="", tmpfs={"/small": "size=4m,uid=1000,mode=0700,exec"},
        cap_add=["SYS_PTRACE"],  # as root of a machine has
    )  # fmt: skip
    try:
        yield Laptop(made)
    finally:
        made.remove(force=True)


@pytest.fixture
def laptop(docker, fleet_image) -> Iterator[Laptop]:
    """A machine of its own for each test."""
    with a_laptop(docker, fleet_image) as made:
        yield made


@pytest.fixture(scope="module")
def desk(docker, fleet_image) -> Iterator[Laptop]:
    """A machine for all checks: each has a folder of its own there, and leaves no process."""
    with a_laptop(docker, fleet_image) as made:
        made.put_tests("local_use.py")
        yield made


@pytest.mark.parametrize("check", sorted(CHECKS))
def test_the_suite_of_providers_and_what_is_this_machines_own(check, desk):
    """Each holds for an ordinary user, where HTCondor is installed; afterwards no process is left."""
    said = desk.do(f"mkdir /small/{check} && {_PYTHON} tests/local_use.py /small/{check} {check}")
    assert f"{check} holds" in said


def test_a_fleet_that_runs_as_root_has_no_workers_that_are_root(laptop):
    """It must say whom they run as; and what that user lays in their place leads root nowhere."""
    laptop.put_tests("local_use.py")
    laptop.container.exec_run(["mkdir", "-p", "/var/lib/dynamo/local"])
    command = [_PYTHON, "tests/local_use.py", "/var/lib/dynamo/local"]
    for one in ([*command, "as-root"], ["setpriv", "--bounding-set=-sys_ptrace", *command, "blind-root"]):
        done = laptop.container.exec_run(one, workdir=laptop.home)
        assert done.exit_code == 0, done.output.decode()


@pytest.fixture(scope="module")
def ends(docker, fleet_image) -> Iterator[dict[str, Future[str]]]:
    """All ends at once, each on a machine of its own: most of each is waiting."""

    def come(end: str) -> str:
        with a_laptop(docker, fleet_image) as one:
            one.start_pool()
            one.put_tests("local_life.py")
            return one.do(f"{_PYTHON} tests/local_life.py {one.home}/life {end}")

    with ThreadPoolExecutor(len(ENDS)) as together:
        yield {end: together.submit(come, end) for end in ENDS}


@pytest.mark.parametrize("end", sorted(ENDS))
def test_a_worker_ends_by_itself(end, ends):
    """Without a job, too old, unknown to the pool, refused: it ends with all its processes, and says why."""
    assert f"{end} holds" in ends[end].result()


def _provider(folder: Path, **options: str):
    return driver.connect(ProviderSettings("here", "local", options={"folder": str(folder), **options}))


def test_a_machine_without_htcondor_sells_nothing(tmp_path, monkeypatch):
    """Who must install what is told before anything is ordered; what there is can be listed and destroyed."""
    monkeypatch.setattr(local_processes, "_SEARCHED", ())
    monkeypatch.setenv("PATH", "/nowhere")
    nobody = _provider(tmp_path / "yard")
    for call in (nobody.offerings, lambda: nobody.create(MachineSpec(Tags("a", "b", "c"), "d"))):
        with pytest.raises(
            BadRequestError, match=r"condor_master is not on this machine.*apt-get install condor"
        ):
            call()
    assert nobody.list("a") == []
    nobody.destroy("x")
    with pytest.raises(GoneError):
        nobody.describe("x")
    assert not (tmp_path / "yard").exists()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"cores": "many"}, "cores of a local provider"),
        ({"cores": "0"}, "cores of a local provider"),
        ({"cores": "100000"}, "cores of a local provider"),
        ({"folder": "here/and there"}, "an absolute path"),
        ({"folder": "/with $(this)"}, "an absolute path"),
        ({"user": "no-such-user"}, "there is no user 'no-such-user'"),
        ({"user": "root"}, "as root never"),
    ],
)
def test_settings_that_do_not_do_are_refused(options, match, tmp_path):
    """What cannot be meant is said before anything is made."""
    with pytest.raises(UserError, match=match):
        _provider(**{"folder": tmp_path, **options})


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, NoCapacityError),
        (errno.EDQUOT, NoCapacityError),
        (errno.EAGAIN, NoCapacityError),
        (errno.EMFILE, NoCapacityError),
        (errno.EACCES, AuthError),
        (errno.EROFS, AuthError),
        (errno.EIO, UnavailableError),
    ],
)
def test_what_the_system_refuses_is_told_as_what_it_is(number, kind):
    """Errors of the system become those of a provider, with the system's own words."""
    with pytest.raises(kind, match=os.strerror(number)), refusals("make a worker"):
        raise OSError(number, os.strerror(number), "/there")


def test_nowcasts_on_a_laptop(laptop, until, samples):
    """An ordinary user's own pool: workers come when nowcasts are submitted, do them, are drained, and nothing is left.

    In the midst of it the controller is killed; workers go on, and another controller too. Nothing outside of the
    user's home is changed.
    """
    before = laptop.do("find /etc /var -newer /proc/1 -type f 2> /dev/null; true")
    laptop.start_pool()
    document = (ROOT / "examples/slices/one-laptop.yaml").read_text().replace("idle: 2 min", "idle: 10 s")
    frames = (samples / "grids" / "casa_dfw_merged_1min_40x400x400.nc").read_bytes()
    horizons = (10, 15, 20)
    runs = {f"nowcast-{h}.yaml": NOWCAST.format(horizon=h) for h in horizons}
    laptop.put("/home/dynamo/work", {"slice.yaml": document, "frames.nc": frames, **runs})
    controller = "cd work && exec dynamo fleet run slice.yaml --interval 2 >> fleet.log 2>&1"
    with ThreadPoolExecutor(len(horizons) + 2) as together:
        first = together.submit(laptop.sh, controller)
        done = [together.submit(laptop.sh, f"cd work && dynamo run nowcast-{h}.yaml") for h in horizons]
        until(lambda: len(_workers(laptop)) == 2, "two workers are there", 120)
        laptop.do("pkill -KILL -f '[f]leet run slice.yaml'")
        assert first.result()[0] != 0
        assert len(_workers(laptop)) == 2
        second = together.submit(laptop.sh, controller)
        for one in done:
            code, said = one.result()
            assert code == 0, said + laptop.do("cat work/fleet.log")
        status = json.loads(laptop.do("cd work && dynamo fleet status slice.yaml --json"))
        until(lambda: not _workers(laptop), "all workers are gone", 120)
        # Else who destroys the slice waits for machines that were ordered just now, for all that it knows.
        stands = "cd work && dynamo fleet status slice.yaml"
        until(lambda: "cores     0 paid" in laptop.sh(stands)[1], "all are written down as gone", 60)
        laptop.do("pkill -TERM -f '[f]leet run slice.yaml'")
        assert second.result()[0] == 0, second.result()
    said = laptop.do("cat work/fleet.log")
    assert status["troubles"] == {}, said
    assert "joined" in said
    assert "draining" in said
    assert "nothing is left" in laptop.do("cd work && dynamo slice destroy slice.yaml --yes")
    assert laptop.do("ls .local/state/dynamo/local") == ""
    assert not [one for one in laptop.processes() if "condor_startd" in one or "dynamo-deadman" in one]
    assert [one for one in laptop.processes() if "condor_schedd" in one]
    assert laptop.do("find /etc /var -newer /proc/1 -type f 2> /dev/null; true") == before
    assert not re.search(r"eyJ[\w-]{10,}\.[\w-]{10,}", said)


def _workers(laptop: Laptop) -> list[str]:
    return laptop.sh("ls .local/state/dynamo/local 2> /dev/null")[1].split()
