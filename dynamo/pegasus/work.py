"""What is known here of a graph that is compiled: digests of its inputs, its code, how long its tasks took before."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from dynamo.engine.known import Facts
from dynamo.graph.model import Graph
from dynamo.images.image import Image
from dynamo.journal import Journal, Workspace
from dynamo.targets.code import carry
from dynamo.targets.pegasus_work import Work
from dynamo.worker.build import build

__all__ = ["work_of"]


def work_of(
    workspace: Workspace,
    graph: Graph,
    wants: Callable[[str], bool],
    *,
    modules: Sequence[str] = (),
    images: Mapping[str, Image] | None = None,
    container: str = "",
    metadata: Mapping[str, str] | None = None,
    reports: bool = False,
    run: str = "",
    runfile: str | None = None,
    began: float = 0.0,
) -> Work:
    """Return `graph` with what `dynamo.targets.pegasus` must know; parameters as `Work` has, `modules` as `Facts` has.

    It is for a `run` that began then (Unix seconds), or for none, by a run file, whose earlier runs are learned from.

    Raises `UserError` where an input cannot be read, or code is not found or cannot travel.
    """
    with Journal(workspace.journal) as journal:
        facts = Facts(workspace, journal, modules)
        digests = {n: facts.source(n, path) for n, path in graph.sources.items() if n in graph.consumers}
        calls = list(dict.fromkeys(t.call for t in graph.tasks.values() if t.kind == "python"))
        for call in calls:
            facts.code(call)
        facts.keep()
        seconds = journal.durations(graph.name)
        told = journal.facts(run, graph.name, runfile, time.time())
    return Work(
        graph,
        carry(calls, facts.code_states()),
        wants,
        images or {},
        container,
        digests,
        seconds,
        began,
        {name: Path(graph.sources[name]).stat().st_size for name in digests},
        told,
        metadata or {},
        build(),
        reports,
    )
