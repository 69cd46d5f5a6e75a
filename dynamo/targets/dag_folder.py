"""Write a compiled graph as a folder that DAGMan runs: the ``.dag``, submit descriptions, specs, inputs, code.

Enters: a graph and what of it shares a job. Leaves: a folder, whole or not at all.
Goes wrong: `UserError` where the folder is in use; `InfrastructureError` where the disk fails.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import orjson

from dynamo.errors import InfrastructureError, UserError
from dynamo.graph.model import Graph
from dynamo.graph.units import format_count
from dynamo.targets.code import Carried
from dynamo.targets.dag_config import CONFIG, config_text, settings
from dynamo.targets.dagman import (
    FINAL,
    DagOptions,
    dag_text,
    kind_of,
    travelling,
)
from dynamo.targets.dagman import silent as silent_parents
from dynamo.targets.direct import IN, is_direct, links
from dynamo.targets.jobs import INPUTS, OUT, Compiled, TargetJob, compile_jobs, spec_of
from dynamo.targets.submit import final_text, submit_text
from dynamo.targets.unfolding import Unfolding
from dynamo.targets.urls import fetched
from dynamo.worker.build import build

__all__ = ["add_dag", "write_dag"]


def write_dag(
    folder: Path,
    graph: Graph,
    units: Sequence[tuple[str, ...]],
    digests: Mapping[str, str],
    carried: Carried,
    options: DagOptions,
    products: Mapping[str, object],
) -> Compiled:
    """Write the DAG of `graph` into `folder`, which is made, and return what became of its tasks.

    Parameters
    ----------
    units
        Ids of the tasks of each job.
    digests
        SHA-256 (hex) of every file that comes from outside.
    products
        What the last node publishes: ``folder`` and ``only``.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file, not a folder: name a folder, or remove the file")
    if folder.exists() and any(folder.iterdir()):
        raise UserError(f"{folder} is there already and not empty: name another folder, or remove it")
    compiled = compile_jobs(carried.renamed(graph), units, fetched(graph, options.urls, options.container))
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        (part / INPUTS).mkdir()
        for source, path in graph.sources.items():
            if source in graph.consumers and "://" not in compiled.paths[source]:
                (part / compiled.paths[source]).symlink_to(path)
        (part / CONFIG).write_text(config_text(settings(options.idle)))
        if options.python:
            (part / f"{FINAL}.sub").write_text(final_text(options))
            (part / "products.json").write_bytes(orjson.dumps(products, option=orjson.OPT_INDENT_2))
        add_dag(part, graph.name, compiled, digests, options, final=True)
        carried.write(part)
        folder.mkdir(exist_ok=True)
        part.replace(folder)
    except BaseException as error:
        shutil.rmtree(part, ignore_errors=True)
        if isinstance(error, OSError):
            raise InfrastructureError(
                f"cannot write {folder}: {error.strerror}; make room, or name another"
            ) from error
        raise
    return compiled


def add_dag(
    folder: Path,
    name: str,
    compiled: Compiled,
    digests: Mapping[str, str],
    options: DagOptions,
    *,
    final: bool,
) -> None:
    """Write one DAG into a folder that has the rest, its ``.dag`` last; raises `OSError`.

    Raises `UserError` where it has a run-time workflow, and no Python where it is submitted, to unfold that.
    """
    here = build()
    if compiled.more and not options.python:
        task = next(t for t in compiled.graph.tasks.values() if t.kind == "expand")
        raise UserError(
            f"{task.place}: {task.id} describes more of the graph while the run goes on; for that, dynamo must be on "
            "the machine that submits: run it there, or with `engine: local`"
        )
    for kind, job in {kind_of(compiled, job, options): job for job in compiled.jobs.values()}.items():
        (folder / f"{kind}.sub").write_text(submit_text(compiled, job, options))
    (folder / "jobs").mkdir(exist_ok=True)
    for job in compiled.jobs.values():  # perhaps ten thousand: no more is asked of the disk than must be
        place = f"{folder}/{job.folder}"
        with suppress(FileExistsError):
            os.mkdir(place)  # noqa: PTH102 - and no objects are made for it
            os.mkdir(f"{place}/{OUT}")  # noqa: PTH102
        if is_direct(compiled, job, options.container):
            _link(folder, compiled, job)
        elif options.shared:
            _link_all(place, travelling(compiled, job, options))
        silent = silent_parents(compiled, job, options)
        spec = orjson.dumps(spec_of(compiled, job, digests, here, silent).to_json())
        with open(f"{place}/{job.name}.spec.json", "wb", buffering=0) as file:  # noqa: PTH123
            file.write(spec)
    if compiled.more:
        known = Unfolding(compiled.graph.name, dict(compiled.paths), dict(digests), options)
        known.write(folder, name)
    count = f"{format_count(len(compiled.graph.tasks), 'task')} in {format_count(len(compiled.jobs), 'job')}"
    title = f"{name}: {count}. Compiled by dynamo {here}."
    part = folder / f".{name}.dag"
    part.write_text(dag_text(compiled, name, title, options, final=final))
    part.replace(folder / f"{name}.dag")


def _link_all(place: str, paths: Iterable[str]) -> None:
    """Have a job find what it needs in its folder, where it runs; what it leads to need not be there yet."""
    for path in paths:
        with suppress(FileExistsError):
            os.symlink(path, f"{place}/{path.rpartition('/')[2]}")  # noqa: PTH211


def _link(folder: Path, compiled: Compiled, job: TargetJob) -> None:
    """Lay out the inputs of a command under the names that it knows; HTCondor sends what a link leads to."""
    (folder / job.folder / IN).mkdir(exist_ok=True)
    for name, path in links(compiled, job):
        link = folder / name
        (link.parent if path else link).mkdir(parents=True, exist_ok=True)
        if path:
            link.unlink(missing_ok=True)
            link.symlink_to(os.path.relpath(folder / path, link.parent))
