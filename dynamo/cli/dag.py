"""Write the DAG of a run file, for `dynamo compile --target dagman`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dynamo.graph.units import format_count

if TYPE_CHECKING:
    from dynamo.runfile import Prepared
    from dynamo.targets.dagman import DagOptions

__all__ = ["write"]


def write(prepared: Prepared, to: Path, slots: int | None, python: str | None) -> str:
    """Compile all tasks of a run file into the folder `to`, and say how it is submitted.

    How many seconds tasks take is taken from the runs of the workspace, where it has any. `python` is that of the
    machine which submits; None takes the one here.
    """
    from dynamo.engine import Products
    from dynamo.engine.known import Facts
    from dynamo.journal import Journal, Workspace
    from dynamo.planning.pack import Packing, pack
    from dynamo.runfile.workflow import module_folders
    from dynamo.targets.code import carry
    from dynamo.targets.dag_folder import write_dag

    graph = prepared.graph
    workspace = Workspace.open(prepared.workspace)
    modules = module_folders(prepared.runfile.workflow, prepared.path.parent)
    with Journal(workspace.journal) as journal:
        facts = Facts(workspace, journal, tuple(modules))
        digests = {n: facts.source(n, p) for n, p in graph.sources.items() if n in graph.consumers}
        calls = dict.fromkeys(task.call for task in graph.tasks.values())
        for call in calls:
            facts.code(call)
        facts.keep()
        given = slots if slots is not None else prepared.engine.slots
        packing = Packing(
            seconds=journal.durations(graph.name), **({} if given is None else {"slots": given})
        )
    sizes = {name: facts.states[graph.sources[name]][0] for name in digests}
    options = _options(prepared, python, packing.slots, sizes)
    code = carry(calls, facts.code_states())
    products = Products(str(prepared.products.folder(graph.name)), tuple(prepared.products.only))
    published = {"folder": products.folder, "only": list(products.only)}
    compiled = write_dag(to, graph, pack(graph, packing), digests, code, options, published)
    return _told(prepared, to, len(compiled.jobs), here=python is None)


def _options(prepared: Prepared, python: str | None, slots: int, sizes: dict[str, int]) -> DagOptions:
    from dynamo.runfile.engine import SHARED
    from dynamo.targets.dagman import WORKER, DagOptions

    engine = prepared.engine
    return DagOptions(
        python=python or sys.executable,
        images=prepared.images,
        container=engine.container or "",
        limits=engine.at_once or {},
        worker=engine.worker or WORKER,
        shared=engine.transfer == SHARED,
        urls=engine.urls or {},
        slots=slots,
        sizes=sizes,
    )


def _told(prepared: Prepared, to: Path, jobs: int, *, here: bool) -> str:
    """Say what was written, and the command that submits it."""
    graph, time = prepared.graph, prepared.data_time
    name = f"{graph.name}-{time:%Y%m%dT%H%M%SZ}" if time else graph.name
    counts = f"{format_count(len(graph.tasks), 'task')} in {format_count(jobs, 'job')}"
    submit = ["condor_submit_dag", "-batch-name", name, f"{graph.name}.dag"]
    said = f"{counts}; submit: cd {shlex.quote(str(to))} && {shlex.join(submit)}"
    if here:
        said += (
            f"\nthe last node runs {sys.executable}, the Python of this machine; to submit on another, compile with "
            "--python PATH, its Python with dynamo"
        )
    return said
