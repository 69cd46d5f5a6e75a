"""The folder in which the workers on this machine lie, one folder each: that it is there, with its tags, is the truth.

Enters: an order, the files that its user data lays down. Leaves: workers, as their folders and processes tell of them.
Goes wrong: `OSError` where a folder cannot be read or written, `UnavailableError` where the lock is not had.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import orjson
from dynamo.provisioners import local_processes
from dynamo.provisioners.docker_names import name_of

from dynamo.fleet.machine import Machine, MachineSpec, MachineState, Tags
from dynamo.fleet.refusals import UnavailableError

__all__ = ["Laid", "Yard"]

#: Seconds for which the lock is waited for; in which a worker that was laid down is started; and for which the log of
#: one that has ended by itself is kept.
_LOCK, _START, _KEPT = 20.0, 60.0, 3600.0
_TAGS, _BOOTED, _LOG = "machine.json", "booted", "log"
#: With which the dead-man switch begins what it says, which it does when it ends a worker.
_SWITCH = "dead-man switch:"
#: Text of a log that is looked into for what was said last, in bytes.
_LAST = 2000


@dataclass(frozen=True, slots=True)
class Laid:
    """A worker whose folder is there.

    Parameters
    ----------
    machine
        As it stands.
    folder
        Its own.
    cores, memory
        What it was given, in cores and bytes.
    """

    machine: Machine
    folder: Path
    cores: int
    memory: int

    @property
    def root(self) -> Path:
        """What is in place of the root of a machine's own files."""
        return self.folder / "root"


class Yard:
    """The folder of all workers of this machine, or of one of its users."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let nobody else make a worker meanwhile; what is left of earlier ones is cleared away first."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o755 if os.geteuid() == 0 else 0o700)
        until = time.monotonic() + _LOCK
        with (self.folder / ".lock").open("w") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > until:
                        raise UnavailableError(
                            f"another process makes a worker in {self.folder} for more than {_LOCK:.0f} s"
                        ) from None
                    time.sleep(0.05)
            self._tidy()
            yield

    def all(self) -> list[Laid]:
        """Return the workers that there are, also those that have ended by themselves."""
        try:
            folders = sorted(one for one in self.folder.iterdir() if one.name[0] != ".")
        except FileNotFoundError:
            return []
        found = [one for folder in folders if (one := _read(folder)) is not None]
        # The processes are looked for last: a worker that is being started has not ended.
        running = local_processes.by_machine(self.folder)
        return [_runs(one) if one.folder.name in running else one for one in found]

    def find(self, id_: str) -> Laid | None:
        """Return one worker; None where there is none of that id."""
        return next((one for one in self.all() if one.machine.id == id_), None)

    def lay(self, spec: MachineSpec, files: Mapping[str, tuple[str, int]], cores: int, memory: int) -> Laid:
        """Lay a worker down, whole or not at all: its tags, and its files by their paths, each with its mode."""
        id_ = name_of(spec.tags)
        new = self.folder / f".new-{uuid.uuid4().hex}"
        for path, (text, mode) in files.items():
            file = new / "root" / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as out:
                out.write(text)
        said = {
            **spec.tags.written(),
            "name": spec.name,
            "cores": cores,
            "memory": memory,
            "made": time.time(),
        }
        (new / _TAGS).write_bytes(orjson.dumps(said))
        folder = self.folder / id_
        new.rename(folder)
        made = _read(folder)
        assert made is not None
        return made

    def remove(self, id_: str) -> None:
        """Remove the folder of a worker whose processes have ended; it is not listed any more before it is gone."""
        gone = self.folder / f".gone-{uuid.uuid4().hex}"
        with suppress(FileNotFoundError):
            (self.folder / id_).rename(gone)
        for left in self.folder.glob(".gone-*"):  # also what was left where somebody was killed at this
            shutil.rmtree(left, ignore_errors=True)

    def place(self, id_: str) -> Path:
        """Return the root of a worker, whether it is there or not."""
        return self.folder / id_ / "root"

    def _tidy(self) -> None:
        """Remove what somebody left half made, and the folders of workers that ended by themselves some time ago."""
        for left in self.folder.glob(".new-*"):
            shutil.rmtree(left, ignore_errors=True)
        for one in self.all():
            if one.machine.state == "gone" and time.time() - _touched(one.root / _LOG) > _KEPT:
                self.remove(one.machine.id)


def _read(folder: Path) -> Laid | None:
    """Return the worker of a folder, as it stands without a process; None where that is none, or is being removed."""
    try:
        said = orjson.loads((folder / _TAGS).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    tags = Tags.read(said)
    if tags is None:
        return None
    state, reason = _state(folder / "root", said["made"])
    machine = Machine(folder.name, tags, said["name"], state, created=said["made"], reason=reason)
    return Laid(machine, folder, said["cores"], said["memory"])


def _runs(one: Laid) -> Laid:
    return replace(one, machine=replace(one.machine, state="running", reason=""))


def _state(root: Path, made: float) -> tuple[MachineState, str]:
    """Return how a worker stands that has no process, and why."""
    if (root / _BOOTED).exists():
        return "gone", _last_words(root / _LOG)
    if time.time() - made < _START:
        return "pending", ""
    return "failed", _last_words(root / _LOG) or "its processes were never started"


def _last_words(log: Path) -> str:
    """Return why the switch ended a worker, or else the last line that was written to its log."""
    with suppress(OSError):
        # It is whom the worker runs as who may write there: a link of his leads root nowhere.
        with os.fdopen(os.open(log, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            file.seek(max(os.fstat(file.fileno()).st_size - _LAST, 0))
            said = file.read(_LAST).decode(errors="replace")
        lines = [one for one in said.split("\n") if one.strip()]
        return next((one for one in lines if one.startswith(_SWITCH)), lines[-1] if lines else "")
    return ""


def _touched(file: Path) -> float:
    with suppress(OSError):
        return file.lstat().st_mtime
    return 0.0
