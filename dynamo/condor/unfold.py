"""What a run-time workflow described becomes a DAG of its own before its node, and what that made is gathered after it.

Runs where the DAG was submitted, in its folder, called by DAGMan: ``write DAG JOB`` and ``gather DAG JOB RETURN``. Both
may be called again, after a crash or by a rescue DAG.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import orjson

from dynamo.condor.direct import note
from dynamo.condor.folder import DagFolder, DagJob
from dynamo.engine.expansion import read_found
from dynamo.errors import DynamoError, InfrastructureError, UserError
from dynamo.graph.model import Graph
from dynamo.planning.pack import Packing, pack
from dynamo.targets.dag_folder import add_dag
from dynamo.targets.jobs import MORE, OUT, compile_jobs
from dynamo.targets.unfolding import Unfolding
from dynamo.worker.job import Made, Report
from dynamo.worker.returned import Returned, Tried
from dynamo.worker.spec import Spec
from dynamo.worker.store import digest_file

__all__ = ["gather", "main", "write"]


def write(folder: Path, name: str, job: str) -> None:
    """Write the DAG of what `job` of the DAG `name` described; one that is there stays, for it may have run in part."""
    node = f"{job}{MORE}"
    if (folder / f"{node}.dag").exists():
        return
    known, jobs = Unfolding.read(folder, name), _jobs(folder)
    graph = _described(jobs[job])
    made = {n: m for one in jobs.values() for n, m in one.returned().made.items()}
    digests = {**known.digests, **{n: m.digest for n, m in made.items()}}
    sizes = {**known.options.sizes, **{n: m.size for n, m in made.items()}}
    sources = {}
    for source, path in graph.sources.items():
        sources[source] = path if path and source not in known.paths else source
        if path and source not in known.paths:
            digests[source], sizes[source] = _taken_in(folder, path)
    graph = Graph(known.workflow, graph.tasks, sources)
    units = pack(graph, Packing(slots=known.options.slots))
    compiled = compile_jobs(graph, units, known.paths, f"{job}-", jobs)
    for source, path in sources.items():
        if source not in known.paths:
            link = folder / compiled.paths[source]
            link.unlink(missing_ok=True)
            link.symlink_to(path)
    options = replace(known.options, sizes=sizes, facts={**known.options.facts, **_told(jobs.values())})
    add_dag(folder, node, compiled, digests, options, final=False)


def _told(jobs: Iterable[DagJob]) -> dict[str, float]:
    """Return what the tasks of this run told so far; of several that told one name, the largest."""
    found: dict[str, float] = {}
    for one in jobs:
        for tried in one.returned().tried:
            for name, value in tried.report.facts.items():
                found[name] = max(value, found.get(name, value))
    return found


def _described(job: DagJob) -> Graph:
    """Return what a job has described; it is due when the job is."""
    spec = Spec.from_json(orjson.loads((job.folder / f"{job.name}.spec.json").read_bytes()))
    (found,), (task,) = spec.outputs.values(), spec.graph.tasks.values()
    return read_found(str(job.folder / found), task)


def _jobs(folder: Path) -> Mapping[str, DagJob]:
    """Return the jobs of a folder, with the reports of those that write none themselves."""
    whole = DagFolder(folder)
    note(whole)
    return whole.jobs


def _taken_in(folder: Path, path: str) -> tuple[str, int]:
    """Return the digest and the bytes of a file that a run-time workflow named by its path on this machine."""
    if not (Path(path).is_absolute() and Path(path).is_file()):
        raise UserError(
            f"what was described reads {path!r}, which is not on this machine ({folder}): hand it to the workflow "
            "as an input"
        )
    return digest_file(path), Path(path).stat().st_size


def gather(folder: Path, name: str, job: str, code: int) -> int:
    """Put what the node's DAG made, of what `job` declared, where others look for it; return the node's exit code."""
    if code:
        return code
    node = f"{job}{MORE}"
    place = folder / "jobs" / node
    (place / OUT).mkdir(parents=True, exist_ok=True)
    known, jobs = Unfolding.read(folder, name), _jobs(folder)
    declared = {n: folder / p for n, p in known.paths.items() if p.startswith(f"jobs/{node}/")}
    made: dict[str, Made] = {}
    for one in jobs.values():
        for file, told in one.returned().made.items():
            if file in declared and file in one.outputs:
                part = declared[file].with_name(f".{declared[file].name}.part")
                part.unlink(missing_ok=True)
                os.link(one.folder / one.outputs[file], part)
                part.replace(declared[file])
                made[file] = told
    missing = sorted(set(declared) - set(made))
    if missing:
        raise InfrastructureError(f"{node} ended well, but {missing[0]!r} is not there")
    report = Report(node, "ok", 0.0, 0.0, made=made)
    Returned(node, tried=(Tried(1, "ok", report),)).write(place / OUT / f"{node}.report.json")
    return 0


def main(arguments: Sequence[str]) -> int:
    """Write or gather, and return the exit code."""
    verb, name, job, *rest = arguments
    try:
        if verb == "write":
            write(Path.cwd(), name, job)
            return 0
        return gather(Path.cwd(), name, job, int(rest[0]))
    except (DynamoError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        (Path.cwd() / f"{job}{MORE}.error").write_text(f"{error}\n")
        return error.exit_code if isinstance(error, DynamoError) else InfrastructureError.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
