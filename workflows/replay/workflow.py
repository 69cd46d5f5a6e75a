"""The graph of a recorded workflow: its tasks, files and dependencies, with their ids."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from dynamo.workflows.replay.instance import Instance, Recorded, read_instance
from dynamo.workflows.replay.tasks import burn

from dynamo.errors import WorkflowError
from dynamo.graph import Graph, Input, Needs, Task, Workflow
from dynamo.graph.check import check
from dynamo.targets.names import safe, safe_names

__all__ = ["Replay", "wfformat"]

#: Memory (bytes) that a task is given at least: records are often of less than a Python process takes.
_LEAST = 256 << 20
_PLACE = "workflows/replay/workflow.py:1"


class Replay(Workflow):
    """A workflow that is described by a file, which is read when the graph is asked for.

    The graph is built by hand, since ids, programs and needs are the recorded ones, not those of Python functions.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the graph; a replay is no part of another workflow."""
        from dynamo.graph.build import building

        if building.get() is not None:
            raise WorkflowError("a replay is run by a run file of its own, not called in a workflow")
        return self.graph(*args, **kwargs)

    def graph(self, *args: Any, **kwargs: Any) -> Graph:
        """Return the graph of an instance; see `wfformat` for the parameters.

        Raises `DataError` where the instance cannot be read, `WorkflowError` where it describes no legal graph.
        """
        given = self.signature.bind(args, kwargs, _PLACE)
        scale, size_scale = float(given["scale"]), float(given["size_scale"])
        if not (scale >= 0 and size_scale >= 0):
            raise WorkflowError(f"scale and size_scale are shares from 0, not {scale:g} and {size_scale:g}")
        path = os.fspath(given["instance"])
        return _Graph(read_instance(path), path, given, scale, size_scale).graph()


def _described(
    instance: Input,
    scale: float = 1.0,
    work: Literal["sleep", "cpu"] = "sleep",
    bytes: bool = True,  # noqa: A002 - as a run file says it
    size_scale: float = 1.0,
    resources: bool = True,
) -> None:
    """Run a recorded workflow again, with tasks that pass the time.

    Parameters
    ----------
    instance
        A WfFormat file (WfCommons), version 1.3 to 1.6.
    scale
        Share of the recorded run time that each task takes.
    work
        Whether a task sleeps meanwhile, or keeps one core busy.
    bytes
        Whether files have their recorded sizes; else one byte.
    size_scale
        Share of the recorded sizes that files have.
    resources
        Whether tasks ask for the recorded cores and memory; else for one core.
    """


_described.__name__ = _described.__qualname__ = "wfformat"
wfformat = Replay(_described, Needs(), runtime=False)


class _Graph:
    """Builds the graph of an instance that lies at `path`."""

    def __init__(
        self, instance: Instance, path: str, given: Mapping[str, Any], scale: float, size_scale: float
    ) -> None:
        self._instance, self._path, self._given = instance, path, given
        self._scale, self._size_scale = scale, size_scale if given["bytes"] else 0.0
        self._ids = safe_names(instance.tasks)
        tasks = instance.tasks.values()
        self._files = safe_names(dict.fromkeys(f for t in tasks for f in (*t.read, *t.made)))
        self._maker: dict[str, str] = {}
        for task in tasks:
            for file in task.made:
                self._maker.setdefault(file, task.id)

    def graph(self) -> Graph:
        """Return it; by files and recorded dependencies, or by the latter alone where files go in a circle."""
        name = safe(self._instance.name.removesuffix(".json")) or "replay"
        graph = self._build(name, by_files=True)
        try:
            graph.order()
        except WorkflowError:
            graph = self._build(name, by_files=False)
        check(graph)
        return graph

    def _build(self, name: str, *, by_files: bool) -> Graph:
        reads = {t.id: tuple(self._reads(t, by_files=by_files)) for t in self._instance.tasks.values()}
        marked = {p for t in self._instance.tasks.values() for p in self._unseen(t, reads[t.id])}
        rows = {}
        for task in self._instance.tasks.values():
            made = [f for f in task.made if self._maker[f] == task.id]
            marks = [self._mark(task.id)] if task.id in marked or not made else []
            inputs = [self._files[f] for f in reads[task.id]]
            inputs += [self._mark(p) for p in self._unseen(task, reads[task.id])]
            rows[self._ids[task.id]] = self._task(task, inputs, made, marks)
        outside = dict.fromkeys(f for files in reads.values() for f in files if f not in self._maker)
        return Graph(name, rows, {self._files[f]: self._path for f in outside})

    def _reads(self, task: Recorded, *, by_files: bool) -> Iterator[str]:
        """Yield what a task reads of other tasks, and from outside."""
        for file in task.read:
            maker = self._maker.get(file)
            if maker is None or (maker != task.id and (by_files or maker in task.parents)):
                yield file

    def _unseen(self, task: Recorded, read: tuple[str, ...]) -> Iterator[str]:
        """Yield the parents of which a task reads no file: a file that says that they ended makes the edge."""
        seen = {self._maker.get(file) for file in read}
        yield from (p for p in task.parents if p not in seen)

    def _mark(self, task: str) -> str:
        return f".{self._ids[task]}.ended"

    def _task(self, task: Recorded, inputs: list[str], made: list[str], marks: list[str]) -> Task:
        sizes = [round(self._size_scale * self._instance.sizes.get(f, 0)) or 1 for f in made]
        needs = Needs(priority=task.priority)
        if self._given["resources"]:
            memory = max(task.memory, _LEAST) if task.memory else 0
            needs = Needs(cores=task.cores, memory=memory, priority=task.priority)
        return Task(
            self._ids[task.id],
            "_".join(task.name.split("/")) or "task",
            "python",
            burn.call,
            {"inputs": tuple(inputs)},
            {"outputs": (*(self._files[f] for f in made), *marks)},
            {
                "seconds": round(self._scale * task.seconds, 6),
                "sizes": [*sizes, *(1 for _ in marks)],
                "work": self._given["work"],
            },
            needs=needs,
            place=self._path,
        )
