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

_PR_SET_CHILD_SUBREAPER = 36


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve jobs; the arguments are the socket's file descriptor, log, sandbox, and folders of modules."""
    fd, log_path, folder, *path = sys.argv[1:] if arguments is None else arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the engine's to handle
    sys.path[:0] = [p for p in path if p not in sys.path]
    _keep_orphans()
    runner = Runner(folder, Log(log_path))
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1, all_threads=False)
    connection = socket.socket(fileno=int(fd))
    threading.Thread(target=_end_with, args=(connection,), daemon=True).start()
    with connection.makefile("rb") as lines:
        for line in lines:
            for report in runner.run(Job.from_json(orjson.loads(line))):
                connection.sendall(orjson.dumps(report) + b"\n")
    _end_group()


def _end_with(connection: socket.socket) -> None:
    """Kill this process group once the other end is gone, even in the middle of a task."""
    hung_up = select.poll()
    hung_up.register(connection, 0)  # no event but the hang-up itself
    hung_up.poll()
    _end_group()


def _end_group() -> None:
    """End this process and what its tasks left running.

    PR_SET_PDEATHSIG would end this process only, and before it could end the others.
    """
    os.killpg(0, signal.SIGKILL)


def _keep_orphans() -> None:
    """Become the parent of what a task's dying children leave behind (Linux, prctl(2)).

    So whoever ends this process can find and end them, even in sessions of their own.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


if __name__ == "__main__":
    main()
