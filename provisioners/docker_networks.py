"""Networks of a slice in Docker: made by their addresses, and shaped to their bandwidth by the kernel's `tc`.

A machine itself may not change its network: what shapes it is a container that is there for a moment, shares the
machine's network, and alone has the right to. Both ways are shaped, out by a token bucket on the machine's connection,
in by another on a device (ifb) that what comes in is led through.

What a network is shaped to stands on it, and Docker changes no label of what is there: another bandwidth is written on
a volume of the same name, which holds nothing.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dynamo.provisioners.docker_errors import status_of
from dynamo.provisioners.docker_names import PROVIDER, is_of, name_of, of_slice

from dynamo.fleet.machine import Tags
from dynamo.fleet.network import Network, NetworkSpec
from dynamo.fleet.refusals import BadRequestError, UnavailableError
from dynamo.pool.image import WORKER_IMAGE

__all__ = ["connect", "listed", "make", "remove", "shape"]

_BANDWIDTH = "dynamo-bandwidth"
#: Bytes that may pass at once: what a bucket holds, 20 ms of the bandwidth and never less than a few full packets.
_BURST_SECONDS, _LEAST_BURST = 0.02, 32 * 1024
#: What waits longer than this in front of a bucket is dropped.
_LATENCY = "50ms"

_SHAPE = """set -eu
device=$(ip -o link | awk -F'[ @:]+' -v mac="$1" 'tolower($0) ~ mac {print $2; exit}')
[ -n "$device" ] || { echo "no connection with the address $1" >&2; exit 1; }
within="ifb-$device"
if [ "$2" = 0bit ]; then
  ! ip link show "$within" > /dev/null 2>&1 || ip link del "$within"
  ! tc qdisc show dev "$device" | grep -q ingress || tc qdisc del dev "$device" ingress
  ! tc qdisc show dev "$device" | grep -q tbf || tc qdisc del dev "$device" root
  exit 0
fi
tc qdisc replace dev "$device" root tbf rate "$2" burst "$3" latency "$4"
ip link show "$within" > /dev/null 2>&1 || ip link add "$within" type ifb
ip link set "$within" up
tc qdisc replace dev "$within" root tbf rate "$2" burst "$3" latency "$4"
tc qdisc show dev "$device" | grep -q ingress || tc qdisc add dev "$device" handle ffff: ingress
tc filter replace dev "$device" parent ffff: protocol all prio 1 handle 800::800 u32 match u32 0 0 \\
  action mirred egress redirect dev "$within"
"""


def make(docker: Any, spec: NetworkSpec, provider: str) -> Network:
    """Make a network, or shape the one of the same order anew, with the machines on it.

    Raises `BadRequestError` for addresses that cannot be.
    """
    from docker import types

    try:
        subnet = str(ipaddress.IPv4Network(spec.cidr))
    except ValueError as error:
        raise BadRequestError(f"{spec.cidr!r} are no addresses of a network: {error}") from None
    bits = round(spec.bandwidth or 0)
    labels = {**spec.tags.written(), PROVIDER: provider, _BANDWIDTH: str(bits)}
    if (found := _of_token(docker, spec.tags)) is not None:
        return found if found.bandwidth == bits else _reshape(docker, found, bits, labels)
    _forget(docker, spec.tags)
    plan = types.IPAMConfig(pool_configs=[types.IPAMPool(subnet=subnet)])
    try:
        docker.networks.create(
            name_of(spec.tags), driver="bridge", ipam=plan, labels=labels, check_duplicate=True
        )
    except Exception as error:
        if status_of(error) != 409:  # somebody else has just done the same
            raise
    made = _of_token(docker, spec.tags)
    if made is None:
        raise UnavailableError(f"the network {spec.tags.group} was made and is not there any more")
    return made


def listed(docker: Any, slice_: str, provider: str) -> Sequence[Network]:
    """Return the networks of a slice that are of a provider."""
    found = [one for one in docker.api.networks(filters=of_slice(slice_)) if is_of(one, provider)]
    return [network for one in found if (network := _network(docker, one)) is not None]


def remove(docker: Any, id_: str) -> None:
    """Remove a network; one that is gone is no error, one with machines on it is refused."""
    try:
        tags = Tags.read(docker.api.inspect_network(id_).get("Labels") or {})
        docker.api.remove_network(id_)
    except Exception as error:
        if status_of(error) != 404:
            raise
    else:
        if tags:
            _forget(docker, tags)


def connect(docker: Any, id_: str, networks: Sequence[str]) -> None:
    """Connect a container to networks that it is not on yet."""
    attached = docker.api.inspect_container(id_)
    there = {one.get("NetworkID") for one in attached["NetworkSettings"]["Networks"].values()}
    named = {attached["HostConfig"]["NetworkMode"], *attached["NetworkSettings"]["Networks"]}
    for network in networks:
        if network not in there and network not in named:
            docker.api.connect_container_to_network(id_, network)


def shape(docker: Any, id_: str, networks: Sequence[str]) -> None:
    """Hold a machine's connections to the bandwidths of its networks."""
    limited = {network: bits for network in networks if (bits := _bandwidth(docker, network))}
    if limited:
        _hold(docker, id_, limited)


