"""The worker process: reads jobs from a socket, a line each, and answers with reports, a line each.

It lives as long as the other end does: when that closes, it kills its own process group.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Sequence

import orjson

from dynamo.worker.execute import Runner
from dynamo.worker.job import Job
from dynamo.worker.log import Log

__all__ = ["main"]

_PR_SET_PDEATHSIG = 1


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve jobs; the arguments are the socket's file descriptor, log, sandbox, and folders of modules."""
    fd, log_path, folder, *path = sys.argv[1:] if arguments is None else arguments
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the engine's to handle
    sys.path[:0] = [p for p in path if p not in sys.path]
    runner = Runner(folder, Log(log_path))
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    connection = socket.socket(fileno=int(fd))
    threading.Thread(target=_end_with, args=(connection,), daemon=True).start()
    with connection.makefile("rb") as lines:
        for line in lines:
            for report in runner.run(Job.from_json(orjson.loads(line))):
                connection.sendall(orjson.dumps(report) + b"\n")


def _end_with(connection: socket.socket) -> None:
    """Kill this process group once the other end is gone, even in the middle of a task."""
    hung_up = select.poll()
    hung_up.register(connection, 0)  # no event but the hang-up itself
    hung_up.poll()
    os.killpg(0, signal.SIGKILL)


def _die_with_parent() -> None:
    """Let the kernel end this process with the engine, where it can (Linux, prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()
