"""Who signs the tokens of workers, and has those of workers that were let go refused: the pool's central manager.

Enters: a worker's name, how long it lives, and which were let go. Leaves: a token of HTCondor (IDTOKEN) with which one
can offer slots and nothing else; a fragment of the central manager's configuration. The signing key stays where it is.
"""

from __future__ import annotations

import io
import math
import os
import re
import subprocess
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from dynamo.errors import InfrastructureError, UserError
from dynamo.fleet.slice import Role
from dynamo.fleet.worker_config import PoolPlace
from dynamo.pool.host import answering

if TYPE_CHECKING:
    from dynamo.pool.pool import Pool

__all__ = [
    "ASKING",
    "AUTHORIZATIONS",
    "CentralManager",
    "LocalManager",
    "PoolManager",
    "Signer",
    "Trust",
    "may_join",
    "revocation",
]

#: What a machine may do: say that it is there, and ask whether the pool knows it. Who matches the jobs of an access
#: point comes by a session that the collector hands on, and who runs them by that of the match: neither needs more.
AUTHORIZATIONS: Mapping[Role, Sequence[str]] = {
    "worker": ("ADVERTISE_STARTD", "ADVERTISE_MASTER", "READ"),
    "submit": ("ADVERTISE_SCHEDD", "ADVERTISE_MASTER", "READ"),
}
#: What who submits at an access point may do elsewhere: ask what the pool has.
ASKING = ("READ",)
_ALL = sorted({one for some in AUTHORIZATIONS.values() for one in some})
#: What a machine says of itself, in the collector.
_ADS = ("STARTD", "MASTER", "SCHEDD", "SUBMITTOR")
_FOLDER = "/etc/condor/config.d"
#: Of each slice its own: two that join one pool do not take each other's word away.
_FRAGMENT = "90-dynamo-revoked-{}.conf"
_WORKER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}")
#: Of a worker in the fragment, when its token expires.
_UNTIL = re.compile(rf"^# ({_WORKER.pattern}) until (\d+)$", re.MULTILINE)
_PATIENCE = 30.0
#: Workers that are named in one command, whose length has a bound.
_AT_ONCE = 500


class CentralManager(Protocol):
    """The machine that holds the pool's signing key."""

    def run(self, command: Sequence[str]) -> str:
        """Run a command as root and return what it printed; raises `InfrastructureError` where it fails."""

    def write(self, path: str, text: str) -> None:
        """Write a file, whole or not at all; raises `InfrastructureError` where that fails."""

    def fragment(self, slice_: str) -> str:
        """Return the file of its configuration in which workers of a slice that were let go are named."""


class PoolManager:
    """The central manager of a pool in containers of this machine (`dynamo pool`)."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def run(self, command: Sequence[str]) -> str:
        """Run a command in its container."""
        return self._pool.execute("manager", command)

    def write(self, path: str, text: str) -> None:
        """Write a file in its container."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            entry = tarfile.TarInfo(Path(path).name)
            entry.size, entry.mode = len(text.encode()), 0o644
            archive.addfile(entry, io.BytesIO(text.encode()))
        with answering():
            written = self._pool.container("manager").put_archive(str(Path(path).parent), packed.getvalue())
        if not written:
            raise InfrastructureError(f"cannot write {path} on the central manager")

    def fragment(self, slice_: str) -> str:
        """Return where the workers of a slice that were let go are named."""
        return f"{_FOLDER}/{_FRAGMENT.format(slice_)}"


class LocalManager:
    """The central manager is this machine: `dynamo fleet run` runs on it, as who runs HTCondor here (root, mostly)."""

    def fragment(self, slice_: str) -> str:
        """Return where those of a slice that were let go are named: in the folder that its configuration names last.

        Raises `UserError` where it names none.
        """
        folders = self.run(["condor_config_val", "LOCAL_CONFIG_DIR"]).replace(",", " ").split()
        if not folders:
            raise UserError(
                "HTCondor's configuration on this machine names no LOCAL_CONFIG_DIR, in which the fleet says which "
                "workers were let go: set it to a folder"
            )
        return str(Path(folders[-1]) / _FRAGMENT.format(slice_))

    def run(self, command: Sequence[str]) -> str:
        """Run a command here."""
        try:
            done = subprocess.run(
                list(command), check=False, capture_output=True, text=True, timeout=_PATIENCE
            )
        except FileNotFoundError:
            raise UserError(
                f"there is no {command[0]} on this machine, so HTCondor is not installed: the fleet must run on the "
                "pool's central manager, where the tokens of workers are signed"
            ) from None
        except subprocess.TimeoutExpired:
            raise InfrastructureError(f"{command[0]} did not end in {_PATIENCE:.0f} s") from None
        if done.returncode:
            raise InfrastructureError(f"{command[0]} failed ({done.returncode}): {done.stderr.strip()}")
        return done.stdout

    def write(self, path: str, text: str) -> None:
        """Write a file here."""
        new = Path(path).with_name(f".{Path(path).name}.new")
        try:
            new.unlink(missing_ok=True)
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w") as out:
                out.write(text)
            new.replace(path)
        except OSError as error:
            raise InfrastructureError(f"cannot write {path}: {error.strerror}") from error


