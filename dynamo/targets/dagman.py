"""The DAG of a compiled graph, as HTCondor DAGMan reads it: its nodes, with what each is told, and who waits for whom.

Pure: text in, text out. Format: HTCondor manual 25, "DAGMan workflows".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dynamo.errors import UserError
from dynamo.graph.needs import Needs
from dynamo.images.image import DEFAULT, Image
from dynamo.targets import direct
from dynamo.targets.attributes import attributes
from dynamo.targets.dag_config import CONFIG
from dynamo.targets.direct import is_direct
from dynamo.targets.jobs import OUT, Compiled, TargetJob
from dynamo.targets.names import safe
from dynamo.worker.limits import RETRIES

__all__ = [
    "FINAL",
    "LOG",
    "WORKER",
    "DagOptions",
    "category",
    "dag_text",
    "image_of",
    "kind_of",
    "priority",
    "silent",
    "travelling",
    "variables",
]

#: Where `dynamo-worker` is in the images of dynamo.
WORKER = "/opt/dynamo/bin/dynamo-worker"
#: The node that ends each DAG.
FINAL = "final"
#: The event log of all its jobs.
LOG = "jobs.log"
#: How many parents, and how many children, one line names at most.
_NAMED = 50
#: Megabytes that a job asks for at least: a slot that is kept for a run takes the next job that asks for the same.
MEMORY = 1024
#: Deadlines (seconds) and what they add to the priority of a job that must be done by then.
_CLASSES = ((60.0, 300), (300.0, 200), (math.inf, 100))


@dataclass(frozen=True, slots=True)
class DagOptions:
    """What a site has and wants.

    Parameters
    ----------
    worker
        Path of ``dynamo-worker`` on the machines (or in the images) that run jobs.
    python
        The Python, with dynamo, of the machine that submits; it runs the last node. Empty leaves that node out.
    images
        What the names of images stand for; empty where tasks run in no container.
    container
        ``docker`` or ``apptainer``.
    limits
        Step to how many jobs that have such tasks may run at one time.
    idle
        How many jobs may wait in the queue at one time; DAGMan holds back the others.
    run
        Id of the run, by which its jobs are found in the queue; empty where a DAG is compiled for no run.
    shared
        Whether all machines see the folder at its path, and all that it links to: nothing is sent.
    urls
        Folder to the URL by which workers fetch by themselves what lies in it.
    slots
        Into how many jobs side by side is packed what run-time workflows describe.
    began
        When the run began, in Unix seconds; 0 where a DAG is compiled for no run.
    sizes
        Bytes of the files that come from outside, by their name in the graph; what is not known is left out.
    facts
        What tasks told that ran before: of this run, or of the latest one before it; see `dynamo.graph.facts`.
    seconds
        Step to the seconds that one of its tasks took lately, as far as known.
    feed, clock
        Run file by which a clock starts runs again and again, and that clock (`dynamo.triggers.clock`); else empty.
    """

    worker: str = WORKER
    python: str = ""
    images: Mapping[str, Image] = field(default_factory=dict)
    container: str = ""
    limits: Mapping[str, int] = field(default_factory=dict)
    idle: int = 1000
    run: str = ""
    shared: bool = False
    urls: Mapping[str, str] = field(default_factory=dict)
    slots: int = 8
    began: float = 0.0
    sizes: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, float] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    feed: str = ""
    clock: str = ""


def kind_of(compiled: Compiled, job: TargetJob, options: DagOptions) -> str:
    """Return the kind of a job, which names its submit description: the image that it runs in makes it."""
    image = image_of(job, options)
    if image and is_direct(compiled, job, options.container):
        limit = direct.seconds(compiled, job)
        return f"command-{safe(image.name)}" + (f"-{limit}s" if limit else "")
    return f"worker-{safe(image.name)}" if image else "worker"


def image_of(job: TargetJob, options: DagOptions) -> Image | None:
    """Return the image that a job runs in; None for none."""
    return options.images.get(job.needs.image or DEFAULT) if options.container else None


def dag_text(compiled: Compiled, name: str, title: str, options: DagOptions, *, final: bool) -> str:
    """Return the ``.dag`` file of the DAG `name`; `final` gives it the last node."""
    lines = [f"# {title}", f"CONFIG {CONFIG}", ""]
    for job in compiled.jobs.values():
        lines += [f"# {_told(job)}", *_node(compiled, job, options), ""]
    lines += _order(compiled.jobs.values())
    for maker, node in compiled.more.items():
        unfold = f"{options.python} -m dynamo.condor.unfold"
        lines += [
            "",
            f"# What {maker} describes: the DAG is written before the node, and what it made gathered after it.",
            f"SUBDAG EXTERNAL {node} {node}.dag",
            f"SCRIPT PRE {node} {unfold} write {name} {maker}",
            f"SCRIPT POST {node} {unfold} gather {name} {maker} $RETURN",
            f"PARENT {maker} CHILD {node}",
        ]
    lines += [f"MAXJOBS {step} {most}" for step, most in options.limits.items()]
    if final and options.python:
        lines += ["", f"FINAL {FINAL} {FINAL}.sub"]
    return "\n".join(lines) + "\n"


def _order(jobs: Iterable[TargetJob]) -> Iterator[str]:
    """Say which jobs wait for which: those that wait for the same stand in one line, as far as a line goes."""
    waiting: dict[frozenset[str], tuple[tuple[str, ...], list[str]]] = {}
    for job in jobs:
        if job.parents:
            waiting.setdefault(frozenset(job.parents), (job.parents, []))[1].append(job.name)
    for parents, children in waiting.values():
        for some in _parts(parents):
            for others in _parts(children):
                yield f"PARENT {' '.join(some)} CHILD {' '.join(others)}"


def _parts(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[n : n + _NAMED] for n in range(0, len(names), _NAMED))


def _told(job: TargetJob) -> str:
    """Name the tasks of a job, as far as a line goes."""
    shown = " ".join(job.tasks[:6]) + (" ..." if len(job.tasks) > 6 else "")
    return f"{len(job.tasks)} tasks: {shown}" if len(job.tasks) > 1 else shown


def _node(compiled: Compiled, job: TargetJob, options: DagOptions) -> list[str]:
    values = variables(compiled, job, options)
    lines = [
        f"JOB {job.name} {kind_of(compiled, job, options)}.sub",
        f"VARS {job.name} " + " ".join(f'{key}="{value}"' for key, value in values.items()),
    ]
    # A command that fails is tried again by the queue, as often as its task says.
    if not is_direct(compiled, job, options.container):
        lines.append(f'VARS {job.name} again="$(RETRY)"')
        lines.append(f"RETRY {job.name} {RETRIES} UNLESS-EXIT {UserError.exit_code}")
    if urgency := priority(job.needs):
        lines.append(f"PRIORITY {job.name} {urgency}")
    if limited := category(compiled, job, options):
        lines.append(f"CATEGORY {job.name} {limited}")
    return lines


def variables(compiled: Compiled, job: TargetJob, options: DagOptions) -> dict[str, str]:
    """Return what the submit description of a job's kind asks for, as values of VARS."""
    values = {"cores": str(job.needs.cores), "memory": str(_megabytes(job.needs))}
    values |= attributes(compiled, job, options.began, options.sizes, options.facts, options.seconds)
    if is_direct(compiled, job, options.container):
        return values | direct.variables(compiled, job)
    return values | ({} if options.shared else {"inputs": ", ".join(_inputs(job, compiled, options))})


