"""Workers on this machine, tried where HTCondor's programs are: this runs in a container of the pool's image.

``python local_use.py FOLDER NAME...`` runs checks by name, of the suite and of below; FOLDER is on a small disk.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
from dynamo.provisioners import local, local_files, local_processes, local_yard

from dynamo.errors import UserError
from dynamo.fleet.machine import MachineSpec, Tags
from dynamo.fleet.provider import ProviderSettings
from dynamo.fleet.refusals import (
    AuthError,
    BadRequestError,
    NoCapacityError,
    OutcomeUnknownError,
    QuotaError,
    ThrottledError,
    UnavailableError,
)
from dynamo.fleet.userdata import WorkerStart, user_data
from dynamo.testing.providers import MARK, PROVIDER_CHECKS, ProviderBench

_CORES = 8
_CERTIFICATE = "-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n"


def told(name: str = "w") -> str:
    """Return a real worker's user data; nobody is there where it would join."""
    return user_data(WorkerStart(name, "o", "https://127.0.0.1:1/join", _CERTIFICATE, MARK))


@contextmanager
def lacking_programs() -> Iterator[None]:
    """HTCondor is not installed."""
    before = os.environ["PATH"], local_processes._SEARCHED
    os.environ["PATH"], local_processes._SEARCHED = "/nowhere", ()
    try:
        yield
    finally:
        os.environ["PATH"], local_processes._SEARCHED = before


@contextmanager
def closed(folder: Path) -> Iterator[None]:
    """The folder may not be written to."""
    folder.chmod(0o500)
    try:
        yield
    finally:
        folder.chmod(0o700)


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """The disk of the folder is full."""
    file = folder / ".filler"
    with file.open("wb", buffering=0) as out, suppress(OSError):
        while out.write(b"x" * 4096):
            pass
    try:
        yield
    finally:
        file.unlink()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Another process makes a worker, and does not come to an end."""
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def bench(folder: Path) -> ProviderBench:
    """Return how the suite reaches this machine."""

    def connect() -> local.LocalProvider:
        return local.connect(ProviderSettings("here", "local", options={"folder": str(folder)}))

    @contextmanager
    def taken() -> Iterator[None]:
        """All cores are another slice's."""
        order = MachineSpec(Tags("other", "all", uuid.uuid4().hex), "all", cores=_CORES, user_data=told())
        made = connect().create(replace(order, memory=1))
        try:
            yield
        finally:
            connect().destroy(made.id)

    return ProviderBench(
        connect,
        MachineSpec(Tags("", "", ""), "", cores=1, memory=2**26, user_data=told()),
        faults={
            AuthError: lambda: closed(folder),
            BadRequestError: lacking_programs,
            NoCapacityError: lambda: full(folder),
            QuotaError: taken,
            UnavailableError: lambda: locked(folder),
        },
        cannot={
            ThrottledError: "nobody counts how often a system is called",
            OutcomeUnknownError: "an order is carried out where it is given; one that was cut off: see check_cut_off",
        },
        stranger=lambda: stranger(folder),
    )


def stranger(folder: Path) -> tuple[str, Callable[[], bool]]:
    """Return a process of the same user in the midst of the workers' folder, and whether it lives."""
    environment = {"PWD": str(folder / "dynamo-fleet-0000000000000000" / "root"), "PATH": os.environ["PATH"]}
    one = subprocess.Popen(["sleep", "60"], env=environment, cwd=folder)
    return str(one.pid), lambda: one.poll() is None


def of(bench: ProviderBench, slice_: str) -> list[tuple[str, str]]:
    """Return the ids and states of a slice's workers."""
    return [(one.id, one.state) for one in bench.connect().list(slice_)]


def check_cut_off(bench: ProviderBench, folder: Path) -> None:
    """Who was killed between laying down and starting leaves a worker that is listed; the same order starts it."""
    with bench.slice() as name:
        order = bench.order(name)
        yard = local_yard.Yard(folder)
        files = local_files.of(order, yard.place(local.name_of(order.tags)))
        with yard.locked():
            laid = yard.lay(order, files, 1, 2**26)
        (folder / ".new-half").mkdir()
        assert of(bench, name) == [(laid.machine.id, "pending")]
        assert bench.connect().create(order).id == laid.machine.id
        assert of(bench, name) == [(laid.machine.id, "running")]
        assert not (folder / ".new-half").exists()


