"""Compile what must run of a run into a DAG, and tell later whether that DAG still says what is to be done."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from dynamo.condor.folder import PLAN, DagFolder
from dynamo.condor.options import PoolOptions
from dynamo.condor.run import PoolRun
from dynamo.graph.model import Graph
from dynamo.planning.pack import Packing, pack
from dynamo.targets.ahead import ahead
from dynamo.targets.code import carry
from dynamo.targets.dag_folder import write_dag
from dynamo.targets.dagman import DagOptions
from dynamo.worker.build import build

__all__ = ["compile_run", "dag_options", "is_same"]

#: How many jobs may wait in the queue at one time at least.
IDLE = 100
#: Into how many jobs side by side a run is packed where the pool has no slots yet.
SLOTS = 8


def compile_run(run: PoolRun, graph: Graph, path: Path, options: DagOptions) -> tuple[DagFolder, list[str]]:
    """Write the DAG of `graph`, which is what must run of `run`, into the folder `path`.

    Returns that, and the descriptions of the jobs that may be submitted with it (`targets.ahead`). Tasks are packed by
    the seconds that those of each step took before. Raises as `write_dag` does.
    """
    seconds = run.journal.durations(graph.name)
    units = pack(graph, Packing(slots=options.slots, seconds=seconds))
    digests = {name: run.files.digests[name] for name in graph.sources}
    facts = run.journal.facts(run.id, graph.name, run.request.settings.get("runfile"), time.time())
    sizes = {name: run.files.size(name) for name in graph.sources}
    options = replace(options, sizes=sizes, facts=facts, seconds=seconds)
    calls = dict.fromkeys(task.call for task in graph.tasks.values())
    code = {call: run.facts.code(call) for call in calls}
    carried = carry(calls, run.facts.code_states())
    products = run.request.products
    published = {"folder": products.folder, "only": list(products.only)}
    compiled = write_dag(path, graph, units, digests, carried, options, published)
    plan = {"build": build(), "code": code, "digests": digests, "homes": carried.homes}
    (path / PLAN).write_bytes(orjson.dumps(plan))
    folder = DagFolder(path)
    return folder, ahead(compiled, options, str(folder.nodes_log))


def dag_options(run: PoolRun, said: PoolOptions, slots: int, *, here: bool) -> DagOptions:
    """Return what a pool with so many `slots` wants of the DAG of a run; `here` where dynamo is on its access point."""
    return DagOptions(
        worker=said.worker,
        python=sys.executable if here else "",
        images=run.request.images,
        container=said.container,
        limits=said.limits,
        shared=said.shared,
        urls=said.urls,
        idle=max(IDLE, 4 * slots),
        run=run.id,
        slots=said.slots or slots or SLOTS,
        began=run.began,
        feed=str(run.request.settings.get("runfile", "")),
        clock=str(run.request.settings.get("clock", "")),
    )


def is_same(run: PoolRun, folder: DagFolder) -> bool:
    """Whether what is left of a DAG may be run as it was compiled: code and inputs are what they were."""
    try:
        plan: Mapping[str, Any] = orjson.loads((folder.path / PLAN).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return False
    left = [run.ready.tasks[task] for task in run.ready.open]
    return (
        plan["build"] == build()
        and {task for job in folder.jobs.values() for task in job.tasks} >= set(run.ready.open)
        and all(plan["code"].get(task.call) == run.facts.code(task.call) for task in left)
        and all(run.files.digests.get(name) == digest for name, digest in plan["digests"].items())
    )
