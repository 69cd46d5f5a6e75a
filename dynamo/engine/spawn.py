"""Start a worker process; it waits on its socket to be told where it works (see `dynamo.worker.__main__`).

Cheap to import: `dynamo run` starts its first worker before it reads the run file, so that both interpreters
start side by side.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from dynamo.worker.machine import descendants, resident

__all__ = ["Limits", "Spawned", "early"]

#: One thread a task unless it asks for more cores: numeric libraries would else start one per core of the machine.
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Memory (bytes; 0 for none) and processors that a container may use."""

    memory: int = 0
    cores: int = 1


class Spawned:
    """A worker process in a session of its own, and our end of its socket.

    Raises `OSError` where none can be started. It ends when the socket is closed, also by our death.
    """

    #: Where it runs: in no container.
    place = None
    #: Its socket is connected from the start.
    connected = True
    #: Why it could not be started: it was.
    error = ""
    #: Bytes of memory that the kernel lets it have: no fewer than the machine has.
    limit = 0

    def __init__(self) -> None:
        self._ended = False
        self.connection, there = socket.socketpair()
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "dynamo.worker", str(there.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[there.fileno()],
                start_new_session=True,
                env={**ONE_THREAD, **os.environ},
            )
        except OSError:
            self.connection.close()
            raise
        finally:
            there.close()

    @property
    def name(self) -> str:
        """What it is called in the journal."""
        return str(self.process.pid)

    def send(self, data: bytes) -> None:
        """Send; should it have died meanwhile, its socket says so."""
        with suppress(OSError):
            self.connection.sendall(data)

    def alive(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def resident(self) -> int:
        """Resident memory of the process and its descendants, bytes."""
        return resident(self.process.pid)

    def accept(self) -> None:
        """Need no connection."""

    def bound(self, bounds: Limits) -> None:
        """Have no limits but those that the engine looks after."""

    def leave(self) -> None:
        """Wait for `end`, which does not take long."""

    def show(self) -> None:
        """Have it write down where it is."""
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGUSR1)

    def end(self) -> int:
        """Kill it and all it started, in whatever session, reap it, and return how it ended; once is enough."""
        if not self._ended:  # also where it was reaped already: its children live on in its group
            self._ended = True
            for pid in descendants(self.process.pid):
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.connection.close()
        return self.process.wait()


@contextmanager
def early() -> Iterator[Spawned | None]:
    """Start a worker that some engine will take; it has ended after the body, whatever happened there.

    None where it cannot be started: the engine will try, and say what is wrong.
    """
    spawned = None
    with suppress(OSError):
        spawned = Spawned()
    try:
        yield spawned
    finally:
        if spawned is not None:
            spawned.end()
