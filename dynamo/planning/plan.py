"""The plan of a run before it begins: what will run, what will be reused, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from dynamo.graph.collection import uncollected
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

    def image(self, task: Task) -> str:
        """Return what of its image goes into the key of a task; empty for none."""

    def result(self, key: str) -> Result | None:
        """Return the earlier result for a key."""

    def damage(self, result: Result) -> str:
        """Say what is wrong with a result's files; empty where nothing is."""

    def described(self, result: Result) -> Graph:
        """Return what a run-time workflow described, from its result."""

    def latest(self, workflow: str, task: str) -> tuple[str, Parts] | None:
        """Return the last key of a task in a workflow, and its parts."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A decision for every task, in the order of the graph.

    The graph has what reused run-time workflows described; what the others will describe is not known yet.
    """

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
    parts = parts_of(task, known.code(task.call), digests, known.image(task))
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
    needs it may run. What a run-time workflow described is planned too where its result is reused; where it runs
    again, what it will describe is not known.

    Raises `UserError` for what a run would refuse at once: a source that cannot be read, code that is not found,
    labels that cannot fuse.
    """
    selection.check(graph)
    graph = selection.restrict(graph)
    with uncollected():
        units(graph)
        return _Planner(graph, known, selection).plan()


class _Planner:
    """Walks the tasks in an order in which they could run, and those that a reused task described right behind it."""

    def __init__(self, graph: Graph, known: Known, selection: Selection) -> None:
        self._name, self._known, self._selection = graph.name, known, selection
        self._tasks, self._sources = dict(graph.tasks), dict(graph.sources)
        self._producer = dict(graph.producer)
        self._digests = {
            name: known.source(name, path) for name, path in graph.sources.items() if name in graph.consumers
        }
        self._decisions: dict[str, Decision] = {}
        self._orders: list[Iterator[str]] = [iter(graph.order())]

    def plan(self) -> Plan:
        """Decide for each task."""
        while self._orders:
            task_id = next(self._orders[-1], None)
            if task_id is None:
                self._orders.pop()
                continue
            task = self._tasks[task_id]
            decision = self._decisions[task_id] = self._decide(task)
            if decision.result is None:
                continue
            if task.kind == "expand":
                self._follow(task, self._known.described(decision.result))
            else:
                self._digests.update((name, made.digest) for name, made in decision.result.made.items())
        graph = Graph(self._name, self._tasks, self._sources)
        return Plan(graph, {task_id: self._decisions[task_id] for task_id in graph.tasks})

    def _decide(self, task: Task) -> Decision:
        unmade = [n for n in task.input_names if n not in self._digests]
        if not unmade:
            return settle(self._name, task, self._digests, self._known, self._selection)[0]
        if self._selection.leaves(task):
            return Decision("leave", "left out by --only")
        # one input that will not be made is enough
        left = (n for n in unmade if self._decisions[self._producer[n]].action == "leave")
        lacking = next(left, None)
        name = lacking or unmade[0]
        maker = self._producer[name]
        if lacking:
            return Decision("leave", f"needs {name!r}, which {maker} would make, left out by --only")
        return Decision("run", f"input {name!r} is made anew by {maker}")

    def _follow(self, task: Task, found: Graph) -> None:
        """Plan what `task` described, next of all; its declared outputs are made there."""
        more = {name: path for name, path in found.sources.items() if path}
        self._digests.update((name, self._known.source(name, path)) for name, path in more.items())
        self._tasks.update({task.id: replace(task, outputs={}), **found.tasks})
        self._sources.update(more)
        self._producer.update(found.producer)
        self._orders.append(iter(found.order()))
