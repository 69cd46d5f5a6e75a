"""Warm worker processes: started once, fed over a socket each, killed by group.

Enters: jobs. Leaves: `Reported` for each task, `Gone` where a worker died. One process, one job at a time.
"""

from __future__ import annotations

import selectors
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from dynamo.engine.contained import Contained
from dynamo.engine.containers import Containers, end_command
from dynamo.engine.place import Place, theirs
from dynamo.engine.source import Source
from dynamo.engine.spawn import Limits, Spawned
from dynamo.engine.worker import Worker
from dynamo.errors import WorkspaceError
from dynamo.worker.job import Job, Report
from dynamo.worker.limits import Lost

__all__ = ["Gone", "Reported", "Worker", "Workers"]

#: Seconds in which a worker that is to be killed writes down where it is.
SHOWING = 0.05


@dataclass(frozen=True, slots=True)
class Reported:
    """A task of a job is through."""

    worker: Any
    report: Report


@dataclass(frozen=True, slots=True)
class Gone:
    """A worker's process has ended while it had a job."""

    worker: Worker
    lost: Lost


class Workers:
    """The worker processes of one engine, started as they are needed.

    Parameters
    ----------
    folder
        Where their scratch logs and sandboxes lie.
    modules
        Folders that come first on the workers' module path, which does not have the current folder.
    first
        A process that is to be the first worker.
    root
        The folder of the workspace, which workers in containers see.
    """

    def __init__(
        self, folder: Path, modules: Sequence[str] = (), first: Spawned | None = None, root: str = ""
    ) -> None:
        self.folder = folder
        self.modules = list(modules)
        self._first = first
        self._containers = Containers(root)
        self.idle: list[Worker] = []
        self.busy: list[Worker] = []
        self._selector = selectors.DefaultSelector()
        self._oom = _oom_kills()

    def start(self, count: int, calls: Sequence[str] = (), place: Place | None = None) -> None:
        """Have at least `count` workers in a place, so that the first tasks do not wait for an interpreter.

        Those that are idle import what the functions that `calls` name will import, until they get a job. Only
        calls whose code versions are known may be named: what is edited later makes another version, and workers
        that imported it as it was are then let go.
        """
        there = sum(worker.serves(place) for worker in (*self.idle, *self.busy))
        for _ in range(there, count):
            self.idle.append(self._spawn(place))
        for worker in [worker for worker in self.idle if worker.serves(place)] if calls else ():
            worker.preparing = True
            worker.tell({"prepare": calls})

    def start_first(self, calls: Mapping[Place, Sequence[str]], most: int) -> None:
        """Have workers where the first tasks will run, as many as there are `calls` in a place, but `most` there."""
        for place, called in calls.items():
            self.start(min(len(called), most), list(dict.fromkeys(called)), place)

    def retire(self) -> None:
        """Give no other job to the workers there are: end those that have none, and the others after theirs."""
        for worker in self.idle:
            self._bury(worker)
        self.idle = []
        for worker in self.busy:
            worker.leaving = True

    def reserve(self, memory: int = 0, place: Place | None = None, cores: int = 1) -> Worker:
        """Return a worker that has nothing to do, starting one where there is none in that place.

        One that already holds more than the `memory` declared for its next job (bytes; 0 for none) is ended, and
        another started in its place: so a worker never comes to more than twice what is declared. One in a container
        may use that much more from then on, and as many `cores`.
        """
        worker = next((w for w in reversed(self.idle) if w.serves(place)), None)
        if worker is not None:
            self.idle.remove(worker)
        else:
            self._make_way(place)
            worker = self._spawn(place)
        worker.base = worker.resident() if memory else 0
        if worker.base > memory:
            self._bury(worker)
            worker = self._spawn(place)
        worker.spawned.bound(Limits(memory and worker.base + memory, cores))
        self.busy.append(worker)
        return worker

    def _make_way(self, place: Place | None) -> None:
        """End a worker of the same image that has nothing to do, and sees other folders than are asked for."""
        for worker in self.idle:
            other = worker.spawned.place
            if place is not None and other is not None and other.image == place.image:
                self.idle.remove(worker)
                self._bury(worker)
                return

    def send(self, worker: Worker, job: Job) -> None:
        """Give `job` to a reserved worker; should it have died meanwhile, `wait` will say so."""
        worker.job, worker.begun = job, time.monotonic()
        worker.left = [order.id for order in job.orders]
        worker.tell(job)

    @contextmanager
    def listening(self, caller: Source) -> Iterator[None]:
        """Let `wait` end early when `caller` has something to be read."""
        if caller.fileno() < 0:
            yield
            return
        key = self._selector.register(caller, selectors.EVENT_READ)
        try:
            yield
        finally:
            self._selector.unregister(key.fileobj)

    def wait(self, seconds: float) -> Iterator[Reported | Gone]:
        """Wait for at most `seconds` and yield what has happened."""
        spoke = self._spoke(seconds)
        for worker in [w for w in self.busy if w not in spoke]:
            if not worker.spawned.alive():  # a child that it forked still holds its end of the socket
                self.busy.remove(worker)
                yield Gone(worker, self._bury(worker))
        for worker in spoke:
            try:
                data = worker.connection.recv(1 << 16)
            except OSError:
                data = b""
            if not data:
                if worker.job is not None:
                    self.busy.remove(worker)
                    yield Gone(worker, self._bury(worker))
                else:
                    self.idle.remove(worker)
                    self._bury(worker)
                continue
            *lines, worker.buffer = (worker.buffer + data).split(b"\n")
            for line in lines:
                said = orjson.loads(line)
                worker.begun = time.monotonic()
                if "ready" in said:  # what it imported before its job does not count as the job's
                    worker.preparing = False
                    worker.base = worker.resident()
                    continue
                report = Report.from_json(said)
                worker.left.remove(report.task)
                if not worker.left:
                    self._take_back(worker)
                yield Reported(worker, report)

    def _spoke(self, seconds: float) -> list[Worker]:
        """Return workers that said something, or are gone; take in those that came up in their containers."""
        spoke: list[Worker] = []
        for key, _ in self._selector.select(seconds):
            worker: Worker | None = key.data
            if worker is None or worker.spawned.connected:
                spoke += [worker] if worker is not None else []
                continue
            self._selector.unregister(worker.connection)
            worker.spawned.accept()
            self._selector.register(worker.connection, selectors.EVENT_READ, worker)
            worker.begun = time.monotonic()
        return spoke

    def _take_back(self, worker: Worker) -> None:
        self.busy.remove(worker)
        if worker.leaving:
            self._bury(worker)
        else:
            self.idle.append(worker)

    def kill(self, worker: Worker) -> None:
        """End a busy worker and all it started; where it was goes to its log first."""
        worker.spawned.show()
        until = time.monotonic() + SHOWING
        while worker.spawned.alive() and time.monotonic() < until:
            time.sleep(SHOWING / 10)
        self.busy.remove(worker)
        self._bury(worker)

    def drop(self) -> None:
        """End what runs, and remove what it wrote."""
        for worker in list(self.busy):
            self.kill(worker)
            shutil.rmtree(worker.sandbox, ignore_errors=True)

    def close(self) -> None:
        """End all workers and all they started."""
        for worker in (*self.idle, *self.busy):
            worker.spawned.leave()  # all at once
        for worker in (*self.idle, *self.busy):
            self._bury(worker)
        self.idle, self.busy = [], []
        self._selector.close()
        self._containers.close()

    def _spawn(self, place: Place | None = None) -> Worker:
        taken = {w.slot for w in (*self.idle, *self.busy)}
        slot = next(n for n in range(len(taken) + 1) if n not in taken)
        sandbox = f"{self.folder}/{slot}"
        worker = Worker(slot, self._started(place, sandbox), f"{sandbox}.log", sandbox)
        modules = self.modules if place is None else theirs(self.modules)
        worker.tell({"log": worker.log, "sandbox": sandbox, "modules": modules})
        self._selector.register(worker.connection, selectors.EVENT_READ, worker)
        return worker

    def _started(self, place: Place | None, sandbox: str) -> Spawned | Contained:
        try:
            if place is not None:
                return self._containers.start(place, sandbox, Limits())
            first, self._first = self._first, None
            return first if first is not None and first.process.poll() is None else Spawned()
        except OSError as error:
            raise WorkspaceError(f"cannot start a worker process: {error}") from error

    def _bury(self, worker: Worker) -> Lost:
        """Kill the worker and all it started, reap it, and say how it had ended."""
        self._selector.unregister(worker.connection)
        returncode = worker.spawned.end()
        if worker.job is not None and any(order.container for order in worker.job.orders):
            end_command(worker.sandbox)
        before, self._oom = self._oom, _oom_kills()
        oom = self._oom > before
        return Lost(returncode, oom=oom, unstarted=worker.spawned.error, limit=worker.spawned.limit)


def _oom_kills() -> int:
    """How often the kernel has killed for want of memory since it started (Linux; elsewhere 0)."""
    try:
        with open("/proc/vmstat", "rb") as file:
            return next((int(line.split()[1]) for line in file if line.startswith(b"oom_kill ")), 0)
    except OSError:
        return 0
