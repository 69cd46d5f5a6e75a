"""A graph as an instance of WfFormat, the JSON of WfCommons (wfcommons.org/format), for benchmarks and simulators.

Enters: a graph, sizes of its files, and, of a finished run, how each task went. Leaves: plain JSON values.
Pure: nothing is read here and nothing can go wrong.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from dynamo.graph.model import Graph, Task
from dynamo.targets.names import safe_names
from dynamo.worker.job import found_name

__all__ = ["Execution", "Machine", "Went", "to_wfformat"]


@dataclass(frozen=True, slots=True)
class Machine:
    """A computer: its host name; what is not known of it is 0 or empty; memory in bytes."""

    name: str
    system: str = ""
    architecture: str = ""
    release: str = ""
    cores: int = 0
    memory: int = 0


@dataclass(frozen=True, slots=True)
class Went:
    """How one task went: begin (Unix time), run time and CPU (seconds), peak memory (bytes), host name (or empty)."""

    started: float
    seconds: float
    cpu: float = 0.0
    peak: int = 0
    machine: str = ""


@dataclass(frozen=True, slots=True)
class Execution:
    """How a run went: begin (Unix time), length (seconds), its tasks by id as far as known, and their machines."""

    started: float
    seconds: float
    tasks: Mapping[str, Went]
    machines: Sequence[Machine] = field(default=())


def to_wfformat(
    graph: Graph,
    sizes: Mapping[str, int],
    execution: Execution | None = None,
    *,
    version: str = "1.5",
    dynamo: str = "",
) -> dict[str, Any]:
    """Return `graph` as an instance.

    Parameters
    ----------
    sizes
        File name to bytes; what is not known is written as 0, for the format requires a size.
    execution
        None for a plan.
    version
        Of the format: ``1.5`` or ``1.6``, which differ in nothing that is written here.
    dynamo
        Version of dynamo.
    """
    files = _Files(graph)
    names = _names([*graph.tasks])
    data: dict[str, Any] = {
        "name": graph.name,
        "schemaVersion": version,
        "runtimeSystem": {"name": "dynamo", "version": dynamo or "unknown"},
        "workflow": {"specification": _specification(graph, sizes, files, names)},
    }
    if execution is not None and execution.tasks:
        data["createdAt"] = _time(execution.started + execution.seconds)
        data["workflow"]["execution"] = _execution(graph, sizes, execution, files, names)
    return data


class _Files:
    """The files of each task; what a run-time workflow described is a file that all the tasks it described read."""

    def __init__(self, graph: Graph) -> None:
        self._described = {t.id for t in graph.tasks.values() if t.kind == "expand" and not t.outputs}
        self._graph = graph
        self.names = _names(
            dict.fromkeys(n for t in graph.tasks.values() for n in (*self.read(t), *self.made(t)))
        )

    def parents(self, task: Task) -> list[str]:
        """Ids of the tasks that `task` waits for."""
        return [*self._graph.parents(task), *self._describer(task)]

    def read(self, task: Task) -> Iterator[str]:
        """Every input of a task, each once."""
        hidden = (found_name(self._graph.tasks[t]) for t in self._describer(task))
        yield from dict.fromkeys((*task.input_names, *hidden))

    def made(self, task: Task) -> Iterator[str]:
        """Every output of a task."""
        yield from task.output_names
        if task.id in self._described:
            yield found_name(task)

    def _describer(self, task: Task) -> Iterator[str]:
        """Yield the run-time workflow that described a task, if any: its id stands before the task's."""
        parent = task.id.rpartition("/")[0]
        while parent and self._described:
            if parent in self._described:
                yield parent
                return
            parent = parent.rpartition("/")[0]


def _specification(
    graph: Graph, sizes: Mapping[str, int], files: _Files, names: Mapping[str, str]
) -> dict[str, Any]:
    children: dict[str, list[str]] = {}
    rows = []
    for task in graph.tasks.values():
        parents = files.parents(task)
        for parent in parents:
            children.setdefault(parent, []).append(names[task.id])
        rows.append(
            {
                "name": task.step,
                "id": names[task.id],
                "parents": [names[p] for p in parents],
                "children": children.setdefault(task.id, []),
                "inputFiles": [files.names[n] for n in files.read(task)],
                "outputFiles": [files.names[n] for n in files.made(task)],
            }
        )
    return {
        "tasks": rows,
        "files": [{"id": name, "sizeInBytes": sizes.get(n, 0)} for n, name in files.names.items()],
    }


def _execution(
    graph: Graph, sizes: Mapping[str, int], execution: Execution, files: _Files, names: Mapping[str, str]
) -> dict[str, Any]:
    known = {t: went for t, went in execution.tasks.items() if t in graph.tasks}
    rows = []
    for task_id, went in known.items():
        task = graph.tasks[task_id]
        row = {"id": names[task_id], **_went(task, went)}
        row["readBytes"] = sum(sizes.get(n, 0) for n in files.read(task))
        row["writtenBytes"] = sum(sizes.get(n, 0) for n in files.made(task))
        rows.append(row)
    data = {
        "makespanInSeconds": round(execution.seconds, 6),
        "executedAt": _time(execution.started),
        "tasks": rows,
    }
    used = {went.machine for went in known.values()}
    machines = {m.name: _machine(m) for m in execution.machines if m.name in used}
    for name in sorted(used - set(machines) - {""}):
        machines[name] = {"nodeName": name}
    if machines:
        data["machines"] = list(machines.values())
    return data


def _went(task: Task, went: Went) -> dict[str, Any]:
    program, *others = task.argv or (task.call.rpartition(":")[2],)
    row: dict[str, Any] = {
        "runtimeInSeconds": round(went.seconds, 6),
        "executedAt": _time(went.started),
        "command": {"program": program, "arguments": [a for a in others if a]},
        "coreCount": task.needs.cores,
    }
    if went.seconds > 0:
        row["avgCPU"] = round(100 * went.cpu / went.seconds, 3)
    if went.peak:
        row["memoryInBytes"] = went.peak
    if task.needs.priority:
        row["priority"] = task.needs.priority
    if went.machine:
        row["machines"] = [went.machine]
    return row


def _machine(machine: Machine) -> dict[str, Any]:
    row: dict[str, Any] = {"nodeName": machine.name}
    row |= {k: v for k, v in (("architecture", machine.architecture), ("release", machine.release)) if v}
    if machine.system in {"linux", "macos", "windows"}:
        row["system"] = machine.system
    if machine.memory:
        row["memoryInBytes"] = machine.memory
    if machine.cores:
        row["cpu"] = {"coreCount": machine.cores}
    return row


def _names(names: Iterable[str]) -> dict[str, str]:
    """Return each name as the format takes it: letters, digits, ``-``, ``_`` and ``.``; no two alike."""
    found = safe_names(names)
    for name, plain in found.items():
        if "+" in plain:
            mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
            found[name] = f"{plain.replace('+', '_')}-{mark}"
    return found


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
