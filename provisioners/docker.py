"""Docker of this machine, or of another, as a cloud: each machine is a container that boots by cloud-init.

Labels are the tags. A container's name comes of its order's token, so Docker itself refuses to make a machine twice. It
removes a machine that has switched itself off.
"""

from __future__ import annotations

import functools
import io
import logging
import os
import socket
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from dynamo.provisioners import docker_networks
from dynamo.provisioners.docker_errors import refusals, status_of
from dynamo.provisioners.docker_names import NAME, PROVIDER, is_of, name_of, of_slice

from dynamo.errors import UserError
from dynamo.fleet.machine import Machine, MachineSpec, MachineState, Tags
from dynamo.fleet.network import Network, NetworkSpec
from dynamo.fleet.offering import Offering
from dynamo.fleet.provider import Driver, ProviderSettings
from dynamo.fleet.refusals import BadRequestError, GoneError, OutcomeUnknownError, ProviderError
from dynamo.pool.image import WORKER_IMAGE
from dynamo.pool.parts import TUN
from dynamo.pool.pool import CAPABILITIES

__all__ = ["DockerProvider", "driver"]

log = logging.getLogger(__name__)

_OPTIONS = {
    "image": f"what machines are started from where their node group does not say; {WORKER_IMAGE} by default",
    "network": "name of the Docker network that every machine is on, as that of a pool; Docker's own by default",
    "usd_per_hour": "price of a machine, for a trial of a policy; 0 by default",
    "host": "address of Docker, as DOCKER_HOST; that of this machine by default",
}
_SECONDS = 30
_HERE = "unix:///var/run/docker.sock"
_SEED = "var/lib/cloud/seed/nocloud"
#: State of a container to that of a machine.
_STATES: dict[str, MachineState] = {
    "created": "pending",
    "restarting": "running",
    "running": "running",
    "paused": "running",
    "removing": "stopping",
    "exited": "gone",
    "dead": "gone",
}


class DockerProvider:
    """A Docker engine; see `dynamo.fleet.provider.NetworkProvider` for what the verbs do."""

    def __init__(self, settings: ProviderSettings) -> None:
        options, self._name = settings.options, settings.name
        self._image = options.get("image", "") or WORKER_IMAGE
        self._network = options.get("network", "")
        self._host = options.get("host", "") or os.environ.get("DOCKER_HOST", "")
        self._price = _price(options.get("usd_per_hour", ""))

    def create(self, spec: MachineSpec) -> Machine:
        """Make a container and start it; one that was made from the same order and not started is started."""
        with self._docker("make a machine", changes=True) as docker:
            name = name_of(spec.tags)
            found = _find(docker, name)
            if found is None:
                self._make(docker, name, spec)
                found = _find(docker, name)
            if found is not None and found["State"] == "created":
                self._start(docker, found["Id"], spec)
                found = _find(docker, name)
            elif found is not None and found["State"] == "running":
                docker_networks.shape(docker, found["Id"], spec.networks)  # it may have been cut off before
            if found is None:
                raise OutcomeUnknownError(f"the machine {spec.name} was made and is not there any more")
            return _required(found)

    def list(self, slice_: str) -> Sequence[Machine]:
        """Return the containers of a slice, in one call."""
        with self._docker("list machines") as docker:
            found = docker.api.containers(all=True, filters=of_slice(slice_))
        mine = [one for one in found if is_of(one, self._name)]
        return [machine for one in mine if (machine := _machine(one)) is not None]

    def describe(self, id_: str) -> Machine:
        """Return one container."""
        with self._docker("describe a machine") as docker:
            found = docker.api.containers(all=True, filters={"id": id_})
        machine = next((made for one in found if one["Id"] == id_ and (made := _machine(one))), None)
        if machine is None:
            raise GoneError(f"there is no machine {id_[:12]} of a slice in this Docker")
        return machine

    def destroy(self, id_: str) -> None:
        """Remove a container with all that is in it."""
        with self._docker("remove a machine", changes=True) as docker:
            _remove(docker, id_)

    def offerings(self) -> Sequence[Offering]:
        """Return the one that there is: any part of the machine below."""
        with self._docker("say what it has") as docker:
            info = docker.info()
        return [
            Offering("", info["NCPU"], info["MemTotal"], usd_per_hour=self._price, quantum=1.0, minimum=1.0)
        ]

    def create_network(self, spec: NetworkSpec) -> Network:
        """Make a network of Docker."""
        with self._docker("make a network", changes=True) as docker:
            return docker_networks.make(docker, spec, self._name)

    def list_networks(self, slice_: str) -> Sequence[Network]:
        """Return the networks of a slice."""
        with self._docker("list networks") as docker:
            return docker_networks.listed(docker, slice_, self._name)

    def destroy_network(self, id_: str) -> None:
        """Remove a network."""
        with self._docker("remove a network", changes=True) as docker:
            docker_networks.remove(docker, id_)

    def __repr__(self) -> str:
        return f"DockerProvider({self._host or 'of this machine'})"

    @contextmanager
    def _docker(self, what: str, *, changes: bool = False) -> Iterator[Any]:
        """Give a client for one verb: an object of it serves one thread, and nothing stays open."""
        with refusals(what, changes=False):
            import docker

            _knock(self._host)
            client = docker.DockerClient(base_url=self._host or None, timeout=_SECONDS)
        try:
            with refusals(what, changes=changes):
                yield client
        finally:
            client.close()

    def _make(self, docker: Any, name: str, spec: MachineSpec) -> None:
        """Make the container, which then has its labels; another one that does the same is no error."""
        api = docker.api
        networks = [self._network] if self._network else []
        primary = (*networks, *spec.networks, "")[0]
        try:
            api.create_container(
                spec.image or self._image,
                name=name,
                hostname=spec.name,
                detach=True,
                labels={**spec.tags.written(), NAME: spec.name, PROVIDER: self._name},
                host_config=api.create_host_config(
                    init=True,
                    auto_remove=True,
                    cap_drop=["ALL"],
                    cap_add=[*CAPABILITIES, *(["NET_ADMIN"] if spec.tunnel else [])],
                    devices=[f"{TUN}:{TUN}:rwm"] if spec.tunnel else [],
                    security_opt=["no-new-privileges"],
                    network_mode=primary or None,
                    **_bounds(docker, spec),
                ),
            )
        except Exception as error:
            if status_of(error) != 409:
                raise

    def _start(self, docker: Any, id_: str, spec: MachineSpec) -> None:
        """Lay down what cloud-init reads, connect and start it; a container that cannot be started is removed."""
        try:
            with refusals("start a machine", changes=True):
                if not docker.api.put_archive(id_, "/", _seed(spec)):
                    raise BadRequestError(f"the image of {spec.name} takes no files in /{_SEED}")
                docker_networks.connect(docker, id_, spec.networks)
                docker.api.start(id_)
                docker_networks.shape(docker, id_, spec.networks)
        except OutcomeUnknownError:
            raise
        except ProviderError:
            with suppress(Exception):  # the first error is the one that counts
                _remove(docker, id_)
            raise


