"""Which tasks share a job: those that the workflow gave the same label, where that is legal."""

from __future__ import annotations

from dynamo.errors import WorkflowError
from dynamo.graph.model import Graph

__all__ = ["units"]


def units(graph: Graph) -> list[tuple[str, ...]]:
    """Return the task ids of each job, in an order in which jobs could run; inside a job too.

    A label fuses its tasks. A task without one, or one that describes more of the graph, is a job by itself.
    Raises `WorkflowError` where two jobs would wait for each other.
    """
    groups: dict[str, list[str]] = {}
    owner: dict[str, str] = {}
    for task_id in graph.order():
        task = graph.tasks[task_id]
        name = f"fuse:{task.fuse}" if task.fuse and task.kind != "expand" else f"task:{task_id}"
        groups.setdefault(name, []).append(task_id)
        owner[task_id] = name
    if len(groups) < len(graph.tasks):
        _check(graph, groups, owner)
    return [tuple(ids) for ids in groups.values()]


def _check(graph: Graph, groups: dict[str, list[str]], owner: dict[str, str]) -> None:
    """Kahn's algorithm over the jobs."""
    after: dict[str, set[str]] = {name: set() for name in groups}
    waiting = dict.fromkeys(groups, 0)
    for name, ids in groups.items():
        for task_id in ids:
            for parent in graph.parents(graph.tasks[task_id]):
                if owner[parent] != name and name not in after[owner[parent]]:
                    after[owner[parent]].add(name)
                    waiting[name] += 1
    ready = [name for name, count in waiting.items() if not count]
    for name in ready:  # grows while it is read
        for child in after[name]:
            waiting[child] -= 1
            if not waiting[child]:
                ready.append(child)
    if len(ready) < len(groups):
        stuck = next(n for n, count in waiting.items() if count and n.startswith("fuse:"))
        task = graph.tasks[groups[stuck][0]]
        raise WorkflowError(
            f"{task.place}: the tasks fused as {task.fuse!r} cannot share a job: a task outside reads from some of "
            "them and is read by others; fuse it too, or use two labels"
        )
