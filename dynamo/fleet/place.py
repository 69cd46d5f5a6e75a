"""Which pool a slice's machines join, how it is reached from here, and where workers reach us."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable
from dataclasses import dataclass

from dynamo.errors import UserError
from dynamo.fleet.slice import PoolRule
from dynamo.fleet.trust import CentralManager, LocalManager, PoolManager, Trust
from dynamo.fleet.tunnel import PRIVATE_NETWORK
from dynamo.fleet.worker_config import PoolPlace
from dynamo.pool.host import connect
from dynamo.pool.pool import Pool

__all__ = ["ReachedPool", "reach"]

#: Of the join service, where the slice names none.
_PORT = 9617


@dataclass(frozen=True, slots=True)
class ReachedPool:
    """A pool, and how it is reached.

    Parameters
    ----------
    asked
        What its collector is asked at, as ``host:port``; empty for the one that HTCondor is configured for.
    trust
        Its central manager, which signs and revokes the tokens of workers.
    place
        Where workers find it.
    host, port
        Where the join service listens, and is found by workers.
    drain
        Has a slot's machine drained, by the slot's name.
    manager
        The central manager itself.
    networks
        CIDRs of the pool's own networks, where they are known.
    """

    asked: str
    trust: Trust
    place: PoolPlace
    host: str
    port: int
    drain: Callable[[str], None]
    manager: CentralManager
    networks: tuple[str, ...] = ()


def reach(rule: PoolRule, slice_: str) -> ReachedPool:
    """Return the pool that a slice names, for its workers; raises `UserError` where that does not say enough.

    For a pool of ``dynamo pool up`` all is known; HTCondor's clients in this process are then configured for it.
    """
    if rule.name:
        return _in_containers(rule, slice_)
    if not (rule.central_manager and rule.trust_domain and rule.join):
        raise UserError(
            "a fleet must know which pool its workers join: in the slice `pool: {central_manager: ..., trust_domain: "
            "..., join: ...}`, where `join` is this machine as workers reach it; or `pool: {name: ...}` for one of "
            "`dynamo pool up`"
        )
    manager = LocalManager()
    place = PoolPlace(rule.central_manager, rule.trust_domain)
    host, port = _split(rule.join)
    trust = Trust(manager, place, slice_)
    return ReachedPool(
        rule.central_manager, trust, place, host, port, lambda slot: _drain(manager.run, slot), manager
    )


def _in_containers(rule: PoolRule, slice_: str) -> ReachedPool:
    docker = connect()
    pool = Pool(docker, rule.name)
    config = pool.state.client_config
    if not config.is_file() or not pool.containers():
        raise UserError(f"there is no pool {rule.name!r} on this machine: dynamo pool up --name {rule.name}")
    os.environ["CONDOR_CONFIG"] = str(config)
    subnet = docker.networks.get(pool.prefix).attrs["IPAM"]["Config"][0]["Subnet"]
    gateway = str(ipaddress.ip_network(subnet)[1])
    manager = PoolManager(pool)
    domain = f"{rule.name}.dynamo"
    place = PoolPlace(f"manager.{domain}:9618", domain)
    host, port = _split(rule.join) if rule.join else (gateway, 0)
    return ReachedPool(
        "",
        Trust(manager, place, slice_),
        place,
        host,
        port,
        lambda slot: _drain(manager.run, slot),
        manager,
        (subnet,),
    )


def _drain(run: Callable[[list[str]], str], slot: str) -> None:
    # Who comes through a tunnel is reached by the central manager directly, as one of the same private network.
    run(["env", f"_CONDOR_PRIVATE_NETWORK_NAME={PRIVATE_NETWORK}", "condor_drain", "-graceful", slot])


def _split(join: str) -> tuple[str, int]:
    host, colon, port = join.rpartition(":")
    if colon and port.isdigit():
        return host.strip("[]"), int(port)
    return join, _PORT