def connect(settings: ProviderSettings) -> DockerProvider:
    """Return the provider; Docker is not called yet."""
    return DockerProvider(settings)


driver = Driver(connect, options=_OPTIONS, to_measure=True, prepared=True)


def _knock(host: str) -> None:
    """See that somebody listens at a socket of this machine: the bindings leave theirs open where nobody does."""
    kind, _, path = (host or _HERE).partition("://")
    if kind == "unix":
        with socket.socket(socket.AF_UNIX) as one:
            one.settimeout(_SECONDS)
            one.connect(path)


def _price(text: str) -> float:
    try:
        price = float(text or 0)
    except ValueError:
        price = -1.0
    if not 0 <= price < float("inf"):
        raise UserError(f"usd_per_hour of a docker provider is a number from 0 up, not {text!r}")
    return price


def _bounds(docker: Any, spec: MachineSpec) -> dict[str, int]:
    """Return the bounds of cores and memory, so far as the machine below can hold anybody to them."""
    info = docker.info()
    bounds = {}
    if spec.cores and _can(info, "CpuCfsQuota", "cores"):
        bounds["nano_cpus"] = spec.cores * 10**9
    if spec.memory and _can(info, "MemoryLimit", "memory"):
        bounds["mem_limit"] = spec.memory
    return bounds


def _can(info: Mapping[str, Any], what: str, words: str) -> bool:
    if info.get(what):
        return True
    _warn(info.get("Name", ""), words)
    return False


@functools.cache
def _warn(host: str, words: str) -> None:
    log.warning(
        "the kernel of %s cannot bound the %s of a container: its machines may take more", host, words
    )


def _seed(spec: MachineSpec) -> bytes:
    """Return what a cloud would tell the machine, where cloud-init's data source NoCloud looks for it."""
    written = {
        "user-data": spec.user_data or "#cloud-config\n{}\n",
        "meta-data": f"instance-id: {name_of(spec.tags)}\nlocal-hostname: {spec.name}\n",
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text in written.items():
            entry = tarfile.TarInfo(f"{_SEED}/{name}")
            entry.size, entry.mode = len(text.encode()), 0o600
            archive.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


def _find(docker: Any, name: str) -> Mapping[str, Any] | None:
    found = docker.api.containers(all=True, filters={"name": f"^/{name}$"})
    return found[0] if found else None


def _remove(docker: Any, id_: str) -> None:
    """Remove a container; one that is gone, or about to be, is no error."""
    try:
        docker.api.remove_container(id_, force=True, v=True)
    except Exception as error:
        if status_of(error) not in {404, 409}:
            raise


def _required(found: Mapping[str, Any]) -> Machine:
    machine = _machine(found)
    if machine is None:
        raise BadRequestError(f"the container {found['Names'][0]} is not one of a slice, and in the way")
    return machine


def _machine(found: Mapping[str, Any]) -> Machine | None:
    """Return a container as a machine; None where it is not of a slice."""
    labels = found.get("Labels") or {}
    tags = Tags.read(labels)
    if tags is None:
        return None
    state = _STATES.get(found["State"], "running")
    networks = (found.get("NetworkSettings") or {}).get("Networks") or {}
    return Machine(
        id=found["Id"],
        tags=tags,
        name=labels.get(NAME, ""),
        state=state,
        created=float(found["Created"]),
        addresses=tuple(one["IPAddress"] for one in networks.values() if one.get("IPAddress")),
        reason=found.get("Status", "") if state == "gone" else "",
    )
