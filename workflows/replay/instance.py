"""An instance of WfFormat, read: tasks with what they read, write, wait for and took.

Versions 1.5 and 1.6, in which tasks name each other by id and files stand in one list, and 1.3 and 1.4, in which they
name each other by name and carry their files. Source: wfcommons.org/format.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from dynamo.errors import DataError

__all__ = ["Instance", "Recorded", "read_instance"]

_VERSIONS = ("1.3", "1.4", "1.5", "1.6")


@dataclass(frozen=True, slots=True)
class Recorded:
    """One task: sizes in bytes, run time in seconds; what is not recorded is 0.

    `parents` and the files are ids; `name` is that of its program.
    """

    id: str
    name: str
    parents: tuple[str, ...]
    read: tuple[str, ...]
    made: tuple[str, ...]
    seconds: float = 0.0
    cores: int = 1
    memory: int = 0
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Instance:
    """A recorded workflow: its tasks by id, in the order of the file, and file id to bytes."""

    name: str
    tasks: Mapping[str, Recorded]
    sizes: Mapping[str, int]


def read_instance(path: str | os.PathLike[str]) -> Instance:
    """Read a file; raises `DataError` where it cannot be read or is no instance."""
    try:
        data = orjson.loads(Path(path).read_bytes())
    except OSError as error:
        raise DataError(f"cannot read {os.fspath(path)}: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise DataError(f"{os.fspath(path)}: not JSON: {error}") from error
    version = data.get("schemaVersion") if isinstance(data, dict) else None
    if version not in _VERSIONS:
        raise DataError(
            f"{os.fspath(path)}: not an instance of WfFormat {', '.join(_VERSIONS)}: schemaVersion is {version!r}"
        )
    try:
        found = _new(data) if "specification" in data["workflow"] else _old(data)
        _check(found)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{os.fspath(path)}: damaged: {type(error).__name__} {error}") from error
    return found


def _new(data: Mapping[str, Any]) -> Instance:
    specification, execution = data["workflow"]["specification"], data["workflow"].get("execution", {})
    took = {row["id"]: row for row in execution.get("tasks", ())}
    links: dict[str, list[str]] = {row["id"]: list(row.get("parents", ())) for row in specification["tasks"]}
    for row in specification["tasks"]:
        for child in row.get("children", ()):
            links[child].append(row["id"])
    tasks = {
        row["id"]: _recorded(
            row["id"],
            row["name"],
            links[row["id"]],
            row.get("inputFiles", ()),
            row.get("outputFiles", ()),
            took.get(row["id"], {}),
        )
        for row in specification["tasks"]
    }
    if len(tasks) < len(specification["tasks"]):
        raise ValueError("two tasks have the same id")
    return Instance(data["name"], tasks, _sizes(specification.get("files", ()), "id"))


def _old(data: Mapping[str, Any]) -> Instance:
    rows = data["workflow"]["tasks"]
    ids = {row["name"]: row["name"] for row in rows} | {row["id"]: row["name"] for row in rows if "id" in row}
    if len({row["name"] for row in rows}) < len(rows):
        raise ValueError("two tasks have the same name")
    links: dict[str, list[str]] = {row["name"]: [ids[p] for p in row.get("parents", ())] for row in rows}
    for row in rows:
        for child in row.get("children", ()):
            links[ids[child]].append(row["name"])
    tasks = {
        row["name"]: _recorded(
            row["name"],
            row.get("category") or row.get("command", {}).get("program") or row["name"],
            links[row["name"]],
            _linked(row, output=False),
            _linked(row, output=True),
            row,
        )
        for row in rows
    }
    return Instance(data["name"], tasks, _sizes((f for row in rows for f in row.get("files", ())), "name"))


def _linked(row: Mapping[str, Any], *, output: bool) -> list[str]:
    return [f["name"] for f in row.get("files", ()) if (str(f.get("link", "")).lower() != "input") is output]


def _recorded(
    task: str,
    name: str,
    parents: Iterable[str],
    read: Iterable[str],
    made: Iterable[str],
    took: Mapping[str, Any],
) -> Recorded:
    memory = took.get("memoryInBytes") or 1000 * (took.get("memory") or 0)
    return Recorded(
        task,
        name,
        tuple(dict.fromkeys(parents)),
        tuple(dict.fromkeys(read)),
        tuple(dict.fromkeys(made)),
        max(0.0, float(took.get("runtimeInSeconds", took.get("runtime")) or 0.0)),
        max(1, -int(-float(took.get("coreCount", took.get("cores")) or 1) // 1)),
        max(0, int(memory)),
        int(took.get("priority") or 0),
    )


def _sizes(files: Iterable[Mapping[str, Any]], name: str) -> dict[str, int]:
    return {file[name]: max(0, int(file.get("sizeInBytes", file.get("size")) or 0)) for file in files}


def _check(instance: Instance) -> None:
    if not instance.tasks:
        raise ValueError("it has no tasks")
    lost = next(_lost(instance), None)
    if lost:
        raise ValueError(lost)


def _lost(instance: Instance) -> Iterator[str]:
    """Yield what is wrong with a dependency."""
    for task in instance.tasks.values():
        for parent in task.parents:
            if parent not in instance.tasks:
                yield f"task {task.id!r} waits for {parent!r}, which is no task"
