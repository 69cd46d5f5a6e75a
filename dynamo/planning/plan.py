"""The plan of a run before it begins: what will run, what will be reused, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from dynamo.graph.model import Graph, Task
from dynamo.journal.records import Parts, Result
from dynamo.planning.decision import Decision, decide
from dynamo.planning.fuse import units
from dynamo.planning.key import key_of, parts_of
from dynamo.planning.select import Selection

__all__ = ["Known", "Plan", "make_plan", "settle"]


class Known(Protocol):
    """What is known of files, code and earlier results."""

    def code(self, call: str) -> str:
        """Return the version of what `call` names."""

    def source(self, name: str, path: str) -> str:
        """Return the digest of a file from outside; raises `UserError` where it cannot be read."""

    def result(self, key: str) -> Result | None:
        """Return the earlier result for a key."""

    def damage(self, result: Result) -> str:
        """Say what is wrong with a result's files; empty where nothing is."""

    def latest(self, workflow: str, task: str) -> tuple[str, Parts] | None:
        """Return the last key of a task in a workflow, and its parts."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A decision for every task, in the order of the graph."""

    graph: Graph
    decisions: Mapping[str, Decision]

    @property
    def to_run(self) -> int:
        """How many tasks will run."""
        return sum(d.action == "run" for d in self.decisions.values())

    @property
    def to_reuse(self) -> int:
        """How many tasks' results will be reused."""
        return sum(d.action == "reuse" for d in self.decisions.values())


def settle(
    workflow: str, task: Task, digests: Mapping[str, str], known: Known, selection: Selection
) -> tuple[Decision, Parts]:
    """Decide for a task whose inputs all have digests; the plan and the engine both ask here."""
    parts = parts_of(task, known.code(task.call), digests)
    key = key_of(task, parts)
    forced = selection.forces(task)
    result = None if forced else known.result(key)
    damage = known.damage(result) if result is not None else ""
    previous = known.latest(workflow, task.id) if result is None and not forced else None
    decision = decide(task, key, parts, result=result, damage=damage, previous=previous, forced=forced)
    if decision.action == "run" and selection.leaves(task):
        decision = Decision("leave", "left out by --only", key)
    return decision, parts


def make_plan(graph: Graph, known: Known, selection: Selection = Selection()) -> Plan:  # noqa: B008 - frozen
    """Decide for every task of `graph` as far as that can be told before it runs.

    A task whose input is made anew counts as to be run; when that input turns out as it was, the engine
    will reuse the result after all. Likewise, a task that ``--only`` leaves out may then be reused, and one that
    needs it may run.

    Raises `UserError` for what a run would refuse at once: a source that cannot be read, code that is not found,
    labels that cannot fuse.
    """
    selection.check(graph)
    graph = selection.restrict(graph)
    units(graph)
    digests = {
        name: known.source(name, path) for name, path in graph.sources.items() if name in graph.consumers
    }
    decisions: dict[str, Decision] = {}
    for task_id in graph.order():
        task = graph.tasks[task_id]
        unmade = [n for n in task.input_names if n not in digests]
        if not unmade:
            decision, _ = settle(graph.name, task, digests, known, selection)
            if decision.result is not None and task.kind != "expand":
                digests.update((name, made.digest) for name, made in decision.result.made.items())
        elif selection.leaves(task):
            decision = Decision("leave", "left out by --only")
        else:
            # one input that will not be made is enough
            left = (n for n in unmade if decisions[graph.producer[n]].action == "leave")
            lacking = next(left, None)
            name = lacking or unmade[0]
            maker = graph.producer[name]
            decision = (
                Decision("leave", f"needs {name!r}, which {maker} would make, left out by --only")
                if lacking
                else Decision("run", f"input {name!r} is made anew by {maker}")
            )
        decisions[task_id] = decision
    return Plan(graph, {task_id: decisions[task_id] for task_id in graph.tasks})
