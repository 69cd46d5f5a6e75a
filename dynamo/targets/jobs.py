"""The jobs that a graph becomes: their names, who waits for whom, and under which paths their files travel.

Pure. All paths are relative to the compiled folder; a job has a folder of its own there, ``jobs/NAME``, and what it
sends back stands in ``jobs/NAME/out``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from dynamo.graph.model import Graph, Task
from dynamo.graph.needs import Needs
from dynamo.targets.names import safe_names
from dynamo.worker.job import found_name
from dynamo.worker.spec import Spec

__all__ = ["INPUTS", "MORE", "OURS", "OUT", "RESERVED", "Compiled", "TargetJob", "compile_jobs", "spec_of"]

#: Folder of the files that come from outside.
INPUTS = "inputs"
#: Ends the name of the node that runs what a run-time workflow describes.
MORE = "__more"
#: Folder, in that of a job and where it runs, of what it sends back.
OUT = "out"
#: Folder of what tasks write, below that.
_LOGS = "logs"
#: Names of nodes that DAGMan, or the last node, has; in lower case.
_NODES = ("final", "parent", "child", "all_nodes")
#: Names that the scheduler, or what else travels, has in the folder where a job runs.
RESERVED = (
    OUT,
    _LOGS,
    "code",
    "_condor_stdout",
    "_condor_stderr",
    "condor_exec.exe",
    "docker_stderror",
    "tmp",
    "var",
)
#: How the names of files end that tell a job what it is, and what became of it.
OURS = (".spec.json", ".report.json")
_NAME = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST = 80


@dataclass(frozen=True, slots=True)
class TargetJob:
    """One job.

    Parameters
    ----------
    name
        Unique, readable, the same each time: letters, digits, ``_`` and ``-``.
    tasks
        Ids, in the order in which they run.
    parents
        Names of the jobs that it waits for.
    inputs
        File name in the graph to the path of what it needs from outside the job, relative to the compiled folder.
    needs
        The most that any of its tasks does.
    """

    name: str
    tasks: tuple[str, ...]
    parents: tuple[str, ...]
    inputs: Mapping[str, str]
    needs: Needs

    @property
    def folder(self) -> str:
        """Its folder, relative to the compiled one."""
        return f"jobs/{self.name}"


@dataclass(frozen=True, slots=True)
class Compiled:
    """A graph as jobs.

    Parameters
    ----------
    graph
        Its tasks.
    jobs
        By name, in an order in which they could run.
    paths
        File name in the graph to its path, relative to the compiled folder.
    more
        Job of a run-time workflow to the node that runs what it describes, and makes what it declares.
    """

    graph: Graph
    jobs: Mapping[str, TargetJob]
    paths: Mapping[str, str]
    more: Mapping[str, str]


def compile_jobs(
    graph: Graph,
    units: Sequence[tuple[str, ...]],
    known: Mapping[str, str] | None = None,
    prefix: str = "",
    taken: Iterable[str] = (),
) -> Compiled:
    """Return the jobs of `graph` whose tasks are packed as `units` say, in their order.

    `known` are the paths of files that another DAG of the same folder has or makes, and `taken` the names of its jobs;
    names of these begin with `prefix`.
    """
    known = known or {}
    others_jobs = (path.split("/")[1] for path in known.values() if path.startswith("jobs/"))
    names = _job_names(graph, units, prefix, (*others_jobs, *taken))
    owner = {task: names[n] for n, unit in enumerate(units) for task in unit}
    made_here = [n for t in graph.tasks.values() for n in (*_made_by(t), *t.output_names)]
    others = {name: path for name, path in known.items() if name not in set(made_here)}
    new = (name for name in (*graph.sources, *made_here) if name not in others)
    theirs = (path.rpartition("/")[2] for path in others.values())
    own = (f"{name}.{kind}.json" for name in names for kind in ("spec", "report"))
    plain = safe_names(new, (*theirs, *own, *RESERVED))
    paths = {name: known.get(name) or f"{INPUTS}/{plain[name]}" for name in graph.sources}
    maker: dict[str, str] = {}
    more: dict[str, str] = {}
    for task in graph.tasks.values():
        job = owner[task.id]
        made = dict.fromkeys(_made_by(task), job)
        if task.kind == "expand":
            more[job] = f"{job}{MORE}"
            made |= dict.fromkeys(task.output_names, more[job])
        maker |= made
        paths |= {name: f"jobs/{node}/{OUT}/{plain[name]}" for name, node in made.items()}
    jobs: dict[str, TargetJob] = {}
    for name, unit in zip(names, units, strict=True):
        inside = {n for t in unit for n in _made_by(graph.tasks[t])}
        wanted = dict.fromkeys(n for t in unit for n in graph.tasks[t].input_names if n not in inside)
        parents = dict.fromkeys(maker[n] for n in wanted if n in maker)
        needs = Needs.most([graph.tasks[t].needs for t in unit])
        jobs[name] = TargetJob(name, unit, tuple(parents), {n: paths[n] for n in wanted}, needs)
    return Compiled(graph, jobs, paths, more)


def _made_by(task: Task) -> list[str]:
    """What a task sends back: a run-time workflow its description, for others make what it declares."""
    return [found_name(task)] if task.kind == "expand" else list(task.output_names)


def _job_names(
    graph: Graph, units: Sequence[tuple[str, ...]], prefix: str, others: Iterable[str]
) -> list[str]:
    """Name each job by the labels or ids of its first and last task, and none as one of the `others`."""
    names: list[str] = []
    taken = {*_NODES, *(other.lower() for other in others)}
    counts: dict[str, int] = {}
    for unit in units:
        first, last = (_NAME.sub("_", graph.tasks[t].fuse or t) for t in (unit[0], unit[-1]))
        last = last.removeprefix(prefix.rstrip("-") + "_")
        plain = (first if first.endswith(last) else f"{first}-to-{last}")[:_LONGEST]
        plain = plain if plain.startswith(prefix.rstrip("-")) else prefix + plain
        plain += "_" if plain.endswith(MORE) else ""
        found = plain
        while found.lower() in taken:
            n = counts[plain.lower()] = counts.get(plain.lower(), 1) + 1
            found = f"{plain}-{n}"
        taken.add(found.lower())
        names.append(found)
    return names


def spec_of(
    compiled: Compiled,
    job: TargetJob,
    digests: Mapping[str, str],
    build: str,
    silent: Collection[str] = (),
) -> Spec:
    """Return what is sent with a job: its inputs lie flat in the folder where it runs, under their last names.

    Of parents that are `silent` no report comes.
    """
    graph = compiled.graph
    tasks = {t: graph.tasks[t] for t in job.tasks}
    sources = {name: path.rpartition("/")[2] for name, path in job.inputs.items()}
    made = [name for task in tasks.values() for name in _made_by(task)]
    return Spec(
        job=job.name,
        graph=Graph(graph.name, tasks, sources),
        outputs={name: f"{OUT}/{compiled.paths[name].rpartition('/')[2]}" for name in made},
        digests={name: digests[name] for name in sources if name in digests},
        reports=tuple(f"{parent}.report.json" for parent in job.parents if parent not in silent),
        report=f"{OUT}/{job.name}.report.json",
        logs=f"{OUT}/{_LOGS}",
        build=build,
    )