class Signer(Protocol):
    """Signs what a worker proves itself with."""

    def sign(self, worker: str, lifetime: float, allowed: Sequence[str]) -> str:
        """Return a token of a machine for what is `allowed`, for `lifetime` s; raises `InfrastructureError`."""


class Trust:
    """Whom a pool believes that he is a worker.

    Parameters
    ----------
    manager
        Its central manager.
    place
        Where the pool is, and what its domain is called.
    slice_
        Whose workers they are.
    key
        Name of the key that tokens are signed with, as ``condor_token_create -key`` takes it.
    clock
        The time, in Unix seconds.
    """

    def __init__(
        self,
        manager: CentralManager,
        place: PoolPlace,
        slice_: str,
        key: str = "POOL",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._manager, self._clock = manager, clock
        self._place = place
        self._key = key
        self._fragment = manager.fragment(slice_)

    def sign(self, worker: str, lifetime: float, allowed: Sequence[str] = AUTHORIZATIONS["worker"]) -> str:
        """Return a token with which `worker` can do what is `allowed` for so many seconds, and nothing else."""
        identity = self._place.identity(_checked(worker))
        command = ["condor_token_create", "-identity", identity, "-key", self._key]
        command += ["-lifetime", str(max(int(lifetime), 1))]
        for one in allowed:
            command += ["-authz", one]
        token = self._manager.run(command).strip()
        if token.count(".") != 2:
            raise InfrastructureError("condor_token_create on the central manager gave no token")
        return token

    def revoke(self, workers: Sequence[str], ends: Mapping[str, float] | None = None) -> None:
        """Have the tokens of these workers refused from now on; the same again changes nothing.

        `workers` are all that were let go and whose tokens have not expired, and `ends` is when they will (Unix
        seconds): the store of tickets knows both (`dynamo.fleet.join_ledger.JoinLedger.ends`). Who was named with his
        end is refused until then, whoever says what now: of a journal that was lost, or is elsewhere, we do not know.
        Say them again when the fleet starts: a central manager that was made anew has forgotten.
        """
        named = {**self._named(), **(ends or {})}
        if everybody := sorted({*workers, *named}):
            self._manager.write(self._fragment, revocation(self._place, everybody, named))
        else:
            self._manager.run(["rm", "-f", self._fragment])
        self._manager.run(["condor_reconfig"])
        for begin in range(0, len(workers), _AT_ONCE):
            members = ",".join(self._place.identity(one) for one in workers[begin : begin + _AT_ONCE])
            self._forget(f'stringListMember(AuthenticatedIdentity, "{members}")')

    def _named(self) -> dict[str, float]:
        """Return whom the central manager refuses for this slice, and until when, where that is still to come."""
        text = self._manager.run(["sh", "-c", '[ ! -e "$0" ] || cat "$0"', self._fragment])
        found = {worker: float(end) for worker, end in _UNTIL.findall(text)}
        return {worker: end for worker, end in found.items() if end > self._clock()}

    def _forget(self, which: str) -> None:
        """Take what such workers said of themselves out of the collector: for a quarter of an hour it believes it."""
        query = f'MyType = "Query"\nTargetType = "Machine"\nRequirements = {which}\n'
        for kind in _ADS:
            verb = f"INVALIDATE_{kind}_ADS"
            self._manager.run(["sh", "-c", 'printf %s "$1" | condor_advertise "$0" -', verb, query])


def revocation(place: PoolPlace, workers: Sequence[str], ends: Mapping[str, float] | None = None) -> str:
    """Return the fragment of configuration by which a central manager refuses these workers.

    It says when the tokens of those in `ends` expire (Unix seconds). The expression refuses their tokens when they are
    shown anew, the lists refuse who showed one before. What a site has set itself stays.
    """
    head = "# Workers that were let go before their tokens expired, written by dynamo fleet.\n"
    head += "".join(
        f"# {_checked(one)} until {math.ceil(end)}\n" for one, end in sorted((ends or {}).items())
    )
    identities = sorted({place.identity(_checked(one)) for one in workers})
    members = ",".join(identities)
    before = "$(SEC_TOKEN_REVOCATION_EXPR:false)"
    expression = f'SEC_TOKEN_REVOCATION_EXPR = ({before}) || stringListMember(sub, "{members}")'
    denied = [f"DENY_{one} = $(DENY_{one}), {', '.join(identities)}" for one in _ALL]
    return head + "\n".join([expression, *denied, ""])


def may_join(worker: str) -> bool:
    """Whether this can be the name of a worker."""
    return _WORKER.fullmatch(worker) is not None


def _checked(worker: str) -> str:
    if not may_join(worker):
        raise UserError(f"{worker!r} cannot be the name of a worker: letters, digits and hyphens, at most 63")
    return worker