def check_never_started(bench: ProviderBench, folder: Path) -> None:
    """A worker that was laid down, and that nobody starts, has failed after a while, and can be taken away."""
    with bench.slice() as name:
        order = bench.order(name)
        yard = local_yard.Yard(folder)
        with yard.locked():
            laid = yard.lay(order, local_files.of(order, yard.place("x")), 1, 2**26)
        before, local_yard._START = local_yard._START, -1.0
        try:
            assert of(bench, name) == [(laid.machine.id, "failed")]
            bench.connect().destroy(laid.machine.id)
            assert of(bench, name) == []
        finally:
            local_yard._START = before


def check_killed(bench: ProviderBench, folder: Path) -> None:
    """A worker all of whose processes were killed is gone, has no place in the quota, and is not started again."""
    with bench.slice() as name:
        order = replace(bench.order(name), cores=_CORES)
        made = bench.connect().create(order)
        awaited((folder / made.id / "root" / "booted").exists)
        local_processes.end(folder, made.id)
        awaited(lambda: of(bench, name) == [(made.id, "gone")])
        assert bench.connect().create(order).state == "gone"
        assert bench.connect().create(replace(bench.order(name), cores=_CORES)).state == "running"
        before, local_yard._KEPT = local_yard._KEPT, -1.0
        try:
            with local_yard.Yard(folder).locked():
                assert made.id not in dict(of(bench, name))
        finally:
            local_yard._KEPT = before


def check_outlives(bench: ProviderBench, folder: Path) -> None:
    """A worker outlives who made it, and what a job of it left behind is ended with it."""
    with bench.slice() as name:
        script = (
            "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; import local_use\n"
            "b = local_use.bench(Path(sys.argv[2])); print(b.connect().create(b.order(sys.argv[3])).id)"
        )
        here = str(Path(__file__).parent)
        done = subprocess.run(
            [sys.executable, "-c", script, here, str(folder), name],
            capture_output=True,
            text=True,
            check=True,
        )
        id_ = done.stdout.strip()
        assert of(bench, name) == [(id_, "running")]
        scratch = folder / id_ / "root/condor/execute/dir_1"
        job = subprocess.Popen(
            ["sleep", "600"], env={"_CONDOR_SCRATCH_DIR": str(scratch)}, start_new_session=True
        )
        bench.connect().destroy(id_)
        assert not psutil.pid_exists(job.pid)
        assert of(bench, name) == []
        assert not list(folder.glob("*fleet*"))
        assert id_ not in local_processes.by_machine(folder)


def check_closed_folder(bench: ProviderBench, folder: Path) -> None:
    """What a job closed to everybody, even to whom it ran as, is removed as well; what it has links to is not."""
    with bench.slice() as name:
        made = bench.connect().create(bench.order(name))
        for mode in (0o555, 0o000):
            closed = folder / made.id / f"root/condor/execute/dir_{mode}/out"
            (closed / "in").mkdir(parents=True)
            (closed / "in" / "big").write_text("x")
            (closed / "here").symlink_to(folder)
            (closed / "in").chmod(mode)
            closed.chmod(mode)
        before = folder.stat().st_mode
        bench.connect().destroy(made.id)
        assert folder.stat().st_mode == before
        assert not list(folder.glob(".gone-*"))


def check_switched_off(bench: ProviderBench, folder: Path) -> None:
    """A worker that cannot join in its time ends by itself, with all its processes, and its last words are told."""
    with bench.slice() as name:
        start = WorkerStart("w", "o", "https://127.0.0.1:1/join", _CERTIFICATE, MARK, silent=1.0, check=1.0)
        made = bench.connect().create(replace(bench.order(name), user_data=user_data(start)))
        awaited(lambda: of(bench, name) == [(made.id, "gone")])
        (gone,) = bench.connect().list(name)
        assert "no contact with the pool" in gone.reason
        assert made.id not in local_processes.by_machine(folder)


def check_other_user_data(bench: ProviderBench, folder: Path) -> None:
    """What is no worker is refused, and nothing is made."""
    with bench.slice() as name:
        queue = WorkerStart("w", "o", "https://127.0.0.1:1/join", _CERTIFICATE, MARK, role="submit")
        for text in (
            user_data(queue),
            "",
            "#cloud-config\n{}\n",
            "#!/bin/sh\n",
            "- x\n",
            "a: [",
            "write_files: [1]",
        ):
            try:
                bench.connect().create(replace(bench.order(name), user_data=text))
            except BadRequestError as error:
                assert "nothing but a worker" in error.message  # noqa: PT017 - pytest is not here
            else:
                raise AssertionError(text)
        assert of(bench, name) == []
        assert not list(folder.glob(".new-*"))


