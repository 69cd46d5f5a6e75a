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

__all__ = ["Spawned", "early"]

#: One thread a task unless it asks for more cores: numeric libraries would else start one per core of the machine.
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)


class Spawned:
    """A worker process in a session of its own, and our end of its socket.

    Raises `OSError` where none can be started. It ends when the socket is closed, also by our death.
    """

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

    def end(self) -> int:
        """Kill its group, reap it, and return how it ended; once is enough."""
        if not self._ended:  # also where it was reaped already: its children live on in its group
            self._ended = True
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
