"""Which jobs of a run may start: a pure structure over files that exist and files that never will.

A unit (one task, or the tasks that share a job) is ready when every file it reads from outside itself exists.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from dynamo.graph.model import Graph, Task

__all__ = ["ReadySet", "Unit"]

Unit = tuple[str, ...]


class ReadySet:
    """The state of one run's files and units. Linear in tasks and edges over a whole run."""

    def __init__(self, graph: Graph, units: Iterable[Unit]) -> None:
        self.tasks: dict[str, Task] = {}
        self._exists: set[str] = set()
        self._readers: dict[str, list[str]] = {}
        self._missing: list[set[str]] = []
        self._units: list[Unit] = []
        self._unit_of: dict[str, int] = {}
        self.open: set[str] = set()
        self._fresh: list[int] = []
        self._add(graph.tasks, units)
        self.exist(graph.sources)

    def _add(self, tasks: Mapping[str, Task], units: Iterable[Unit]) -> None:
        self.tasks.update(tasks)
        self.open.update(tasks)
        for task in tasks.values():
            for name in task.input_names:
                self._readers.setdefault(name, []).append(task.id)
        for unit in units:
            self.wait(unit)

    def _needed(self, unit: Unit) -> set[str]:
        """Files that the open tasks of `unit` read from outside it and that do not exist yet."""
        tasks = [self.tasks[task_id] for task_id in unit if task_id in self.open]
        inside = {name for task in tasks for name in task.output_names}
        return {name for task in tasks for name in task.input_names} - inside - self._exists

    def exist(self, names: Iterable[str]) -> None:
        """Note that these files exist now."""
        for name in names:
            if name in self._exists:
                continue
            self._exists.add(name)
            for n in {self._unit_of[task_id] for task_id in self._readers.get(name, ())}:
                if name in self._missing[n]:
                    self._missing[n].discard(name)
                    if not self._missing[n]:
                        self._fresh.append(n)

    def take(self) -> list[Unit]:
        """Return the units that became ready since the last call, without the tasks that are settled."""
        fresh, self._fresh = self._fresh, []
        units = (tuple(t for t in self._units[n] if t in self.open) for n in fresh)
        return [unit for unit in units if unit]

    def wait(self, unit: Unit) -> None:
        """Let the tasks of a unit wait for their files; also again, after they were taken."""
        n = len(self._units)
        self._units.append(unit)
        self._missing.append(self._needed(unit))
        for task_id in unit:
            self._unit_of[task_id] = n
        if not self._missing[n]:
            self._fresh.append(n)

    def close(self, task_id: str) -> None:
        """Note that a task is settled: done, reused, failed or left out."""
        self.open.discard(task_id)

    def lose(self, task_id: str) -> list[str]:
        """Note that a task's outputs will never exist; return the tasks that are blocked by that.

        Tasks in the same unit as a blocked one stay open where they can still run.
        """
        self.close(task_id)
        found: list[str] = []
        queue = list(self.tasks[task_id].output_names)
        for name in queue:  # grows while it is read
            for reader in self._readers.get(name, ()):
                if reader in self.open:
                    self.close(reader)
                    found.append(reader)
                    queue.extend(self.tasks[reader].output_names)
        self._release(found)
        return found

    def _release(self, blocked: Iterable[str]) -> None:
        """A unit need not wait for files that only its blocked tasks read."""
        for n in {self._unit_of[task_id] for task_id in blocked}:
            if self._missing[n]:
                self._missing[n] = self._needed(self._units[n])
                if not self._missing[n]:
                    self._fresh.append(n)

    def readers(self, task_id: str) -> Iterator[str]:
        """Yield the tasks that read an output of this one, as far as they are known."""
        for name in self.tasks[task_id].output_names:
            yield from self._readers.get(name, ())

    def expand(self, task_id: str, found: Graph, units: Iterable[Unit]) -> None:
        """Add what a run-time workflow described; the files it declared are now made by these tasks."""
        self.tasks[task_id] = replace(self.tasks[task_id], outputs={})
        self._add(found.tasks, units)
        self.exist(name for name, path in found.sources.items() if path)
