"""A graph as frozen data: tasks, the files between them, and the files that come from outside.

Enters: tasks in the order they were described. Leaves: `Graph`, JSON both ways.
Goes wrong: nothing here is checked twice; `dynamo.graph.check` says what is legal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from dynamo.errors import WorkflowError
from dynamo.graph.cycle import cycle_error
from dynamo.graph.digest import JSON, digest
from dynamo.graph.needs import Needs

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["Graph", "Kind", "Names", "Task", "names_of"]

Kind: TypeAlias = Literal["python", "command", "expand"]
#: The file or files bound to one parameter of a task.
Names: TypeAlias = "str | tuple[str, ...]"

FORMAT = 1


def names_of(bound: Mapping[str, Names]) -> Iterator[str]:
    """Yield every file name in a mapping from parameter to file or files."""
    for names in bound.values():
        if type(names) is str:
            yield names
        else:
            yield from names


@dataclass(frozen=True, slots=True)
class Task:
    """One node of the graph.

    Parameters
    ----------
    id
        Unique in the graph, readable, and the same each time the same workflow is described.
    step
        What fans out: the tasks that come from the same function.
    kind
        ``python`` calls a function, ``command`` runs an argument list, ``expand`` describes more of the
        graph once its inputs exist.
    call
        ``module:function`` or ``path/to/file.py:function``.
    inputs, outputs
        Parameter name to the file name or names bound to it.
    params
        The remaining arguments, as JSON.
    argv
        The argument list of a ``command``.
    needs
        Resources.
    fuse
        Tasks with the same non-empty label are run by one job.
    place
        ``file:line`` of the call that described this task.
    """

    id: str
    step: str
    kind: Kind
    call: str
    inputs: Mapping[str, Names]
    outputs: Mapping[str, Names]
    params: Mapping[str, JSON]
    argv: tuple[str, ...] = ()
    needs: Needs = Needs()
    fuse: str = ""
    place: str = ""

    @property
    def input_names(self) -> Iterator[str]:
        """Every input file, in the order of the parameters."""
        return names_of(self.inputs)

    @property
    def output_names(self) -> Iterator[str]:
        """Every output file, in the order of the parameters."""
        return names_of(self.outputs)


@dataclass(frozen=True)
class Graph:
    """Tasks and files of one run; what a workflow describes.

    Parameters
    ----------
    name
        Name of the workflow.
    tasks
        Task id to task, in the order described.
    sources
        Files that come from outside: name in the graph to path.
    """

    name: str
    tasks: Mapping[str, Task]
    sources: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def producer(self) -> Mapping[str, str]:
        """File name to the id of the task that makes it."""
        return {name: task.id for task in self.tasks.values() for name in task.output_names}

    @cached_property
    def consumers(self) -> Mapping[str, tuple[str, ...]]:
        """File name to the ids of the tasks that read it."""
        found: dict[str, dict[str, None]] = {}
        for task in self.tasks.values():
            for name in task.input_names:
                found.setdefault(name, {})[task.id] = None
        return {name: tuple(ids) for name, ids in found.items()}

    @cached_property
    def _links(self) -> tuple[Mapping[str, Sequence[str]], Mapping[str, Sequence[str]]]:
        """Parents and children of every task."""
        producer = self.producer
        parents: dict[str, Sequence[str]] = {}
        children: dict[str, list[str]] = {}
        for task in self.tasks.values():
            found = [producer[n] for n in task.input_names if n in producer]
            if len(found) > 1:
                found = list(dict.fromkeys(found))
            parents[task.id] = found
            for parent in found:
                children.setdefault(parent, []).append(task.id)
        return parents, children

    def parents(self, task: Task) -> Sequence[str]:
        """Ids of the tasks whose outputs `task` reads, each once, in order."""
        return self._links[0][task.id]

    def children(self, task: Task) -> Sequence[str]:
        """Ids of the tasks that read an output of `task`, each once, in order."""
        return self._links[1].get(task.id, ())

    @cached_property
    def steps(self) -> Mapping[str, tuple[str, ...]]:
        """Step to the ids of its tasks, both in the order described."""
        found: dict[str, list[str]] = {}
        for task in self.tasks.values():
            found.setdefault(task.step, []).append(task.id)
        return {step: tuple(ids) for step, ids in found.items()}

    def order(self) -> Sequence[str]:
        """Task ids so that each stands after its parents; stable, iterative, O(tasks + edges).

        Raises `WorkflowError` that names the tasks of a cycle where there is one.
        """
        return self._order

    @cached_property
    def _order(self) -> tuple[str, ...]:
        parents, children = self._links
        waiting = {task_id: len(found) for task_id, found in parents.items()}
        ready = [task_id for task_id, count in waiting.items() if not count]
        for task_id in ready:  # grows while it is read
            for child in children.get(task_id, ()):
                waiting[child] -= 1
                if not waiting[child]:
                    ready.append(child)
        if len(ready) < len(self.tasks):
            raise cycle_error([self.tasks[t] for t, n in waiting.items() if n])
        return tuple(ready)

    def to_json(self) -> dict[str, Any]:
        """Return the graph as plain JSON values."""
        needs: dict[Needs, int] = {}
        rows = []
        for t in self.tasks.values():
            row: dict[str, Any] = {
                "id": t.id,
                "step": t.step,
                "kind": t.kind,
                "call": t.call,
                "inputs": t.inputs,
                "outputs": t.outputs,
                "params": t.params,
                "needs": needs.setdefault(t.needs, len(needs)),
                "place": t.place,
            }
            if t.argv:
                row["argv"] = t.argv
            if t.fuse:
                row["fuse"] = t.fuse
            rows.append(row)
        return {
            "format": FORMAT,
            "name": self.name,
            "sources": dict(self.sources),
            "needs": [dict(_plain(n)) for n in needs],
            "tasks": rows,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Graph:
        """Read back what `to_json` returned.

        Raises `WorkflowError` where `data` is not a graph of this format.
        """
        if data.get("format") != FORMAT:
            raise WorkflowError(f"not a graph of format {FORMAT}: format is {data.get('format')!r}")
        try:
            needs = [Needs(**n) for n in data["needs"]]
            tasks = [
                Task(
                    id=row["id"],
                    step=row["step"],
                    kind=row["kind"],
                    call=row["call"],
                    inputs=_names(row["inputs"]),
                    outputs=_names(row["outputs"]),
                    params=row["params"],
                    argv=tuple(row.get("argv", ())),
                    needs=needs[row["needs"]],
                    fuse=row.get("fuse", ""),
                    place=row["place"],
                )
                for row in data["tasks"]
            ]
            return cls(data["name"], {t.id: t for t in tasks}, data["sources"])
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise WorkflowError(f"not a graph: {type(error).__name__} {error}") from error

    def digest(self) -> str:
        """Digest over what the graph says (not over the places it was said at)."""
        data = self.to_json()
        for row in data["tasks"]:
            del row["place"]
        return digest(cast("JSON", data))

    def expanded(self, task_id: str, found: Graph) -> Graph:
        """Return this graph with what the run-time workflow `task_id` described: its tasks now make its outputs."""
        tasks = {**self.tasks, task_id: replace(self.tasks[task_id], outputs={}), **found.tasks}
        known = {n for t in tasks.values() for n in t.output_names} | set(self.sources)
        more = {name: path for name, path in found.sources.items() if name not in known}
        return Graph(self.name, tasks, {**self.sources, **more})

    def to_networkx(self) -> nx.DiGraph[str]:
        """Return a networkx graph of the tasks; each node carries its `Task` as ``task``."""
        import networkx as nx

        graph: nx.DiGraph[str] = nx.DiGraph(name=self.name)
        for task in self.tasks.values():
            graph.add_node(task.id, task=task)
        for task in self.tasks.values():
            graph.add_edges_from((parent, task.id) for parent in self.parents(task))
        return graph


@lru_cache(maxsize=256)
def _plain(needs: Needs) -> dict[str, Any]:
    return asdict(needs)


def _names(bound: Mapping[str, Any]) -> dict[str, Names]:
    return {p: names if isinstance(names, str) else tuple(names) for p, names in bound.items()}
