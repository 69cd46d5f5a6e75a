"""Begin a run: checked against what the engine has, each job in one place."""

from __future__ import annotations

import time

from dynamo.engine.capacity import Capacity
from dynamo.engine.known import Facts
from dynamo.engine.place import Places
from dynamo.engine.ready import Unit
from dynamo.engine.request import Request
from dynamo.engine.run import Run
from dynamo.graph.model import Graph
from dynamo.journal import Journal, Workspace
from dynamo.planning import units

__all__ = ["begin"]


def begin(
    request: Request, workspace: Workspace, journal: Journal, facts: Facts, capacity: Capacity, places: Places
) -> Run:
    """Return a run that has just begun, of which nothing is recorded.

    Raises `UserError` where an input cannot be read, a task needs more than there is, or cannot run in its image;
    `InfrastructureError` where Docker does not answer.
    """

    def fits(graph: Graph) -> None:
        capacity.check(graph)
        places.add(graph)

    def shared(graph: Graph) -> list[Unit]:
        return places.apart(units(graph), graph.tasks)

    return Run(request, workspace, journal, facts, fits, time.time(), shared, places)
