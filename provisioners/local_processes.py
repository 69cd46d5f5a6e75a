"""The processes of the workers on this machine: each is known by its environment, whoever started it and is dead now.

A number of a process may be used again; what is in a process's environment is not, and its children inherit it.
"""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

from dynamo.fleet.refusals import UnavailableError

__all__ = ["ROOT", "by_machine", "end", "search_path", "sees_all", "start"]

#: Names where a worker's files are, in the environment of its processes.
ROOT = "DYNAMO_ROOT"
#: HTCondor gives a job an environment of its own, in which this names its folder.
_JOB = "_CONDOR_SCRATCH_DIR"
#: Where programs are, besides the path of who runs the fleet: that of an ordinary user often lacks those of daemons.
_SEARCHED = ("/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin")
#: Seconds that HTCondor has to end its jobs; and that all others have when they are killed.
_QUIT, _KILL = 5.0, 10.0
#: The right to look into processes of others, among those of a process.
_PTRACE = 1 << 19
#: In a process that goes on by itself: the shell that starts it ends at once, so nobody has to wait for it.
_ALONE = '"$@" < /dev/null >> "$0" 2>&1 &'


def search_path() -> str:
    """Return where the programs of a worker are looked for: as who runs the fleet has it, and in the usual folders."""
    usual = os.environ.get("PATH", "").split(os.pathsep)
    python = str(Path(sys.executable).parent)  # jobs call dynamo's own programs
    return os.pathsep.join(dict.fromkeys([python, *usual, *_SEARCHED]))


def sees_all() -> bool:
    """Whether this process may look into those of other users: root may, but not in every container."""
    said = Path("/proc/self/status").read_text()
    held = next(line.split()[1] for line in said.splitlines() if line.startswith("CapEff:"))
    return bool(int(held, 16) & _PTRACE)


def by_machine(folder: Path) -> dict[str, list[psutil.Process]]:
    """Return the processes of workers that lie in `folder`, by the name of the worker's own folder there."""
    found: dict[str, list[psutil.Process]] = {}
    for one in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            said = one.environ()
            for name in (ROOT, _JOB):
                place = Path(said.get(name, "/"))
                if place.is_relative_to(folder) and place != folder:
                    found.setdefault(place.relative_to(folder).parts[0], []).append(one)
                    break
    return found


def start(root: Path, program: Path, log: Path, user: str = "") -> None:
    """Start a worker's first process in a session of its own, so that it outlives who started it."""
    who = pwd.getpwnam(user) if user else pwd.getpwuid(os.geteuid())
    # Nothing else of who starts it: settings of HTCondor in his environment would count here too.
    environment = {
        ROOT: str(root),
        "CONDOR_CONFIG": str(root / "etc/condor/condor_config"),
        "PATH": f"{program.parent}{os.pathsep}{search_path()}",
        "HOME": who.pw_dir,
        "USER": who.pw_name,
        "LOGNAME": who.pw_name,
        "LANG": "C.UTF-8",
    }
    subprocess.run(
        ["/bin/sh", "-c", _ALONE, str(log), str(program)],
        check=True, cwd=root, env=environment, start_new_session=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=_KILL,
        user=user or None, group=who.pw_gid if user else None,
        extra_groups=os.getgrouplist(user, who.pw_gid) if user else None,
    )  # fmt: skip


def end(folder: Path, id_: str) -> None:
    """End all processes of a worker: HTCondor first, which ends its jobs, then what is left.

    Raises `UnavailableError` where some cannot be ended.
    """
    masters = [one for one in _of(folder, id_) if _name(one) == "condor_master"]
    _signal(masters, signal.SIGQUIT)
    psutil.wait_procs(masters, timeout=_QUIT)
    for _ in range(3):  # who is being killed may just have had a child
        left = _of(folder, id_)
        if not left:
            return
        _signal(left, signal.SIGKILL)
        psutil.wait_procs(left, timeout=_KILL)
    if left := _of(folder, id_):
        raise UnavailableError(
            f"processes of a worker cannot be ended: {', '.join(str(one.pid) for one in left)}"
        )


def _of(folder: Path, id_: str) -> list[psutil.Process]:
    return by_machine(folder).get(id_, [])


def _name(one: psutil.Process) -> str:
    with suppress(psutil.Error):
        return str(one.name())
    return ""


def _signal(some: Iterable[psutil.Process], number: int) -> None:
    for one in some:
        with suppress(psutil.Error):
            one.send_signal(number)
