"""The worker process: reads messages from a socket, a line of JSON each, and answers jobs with reports, a line each.

The first message says where it works: ``log``, ``sandbox``, ``modules``. After it come jobs, and ``prepare``: calls
whose imports are to be made while there is no job; it says ``ready`` after them. It lives as long as the other end
does: when that closes, it kills its own process group.
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
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import orjson

from dynamo.worker.execute import Runner
from dynamo.worker.job import Job
from dynamo.worker.loading import look_first
from dynamo.worker.log import Log
from dynamo.worker.prepare import prepare

__all__ = ["main"]

#: Seconds that a process that was killed may take to let go all that it had open.
DYING = 1.0

_PR_SET_CHILD_SUBREAPER = 36


class _Messages:
    """What comes over the socket, message by message."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._buffer = b""
        self._coming = select.poll()
        self._coming.register(fd, select.POLLIN)

    def __iter__(self) -> Iterator[Any]:
        while True:
            line, end, rest = self._buffer.partition(b"\n")
            if end:
                self._buffer = rest
                yield orjson.loads(line)
                continue
            more = os.read(self._fd, 1 << 20)
            if not more:
                return
            self._buffer += more

    def answer(self, message: Any) -> None:
        """Send a message."""
        left = memoryview(orjson.dumps(message) + b"\n")
        while left:
            left = left[os.write(self._fd, left) :]

    def waiting(self) -> bool:
        """Whether another message has come, or begins to."""
        return bool(self._buffer or self._coming.poll(0))


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve jobs; the argument is the socket's file descriptor, or its path, as in a container."""
    where = (sys.argv[1:] if arguments is None else arguments)[0]
    if os.getpid() == 1:
        _be_init()
    fd = int(where) if where.isdigit() else _connected(where)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the engine's to handle
    _keep_orphans()
    os.set_inheritable(fd, False)  # commands of tasks have no use for it
    os.register_at_fork(after_in_child=lambda: os.close(fd))  # nor have children, which may outlive us
    threading.Thread(target=_end_with, args=(fd,), daemon=True).start()
    messages = _Messages(fd)
    try:
        place: dict[str, Any] = next(iter(messages), {})
        if not place:
            _end_group()
        look_first(place["modules"])
        runner = Runner(place["sandbox"], Log(place["log"]))
        faulthandler.enable()
        faulthandler.register(signal.SIGUSR1, all_threads=False)
        for message in messages:
            if "prepare" in message:
                prepare(message["prepare"], place["sandbox"], messages.waiting)
                with suppress(OSError):  # what an import says is not for the log of the next task
                    os.truncate(place["log"], 0)
                messages.answer({"ready": True})
                continue
            for report in runner.run(Job.from_json(message)):
                messages.answer(report)
    except OSError:
        # Another engine removes the folder of one that was killed, perhaps before the system closes all it had open.
        if not _hang_up(fd).poll(DYING * 1000):
            raise
    _end_group()


def _connected(path: str) -> int:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    return connection.detach()


def _be_init() -> None:
    """Go on in a child of the first process of a container, which no signal of its own could end; reap for it."""
    child = os.fork()
    if child == 0:
        os.setsid()
        return
    signal.signal(signal.SIGUSR1, lambda number, _: os.kill(child, number))
    ended, status = 0, 0
    while ended != child:
        ended, status = os.wait()
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


def _end_with(fd: int) -> None:
    """Kill this process group once the other end is gone, even in the middle of a task."""
    _hang_up(fd).poll()
    _end_group()


def _hang_up(fd: int) -> select.poll:
    """Return what waits for the other end to go, and for nothing else."""
    gone = select.poll()
    gone.register(fd, 0)
    return gone


def _end_group() -> None:
    """End this process and what its tasks left running.

    PR_SET_PDEATHSIG would end this process only, and before it could end the others.
    """
    end_command = getattr(sys.modules.get("dynamo.images.command"), "end_current", None)
    if end_command is not None:  # what runs in a container of its own is no child of this process
        end_command()
    os.killpg(0, signal.SIGKILL)


def _keep_orphans() -> None:
    """Become the parent of what a task's dying children leave behind (Linux, prctl(2)).

    So whoever ends this process can find and end them, even in sessions of their own.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


if __name__ == "__main__":
    main()
