"""One worker of an engine: a process, perhaps in a container, and what it is doing."""

from __future__ import annotations

import socket
import subprocess
from dataclasses import dataclass, field
from typing import Any

import orjson

from dynamo.engine.contained import Contained
from dynamo.engine.place import Place
from dynamo.engine.spawn import Spawned
from dynamo.worker.job import Job

__all__ = ["Worker"]


@dataclass(eq=False, slots=True)
class Worker:
    """One process and what it is doing.

    ``begun`` is the monotonic time at which its current task began; ``left`` are the ids of the tasks of its
    job that have not been reported, the current one first. ``base`` is what the process held before its current
    task, bytes; it is measured only for tasks that declare memory. While it is ``preparing`` it imports, and will
    say when it is through. One that is ``leaving`` gets no other job.
    """

    slot: int
    spawned: Spawned | Contained
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
        """The process of a worker that is in no container."""
        assert isinstance(self.spawned, Spawned)
        return self.spawned.process

    @property
    def connection(self) -> socket.socket:
        """Our end of its socket."""
        return self.spawned.connection

    def tell(self, message: Any) -> None:
        """Send a message; should the worker have died meanwhile, `Workers.wait` will say so."""
        self.spawned.send(orjson.dumps(message) + b"\n")

    def serves(self, place: Place | None) -> bool:
        """Whether a job that is for `place` may run here; None is for a job in no container."""
        mine = self.spawned.place
        return mine is None if place is None else mine is not None and mine.serves(place)

    @property
    def name(self) -> str:
        """Name in the journal: slot, and process id or container."""
        return f"w{self.slot}-{self.spawned.name}"

    def resident(self) -> int:
        """Resident memory of its processes, bytes."""
        return self.spawned.resident()
