"""A pool in containers: brought up as asked for, asked how it stands, and taken down."""

from __future__ import annotations

import io
import ipaddress
import json
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dynamo.errors import InfrastructureError, UserError
from dynamo.pool import parts
from dynamo.pool.config import client_config
from dynamo.pool.host import answering, docker_socket
from dynamo.pool.image import Tell
from dynamo.pool.parts import Part
from dynamo.pool.settings import PoolSettings
from dynamo.pool.state import PoolState

__all__ = ["CAPABILITIES", "LABEL", "Pool"]

LABEL = "dynamo.pool"
#: To become the owner of a job, to write what is his, and to end his processes: also those whose parent was killed,
#: which HTCondor knows by their environment alone (SYS_PTRACE). A shadow that outlives its schedd fights with that of
#: the next one for the job, which then ends without its output. None of it reaches this machine.
CAPABILITIES = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID", "SYS_PTRACE"]
_PATIENCE = 90.0


class Pool:
    """The pool of a name on this machine, running or not.

    Parameters
    ----------
    client
        Of Docker, from `dynamo.pool.host.connect`.
    name
        Of the pool.
    """

    def __init__(self, client: Any, name: str) -> None:
        self._docker = client
        self.name = name
        self.prefix = PoolSettings(name=name).prefix
        self.state = PoolState(name)

    def up(self, settings: PoolSettings, image: str, tell: Tell) -> None:
        """Make the pool as `settings` say, of the image with this id; what fits already is left alone, with its jobs.

        Raises `InfrastructureError` where it does not come up in a minute and a half.
        """
        key = self.state.signing_key()
        address = self._network()
        self._ensure(parts.manager(settings, key), image, tell, address)
        self.state.write("condor_config", client_config(settings, address, self.state.tokens))
        user = self.state.once("tokens.d/user", lambda: self.token("dynamo"))
        token = self.state.once(
            "worker.token",
            lambda: self.token("worker", limits=("ADVERTISE_STARTD", "ADVERTISE_MASTER", "READ")),
        )
        self._ensure(parts.submit(settings, key, user), image, tell)
        wanted = [self._worker(settings, number + 1, token) for number in range(settings.workers)]
        for one in self.containers():
            if one.labels.get(f"{LABEL}.role") == "worker" and one.name not in {part.name for part in wanted}:
                tell(f"removing {one.name}")
                one.remove(force=True)
        for part in wanted:
            self._ensure(part, image, tell)
        self._await(settings)

    def _worker(self, settings: PoolSettings, number: int, token: str) -> Part:
        """Return a worker as it shall be; with Docker, the volume that its jobs run in tells what its path is."""
        devices = (parts.FUSE,) if Path(parts.FUSE).is_char_device() else ()
        if "docker" not in settings.containers:
            return parts.worker(settings, number, token, devices=devices)
        volume = self._docker.volumes.create(parts.execute_volume(settings, number), labels=self._labels())
        execute = volume.attrs["Mountpoint"]
        return parts.worker(settings, number, token, execute=execute, socket=docker_socket(), devices=devices)

    def down(self) -> int:
        """Remove the pool's containers, network, queue and tokens, and return how many containers there were.

        Raises `UserError` where machines of a fleet are on its network, before anything is removed.
        """
        found, jobs = self.containers(), self._of_jobs()
        networks = self._docker.networks.list(filters=self._mine())
        ours = {one.id for one in (*found, *jobs)}
        for network in networks:
            network.reload()
            there = network.attrs.get("Containers") or {}
            others = sorted(one.get("Name", id_) for id_, one in there.items() if id_ not in ours)
            if others:
                raise UserError(
                    f"on the network of the pool {self.name!r} are machines that are not its own: {', '.join(others)}; "
                    "end them first: `dynamo slice destroy` takes those of a slice away"
                )
        for one in (*found, *jobs):
            one.remove(force=True, v=True)
        for network in networks:
            network.remove()
        for volume in self._docker.volumes.list(filters=self._mine()):
            volume.remove()
        self.state.remove()
        return len(found)

    def containers(self) -> list[Any]:
        """Return the pool's containers of Docker, also those that stand still, by name."""
        with answering():
            found = self._docker.containers.list(all=True, ignore_removed=True, filters=self._mine())
        return sorted(found, key=lambda one: one.name)

    def _of_jobs(self) -> list[Any]:
        """Return the containers that its jobs run in, beside those of the workers: they see a volume of its own."""
        volumes = [one.attrs["Mountpoint"] for one in self._docker.volumes.list(filters=self._mine())]
        found = self._docker.containers.list(
            all=True, ignore_removed=True, filters={"label": "org.htcondorproject=True"}
        )
        return [
            one
            for one in found
            if any(m["Source"].startswith(f"{v}/") for m in one.attrs["Mounts"] for v in volumes)
        ]

    def container(self, part: str) -> Any:
        """Return one container, like ``submit`` or ``worker-1``; raises `UserError` where there is none."""
        for one in self.containers():
            if one.name == f"{self.prefix}-{part}":
                return one
        raise UserError(
            f"there is no {part} of a pool {self.name!r} on this machine: dynamo pool up makes one"
        )

    def execute(self, part: str, command: Sequence[str], *, user: str = "root") -> str:
        """Run a command in a container and return what it printed; raises `InfrastructureError` where it fails."""
        with answering():
            code, (out, err) = self.container(part).exec_run(list(command), user=user, demux=True)
        if code:
            text = ((err or b"") + (out or b"")).decode(errors="replace").strip()
            raise InfrastructureError(f"{command[0]} failed in {self.prefix}-{part} ({code}): {text}")
        return (out or b"").decode(errors="replace")

    def token(self, identity: str, *, lifetime: int | None = None, limits: Sequence[str] = ()) -> str:
        """Return a new token of ``identity@domain``, for `lifetime` seconds, and only for what `limits` name."""
        domain = PoolSettings(name=self.name).domain
        command = ["condor_token_create", "-identity", f"{identity}@{domain}", "-key", "POOL"]
        command += ["-lifetime", str(lifetime)] if lifetime is not None else []
        for limit in limits:
            command += ["-authz", limit]
        return self.execute("manager", command).strip() + "\n"

    def ads(self, *arguments: str) -> list[dict[str, Any]]:
        """Return what ``condor_status`` with these arguments tells, as dictionaries."""
        text = self.execute("manager", ["condor_status", *arguments, "-json"])
        return json.loads(text) if text.strip() else []

    def jobs(self) -> list[dict[str, Any]]:
        """Return the jobs in the queue, as dictionaries."""
        text = self.execute("submit", ["condor_q", "-allusers", "-json"])
        return json.loads(text) if text.strip() else []

    def _mine(self) -> dict[str, str]:
        return {"label": f"{LABEL}={self.name}"}

    def _labels(self, **more: str) -> dict[str, str]:
        return {
            LABEL: self.name,
            **{f"{LABEL}.{name.replace('_', '-')}": value for name, value in more.items()},
        }

    def _network(self) -> str:
        """Make the pool's network where there is none; return the address that is kept for the central manager.

        An address that is fixed needs a subnet that is named: Docker's own choice is asked for first.
        """
        import docker

        found = self._docker.networks.list(filters=self._mine())
        if not found:
            tried = self._docker.networks.create(self.prefix, labels=self._labels())
            tried.reload()
            subnet = tried.attrs["IPAM"]["Config"][0]["Subnet"]
            tried.remove()
            plan = docker.types.IPAMConfig(pool_configs=[docker.types.IPAMPool(subnet=subnet)])
            found = [self._docker.networks.create(self.prefix, labels=self._labels(), ipam=plan)]
        found[0].reload()
        return str(ipaddress.ip_network(found[0].attrs["IPAM"]["Config"][0]["Subnet"])[2])

    def _ensure(self, part: Part, image: str, tell: Tell, address: str | None = None) -> None:
        """Have a container run as `part` says; one that was made from something else is made anew."""
        owner = parts.owner()
        made_from = part.made_from(image, owner)
        for one in self.containers():
            if one.name == part.name:
                if one.labels.get(f"{LABEL}.made-from") == made_from:
                    if one.status != "running":
                        tell(f"starting {part.name}")
                        one.start()
                    return
                tell(f"making {part.name} anew")
                one.remove(force=True)
                break
        else:
            tell(f"making {part.name}")
        for source, _ in part.mounts:
            if not source.startswith("/"):
                self._docker.volumes.create(source, labels=self._labels())
        labels = self._labels(role=part.role, made_from=made_from)
        made = self._make(part, image, {"DYNAMO_OWNER": str(owner)}, labels, address)
        self._docker.api.put_archive(made, "/", _packed(part.files))
        self._start(made, part)

    def _start(self, id_: str, part: Part) -> None:
        """Start a container; raises `UserError` where its port of this machine cannot be had."""
        import docker

        try:
            self._docker.api.start(id_)
        except docker.errors.APIError as error:
            said = str(error.explanation)
            if not part.udp or "external connectivity" not in said:
                raise
            self._docker.api.remove_container(id_, force=True)
            raise UserError(
                f"no tunnel can be had at {part.udp}: {said.rpartition(': ')[2].strip(')')}; "
                "name an address of this machine and a UDP port that is free"
            ) from None

    def _make(
        self, part: Part, image: str, environment: dict[str, str], labels: dict[str, str], address: str | None
    ) -> str:
        """Make a container that does not run yet, and return its id."""
        udp = _udp(part)
        made = self._docker.api.create_container(
            image,
            ports=list(udp),
            name=part.name,
            hostname=part.host,
            detach=True,
            environment=environment,
            labels=labels,
            host_config=self._docker.api.create_host_config(
                init=True,
                binds=[f"{source}:{target}" for source, target in part.mounts],
                devices=[f"{device}:{device}:rwm" for device in part.devices],
                cap_drop=["ALL"],
                cap_add=[*CAPABILITIES, *part.capabilities],
                port_bindings={f"{port}/udp": where for (port, _), where in udp.items()},
                security_opt=["no-new-privileges", *part.security],
                network_mode=self.prefix,
            ),
            networking_config=self._docker.api.create_networking_config(
                {
                    self.prefix: self._docker.api.create_endpoint_config(
                        aliases=[part.host], ipv4_address=address
                    )
                }
            ),
        )
        return str(made["Id"])

    def _await(self, settings: PoolSettings) -> None:
        """Wait until the queue and every slot are known to the central manager."""
        until = time.monotonic() + _PATIENCE
        slots = settings.workers * settings.cores
        there, queues, trouble = 0, 0, ""
        while time.monotonic() < until:
            try:
                there, queues = len(self.ads()), len(self.ads("-schedd"))
            except InfrastructureError as error:  # the central manager has only just begun
                trouble = error.message
            if there == slots and queues:
                return
            time.sleep(0.5)
        raise InfrastructureError(
            f"the pool {self.name!r} did not come up in {_PATIENCE:.0f} s: {there} of {slots} slots and "
            f"{queues} of 1 queue are there. {trouble}\nits logs: docker exec {self.prefix}-submit "
            f"tail -n 50 /var/log/condor/MasterLog (or -manager, -worker-1)"
        )


def _udp(part: Part) -> dict[tuple[int, str], tuple[str, int]]:
    """Return the port that a container opens, and the address and port of this machine that lead to it."""
    if not part.udp:
        return {}
    address, _, port = part.udp.rpartition(":")
    return {(int(port), "udp"): (address, int(port))}


def _packed(files: Sequence[tuple[str, str]]) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for path, text in files:
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(text.encode()), 0o600
            archive.addfile(entry, io.BytesIO(text.encode()))
    return whole.getvalue()
