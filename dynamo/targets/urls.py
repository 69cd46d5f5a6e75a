"""Which inputs workers fetch by themselves, from a URL, and what that URL is. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from dynamo.graph.model import Graph
from dynamo.targets.jobs import OURS, RESERVED
from dynamo.targets.names import safe

__all__ = ["fetched"]


def fetched(graph: Graph, urls: Mapping[str, str], container: str) -> dict[str, str]:
    """Return the URL of each source of `graph` that lies in a folder which `urls` has one of, as of a longest folder.

    A file arrives under the last part of its URL. One whose name is not plain, or not its own among them, is sent as
    the others are; so is what a command reads that runs in a `container` of its own image, under the name it knows.
    """
    found: dict[str, str] = {}
    names: set[str] = set()
    for source, path in sorted(graph.sources.items()):
        folder = max((f for f in urls if path.startswith(f"{f.rstrip('/')}/")), key=len, default="")
        name = path.rpartition("/")[2]
        if not folder or not _plain(name) or name.lower() in names or _direct(graph, source, container):
            continue
        names.add(name.lower())
        inside = path[len(folder.rstrip("/")) + 1 :]
        found[source] = f"{urls[folder].rstrip('/')}/{quote(inside, safe='/+')}"
    return found


def _plain(name: str) -> bool:
    """Whether a file may lie under its own name where a job runs."""
    return safe(name) == name and name.lower() not in RESERVED and not name.lower().endswith(OURS)


def _direct(graph: Graph, source: str, container: str) -> bool:
    tasks = (graph.tasks[reader] for reader in graph.consumers.get(source, ()))
    return bool(container) and any(task.kind == "command" and task.needs.image for task in tasks)
