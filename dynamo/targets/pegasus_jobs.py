"""Each task of a graph as a job of Pegasus: what it calls, with which files, and what it asks of a machine."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from Pegasus.api import File, Job, Namespace

from dynamo.graph.model import Graph, Task
from dynamo.images.image import Image
from dynamo.targets.catalogs import Program
from dynamo.targets.names import safe, safe_names
from dynamo.targets.pegasus_told import told
from dynamo.targets.pegasus_work import Names, Work, node_id
from dynamo.worker.spec import Spec

__all__ = ["Jobs"]

#: The program that runs Python tasks, and commands that have no image; it is sent, and finds the installed one.
WORKER = "dynamo-worker"
#: What every layer between here and the command passes on as it is. Pegasus joins arguments by spaces, and
#: pegasus-cluster and pegasus-kickstart each take away one level of quotes.
_PLAIN = re.compile(r"[A-Za-z0-9_./:=,@%+-]+")
_MIB = 1 << 20


class Jobs:
    """The jobs of `work`, and the files that are written for them below `folder`."""

    def __init__(self, work: Work, names: Names, folder: Path) -> None:
        self._work, self._names, self._folder = work, names, folder
        self._graph = work.code.renamed(work.graph)
        self._calls = safe_names([WORKER, *(t.argv[0] for t in work.graph.tasks.values() if t.argv)])
        self._labels = dict(_labels(work))
        self._told = told(work, self._labels)
        #: What the jobs call, by namespace and name.
        self.programs: dict[tuple[str | None, str], Program] = {}
        #: Texts of files: path below the folder to what is in it; those of scripts can be executed.
        self.specs: dict[str, dict[str, Any]] = {}
        self.scripts: dict[str, str] = {}

    def jobs(self) -> Iterator[Job]:
        """Yield a job for each task, in the order described."""
        for task in self._graph.tasks.values():
            image = self._work.image(task)
            yield self._direct(task, image) if task.kind == "command" and image else self._worker(task, image)

    def _worker(self, task: Task, image: Image | None) -> Job:
        """Return a job that runs a task through ``dynamo-worker``."""
        names = self._names
        spec, report = names.spec(task.id), names.report(task.id)
        program = self._program(Program(WORKER, f"{self._folder}/{WORKER}", sent=True, image=image))
        job = self._job(task, program, [File(spec)])
        job.add_args("run", File(spec))
        if self._work.code.files:
            job.add_inputs(File(names.code))
        if self._work.reports:
            job.add_outputs(File(report), stage_out=True, register_replica=False)
        self.specs[spec] = self._spec(task, report).to_json()
        return job

    def _spec(self, task: Task, report: str) -> Spec:
        files = self._names.files
        inputs = list(task.input_names)
        return Spec(
            node_id(task.id),
            Graph(self._graph.name, {task.id: task}, {name: files[name] for name in inputs}),
            {name: files[name] for name in task.output_names},
            {name: self._work.digests[name] for name in inputs if name in self._work.digests},
            report=report,
            build=self._work.build,
        )

    def _direct(self, task: Task, image: Image) -> Job:
        """Return a job that runs a command in its own image, in which there need be nothing of dynamo or Python."""
        files = self._names.files
        names = [*task.input_names, *task.output_names]
        first, *others = task.argv
        as_it_is = all(files[n] == n for n in names) and all(_PLAIN.fullmatch(a) for a in task.argv)
        if not as_it_is or ("/" in first and not first.startswith("/")):
            script = f"{node_id(task.id)}.sh"
            self.scripts[script] = _script(task, files)
            program = Program(script, f"{self._folder}/scripts/{script}", sent=True, image=image)
        elif first.startswith("/"):
            program = Program(self._calls[first], first, sent=False, image=image)
        else:
            program, others = (
                Program(self._calls[first], "/usr/bin/env", sent=False, image=image),
                list(task.argv),
            )
        job = self._job(task, self._program(program))
        job.add_args(*([] if program.sent else others))
        if task.needs.retries:
            job.add_profiles(Namespace.DAGMAN, "retry", task.needs.retries)
        return job

    def _program(self, program: Program) -> Program:
        return self.programs.setdefault((program.namespace, program.name), program)

    def _job(self, task: Task, program: Program, more: list[File] | None = None) -> Job:
        """Return a job with its files and with what it asks of a machine."""
        work, files = self._work, self._names.files
        job = Job(program.name, node_id(task.id), task.id, namespace=program.namespace)
        job.add_inputs(*(more or ()), *(File(files[n]) for n in dict.fromkeys(task.input_names)))
        for name in task.output_names:
            job.add_outputs(File(files[name]), stage_out=work.wants(name), register_replica=False)
        for namespace, profiles in _profiles(
            task, work.seconds.get(task.step, 0.0), self._labels.get(task.id, "")
        ):
            job.add_profiles(namespace, **profiles)
        job.add_profiles(Namespace.CONDOR, **self._told[task.id])
        job.add_metadata(task=task.id, step=task.step)
        return job


def _profiles(task: Task, seconds: float, label: str) -> Iterator[tuple[Namespace, dict[str, Any]]]:
    """Yield what a task asks for; its run time is what it took before, else the most that it may take."""
    needs = task.needs
    asked: dict[str, Any] = {"cores": needs.cores}
    if needs.memory:
        asked["memory"] = math.ceil(needs.memory / _MIB)
    if seconds or needs.timeout:
        asked["runtime"] = math.ceil(seconds or needs.timeout)
    if label:
        asked["label"] = label
    yield Namespace.PEGASUS, asked
    if needs.priority:
        yield Namespace.CONDOR, {"priority": needs.priority}
        yield Namespace.DAGMAN, {"PRIORITY": needs.priority}


def _labels(work: Work) -> Iterator[tuple[str, str]]:
    """Yield the label of each task that shares a job: of one label, they all run in one image."""
    images: dict[str, set[str]] = {}
    for task in work.graph.tasks.values():
        image = work.image(task)
        images.setdefault(task.fuse, set()).add(image.name if image else "")
    for task in work.graph.tasks.values():
        if task.fuse and len(images[task.fuse]) == 1:
            yield task.id, safe(task.fuse)


def _script(task: Task, files: Mapping[str, str]) -> str:
    """Return a script that runs a command where its files have their own names, in a folder of its own."""
    home = f"job-{node_id(task.id)}"
    outputs = list(task.output_names)
    folders = dict.fromkeys(str(Path(n).parent) for n in [*task.input_names, *outputs] if "/" in n)
    lines = [
        "#!/bin/sh",
        f"# {task.id}: its files under the names that the command knows.".replace("\n", " "),
    ]
    lines += ["set -e", f"rm -rf {home}", f"mkdir {home}", f"cd {home}"]
    lines += [f"mkdir -p {shlex.quote(folder)}" for folder in folders]
    for name in dict.fromkeys(task.input_names):
        up = "../" * (1 + name.count("/"))
        lines.append(f"ln -s {up}{files[name]} {shlex.quote(name)}")
    lines.append(shlex.join(task.argv))
    lines += [f"mv {shlex.quote(name)} ../{files[name]}" for name in outputs]
    lines += ["cd ..", f"rm -rf {home}"]
    return "\n".join(lines) + "\n"