def category(compiled: Compiled, job: TargetJob, options: DagOptions) -> str:
    """Return the step for which only so many jobs may run at one time; empty for none."""
    steps = (compiled.graph.tasks[t].step for t in job.tasks)
    return next((step for step in steps if step in options.limits), "")


def silent(compiled: Compiled, job: TargetJob, options: DagOptions) -> list[str]:
    """Return the parents of a job that send no report of their own."""
    return [
        p
        for p in job.parents
        if p in compiled.jobs and is_direct(compiled, compiled.jobs[p], options.container)
    ]


def _inputs(job: TargetJob, compiled: Compiled, options: DagOptions) -> list[str]:
    """Return what is sent with a job; what an earlier try of it brought back as well."""
    return [f"{job.name}.spec.json", OUT, *travelling(compiled, job, options)]


def travelling(compiled: Compiled, job: TargetJob, options: DagOptions) -> list[str]:
    """Return what a job needs from outside its folder, as paths from there, or the URL where its machine fetches it."""
    without = silent(compiled, job, options)
    files = [f"../{parent}/{OUT}/{parent}.report.json" for parent in job.parents if parent not in without]
    files += [
        path
        if "://" in path
        else f"../{path.removeprefix('jobs/')}"
        if path.startswith("jobs/")
        else f"../../{path}"
        for path in job.inputs.values()
    ]
    if any(_travels(compiled.graph.tasks[t].call) for t in job.tasks):
        files.append("../../code")
    return files


def _travels(call: str) -> bool:
    return call.startswith("code/")


def _megabytes(needs: Needs) -> int:
    return max(math.ceil(needs.memory / 2**20), MEMORY)


def priority(needs: Needs) -> int:
    """Return the priority of a node: the declared one before all, then how soon it must be done."""
    soon = next((more for limit, more in _CLASSES if needs.deadline and needs.deadline <= limit), 0)
    return needs.priority * 1000 + soon
