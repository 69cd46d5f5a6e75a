"""The configuration of HTCondor that is this pool's own, beside the fragments in ``containers/pool/config.d``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from dynamo.pool.settings import PoolSettings

__all__ = ["FRAGMENTS", "Role", "client_config", "role_config"]

Role = Literal["manager", "submit", "worker"]

#: Which fragments each role reads, in this order.
FRAGMENTS: dict[Role, tuple[str, ...]] = {
    "manager": ("security.conf", "cm.conf", "latency-cm.conf"),
    "submit": ("security.conf", "ap.conf", "latency-ap.conf"),
    "worker": ("security.conf", "ep.conf", "latency-ep.conf"),
}


def role_config(settings: PoolSettings, role: Role, execute: str = "") -> str:
    """Return the configuration of one container: where the central manager is, whom it trusts, what it offers.

    `execute` is the folder in which jobs run, where that is not HTCondor's own.
    """
    lines = [
        f"# A part of the pool {settings.name!r}, written by dynamo pool up.",
        f"CONDOR_HOST = manager.{settings.domain}",
        "COLLECTOR_HOST = $(CONDOR_HOST):9618",
        f"UID_DOMAIN = {settings.domain}",
        f"TRUST_DOMAIN = {settings.domain}",
        f"FILESYSTEM_DOMAIN = {settings.domain if settings.shared else '$(FULL_HOSTNAME)'}",
    ]
    if role == "worker":
        lines += [f"NUM_CPUS = {settings.cores}", f"MEMORY = {settings.memory // 2**20}"]
    if role == "manager" and settings.tunnel:
        # Of several addresses HTCondor takes one when it is told to read its configuration again: not the tunnel's.
        lines.append("NETWORK_INTERFACE = eth0")
    if execute:
        lines.append(f"EXECUTE = {execute}")
    with_containers = [f"{name}.conf" for name in settings.containers] if role == "worker" else []
    lines += [f"include : /etc/condor/dynamo/{name}" for name in (*FRAGMENTS[role], *with_containers)]
    return "\n".join([*lines, ""])


def client_config(settings: PoolSettings, address: str, tokens: Path) -> str:
    """Return what a client on this machine needs: where the collector is, and its user's tokens."""
    return "\n".join(
        (
            f"# To reach the pool {settings.name!r} from this machine: CONDOR_CONFIG=<this file>",
            f"CONDOR_HOST = {address}",
            "COLLECTOR_HOST = $(CONDOR_HOST):9618",
            f"UID_DOMAIN = {settings.domain}",
            f"TRUST_DOMAIN = {settings.domain}",
            f"SCHEDD_HOST = submit.{settings.domain}",
            f"SEC_TOKEN_DIRECTORY = {tokens}",
            "SEC_CLIENT_AUTHENTICATION = REQUIRED",
            "SEC_CLIENT_ENCRYPTION = REQUIRED",
            "SEC_CLIENT_INTEGRITY = REQUIRED",
            "SEC_CLIENT_AUTHENTICATION_METHODS = IDTOKENS",
            "",
        )
    )
