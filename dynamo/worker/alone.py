"""Run one compiled job in the folder in which a scheduler put it, far from where it was compiled.

Enters: a `Spec` and the files that it names. Leaves: outputs, a `Returned` and logs at the paths that the spec says.
What an earlier try of the same job made is not made again, where the scheduler brought it back.
Goes wrong: exit code 2 where a task did wrong, which another machine would not mend; 3 where this machine did.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import orjson

from dynamo.errors import DynamoError, InfrastructureError, UserError
from dynamo.graph.model import Graph, Task
from dynamo.worker.arrived import arrived, link_or_copy, state
from dynamo.worker.build import build
from dynamo.worker.child import Child
from dynamo.worker.job import Job, Made, Order, Report
from dynamo.worker.limits import Breach
from dynamo.worker.logs import LIMIT, rescue, shorten
from dynamo.worker.returned import Ended, Returned, Tried
from dynamo.worker.spec import Spec
from dynamo.worker.store import digest_file, stored_path

__all__ = ["run_alone"]

_ENDED: Mapping[str, Ended] = {
    "ok": "ok", "failed": "failed", "blocked": "blocked", "full": "lost", "trouble": "lost",
}  # fmt: skip
#: How a task fails by itself, which is tried again only where it says so.
_OWN = ("failed", "timeout", "memory")
#: The report is not written again before so many times the seconds that it took have passed: it grows with the tasks
#: of a job, and small ones would wait for it. What a lost machine then loses of them is as little.
SPARSE = 5
#: Folder of this try's own, beside what the scheduler put there, begins with this: on a shared disk, one that was given
#: up may be at work there still.
_SCRATCH = ".dynamo-job-"


def run_alone(spec: str, again: int = 0) -> int:
    """Run the job whose spec lies at the path `spec`, in the current folder, and return its exit code.

    `again` tells how often the scheduler has tried this job before by itself. On the first time (0), tasks that failed
    in an earlier submission are tried again; later only those that were lost are.
    """
    signal.signal(signal.SIGTERM, _terminate)
    began = time.time()
    try:
        job = _Alone(Spec.from_json(orjson.loads(Path(spec).read_bytes())), Path.cwd(), began)
    except (OSError, orjson.JSONDecodeError) as error:
        print(f"error: cannot read the job {spec}: {error}", file=sys.stderr)
        return InfrastructureError.exit_code
    except DynamoError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return job.run(again)


def _terminate(number: int, _: object) -> None:
    """End as the scheduler asks, with what tasks have started (`Child.end` in a `finally`), undisturbed."""
    signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + number)


class _Alone:
    """One job in one folder."""

    def __init__(self, spec: Spec, folder: Path, began: float) -> None:
        self._spec, self._folder = spec, folder
        self._graph: Graph = spec.graph
        self._report = folder / spec.report
        self._scratch = folder / f"{_SCRATCH}{socket.gethostname()}-{os.getpid()}"
        earlier = Returned(spec.job)
        with suppress(OSError, DynamoError):  # none, or one that was cut off when its machine was lost
            earlier = Returned.read(self._report)
        self._told = replace(
            earlier,
            job=spec.job,
            rounds=earlier.rounds + 1,
            build=build(),
            machine=socket.gethostname(),
            began=began,
            error="",
        )
        self._paths: dict[str, str] = {}
        #: Size and time of change of the files that exist, by which it is seen that a task changed its input.
        self._states: dict[str, tuple[int, int] | None] = {}
        self._counts = {t.report.task: t.n for t in earlier.tried}
        self._last = dict(earlier.last)
        #: Seconds that the report took to be written, and when that was (`time.monotonic`).
        self._took, self._wrote = 0.0, 0.0

    def run(self, again: int) -> int:
        """Run what is left to be run."""
        try:
            self._report.parent.mkdir(parents=True, exist_ok=True)
            for name, path in arrived(self._spec, self._folder).items():
                self._exists(name, path)
            self._told = replace(self._told, verified=time.time())
            self._perform(again)
        except (OSError, DynamoError) as error:
            self._blame(error)
        finally:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._told = replace(self._told, ended=time.time())
            try:
                self._told.write(self._report)
            except OSError as error:  # a full disk: the report of the last task but one is there
                self._blame(error)
        return _exit_code(self._told, self._graph)

    def _blame(self, error: OSError | DynamoError) -> None:
        """Note why this machine cannot run the job, and say so."""
        text = _told_of(error) if isinstance(error, OSError) else str(error)
        self._told = replace(self._told, error=text)
        print(f"error: {text}", file=sys.stderr)

    def _exists(self, name: str, path: str, made: Made | None = None) -> None:
        """Note where a file is, and how it is, or was when it was made: the next task may have begun already."""
        self._paths[name] = path
        self._states[name] = (made.size, made.mtime) if made else state(path)

    def _changed(self, task: Task) -> str:
        """Return the input that a task has changed; empty where it left all as they were."""
        return next((n for n in task.input_names if self._states.get(n) != state(self._paths.get(n, ""))), "")

    def _perform(self, again: int) -> None:
        """Try the tasks until each is done, or has failed as often as it may."""
        tasks = [self._graph.tasks[t] for t in self._graph.order()]
        rounds = range(self._told.rounds - again, self._told.rounds)  # of this submission, before this one
        spent = Counter(t.report.task for t in self._told.tried if t.ended in _OWN and t.round in rounds)
        most = {t.id: self._counts.get(t.id, 0) + 1 + max(t.needs.retries - spent[t.id], 0) for t in tasks}
        own = {t.id for t in tasks if self._is_done(t) or spent[t.id] > t.needs.retries}
        left = self._may_run({t.id for t in tasks} - own)
        while left:
            self._pass(left)
            left = self._may_run(
                {t.id for t in left if self._ended(t) in _OWN and self._counts[t.id] < most[t.id]}
            )

    def _may_run(self, wanted: set[str]) -> list[Task]:
        """Return those of `wanted` and what waits for them, in order, but nothing that lacks an input for good."""
        found: dict[str, Task] = {}
        for task in map(self._graph.tasks.__getitem__, self._graph.order()):
            lacking = {p for p in self._graph.parents(task) if self._ended(self._graph.tasks[p]) != "ok"}
            asked = task.id in wanted or (self._ended(task) == "blocked" and not lacking.isdisjoint(found))
            if asked and lacking <= set(found):
                found[task.id] = task
        return list(found.values())

    def _pass(self, tasks: Iterable[Task]) -> None:
        """Try each of `tasks` once, in order; a new process goes on where one is lost."""
        left = list(tasks)
        while left:
            (self._scratch / "store").mkdir(parents=True, exist_ok=True)
            log = str(self._scratch / "log") if self._spec.logs else ""
            job = Job(self._spec.job, tuple(self._orders(left)), str(self._scratch / "store"))
            child = Child(job, self._scratch / "box", log)
            try:
                child.start()
                for said in child.reports({t.id: t.needs for t in left}):
                    self._take_in(said, child.left, log)
            finally:
                child.end()
            left = [t for t in left if t.id in child.left[1:]]

    def _orders(self, tasks: Iterable[Task]) -> Iterator[Order]:
        """Yield orders; an input that no earlier task of the pass makes lies at its path already."""
        for task in tasks:
            if task.kind != "command":
                task = replace(task, call=self._call(task.call))  # noqa: PLW2901
            paths = {name: self._paths.get(name, "") for name in task.input_names}
            log = (
                f"{self._spec.logs}/{task.id}.{self._counts.get(task.id, 0) + 1}.log"
                if self._spec.logs
                else ""
            )
            yield Order.of(task, paths, str(self._folder / log) if log else "", "")

    def _call(self, call: str) -> str:
        """Return a call with the full path of a file that travelled with the job."""
        return f"{self._folder}/{call}" if ".py:" in call and not call.startswith("/") else call

    def _take_in(self, said: Report | Breach, left: list[str], log: str) -> None:
        """Note how a task went, and put what it made where the scheduler finds it."""
        if isinstance(said, Breach):
            task, now = self._graph.tasks[left[0]], time.time()
            report = Report(task.id, "failed", now, now, said.error)
            ended: Ended = said.outcome
        else:
            task, report, ended = self._graph.tasks[said.task], said, _ENDED[said.outcome]
        n = self._counts[task.id] = self._counts.get(task.id, 0) + 1
        kept = f"{self._spec.logs}/{task.id}.{n}.log" if self._spec.logs else ""
        if kept and isinstance(said, Breach):
            rescue(log, str(self._folder / kept))
        elif kept and report.logged > LIMIT:
            shorten(str(self._folder / kept))
        changed = self._changed(task) if ended == "ok" else ""
        if changed:
            error = f"its input {changed!r} was changed while it ran; a task leaves its inputs as they are"
            report, ended = replace(report, outcome="failed", error=error, made={}), "failed"
        for name, made in report.made.items():
            self._leave(name, made)
        if report.made and task.kind == "expand":
            report = replace(report, made=self._portable(report.made))
        there = kept if kept and (self._folder / kept).exists() else ""
        self._last[task.id] = Tried(n, ended, report, there, self._told.rounds)
        self._told = self._told.with_one(self._last[task.id])
        if ended != "ok" or time.monotonic() - self._wrote >= SPARSE * self._took:
            self._write()
        print(f"{task.id}: {ended}{': ' if report.error else ''}{report.error}", flush=True)

    def _write(self) -> None:
        """Write the report so far, and note how long that took: the longer it is, the more rarely it is worth it."""
        began = time.monotonic()
        self._told.write(self._report)
        self._wrote = time.monotonic()
        self._took = self._wrote - began

    def _leave(self, name: str, made: Made) -> None:
        """Put an output at its path, in one step."""
        target = self._folder / self._target(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        part.unlink(missing_ok=True)
        link_or_copy(stored_path(self._scratch / "store", made.digest), part)
        os.replace(part, target)
        part.unlink(missing_ok=True)  # where both were links to one file
        target.chmod(0o644)  # a later try, or the scheduler, may have to replace it
        self._exists(name, str(target), made)

    def _portable(self, made: Mapping[str, Made]) -> dict[str, Made]:
        """Have a description of tasks name the modules that travelled by their paths below the job's folder."""
        (name,) = made
        target = self._folder / self._target(name)
        found = orjson.loads(target.read_bytes())
        for row in found["tasks"]:
            row.update({key: row[key].removeprefix(f"{self._folder}/") for key in ("call", "place")})
        target.write_bytes(orjson.dumps(found))
        state = target.stat()
        return {name: Made(digest_file(target), state.st_size, state.st_mtime_ns)}

    def _target(self, name: str) -> str:
        """Return where an output is left."""
        return self._spec.outputs[name]

    def _ended(self, task: Task) -> str:
        last = self._last.get(task.id)
        return last.ended if last else ""

    def _is_done(self, task: Task) -> bool:
        """Whether an earlier try made all outputs of `task`, and they came back whole."""
        last = self._last.get(task.id)
        if last is None or last.ended != "ok":
            return False
        paths = {name: self._folder / self._target(name) for name in last.report.made}
        try:
            whole = all(digest_file(path) == last.report.made[name].digest for name, path in paths.items())
        except OSError:
            whole = False
        if whole:
            for name, path in paths.items():
                self._exists(name, str(path))
        else:  # whoever reads reports has counted this attempt: it stays
            spoilt = replace(
                last.report, made={}, error="what it made did not come back whole to the next try"
            )
            lost = replace(last, ended="lost", report=spoilt)
            self._last[task.id] = lost
            self._told = replace(self._told, tried=tuple(lost if t is last else t for t in self._told.tried))
        return whole


def _told_of(error: OSError) -> str:
    """Say in words what the machine failed to do."""
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk of the machine that runs the job is full{where}: make room there"
    return f"the machine that runs the job failed: {error.strerror or error}{where}"


def _exit_code(told: Returned, graph: Graph) -> int:
    """0 where all is done, 2 where tasks failed by themselves, 3 where this machine failed."""
    ended = [told.last[t].ended if t in told.last else "lost" for t in graph.tasks]
    if told.error or "lost" in ended:
        return InfrastructureError.exit_code
    return UserError.exit_code if any(e != "ok" for e in ended) else 0
