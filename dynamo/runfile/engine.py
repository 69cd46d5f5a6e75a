"""What a run file says of its engine: which, how much it may use, and of a pool, which and how."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dynamo.graph.units import parse_bytes
from dynamo.runfile.keys import COUNT, KEYS, TEXT, Key, one_of, rule
from dynamo.runfile.values import At, Tell, by, choice, count, text

__all__ = ["ENGINES", "EngineRule", "read_engine"]

#: What may run the tasks.
ENGINES = ("local", "htcondor", "pegasus")
#: What may run the containers of tasks.
CONTAINERS = ("docker", "apptainer")
#: Keys that say which pool is used, and how.
_POOL = ("pool", "schedd", "slots", "worker", "at_once", "transfer", "urls")
#: How files come to a job: sent by HTCondor, or found where they are.
SHARED = "shared"
TRANSFERS = ("sent", SHARED)
#: What HTCondor's plugins for URLs take, as they are named.
_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^\s,\"'?#$]+")


@dataclass(frozen=True, slots=True)
class EngineRule:
    """What runs the tasks, and how much of this machine or pool it may use. A name alone is short for `name`."""

    name: str = "local"
    cores: int | None = None
    memory: int | None = None
    container: str | None = None
    pool: str | None = None
    schedd: str | None = None
    slots: int | None = None
    worker: str | None = None
    at_once: Mapping[str, int] | None = None
    transfer: str | None = None
    urls: Mapping[str, str] | None = None


def _some_bytes(value: Any) -> int:
    size = parse_bytes(value)
    if size < 1:
        raise ValueError("no memory at all: give at least what one task needs, like '1 GiB'")
    return size


def _at_once(value: Any, at: At, tell: Tell) -> dict[str, int]:
    if not isinstance(value, dict):
        tell.expected("a mapping", value, at)
        return {}
    found = {name: count(said, (*at, name), tell) for name, said in value.items()}
    return {name: most for name, most in found.items() if most}


def _urls(value: Any, at: At, tell: Tell) -> dict[str, str]:
    if not isinstance(value, dict):
        tell.expected("a mapping", value, at)
        return {}
    for folder, url in value.items():
        if not str(folder).startswith("/"):
            tell((*at, folder), "a folder of inputs with its whole path is expected, like /data/radar")
        elif not isinstance(url, str) or not _URL.fullmatch(url):
            tell((*at, folder), "the URL of that folder is expected, like https://store.example.org/radar")
    return {str(folder): str(url) for folder, url in value.items()}


def read_engine(value: Any, at: At, tell: Tell) -> Any:
    """Read the mapping `engine`, or a name alone."""
    before = len(tell)
    read = rule(EngineRule, "name", str)(value, at, tell)
    if read and len(tell) == before and read.name != "htcondor":
        for key in _POOL:
            if getattr(read, key) is not None:
                tell((*at, key), f"{key!r} is for the engine 'htcondor', not for {read.name!r}")
    if read and len(tell) == before and read.transfer == SHARED and (read.container or read.urls):
        other = "container" if read.container else "urls"
        tell(
            (*at, "transfer"), f"with 'shared' nothing is sent, which {other!r} needs: leave one of them out"
        )
    return read


KEYS[EngineRule] = {
    "name": Key(choice(ENGINES), {"enum": list(ENGINES), "default": "local"}, "Which engine."),
    "cores": Key(count, COUNT, "CPU cores to use at most; all by default (local)."),
    "memory": Key(
        by(_some_bytes), one_of(TEXT, COUNT), "Memory to use at most, like '4 GiB'; all by default (local)."
    ),
    "container": Key(
        choice(CONTAINERS),
        {"enum": list(CONTAINERS)},
        "What runs each task in a container of its image, see `images`; no containers by default.",
    ),
    "pool": Key(
        text,
        TEXT,
        "Central manager of the pool, host or host:port; by default as HTCondor is configured (htcondor).",
    ),
    "schedd": Key(
        text, TEXT, "Name of the schedd to submit to; by default as HTCondor is configured (htcondor)."
    ),
    "slots": Key(
        count,
        COUNT,
        "Into how many jobs side by side a run is packed; by default the slots of the pool (htcondor).",
    ),
    "worker": Key(
        text,
        {**TEXT, "default": "/opt/dynamo/bin/dynamo-worker"},
        "Path of dynamo-worker on the machines, or in the images, that run jobs (htcondor).",
    ),
    "transfer": Key(
        choice(TRANSFERS),
        {"enum": list(TRANSFERS), "default": "sent"},
        "How files come to jobs: sent by HTCondor, or found where they are, on a file system that all machines share "
        "(htcondor).",
    ),
    "urls": Key(
        _urls,
        {"type": "object", "additionalProperties": TEXT},
        "Folder of inputs to a URL by which workers fetch by themselves what lies in it (htcondor).",
    ),
    "at_once": Key(
        _at_once,
        {"type": "object", "additionalProperties": COUNT},
        "Step to how many jobs with such tasks may run at one time, like {plot: 4} (htcondor).",
    ),
}
