"""What a run-time workflow described while the run went on: more tasks, in a hidden file that it left."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import orjson

from dynamo.errors import UserError
from dynamo.graph.deadline import with_deadline
from dynamo.graph.model import Graph, Task

__all__ = ["check_new", "read_found"]


def read_found(path: str, task: Task) -> Graph:
    """Read that file, which `task` left: what it describes is due when `task` is, unless it says otherwise.

    Raises `OSError`, and `WorkflowError` where it holds no graph.
    """
    with open(path, "rb") as file:
        return with_deadline(Graph.from_json(orjson.loads(file.read())), task.needs.deadline)


def check_new(
    task: Task, makers: Mapping[str, str], found: Graph, origin: Callable[[str], str | None]
) -> None:
    """Raise `UserError` where a task that `task` described makes a file that has an `origin` already."""
    for name, maker in makers.items():
        other = origin(name)
        if other is not None:
            raise UserError(
                f"{found.tasks[maker].place}: {maker} makes {name!r}, which is there already, from {other}; "
                f"names under {task.id + '/'!r} belong to {task.id}"
            )