def _reshape(docker: Any, network: Network, bits: int, labels: Mapping[str, str]) -> Network:
    """Hold all machines on a network to another bandwidth; what is cut off before the end is done again."""
    done: set[str] = set()
    for written in (False, True):
        machines = docker.api.inspect_network(network.id).get("Containers") or {}
        for id_ in machines.keys() - done:
            try:
                _hold(docker, id_, {network.id: bits})
            except Exception as error:
                if status_of(error) not in {404, 409}:
                    raise  # else it has just ended, or is not up yet: then it shapes itself when it is
            else:
                done.add(id_)
        if not written:  # before it, a machine that comes is held to the old one, and found afterwards
            _forget(docker, network.tags)
            docker.api.create_volume(name_of(network.tags), labels=labels)
    return replace(network, bandwidth=float(bits))


def _forget(docker: Any, tags: Tags) -> None:
    """Remove what says to which bandwidth a network was shaped anew, if anything does."""
    try:
        docker.api.remove_volume(name_of(tags))
    except Exception as error:
        if status_of(error) != 404:
            raise


def _hold(docker: Any, id_: str, limited: Mapping[str, int]) -> None:
    """Hold a machine's connections to networks to so many bits a second; what somebody else put there is let be."""
    found = docker.api.inspect_container(id_)
    if Tags.read(found["Config"].get("Labels") or {}) is None:
        return
    for one in found["NetworkSettings"]["Networks"].values():
        if one["NetworkID"] in limited:
            _shape(docker, id_, one["MacAddress"], limited[one["NetworkID"]])


def _shape(docker: Any, id_: str, mac: str, bits: int) -> None:
    burst = max(math.ceil(bits / 8 * _BURST_SECONDS), _LEAST_BURST)
    import docker as bindings

    try:
        docker.containers.run(
            WORKER_IMAGE,
            ["sh", "-c", _SHAPE, "shape", mac.lower(), f"{bits}bit", str(burst), _LATENCY],
            network_mode=f"container:{id_}",
            cap_drop=["ALL"],
            cap_add=["NET_ADMIN"],
            security_opt=["no-new-privileges"],
            remove=True,
            stderr=True,
        )
    except bindings.errors.ContainerError as error:
        said = (error.stderr or b"").decode(errors="replace").strip()
        raise UnavailableError(
            f"the kernel does not hold a machine to {bits} bit/s (it needs sch_tbf, sch_ingress, act_mirred and ifb): "
            f"{said}"
        ) from None


def _bandwidth(docker: Any, network: str) -> int:
    found = _network(docker, docker.api.inspect_network(network))
    return int(found.bandwidth or 0) if found else 0


def _of_token(docker: Any, tags: Tags) -> Network | None:
    found = docker.api.networks(filters={"label": [f"dynamo-token={tags.token}"]})
    made = (_network(docker, one) for one in found)
    return next((one for one in made if one is not None and one.tags == tags), None)


def _network(docker: Any, found: Mapping[str, Any]) -> Network | None:
    labels = found.get("Labels") or {}
    tags = Tags.read(labels)
    if tags is None:
        return None
    plans = (found.get("IPAM") or {}).get("Config") or [{}]
    try:
        labels = docker.api.inspect_volume(name_of(tags)).get("Labels") or {}
    except Exception as error:
        if status_of(error) != 404:
            raise
    return Network(found["Id"], tags, plans[0].get("Subnet", ""), float(labels.get(_BANDWIDTH) or 0))