@contextmanager
def swapping(folder: Path, user: str) -> Iterator[Path]:
    """After each file that root gives to a user, he tries to lay a link to a folder of root's in a worker's root."""
    victim = folder.parent / f"victim-{uuid.uuid4().hex}"
    (victim / "local" / "sbin").mkdir(parents=True)
    swap = (
        f"for one in {folder}/*/root {folder}/.new-*/root; do "
        f'[ -L "$one/usr" ] || {{ mv "$one/usr" "$one/old" && ln -s {victim} "$one/usr"; }}; done'
    )
    real = os.chown

    def chown(*what: Any, **more: Any) -> None:
        real(*what, **more)
        subprocess.run(["sh", "-c", swap], user=user, check=False, stderr=subprocess.DEVNULL)

    os.chown = chown
    try:
        yield victim
    finally:
        os.chown = real


def check_as_root(bench: ProviderBench, folder: Path) -> None:
    """A fleet that runs as root must say whom its workers run as; these are that user's, and their tags are not."""
    with bench.slice() as name:
        try:
            bench.connect().create(bench.order(name))
        except BadRequestError as error:
            assert "`user: NAME`" in error.message  # noqa: PT017 - pytest is not here
        else:
            raise AssertionError("a worker is root")
        options = {"folder": str(folder), "user": "dynamo"}
        provider = local.connect(ProviderSettings("here", "local", options=options))
        with swapping(folder, "dynamo") as victim:
            made = provider.create(bench.order(name))
        assert {one.owner() for one in (victim, *victim.rglob("*"))} == {"root"}
        awaited((folder / made.id / "root" / "booted").exists)
        assert owners(local_processes.by_machine(folder)[made.id]) == {"dynamo"}
        assert ((folder / made.id).owner(), (folder / made.id / "machine.json").owner()) == ("root", "root")
        assert (folder / made.id / "root" / "etc/dynamo/join.token").owner() == "dynamo"
        local_processes.end(folder, made.id)
        log = folder / made.id / "root" / "log"
        log.unlink()
        log.symlink_to("/etc/shadow")
        assert provider.describe(made.id).reason == ""
        provider.destroy(made.id)
        assert provider.list(name) == []


def owners(processes: list[psutil.Process]) -> set[str]:
    """Return whose processes these are; a worker starts and ends some all the time."""
    found = set()
    for one in processes:
        with suppress(psutil.NoSuchProcess):
            found.add(one.username())
    return found


def awaited(is_so: Callable[[], bool]) -> None:
    """Wait until something is so, half a minute at most."""
    until = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < until, "it did not come to be so"
        time.sleep(0.1)


CHECKS: dict[str, Callable[[ProviderBench, Path], None]] = {
    **{name: lambda bench, _, check=check: check(bench) for name, check in PROVIDER_CHECKS.items()},  # type: ignore[misc]
    "closed-folder": check_closed_folder,
    "cut-off": check_cut_off,
    "killed": check_killed,
    "never-started": check_never_started,
    "other-user-data": check_other_user_data,
    "outlives": check_outlives,
    "switched-off": check_switched_off,
}


def check_blind_root(bench: ProviderBench, folder: Path) -> None:
    """Root that cannot see which workers live says so, before it takes them for dead."""
    assert bench.connect().list("any") == []
    try:
        local.connect(ProviderSettings("here", "local", options={"folder": str(folder), "user": "dynamo"}))
    except UserError as error:
        assert "CAP_SYS_PTRACE" in error.message  # noqa: PT017 - pytest is not here
    else:
        raise AssertionError("it would not see its workers")


AS_ROOT = {"as-root": check_as_root, "blind-root": check_blind_root}

if __name__ == "__main__":
    psutil.cpu_count = lambda: _CORES
    local_yard._LOCK = 0.5
    place = Path(sys.argv[1])
    for check in sys.argv[2:]:
        (CHECKS | AS_ROOT)[check](bench(place), place)
        assert not local_processes.by_machine(place), "processes are left"
        print(f"{check} holds")
