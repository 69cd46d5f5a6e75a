"""Run and plan from Python: what ``dynamo run`` and ``dynamo plan`` do, for a graph in hand.

Enters: a `Graph`, as calling a workflow returns it. Leaves: a `Summary`, or a `Plan`.
Goes wrong: as `dynamo.engine.LocalEngine`; a task's failure is in the summary, and raises nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from dynamo.engine import Event, LocalEngine, Products, Request, Summary, new_run_id
from dynamo.engine.known import Facts
from dynamo.graph import Graph
from dynamo.journal import Journal, Workspace
from dynamo.planning import Plan, Selection, make_plan

__all__ = ["plan", "run"]


def run(
    graph: Graph,
    *,
    products: str | os.PathLike[str] = "products",
    publish: Sequence[str] = (),
    workspace: str | os.PathLike[str] = ".dynamo",
    cores: int | None = None,
    memory: int | None = None,
    inline: bool = False,
    selection: Selection = Selection(),  # noqa: B008 - frozen
    observer: Callable[[Event], None] = lambda _: None,
) -> Summary:
    """Run `graph` on this machine, as far as its results are not there already.

    Parameters
    ----------
    graph
        ``nowcast(["a.nc", "b.nc"], horizon=30)``: what a workflow returns when it is called.
    products
        Folder in which the outputs are published.
    publish
        Patterns of the outputs to publish; none means all.
    workspace
        Folder of the journal and of stored results; runs with the same one share results.
    cores, memory, inline, observer
        As for `dynamo.engine.LocalEngine`, which is the thing to use for many runs: its workers stay warm.
    selection
        What to force, leave out, or stop at.

    Raises
    ------
    UserError
        An input cannot be read, or a task asks for more than this machine has; nothing has run then.
    """
    with LocalEngine(
        Workspace.open(workspace), cores=cores, memory=memory, inline=inline, observer=observer
    ) as engine:
        target = Products(str(Path(products).absolute()), tuple(publish))
        return engine.run(Request(new_run_id(graph.name, time.time()), graph, target, selection))


def plan(
    graph: Graph,
    *,
    workspace: str | os.PathLike[str] = ".dynamo",
    selection: Selection = Selection(),  # noqa: B008 - frozen
) -> Plan:
    """Say for every task of `graph` whether it would run, and why; see `dynamo.planning.make_plan`."""
    place = Workspace.open(workspace)
    with Journal(place.journal) as journal:
        facts = Facts(place, journal)
        found = make_plan(graph, facts, selection)
        facts.keep()
    return found
