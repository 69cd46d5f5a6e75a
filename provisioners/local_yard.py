"""The folder in which the workers on this machine lie, one folder each: that it is there, with its tags, is the truth.

Enters: an order, the files that its user data lays down. Leaves: workers, as their folders and processes tell of them.
Goes wrong: `OSError` where a folder cannot be read or written, `UnavailableError` where the lock is not had, or where
the tags of a worker that runs cannot be read.
"""

from __future__ import annotations

import fcntl
import os
import re
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
#: How the folder of a worker is named, which is its id: see `name_of`.
_OURS = re.compile(r"dynamo-fleet-[0-9a-f]{16}")
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
    provider
        Whose it is of those that have their workers in one folder; empty where nobody wrote it down.
    """

    machine: Machine
    folder: Path
    cores: int
    memory: int
    provider: str

    @property
    def root(self) -> Path:
        """What is in place of the root of a machine's own files."""
        return self.folder / "root"


class Yard:
    """The folder of all workers of this machine, or of one of its users."""

    def __init__(self, folder: Path, provider: str = "") -> None:
        self.folder, self.provider = folder, provider

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
        found, torn = self._read()
        # The processes are looked for last: a worker that is being started has not ended.
        running = local_processes.by_machine(self.folder)
        for folder in torn:
            if folder.name in running:
                raise _untold(folder)
        return [_runs(one) if one.folder.name in running else one for one in found]

    def find(self, id_: str) -> Laid | None:
        """Return one worker; None where there is none of that id."""
        if not _OURS.fullmatch(id_):
            return None
        folder, torn, one = self.folder / id_, False, None
        try:
            one = _read(folder)
        except _TornError:
            torn = True
        runs = id_ in local_processes.by_machine(self.folder)
        if torn and runs:
            raise _untold(folder)
        return _runs(one) if one is not None and runs else one

    def has(self, id_: str) -> bool:
        """Whether there is anything of a worker: tags, be they readable or not, or processes whose folder is gone."""
        if not _OURS.fullmatch(id_):
            return False
        return (self.folder / id_ / _TAGS).exists() or id_ in local_processes.by_machine(self.folder)

    def lay(
        self,
        spec: MachineSpec,
        files: Mapping[str, tuple[str, int]],
        cores: int,
        memory: int,
        owner: tuple[int, int] | None = None,
    ) -> Laid:
        """Lay a worker down, whole or not at all: its tags, and its files by their paths, each with its mode.

        Its files belong to `owner`, numbers of a user and a group, before that user can reach any of them.
        """
        id_ = name_of(spec.tags)
        new = self.folder / f".new-{uuid.uuid4().hex}"
        new.mkdir(mode=0o700)
        for path, (text, mode) in files.items():
            file = new / "root" / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as out:
                out.write(text)
        if owner is not None:
            _give(new / "root", owner)
            new.chmod(0o755)
        said = {
            **spec.tags.written(),
            "provider": self.provider,
            "name": spec.name,
            "cores": cores,
            "memory": memory,
            "made": time.time(),
        }
        with (new / _TAGS).open("wb") as out_tags:
            out_tags.write(orjson.dumps(said))
            out_tags.flush()
            os.fsync(out_tags.fileno())  # a machine that loses its power has them whole, or no such folder
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
            _clear(left)

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
        for folder in self._read()[1]:  # none of these runs, or the workers would not have been listed
            self.remove(folder.name)

    def _read(self) -> tuple[list[Laid], list[Path]]:
        """Return the workers as they stand without a process, and the folders of those whose tags cannot be read.

        The latter are what is left where the machine lost its power, but for those that have processes.
        """
        found, torn = [], []
        with suppress(FileNotFoundError):
            for folder in sorted(one for one in self.folder.iterdir() if one.name[0] != "."):
                try:
                    one = _read(folder)
                except _TornError:
                    torn.append(folder)
                else:
                    found += [] if one is None else [one]
        return found, [folder for folder in torn if _OURS.fullmatch(folder.name)]


class _TornError(Exception):
    """What a worker's tags are in is no such text: it was cut short, or somebody wrote there."""


def _untold(folder: Path) -> UnavailableError:
    """Return what to say of a worker that may run, and whose tags cannot be read."""
    return UnavailableError(
        f"the tags of a worker on this machine cannot be read ({folder / _TAGS}): whoever looks after it must end the "
        f"processes that have {folder} in their environment, and remove that folder"
    )


def _read(folder: Path) -> Laid | None:
    """Return the worker of a folder, as it stands without a process; None where that is none, or is being removed."""
    try:
        text = (folder / _TAGS).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        said = orjson.loads(text)
        tags = Tags.read(said)
        if tags is None:
            return None
        made, cores, memory = float(said["made"]), int(said["cores"]), int(said["memory"])
        name, provider = str(said["name"]), str(said.get("provider") or "")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _TornError from error
    state, reason = _state(folder / "root", made)
    machine = Machine(folder.name, tags, name, state, created=made, reason=reason)
    return Laid(machine, folder, cores, memory, provider)


def _give(root: Path, owner: tuple[int, int]) -> None:
    """Have all files of a worker belong to whom it runs as; what a folder has, before the folder.

    Whose it is may rename what is in it at once, so `root` is below a folder that nobody else may pass.
    """
    for _, folders, files, at in os.fwalk(root, topdown=False):
        for name in (*folders, *files):
            os.chown(name, *owner, dir_fd=at, follow_symlinks=False)
    os.chown(root, *owner, follow_symlinks=False)


def _clear(folder: Path) -> None:
    """Remove a folder, also where a job closed one in it to whom it ran as; root passes them all."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists() and os.geteuid():
        folder.chmod(0o700)
        for place, inner, _ in os.walk(folder):
            for path in (Path(place) / name for name in inner):
                if not path.is_symlink():
                    path.chmod(0o700)
        shutil.rmtree(folder, ignore_errors=True)


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
