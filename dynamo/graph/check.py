"""What makes a graph legal: every file has at most one maker, and nothing waits for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo.errors import WorkflowError

if TYPE_CHECKING:
    from dynamo.graph.model import Graph

__all__ = ["check"]


def check(graph: Graph) -> None:
    """Raise `WorkflowError`, with the line of the user's file, where `graph` is not legal."""
    if not graph.tasks:
        raise WorkflowError(f"workflow {graph.name!r} describes no task: it calls none of its tasks")
    makers: dict[str, str] = {}
    for task in graph.tasks.values():
        for name in task.output_names:
            if name in makers:
                other = graph.tasks[makers[name]]
                raise WorkflowError(
                    f"{task.place}: {task.id} makes {name!r}, which {other.id} ({other.place}) makes too"
                )
            if name in graph.sources:
                raise WorkflowError(
                    f"{task.place}: {task.id} makes {name!r}, which is also the name of the input "
                    f"{graph.sources[name]!r}"
                )
            makers[name] = task.id
    _no_file_is_a_folder(graph, makers)
    graph.order()


def _no_file_is_a_folder(graph: Graph, makers: dict[str, str]) -> None:
    """Refuse ``a`` beside ``a/b``: they could not stand in one folder of products, or of a task."""
    names = dict.fromkeys(graph.sources, "the inputs") | makers
    for name, maker in names.items():
        end = name.find("/")
        while end > 0:
            other = names.get(name[:end])
            if other is not None:
                task = graph.tasks.get(maker) or graph.tasks[other]
                raise WorkflowError(
                    f"{task.place}: {name!r} of {maker} and {name[:end]!r} of {other}: one name cannot be a file "
                    "and a folder; give the output another name"
                )
            end = name.find("/", end + 1)
