"""The key of a task: equal keys make equal outputs, so a result can be used again anywhere.

Digest over canonical JSON of the function's name, its code version, parameters, argument list, image, the names
of its files, and the contents of its inputs; of a run-time workflow also its id and address.
"""

from __future__ import annotations

from collections.abc import Mapping

from dynamo.graph.digest import JSON, digest
from dynamo.graph.model import Task
from dynamo.journal.records import Parts

__all__ = ["key_of", "parts_of"]

FORMAT = 1


def parts_of(task: Task, code: str, digests: Mapping[str, str], image: str | None = None) -> Parts:
    """Return what the key of `task` is made of.

    Parameters
    ----------
    digests
        Each input file to its content digest.
    image
        Digest of the image that it runs in, empty for none; None where no containers are used: its name counts.
    """
    params = dict(task.params)
    if task.argv:
        params["argument list"] = list(task.argv)  # no parameter can have a name with a space
    named = task.needs.image if image is None else image
    if named:
        params["container image"] = named
    if task.kind == "expand":
        params["task id"] = task.id  # what it describes stands under its id
        params["called as"] = task.call  # and calls what lies beside it, not beside a copy of it
    return Parts(code, params, {n: digests[n] for n in task.input_names}, tuple(task.output_names))


def key_of(task: Task, parts: Parts) -> str:
    """Return the key (SHA-256, hex) of `task` for these parts."""
    said: dict[str, JSON] = {
        "format": FORMAT,
        "name": task.call.rpartition(":")[2],
        "code": parts.code,
        "params": dict(parts.params),
        "contents": dict(parts.inputs),
        "inputs": _plain(task.inputs),
        "outputs": _plain(task.outputs),
    }
    return digest(said)


def _plain(bound: Mapping[str, str | tuple[str, ...]]) -> JSON:
    return {p: names if isinstance(names, str) else list(names) for p, names in bound.items()}
