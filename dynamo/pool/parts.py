"""The containers that make up a pool, as they shall be: decided here, made in `dynamo.pool.pool`."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace

from dynamo.pool.config import Role, role_config
from dynamo.pool.settings import PoolSettings

__all__ = ["FUSE", "TUN", "Part", "execute_volume", "manager", "owner", "submit", "worker"]

#: The number that the user `dynamo` has in the image.
_OWNER = 1000

#: What Apptainer needs: name spaces of its own, in which it mounts, and Docker's usual filter of system calls forbids
#: that; and to mount a ``.sif`` file without rights, the device of file systems in user space.
_FOR_APPTAINER = ("seccomp=unconfined",)
FUSE = "/dev/fuse"
#: What the hub of a tunnel needs: interfaces, routes and filters of its own network, which is not this machine's.
TUN = "/dev/net/tun"
_FOR_TUNNEL = ("NET_ADMIN",)


@dataclass(frozen=True, slots=True)
class Part:
    """One container as it shall be.

    Parameters
    ----------
    name, role, host
        Of the container; what it does; and its name in the pool's network.
    files
        Path in the container, and the text that stands there, which only its superuser can read.
    mounts
        Path or volume of this machine, and path in the container; ``:ro`` behind it where it is only to be read.
    security
        What Docker is told of the container's rights, beyond the usual.
    devices
        Paths of devices of this machine that it has too.
    capabilities
        Rights of the kernel beyond those that every container of the pool has.
    udp
        Address and port of this machine that lead to the same UDP port of the container; empty for none.
    """

    name: str
    role: Role
    host: str
    files: tuple[tuple[str, str], ...]
    mounts: tuple[tuple[str, str], ...] = ()
    security: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    udp: str = ""

    def made_from(self, image: str, owner: int) -> str:
        """Return a digest that tells whether a container was made from this, the image and the owner of jobs."""
        return hashlib.sha256(repr((self, image, owner)).encode()).hexdigest()[:32]


def owner() -> int:
    """Return the number of the user whose the jobs are: of who starts the pool, but never root's."""
    return os.getuid() or _OWNER


def manager(settings: PoolSettings, key: str) -> Part:
    """Return the central manager, which checks tokens, so it holds the key; it is the hub of tunnels too."""
    part = _part(settings, "manager", "manager", (_keyed(key),))
    if settings.tunnel:
        return replace(part, devices=(TUN,), capabilities=_FOR_TUNNEL, udp=settings.tunnel)
    return part


def submit(settings: PoolSettings, key: str, token: str) -> Part:
    """Return the access point: its queue outlives the container, and it sees the folders that were asked for.

    The user's `token` is there for what asks the central manager, as ``condor_status`` does.
    """
    queue = (f"{settings.prefix}-queue", "/var/spool/condor")
    secrets = (_keyed(key), ("/home/dynamo/.condor/tokens.d/user", token))
    return _part(settings, "submit", "submit", secrets, (queue, *((str(m), str(m)) for m in settings.mounts)))


def worker(
    settings: PoolSettings,
    number: int,
    token: str,
    *,
    execute: str = "",
    socket: str = "",
    devices: tuple[str, ...] = (),
) -> Part:
    """Return one execution point, which has no key: by its token it can offer its slots, and nothing else.

    For jobs in containers of Docker, it reaches Docker's `socket` on this machine, and its folder `execute` is a volume
    that has the same path here as there: Docker, which looks for it here, mounts it into the container of a job. For
    those in containers of Apptainer it gets these of this machine's `devices`.
    """
    name = f"worker-{number}"
    mounts = [(str(folder), f"{folder}:ro") for folder in settings.images]
    if settings.shared:
        mounts += [(str(folder), str(folder)) for folder in settings.mounts]
    if "docker" in settings.containers:
        mounts += [(socket, "/var/run/docker.sock"), (execute_volume(settings, number), execute)]
    secret = ("/etc/condor/tokens.d/worker", token)
    part = _part(settings, "worker", name, (secret,), tuple(mounts), execute=execute)
    if "apptainer" in settings.containers:
        return replace(part, security=_FOR_APPTAINER, devices=devices)
    return part


def execute_volume(settings: PoolSettings, number: int) -> str:
    """Return the name of the volume in which the jobs of a worker run."""
    return f"{settings.prefix}-execute-{number}"


def _part(
    settings: PoolSettings,
    role: Role,
    name: str,
    secrets: tuple[tuple[str, str], ...],
    mounts: tuple[tuple[str, str], ...] = (),
    *,
    execute: str = "",
) -> Part:
    config = ("/etc/condor/config.d/10-dynamo.conf", role_config(settings, role, execute))
    host = f"{name}.{settings.domain}"
    return Part(f"{settings.prefix}-{name}", role, host, (config, *secrets), mounts)


def _keyed(key: str) -> tuple[str, str]:
    return "/etc/condor/passwords.d/POOL", key
