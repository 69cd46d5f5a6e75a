"""A graph as a workflow of Pegasus: a folder with all that `pegasus-plan` needs.

Enters: `Work`. Leaves: ``workflow.yml``, the three catalogues, ``pegasus.properties``, what travels with the jobs, and
a README with the command that plans it. Goes wrong: `UserError` for what Pegasus cannot run, or a folder that cannot
be written. Only this and its neighbours import ``Pegasus``, which is an extra.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from dynamo.errors import UserError
from dynamo.graph.collection import uncollected
from dynamo.planning.fuse import units
from dynamo.targets.catalog_yaml import to_yaml
from dynamo.targets.code import Carried
from dynamo.targets.pegasus_work import Names, Work, check, node_id

__all__ = ["compile_pegasus", "plan_arguments"]

_README = """\
# {name}, compiled for Pegasus

{count} of the workflow `{name}`. Plan and submit it, in this folder, on a host with Pegasus 5.0 or later and HTCondor:

    {command}

| file | what it is |
|---|---|
| `workflow.yml` | the jobs, one a task, and their order |
| `sites.yml` | this host (`local`) and the pool (`condorpool`): change it to what your site has |
| `transformations.yml` | what the jobs call, and the images they run in |
| `replicas.yml` | where the files from outside lie, with their digests |
| `pegasus.properties` | how it is planned |
| `jobs/` | what each `dynamo-worker` is told |
| `names.json` | the names of products, where Pegasus has others |
| `note` | called when the workflow ends or fails; add whom to tell |

Products come into `outputs/`. Paths in here are absolute: compile again rather than move the folder.
"""

_WORKER = """\
#!/bin/sh
# Runs one job of dynamo, after unpacking the modules that travel with it.
set -e
[ -d code ] || [ ! -f {code} ] || tar -xf {code}
exec dynamo-worker "$@"
"""

_NOTE = """\
#!/bin/sh
# Pegasus calls this when the workflow ends or fails. Tell people from here: by mail, or by a call of your own.
echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) $1 ${PEGASUS_STATUS:-}" >> "$(dirname "$0")/events.log"
"""


def compile_pegasus(work: Work, folder: Path) -> Sequence[str]:
    """Write the workflow below `folder` and return the command that plans it there.

    Raises `UserError` where `Pegasus.api` is not installed, for a task that Pegasus cannot run, and where the folder
    cannot be written; `WorkflowError` for labels that cannot fuse and images that are not known.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file, not a folder: name a folder, or remove the file")
    check(work.graph)
    units(work.graph)
    _check_api()
    from dynamo.targets import catalogs
    from dynamo.targets.pegasus_jobs import WORKER, Jobs

    names = Names(work.graph)
    with uncollected():
        jobs = Jobs(work, names, folder)
        workflow = _workflow(work, jobs.jobs(), folder)
        replicas = [*_sources(work, names), *_travelling(work, jobs.specs, names, folder)]
        documents = {
            "workflow.yml": catalogs.plain(workflow),
            "sites.yml": catalogs.plain(catalogs.sites(folder)),
            "transformations.yml": catalogs.plain(
                catalogs.transformations(jobs.programs.values(), work.container)
            ),
            "replicas.yml": catalogs.plain(catalogs.replicas(replicas)),
        }
    command = plan_arguments(labels=any(t.fuse for t in work.graph.tasks.values()))
    try:
        _write_documents(documents, folder)
        catalogs.properties().write(folder / "pegasus.properties")
        _write_jobs(jobs.specs, folder / "jobs")
        _write_programs({WORKER: _WORKER.format(code=names.code), "note": _NOTE}, folder)
        _write_programs(jobs.scripts, folder / "scripts")
        _write_code(work.code, folder / names.code)
        products = {names.files[n]: n for n in work.graph.producer if work.wants(n)}
        (folder / "names.json").write_text(json.dumps(products, indent=1, sort_keys=True) + "\n")
        (folder / "README.md").write_text(_readme(work, command))
    except OSError as error:
        raise UserError(f"cannot write {error.filename or folder}: {error.strerror}") from error
    return command


def _check_api() -> None:
    try:
        import Pegasus.api  # noqa: F401 - all that follows needs it
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("Pegasus"):
            raise
        raise UserError(
            "compiling for Pegasus needs its Python API, which is not installed here: "
            "pip install 'dynamo-weather[pegasus]'"
        ) from error


def plan_arguments(*, labels: bool) -> list[str]:
    """Return the command that plans and submits the workflow in its folder; with `labels`, fused tasks share a job."""
    cluster = ["--cluster", "label"] if labels else []
    return [
        "pegasus-plan", "--conf", "pegasus.properties", "--sites", "condorpool", "--output-sites", "local",
        *cluster, "--dir", "submit", "--force", "--submit", "workflow.yml",
    ]  # fmt: skip


def _workflow(work: Work, jobs: Iterator[Any], folder: Path) -> Any:
    from Pegasus.api import EventType, Workflow

    workflow = Workflow(node_id(work.graph.name), infer_dependencies=False)
    workflow.add_metadata(**work.metadata)
    for event, word in ((EventType.END, "ended"), (EventType.ERROR, "failed")):
        workflow.add_shell_hook(event, f"{folder}/note {word}")
    made = {}
    for task_id, job in zip(work.graph.tasks, jobs, strict=True):
        made[task_id] = job
        workflow.add_jobs(job)
    for task in work.graph.tasks.values():
        parents = [made[p] for p in work.graph.parents(task)]
        if parents:
            workflow.add_dependency(made[task.id], parents=parents)
    return workflow


def _sources(work: Work, names: Names) -> Iterator[Any]:
    """Yield where the files from outside lie that some task reads."""
    from dynamo.targets.catalogs import Replica

    for name, path in work.graph.sources.items():
        if name in work.graph.consumers:
            yield Replica(names.files[name], path, work.digests.get(name, ""))


def _travelling(work: Work, specs: Mapping[str, Any], names: Names, folder: Path) -> Iterator[Any]:
    """Yield where what travels with the jobs lies."""
    from dynamo.targets.catalogs import Replica

    if work.code.files:
        yield Replica(names.code, str(folder / names.code))
    for spec in specs:
        yield Replica(spec, f"{folder}/jobs/{spec}")


def _write_documents(documents: Mapping[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in documents.items():
        (folder / name).write_text(to_yaml(data), encoding="utf-8")


def _write_jobs(specs: Mapping[str, Any], folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name, spec in specs.items():
        (folder / name).write_bytes(orjson.dumps(spec))


def _write_programs(texts: Mapping[str, str], folder: Path) -> None:
    for name, text in texts.items():
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)


def _write_code(code: Carried, path: Path) -> None:
    """Write the user's modules as an archive, the same bytes for the same modules."""
    if not code.files:
        return
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for name, source in sorted(code.files.items()):
            content = source.read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))


def _readme(work: Work, command: Sequence[str]) -> str:
    count = len(work.graph.tasks)
    return _README.format(
        name=work.graph.name, count=f"{count} task{'s' if count != 1 else ''}", command=" ".join(command)
    )
