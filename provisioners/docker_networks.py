"""Networks of a slice in Docker: made by their addresses, and shaped to their bandwidth by the kernel's `tc`.

A machine itself may not change its network: what shapes it is a container that is there for a moment, shares the
machine's network, and alone has the right to. Both ways are shaped, out by a token bucket on the machine's connection,
in by another on a device (ifb) that what comes in is led through.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Mapping, Sequence
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
tc qdisc replace dev "$device" root tbf rate "$2" burst "$3" latency "$4"
within="ifb-$device"
ip link show "$within" > /dev/null 2>&1 || ip link add "$within" type ifb
ip link set "$within" up
tc qdisc replace dev "$within" root tbf rate "$2" burst "$3" latency "$4"
tc qdisc show dev "$device" | grep -q ingress || tc qdisc add dev "$device" handle ffff: ingress
tc filter replace dev "$device" parent ffff: protocol all prio 1 handle 800::800 u32 match u32 0 0 \\
  action mirred egress redirect dev "$within"
"""


def make(docker: Any, spec: NetworkSpec, provider: str) -> Network:
    """Make a network; the same order is carried out once. Raises `BadRequestError` for addresses that cannot be."""
    from docker import types

    try:
        subnet = str(ipaddress.IPv4Network(spec.cidr))
    except ValueError as error:
        raise BadRequestError(f"{spec.cidr!r} are no addresses of a network: {error}") from None
    if (found := _of_token(docker, spec.tags)) is not None:
        return found
    labels = {**spec.tags.written(), PROVIDER: provider}
    if spec.bandwidth:
        labels[_BANDWIDTH] = str(int(spec.bandwidth))
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
    return [network for one in found if (network := _network(one)) is not None]


def remove(docker: Any, id_: str) -> None:
    """Remove a network; one that is gone is no error, one with machines on it is refused."""
    try:
        docker.api.remove_network(id_)
    except Exception as error:
        if status_of(error) != 404:
            raise


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
    if not limited:
        return
    attached = docker.api.inspect_container(id_)["NetworkSettings"]["Networks"]
    for one in attached.values():
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
    labels = docker.api.inspect_network(network).get("Labels") or {}
    return int(labels.get(_BANDWIDTH, 0))


def _of_token(docker: Any, tags: Tags) -> Network | None:
    found = docker.api.networks(filters={"label": [f"dynamo-token={tags.token}"]})
    return next((made for one in found if (made := _network(one)) is not None and made.tags == tags), None)


def _network(found: Mapping[str, Any]) -> Network | None:
    tags = Tags.read(found.get("Labels") or {})
    if tags is None:
        return None
    plans = (found.get("IPAM") or {}).get("Config") or [{}]
    return Network(found["Id"], tags, plans[0].get("Subnet", ""))
