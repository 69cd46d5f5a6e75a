"""Warm worker processes: started once, fed over a socket each, killed by group.

Enters: jobs. Leaves: `Reported` for each task, `Gone` where a worker died. One process, one job at a time.
"""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from dynamo.engine.limits import Lost
from dynamo.engine.machine import descendants, resident
from dynamo.engine.source import Source
from dynamo.engine.spawn import Spawned
from dynamo.errors import WorkspaceError
from dynamo.worker.job import Job, Report

__all__ = ["Gone", "Reported", "Worker", "Workers"]


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


@dataclass(eq=False, slots=True)
class Worker:
    """One process and what it is doing.

    ``begun`` is the monotonic time at which its current task began; ``left`` are the ids of the tasks of its
    job that have not been reported, the current one first. ``base`` is what the process held before its current
    task, bytes; it is measured only for tasks that declare memory. While it is ``preparing`` it imports, and will
    say when it is through. One that is ``leaving`` gets no other job.
    """

    slot: int
    spawned: Spawned
    log: str
    sandbox: str
    job: Job | None = None
    left: list[str] = field(default_factory=list)
    begun: float = 0.0
    base: int = 0
    buffer: bytes = b""
    preparing: bool = False
    leaving: bool = False

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process."""
        return self.spawned.process

    @property
    def connection(self) -> socket.socket:
        """Our end of its socket."""
        return self.spawned.connection

    def tell(self, message: Any) -> None:
        """Send a message; should the worker have died meanwhile, `Workers.wait` will say so."""
        with suppress(OSError):
            self.connection.sendall(orjson.dumps(message) + b"\n")

    @property
    def name(self) -> str:
        """Name in the journal: slot and process id."""
        return f"w{self.slot}-{self.process.pid}"

    def resident(self) -> int:
        """Resident memory of the process and its descendants, bytes."""
        return resident(self.process.pid)


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
    """

    def __init__(self, folder: Path, modules: Sequence[str] = (), first: Spawned | None = None) -> None:
        self.folder = folder
        self.modules = list(modules)
        self._first = first
        self.idle: list[Worker] = []
        self.busy: list[Worker] = []
        self._selector = selectors.DefaultSelector()
        self._oom = _oom_kills()

    def start(self, count: int, calls: Sequence[str] = ()) -> None:
        """Have at least `count` workers, so that the first tasks do not wait for an interpreter.

        Those that are idle import what the functions that `calls` name will import, until they get a job. Only
        calls whose code versions are known may be named: what is edited later makes another version, and workers
        that imported it as it was are then let go.
        """
        while len(self.idle) + len(self.busy) < count:
            self.idle.append(self._spawn())
        for worker in self.idle if calls else ():
            worker.preparing = True
            worker.tell({"prepare": calls})

    def retire(self) -> None:
        """Give no other job to the workers there are: end those that have none, and the others after theirs."""
        for worker in self.idle:
            self._bury(worker)
        self.idle = []
        for worker in self.busy:
            worker.leaving = True

    def reserve(self, memory: int = 0) -> Worker:
        """Return a worker that has nothing to do, starting one where there is none.

        One that already holds more than the `memory` declared for its next job (bytes; 0 for none) is ended, and
        another started in its place: so a worker never comes to more than twice what is declared.
        """
        worker = self.idle.pop() if self.idle else self._spawn()
        worker.base = worker.resident() if memory else 0
        if worker.base > memory:
            self._bury(worker)
            worker = self._spawn()
        self.busy.append(worker)
        return worker

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
        spoke = [(key, mask) for key, mask in self._selector.select(seconds) if key.data is not None]
        for worker in [w for w in self.busy if all(key.data is not w for key, _ in spoke)]:
            if worker.process.poll() is not None:  # a child that it forked still holds its end of the socket
                self.busy.remove(worker)
                yield Gone(worker, self._bury(worker))
        for key, _ in spoke:
            worker = key.data
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

    def _take_back(self, worker: Worker) -> None:
        self.busy.remove(worker)
        if worker.leaving:
            self._bury(worker)
        else:
            self.idle.append(worker)

    def kill(self, worker: Worker) -> None:
        """End a busy worker and all it started; where it was goes to its log first."""
        with suppress(ProcessLookupError):
            os.kill(worker.process.pid, signal.SIGUSR1)
            with suppress(subprocess.TimeoutExpired):
                worker.process.wait(0.05)  # time to write down where it is
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
            self._bury(worker)
        self.idle, self.busy = [], []
        self._selector.close()

    def _spawn(self) -> Worker:
        taken = {w.slot for w in (*self.idle, *self.busy)}
        slot = next(n for n in range(len(taken) + 1) if n not in taken)
        first, self._first = self._first, None
        try:
            spawned = first if first is not None and first.process.poll() is None else Spawned()
        except OSError as error:
            raise WorkspaceError(f"cannot start a worker process: {error}") from error
        worker = Worker(slot, spawned, f"{self.folder}/{slot}.log", f"{self.folder}/{slot}")
        worker.tell({"log": worker.log, "sandbox": worker.sandbox, "modules": self.modules})
        self._selector.register(worker.connection, selectors.EVENT_READ, worker)
        return worker

    def _bury(self, worker: Worker) -> Lost:
        """Kill the worker and all it started, in whatever session, reap it, and say how it had ended."""
        for pid in descendants(worker.process.pid):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        self._selector.unregister(worker.connection)
        returncode = worker.spawned.end()
        before, self._oom = self._oom, _oom_kills()
        return Lost(returncode, oom=self._oom > before)


def _oom_kills() -> int:
    """How often the kernel has killed for want of memory since it started (Linux; elsewhere 0)."""
    try:
        with open("/proc/vmstat", "rb") as file:
            return next((int(line.split()[1]) for line in file if line.startswith(b"oom_kill ")), 0)
    except OSError:
        return 0
