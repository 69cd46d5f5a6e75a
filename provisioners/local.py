"""This very machine as a cloud: each worker is HTCondor's daemons as processes of a user, with a folder of their own.

A worker is told the same as one of a cloud, by the same user data: the files in it are laid below its folder, and its
two scripts run there, that joins and that ends it. Nothing outside of that folder is written, and HTCondor's own
configuration of the machine is left alone.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import psutil
from dynamo.provisioners import local_files, local_processes
from dynamo.provisioners.docker_names import name_of
from dynamo.provisioners.local_errors import refusals
from dynamo.provisioners.local_yard import Laid, Yard

from dynamo.errors import UserError
from dynamo.fleet.machine import Machine, MachineSpec
from dynamo.fleet.offering import Offering
from dynamo.fleet.provider import Driver, ProviderSettings
from dynamo.fleet.refusals import BadRequestError, GoneError, QuotaError

__all__ = ["LocalProvider", "driver"]

_OPTIONS = {
    "cores": "cores that all workers here may have together; all of this machine by default",
    "folder": "where workers lie; dynamo/local in ~/.local/state by default, /var/lib/dynamo/local for root",
    "user": "whom workers run as, where the fleet runs as root; yourself otherwise",
}
#: What the scripts of a worker call.
_PROGRAMS = {"condor_master": "condor", "condor_startd": "condor", "curl": "curl", "pgrep": "procps"}
#: HTCondor takes other signs in a path for more than a name.
_PATH = re.compile(r"[A-Za-z0-9._/+@-]+")


class LocalProvider:
    """This machine; see `dynamo.fleet.provider.Provider` for what the verbs do."""

    def __init__(self, settings: ProviderSettings) -> None:
        options = settings.options
        self._user = _user(options.get("user", ""))
        self._yard = Yard(_folder(options.get("folder", "")), settings.name)
        self._cores, self._memory = _cores(options.get("cores", "")), psutil.virtual_memory().total

    def create(self, spec: MachineSpec) -> Machine:
        """Lay a worker down and start it; one that was laid down by the same order, and not started, is started."""
        with refusals("make a worker"):
            self._check_programs()
            id_ = name_of(spec.tags)
            files = local_files.of(spec, self._yard.place(id_))
            with self._yard.locked():
                found = self._yard.find(id_)
                if found is None:
                    cores, memory = spec.cores or self._cores, spec.memory or self._memory
                    self._check_room(cores, memory)
                    found = self._yard.lay(spec, files, cores, memory, _numbers(self._user))
                if found.machine.state in {"pending", "failed"}:
                    self._start(found)
                    found = self._yard.find(id_) or found
            return found.machine

    def list(self, slice_: str) -> Sequence[Machine]:
        """Return the workers of a slice; another provider may have its own in the same folder."""
        with refusals("list workers"):
            whose = {"", self._yard.provider}
            return [
                one.machine
                for one in self._yard.all()
                if one.machine.tags.slice == slice_ and one.provider in whose
            ]

    def describe(self, id_: str) -> Machine:
        """Return one worker."""
        with refusals("describe a worker"):
            found = self._yard.find(id_)
        if found is None:
            raise GoneError(f"there is no worker {id_} on this machine")
        return found.machine

    def destroy(self, id_: str) -> None:
        """End all processes of a worker, and remove its folder."""
        with refusals("take a worker away"):
            if self._yard.has(id_):
                local_processes.end(self._yard.folder, id_)
                self._yard.remove(id_)

    def offerings(self) -> Sequence[Offering]:
        """Return the one that there is: any part of this machine, where it has what workers are made of."""
        with refusals("say what it has"):
            self._check_programs()
            return [Offering("", self._cores, self._memory, usd_per_hour=0.0, quantum=1.0, minimum=1.0)]

    def __repr__(self) -> str:
        return f"LocalProvider({self._yard.folder})"

    def _check_room(self, cores: int, memory: int) -> None:
        """Refuse what this machine has not got any more."""
        there = [one for one in self._yard.all() if one.machine.there]
        for what, asked, given, whole in (
            ("cores", cores, sum(one.cores for one in there), self._cores),
            ("bytes of memory", memory, sum(one.memory for one in there), self._memory),
        ):
            if given + asked > whole:
                raise QuotaError(
                    f"workers on this machine may have {whole} {what}: {len(there)} have {given}, and {asked} more "
                    "were asked for"
                )

    def _start(self, one: Laid) -> None:
        """Start a worker; one that cannot be started is removed."""
        try:
            program = one.root / local_files.BOOT
            local_processes.start(one.root, program, one.root / "log", self._user)
        except BaseException:
            self._yard.remove(one.machine.id)
            raise

    def _check_programs(self) -> None:
        """Refuse where this machine lacks what workers are made of, or the fleet would make workers that are root."""
        where = local_processes.search_path()
        for program, package in _PROGRAMS.items():
            if not shutil.which(program, path=where):
                raise BadRequestError(
                    f"{program} is not on this machine, so it can have no workers: whoever looks after it must install "
                    f"it (apt-get install {package})"
                )
        if os.geteuid() == 0 and not self._user:
            raise BadRequestError(
                "a fleet that runs as root must say whom workers on this machine run as: `user: NAME` of the provider"
            )


def connect(settings: ProviderSettings) -> LocalProvider:
    """Return the provider; nothing is made yet."""
    return LocalProvider(settings)


driver = Driver(connect, options=_OPTIONS, to_measure=True, prepared=True)


def _folder(text: str) -> Path:
    """Return where workers lie."""
    if text:
        folder = Path(text).expanduser()
    elif os.geteuid() == 0:
        folder = Path("/var/lib/dynamo/local")
    else:
        folder = (
            Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "dynamo" / "local"
        )
    if not folder.is_absolute() or not _PATH.fullmatch(str(folder)):
        raise UserError(
            f"the folder of a local provider is an absolute path of letters, digits and ._/+@-, not {str(folder)!r}"
        )
    return folder


def _cores(text: str) -> int:
    """Return the cores that workers may have together."""
    whole = psutil.cpu_count() or 1
    if not text:
        return whole
    if not text.isdigit() or not 1 <= int(text) <= whole:
        raise UserError(
            f"cores of a local provider is a number from 1 to the {whole} of this machine, not {text!r}"
        )
    return int(text)


def _user(text: str) -> str:
    """Return whom workers run as; empty for who runs the fleet."""
    if not text:
        return ""
    try:
        number = pwd.getpwnam(text).pw_uid
    except KeyError:
        raise UserError(f"user of a local provider: there is no user {text!r} on this machine") from None
    if number == 0 or (os.geteuid() and number != os.geteuid()):
        raise UserError(
            f"user of a local provider: workers cannot run as {text!r}; as root never, and where the fleet does not "
            "run as root, as nobody but who runs it"
        )
    if os.geteuid():
        return ""
    if not local_processes.sees_all():
        raise UserError(
            "root may not look into other users' processes here (CAP_SYS_PTRACE), so it cannot tell which workers "
            "live: give it that right, or run the fleet as an ordinary user"
        )
    return text


def _numbers(user: str) -> tuple[int, int] | None:
    """Return the numbers of a user and of his group; None where workers run as who runs the fleet."""
    if not user:
        return None
    who = pwd.getpwnam(user)
    return who.pw_uid, who.pw_gid
