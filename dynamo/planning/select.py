"""Which tasks the user asked for: ``--until``, ``--only``, ``--force``, by task id, step or pattern."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from dynamo.errors import UserError, nearest
from dynamo.graph.model import Graph, Task

__all__ = ["Selection"]

#: What the id of a workflow has behind its step.
_NUMBER = re.compile(r"-\d+$")


@dataclass(frozen=True, slots=True)
class Selection:
    """Patterns that each match a task's id, its step, or one of its outputs.

    A pattern that matches the id or step of a workflow called in the workflow matches all tasks that stand in it, also
    those that it describes only at run time.

    Parameters
    ----------
    force
        Run these even where a result could be reused.
    only
        Run no others (others may still be reused).
    until
        Leave out all that these do not need.
    """

    force: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    until: tuple[str, ...] = ()

    def check(self, graph: Graph) -> None:
        """Raise `UserError` for a pattern that matches nothing in `graph`."""
        for option in ("force", "only", "until"):
            for pattern in getattr(self, option):
                if not any(_matches(t, (pattern,)) for t in graph.tasks.values()):
                    near = nearest(pattern, [*graph.steps, *graph.tasks])
                    raise UserError(f"--{option} {pattern}: no task, step or output of that name{near}")

    def restrict(self, graph: Graph) -> Graph:
        """Return `graph` with only what ``until`` needs."""
        if not self.until:
            return graph
        queue = [t.id for t in graph.tasks.values() if _matches(t, self.until)]
        wanted = set(queue)
        for task_id in queue:  # grows while it is read
            for parent in graph.parents(graph.tasks[task_id]):
                if parent not in wanted:
                    wanted.add(parent)
                    queue.append(parent)
        return replace(graph, tasks={i: t for i, t in graph.tasks.items() if i in wanted})

    def forces(self, task: Task) -> bool:
        """Whether `task` runs in any case."""
        return bool(self.force) and _matches(task, self.force)

    def leaves(self, task: Task) -> bool:
        """Whether `task` must not run."""
        return bool(self.only) and not _matches(task, self.only)


def _matches(task: Task, patterns: Iterable[str]) -> bool:
    names = [task.id, task.step, *task.output_names]
    outer = task.id.rpartition("/")[0]
    while outer:
        names += [outer, _NUMBER.sub("", outer)]
        outer = outer.rpartition("/")[0]
    return any(fnmatchcase(name, p) for p in patterns for name in names)
