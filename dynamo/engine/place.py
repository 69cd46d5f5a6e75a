"""Where the jobs of a run go: to a worker process, to one in a container of an image, or to a container each.

Enters: a run's images, its graphs, the folders of its modules. Leaves: a `Place` for a job, a `Box` for a command.
"""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dynamo.graph.model import Graph, Task
from dynamo.images.container import outermost
from dynamo.images.here import Here
from dynamo.worker.address import address_in

__all__ = ["Place", "Places", "theirs"]


@dataclass(frozen=True, slots=True)
class Place:
    """A kind of container in which workers run: digest and name of its image, network, and what is mounted."""

    image: str
    name: str
    network: bool
    folders: frozenset[str]

    def serves(self, other: Place) -> bool:
        """Whether a job that is for the `other` may run here."""
        return (self.image, self.network) == (other.image, other.network) and self.folders >= other.folders


class Places:
    """Tells of one run where its tasks go.

    Parameters
    ----------
    here
        Its images; none for a run without containers.
    engine, root
        The engine's folder, and the workspace's: both are in each container.
    modules
        Folders of the users' own modules.
    """

    def __init__(self, here: Here, engine: str, root: str, modules: Sequence[str]) -> None:
        self._here, self._engine, self._root = here, engine, root
        self._given = set(theirs(modules))
        self._folders: frozenset[str] = frozenset()

    def add(self, graph: Graph) -> None:
        """Have what a graph reads in the containers of its run.

        Raises `UserError` where a task of it cannot run in its image; see `Here.check`.
        """
        if self._here.images:
            self._here.check(graph)
            self._folders = outermost(self._given | self._read(graph), self._root)
            self._given |= self._folders

    def seen(self, graph: Graph) -> list[str]:
        """Return the folders that are in the containers of a graph, to be read."""
        return sorted(outermost(self._given | self._read(graph), self._root))

    def _read(self, graph: Graph) -> set[str]:
        found: set[str] = set()
        for task in graph.tasks.values():
            where = task.call.rpartition(":")[0]
            if task.kind != "command" and os.path.isabs(where):
                found.add(address_in(where).home)
        for path in graph.sources.values():
            if path:
                found |= {os.path.dirname(path), os.path.dirname(os.path.realpath(path))}
        return found

    def apart(self, units: Iterable[tuple[str, ...]], tasks: Mapping[str, Task]) -> list[tuple[str, ...]]:
        """Part units whose tasks run in other images: one job runs in one place."""
        if not self._here.images:
            return list(units)
        parted: list[tuple[str, ...]] = []
        for unit in units:
            last: object = self  # of no task
            for task_id in unit:
                found = self._here.of(tasks[task_id])
                kind = found.id if found and found.version else None
                if kind == last:
                    parted[-1] = (*parted[-1], task_id)
                else:
                    parted.append((task_id,))
                last = kind
        return parted

    def first(self, graph: Graph) -> dict[Place, list[str]]:
        """Return where tasks run that can begin at once, and what each task of the graph there calls."""
        calls: dict[Place, list[str]] = {}
        begin: set[Place] = set()
        for task in graph.tasks.values() if self._here.images else ():
            place = self.of(task)
            if place is not None:
                calls.setdefault(place, []).append(task.call)
                if not graph.parents(task):
                    begin.add(place)
        return {place: called for place, called in calls.items() if place in begin}

    def of(self, task: Task) -> Place | None:
        """Return where the job of a task runs; None for a worker without a container."""
        found = self._here.of(task)
        if found is None or not found.version:
            return None
        return Place(found.id, found.image.docker, found.image.network, self._folders)

    def box(self, task: Task) -> Mapping[str, object] | None:
        """Return the container that a command gets for itself, as `dynamo.images.command.Box`; None for none."""
        found = self._here.of(task)
        if found is None or found.version:
            return None
        return {
            "image": found.id,
            "name": found.image.docker,
            "engine": self._engine,
            "folders": sorted(self._folders),
            "memory": task.needs.memory,
            "cores": task.needs.cores,
            "network": found.image.network,
        }


def theirs(modules: Iterable[str]) -> list[str]:
    """Return those of the folders of modules that hold what users wrote: an image has Python and dynamo of its own."""
    pythons = {os.path.realpath(path) for path in sysconfig.get_paths().values()}
    kept = []
    for folder in modules:
        real = os.path.realpath(folder)
        ours = os.path.isfile(f"{real}/dynamo/__init__.py")
        if not (ours or any(real == p or real.startswith(f"{p}{os.sep}") for p in pythons)):
            kept.append(folder)
    return [folder for folder in kept if os.path.isdir(folder) and not folder.endswith(".zip")]
