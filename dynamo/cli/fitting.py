"""Whether this machine could run a graph at all, told before anybody tries; a pool is not asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo.errors import UserError

if TYPE_CHECKING:
    from dynamo.graph import Graph
    from dynamo.runfile.engine import EngineRule

__all__ = ["unfit"]


def unfit(options: EngineRule, graph: Graph) -> list[str]:
    """Return what `dynamo run` would say of a task that asks for more than this machine has; nothing where all fit.

    That is a note and no fault: the run may be meant for a larger machine.
    """
    from dynamo.engine.capacity import Capacity

    if options.name != "local":
        return []
    try:
        Capacity(options.cores, options.memory).check(graph)
    except UserError as error:
        return [f"{error}; `dynamo run` here refuses that"]
    return []
