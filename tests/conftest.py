"""Fixtures that more than one folder of tests uses."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]

# A shell ignores Ctrl-C for what it runs in the background, and so would all that the tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of real radar data: `DYNAMO_SAMPLES`, or ``../shared/data`` beside the repository."""
    folder = Path(os.environ.get("DYNAMO_SAMPLES", ROOT.parent / "shared" / "data"))
    assert (folder / "INDEX.md").is_file(), f"no sample data at {folder}: set DYNAMO_SAMPLES"
    return folder


@pytest.fixture(scope="session")
def docker() -> Iterator[Any]:
    """Docker of this machine; without it these tests fail."""
    from dynamo.images.client import connect

    client = connect()
    yield client
    client.close()


def _image(docker: Any, recipe: str) -> str:
    """The image of a recipe with the dynamo that is tested; built where it is another's."""
    from dynamo.images.build import build, list_images, reference_of

    name = reference_of(recipe)
    if not any(one.name == name and one.same for one in list_images(docker)):
        build(docker, recipe)
    return name


@pytest.fixture(scope="session")
def worker_image(docker: Any) -> str:
    """The image with dynamo alone."""
    return _image(docker, "worker")


@pytest.fixture(scope="session")
def algorithms_image(docker: Any) -> str:
    """The image with all that the radar workflows need."""
    return _image(docker, "algorithms")


@pytest.fixture(scope="session")
def fleet_image(docker: Any) -> str:
    """The image that the fleet's workers start from where Docker is the cloud, with the dynamo that is tested."""
    from dynamo.pool.image import WORKER_IMAGE, build, build_worker

    build(docker, print)
    build_worker(docker, print)
    return WORKER_IMAGE


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Wait until something is so; fail where it is not within half a minute."""

    def wait(is_so: Callable[[], bool]) -> None:
        until = time.monotonic() + 30
        while not is_so():
            assert time.monotonic() < until, "it did not come to be so"
            time.sleep(0.05)

    return wait


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of eight megabytes. Only the superuser may mount one: others skip, but never with ``CI`` set."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(folder)]
    done = subprocess.run(mount, check=False, capture_output=True, text=True)
    if done.returncode:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"cannot mount a small disk: {done.stderr}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def fill_disk() -> Callable[[Path], None]:
    """Write to a file until its disk is full."""

    def fill(file: Path) -> None:
        with file.open("wb", buffering=0) as target, suppress(OSError):
            while target.write(b"x" * 4096):
                pass

    return fill


@pytest.fixture
def nobody() -> Callable[[], AbstractContextManager[None]]:
    """Be a user to whom permissions apply."""

    @contextmanager
    def other() -> Iterator[None]:
        user = os.getuid()
        if user == 0:
            os.setresuid(65534, 65534, 0)
        try:
            yield
        finally:
            if user == 0:
                os.setresuid(0, 0, 0)

    return other


@dataclass(frozen=True)
class RunningPool:
    """A pool that is up, with two workers of one slot each.

    `workspace` is a folder that the submit container sees at the same path, and may write to.
    """

    pool: Any
    settings: Any
    image: str
    workspace: Path

    @property
    def config(self) -> Path:
        """What ``CONDOR_CONFIG`` names for clients on this machine."""
        return self.pool.state.client_config

    def submit_exec(
        self, command: Sequence[str], *, folder: Path | None = None, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the submit container as the owner of jobs; nothing is raised where it fails."""
        where = ["docker", "exec", "--user", "dynamo", "--workdir", str(folder or self.workspace)]
        return subprocess.run(
            [*where, f"{self.pool.prefix}-submit", *command],
            check=False, capture_output=True, text=True, timeout=timeout,
        )  # fmt: skip

    def dynamo(self, folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run ``dynamo ARGUMENTS`` in a folder of the submit container, whose files become the owner's of jobs."""
        self.hand_over(folder)
        given = [f"{name}={value}" for name, value in environment.items()]
        return self.submit_exec(["env", *given, "dynamo", *arguments], folder=folder, timeout=280)

    def hand_over(self, folder: Path) -> None:
        """Have all in a folder belong to the owner of jobs."""
        owner = os.getuid() or 1000
        for path in (folder, *folder.rglob("*")):
            if path.lstat().st_uid != owner:
                os.chown(path, owner, owner, follow_symlinks=False)

    def folder(self, name: str) -> Path:
        """Make a folder in the workspace that the owner of jobs may write to."""
        made = self.workspace / name
        made.mkdir()
        made.chmod(0o777)
        return made

    def kill(self, part: str, daemon: str = "") -> None:
        """Kill (SIGKILL) a container, like ``worker-1``, or one daemon in it, like ``condor_startd``."""
        if daemon:
            self.pool.execute(part, ["pkill", "-KILL", "-x", daemon[:15]])
        else:
            self.pool.container(part).kill()

    def start(self, part: str) -> None:
        """Start a container that was killed."""
        self.pool.container(part).start()


@contextmanager
def pool_of(
    docker: Any, folders: pytest.TempPathFactory, name: str, image: str = "", **asked: Any
) -> Iterator[RunningPool]:
    """Have a pool with a workspace; nothing of it is left."""
    from dynamo.pool.image import build
    from dynamo.pool.pool import Pool
    from dynamo.pool.settings import PoolSettings

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folders.mktemp("state")))
        workspace = folders.mktemp("workspace")
        workspace.chmod(0o777)
        image = image or build(docker, print)
        settings = PoolSettings(name, mounts=(workspace,), **asked)
        made = Pool(docker, name)
        try:
            made.up(settings, image, print)
            yield RunningPool(made, settings, image, workspace)
        finally:
            made.down()
            shutil.rmtree(workspace, ignore_errors=True)


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPool]:
    """A pool of its own name, so that one that runs here for other purposes is left alone."""
    from dynamo.pool.host import connect

    name = f"test-{os.getpid()}"
    with (
        closing(connect()) as client,
        pool_of(client, tmp_path_factory, name, workers=2, cores=1) as made,
    ):
        yield made


@pytest.fixture(scope="session")
def until() -> Callable[..., None]:
    """Wait for a condition, and fail with `what` where it has not come true in `seconds`."""

    def wait(condition: Callable[[], object], what: str, seconds: float = 90) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
            time.sleep(0.2)

    return wait
