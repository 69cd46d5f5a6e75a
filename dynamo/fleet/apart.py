"""Functions that are called in a process apart, with a time limit: one that hangs there holds up nothing here.

HTCondor's Python bindings wait for the network with Python's lock (GIL) held: all threads of their process stand still
until the pool answers. The other process is in a session of its own, so Ctrl-C does not reach it, has none of our
sockets but one, and is told what to call through that alone. It ends when the socket closes, also by our death.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from math import ceil
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, Self

from dynamo.errors import InfrastructureError

__all__ = ["Apart"]

#: Seconds that a call may take: many times what a query takes of a pool at work, and half of what a reading may.
LIMIT = 30.0


class Apart:
    """A process in which functions are called, one at a time; it is started when it is needed.

    It has ended after the body of a ``with`` statement. Any thread may call.

    Parameters
    ----------
    limit
        Seconds after which a call is given up, and the process killed.
    """

    def __init__(self, limit: float = LIMIT) -> None:
        self._limit = limit
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        if self._process is not None:  # a call that is under way ends by that
            self._process.kill()
            self._process.wait()

    def call(
        self, whom: str, function: Callable[..., Any], *arguments: Any, limit: float | None = None
    ) -> Any:
        """Return what a function of a module returns there, or raise what it raises; all of it can be pickled.

        A call may have less time than others, its `limit` in seconds. Raises `InfrastructureError` where `whom` it
        asks gives no answer in time, and where the process dies of it.
        """
        patience = min(limit or self._limit, self._limit)
        with self._turn:
            connection = self._connection or self._start()
            try:
                connection.send((function, arguments))
                answered = connection.poll(patience)
                result, error = connection.recv() if answered else (None, None)
            except (EOFError, OSError) as lost:
                raise InfrastructureError(
                    f"the process that asks {whom} has died (exit status {self._end()}): the next time another asks; "
                    "what it said of itself is in our output"
                ) from lost
            except BaseException:  # its answer is not to be taken for that of the next call
                self._end()
                raise
            if not answered:
                self._end()
                raise InfrastructureError(
                    f"{whom} did not answer within {patience:g} s: look whether it runs, whether its machine is up, "
                    "and whether something drops what is sent there (a firewall, a route)"
                )
        if error is not None:
            raise error
        return result

    def _start(self) -> Connection:
        if self._closed:
            raise InfrastructureError("nobody is asked any more: we are about to end")
        self._connection, there = Pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__, str(there.fileno()), str(self._limit)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[there.fileno()],
                start_new_session=True,
            )
        except OSError as error:
            self._connection = None
            raise InfrastructureError(f"cannot start a process: {error.strerror}") from error
        finally:
            there.close()
        return self._connection

    def _end(self) -> int:
        """Kill the process, and return how it ended; the next call starts another."""
        assert self._process is not None
        assert self._connection is not None
        self._connection.close()
        self._connection = None
        self._process.kill()
        return self._process.wait()


def _serve(connection: Connection, limit: float) -> None:
    """Call what is asked for; raises `EOFError` or `OSError` when the other end has closed."""
    while True:
        function, arguments = connection.recv()
        # Whose parent dies meanwhile must not hang on: the kernel ends it, whatever it waits for, and with what lock.
        signal.alarm(ceil(limit) + 1)
        result = failed = None
        try:
            result = function(*arguments)
        except Exception as error:  # noqa: BLE001 - it is raised where it was called
            failed = error
        connection.send((result, failed))
        signal.alarm(0)


if __name__ == "__main__":
    with suppress(EOFError, OSError):
        _serve(Connection(int(sys.argv[1])), float(sys.argv[2]))
