"""The deadline of a whole graph: that of every task which has none of its own."""

from __future__ import annotations

from dataclasses import replace

from dynamo.graph.model import Graph
from dynamo.graph.needs import Needs

__all__ = ["with_deadline"]


def with_deadline(graph: Graph, seconds: float) -> Graph:
    """Return `graph` with a deadline (seconds after the start of the run) for tasks that declare none; 0 is none."""
    if not seconds:
        return graph
    known: dict[Needs, Needs] = {}  # tasks of a step share theirs, and there may be ten thousand
    tasks = {}
    for task in graph.tasks.values():
        needs = known.get(task.needs)
        if needs is None:
            needs = replace(task.needs, deadline=task.needs.deadline or seconds)
            known[task.needs] = needs
        tasks[task.id] = replace(task, needs=needs)
    return replace(graph, tasks=tasks)
