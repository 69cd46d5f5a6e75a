"""Warm worker processes: started once, fed over a socket each, killed by group.

Enters: jobs. Leaves: `Reported` for each task, `Gone` where a worker died. One process, one job at a time.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import psutil

from dynamo.engine.limits import Lost
from dynamo.engine.machine import resident
from dynamo.errors import WorkspaceError
from dynamo.worker.job import Job, Report

__all__ = ["Gone", "Reported", "Worker", "Workers"]

#: One thread a task unless it asks for more cores: numeric libraries would else start one per core of the machine.
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)


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
    task, bytes; it is measured only for tasks that declare memory.
    """

    slot: int
    process: subprocess.Popen[bytes]
    connection: socket.socket
    log: str
    sandbox: str
    job: Job | None = None
    left: list[str] = field(default_factory=list)
    begun: float = 0.0
    base: int = 0
    buffer: bytes = b""

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
    """

    def __init__(self, folder: Path, modules: Sequence[str] = ()) -> None:
        self.folder = folder
        self.modules = list(modules)
        self.idle: list[Worker] = []
        self.busy: list[Worker] = []
        self._selector = selectors.DefaultSelector()
        self._oom = _oom_kills()

    def start(self, count: int) -> None:
        """Have at least `count` workers idle, so that the first tasks do not wait for an interpreter."""
        while len(self.idle) < count:
            self.idle.append(self._spawn())

    def retire(self) -> None:
        """End the workers that have nothing to do; `reserve` starts others."""
        for worker in self.idle:
            self._bury(worker)
        self.idle = []

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
        with suppress(OSError):
            worker.connection.sendall(orjson.dumps(job) + b"\n")

    def wait(self, seconds: float) -> Iterator[Reported | Gone]:
        """Wait for at most `seconds` and yield what has happened."""
        for key, _ in self._selector.select(seconds):
            worker: Worker = key.data
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
                report = Report.from_json(orjson.loads(line))
                worker.left.remove(report.task)
                worker.begun = time.monotonic()
                if not worker.left:
                    self.busy.remove(worker)
                    self.idle.append(worker)
                yield Reported(worker, report)

    def kill(self, worker: Worker) -> None:
        """End a busy worker and all it started; where it was goes to its log first."""
        with suppress(ProcessLookupError):
            os.kill(worker.process.pid, signal.SIGUSR1)
            with suppress(subprocess.TimeoutExpired):
                worker.process.wait(0.05)  # time to write down where it is
        self.busy.remove(worker)
        self._bury(worker)

    def close(self) -> None:
        """End all workers and all they started."""
        for worker in (*self.idle, *self.busy):
            self._bury(worker)
        self.idle, self.busy = [], []
        self._selector.close()

    def _spawn(self) -> Worker:
        taken = {w.slot for w in (*self.idle, *self.busy)}
        slot = next(n for n in range(len(taken) + 1) if n not in taken)
        here, there = socket.socketpair()
        log, sandbox = f"{self.folder}/{slot}.log", f"{self.folder}/{slot}"
        try:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "dynamo.worker",
                    str(there.fileno()),
                    log,
                    sandbox,
                    *self.modules,
                ],
                stdin=subprocess.DEVNULL,
                pass_fds=[there.fileno()],
                start_new_session=True,
                env={**ONE_THREAD, **os.environ},
            )
        except OSError as error:
            raise WorkspaceError(f"cannot start a worker process: {error}") from error
        finally:
            there.close()
        worker = Worker(slot, process, here, log, sandbox)
        self._selector.register(here, selectors.EVENT_READ, worker)
        return worker

    def _bury(self, worker: Worker) -> Lost:
        """Kill the worker's group, reap it, and say how it had ended."""
        with suppress(psutil.Error):
            for child in psutil.Process(worker.process.pid).children(recursive=True):
                with suppress(psutil.Error):
                    child.kill()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(worker.process.pid, signal.SIGKILL)
        returncode = worker.process.wait()
        self._selector.unregister(worker.connection)
        worker.connection.close()
        before, self._oom = self._oom, _oom_kills()
        return Lost(returncode, oom=self._oom > before)


def _oom_kills() -> int:
    """How often the kernel has killed for want of memory since it started (Linux; elsewhere 0)."""
    try:
        with open("/proc/vmstat", "rb") as file:
            return next((int(line.split()[1]) for line in file if line.startswith(b"oom_kill ")), 0)
    except OSError:
        return 0
