"""What every container that runs tasks is started with: who it is, what it sees, what it may do and use."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

__all__ = ["ENGINE", "UNLIMITED", "USER", "WORKER", "labels", "limits", "mounts", "outermost", "secured"]

#: Label of the engine that a container belongs to: its folder, whose lock it holds while it lives.
ENGINE = "dynamo.engine"
#: Label of the worker that it is, or whose command runs in it: its sandbox.
WORKER = "dynamo.worker"
#: Label of the user who started it.
USER = "dynamo.user"

#: As good as no limit (bytes): Docker can change a limit, but not take it away.
UNLIMITED = 1 << 50
_SHARE = 1024  # what Docker gives a container that asks for nothing


def labels(engine: str, worker: str) -> dict[str, str]:
    """Return the labels by which a container is found again."""
    return {ENGINE: engine, WORKER: worker, USER: str(os.getuid())}


def secured(network: bool) -> dict[str, Any]:
    """Return how a container runs: as the user, so that files are theirs, with no rights beyond, and no network."""
    return {
        "user": f"{os.getuid()}:{os.getgid()}",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "network_mode": "bridge" if network else "none",
        "log_config": {"type": "none"},
        "stdin_open": False,
    }


def limits(memory: int, cores: int) -> dict[str, Any]:
    """Return the limits of a container, `memory` in bytes (0 for none), as they can also be changed later.

    Processors are shared by weight where all are busy: a quota would hold back, for up to a tenth of a second, who has
    a thread too many for a moment, also on a machine that has nothing else to do.
    """
    most = memory or UNLIMITED
    return {"mem_limit": most, "memswap_limit": most, "cpu_shares": cores * _SHARE}


def mounts(written: Iterable[str], read: Iterable[str]) -> list[Any]:
    """Return folders of this machine at the same paths in a container, those that are only `read` protected there."""
    from docker.types import Mount

    return [Mount(path, path, type="bind", read_only=False) for path in written] + [
        Mount(path, path, type="bind", read_only=True) for path in read
    ]


def outermost(folders: Iterable[str], within: str = "") -> frozenset[str]:
    """Return those of `folders` that exist and lie in no other of them, nor `within` what is mounted anyway."""
    there: Collection[str] = {os.path.realpath(f) for f in folders} | set(folders)
    chosen: list[str] = []
    for folder in sorted(f for f in there if Path(f).is_dir() and f != os.sep):
        if not any(_inside(folder, outer) for outer in (*chosen, *filter(None, [within]))):
            chosen.append(folder)
    return frozenset(chosen)


def _inside(folder: str, outer: str) -> bool:
    return folder == outer or folder.startswith(f"{outer.rstrip(os.sep)}{os.sep}")
