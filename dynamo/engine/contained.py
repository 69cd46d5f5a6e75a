"""A worker in a container: started beside the engine's loop, it connects to a socket of ours when it is up.

The same face as `dynamo.engine.spawn.Spawned`. It ends when the socket is closed, also by our death, and its container
is removed by Docker as soon as it has.
"""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from typing import Any

from dynamo.engine.place import Place
from dynamo.engine.spawn import ONE_THREAD, Limits
from dynamo.images.client import connect, said
from dynamo.images.container import labels, limits, mounts, secured
from dynamo.worker.machine import resident

__all__ = ["Contained"]

#: Where a worker in a container finds the engine's socket.
_SOCKET = "/run/dynamo.sock"
#: Seconds in which a container that was killed is gone.
DYING = 10.0
#: What a worker may hold beyond what its task declares, bytes, before the kernel ends it: buffers, files in memory.
HEADROOM = 64 << 20


class Contained:
    """One worker in a container of `place`, and our end of its socket, whose file is `path`.

    Parameters
    ----------
    root
        The folder of the workspace, which it writes in.
    sandbox
        Where it will run tasks, in the folder of its engine.
    """

    def __init__(self, place: Place, path: str, root: str, sandbox: str, bounds: Limits) -> None:
        self.place = place
        #: What listens until the worker has connected, then the connection.
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.bind(path)
        self.connection.listen(1)
        self.error = ""
        #: What Docker calls it, and the journal.
        self.name = f"dynamo-{os.urandom(5).hex()}"
        self._path, self._root, self._sandbox = path, root, sandbox
        self._engine = os.path.dirname(sandbox)
        self._bounds = bounds
        self._waiting: list[bytes] | None = []
        self._container: Any = None
        self._pid = 0
        self._code = 1
        self._unwanted = False
        self._lock = threading.Lock()
        self._client = connect()
        self._thread = threading.Thread(target=self._live, name=f"container of {place.name}", daemon=True)
        self._thread.start()

    @property
    def connected(self) -> bool:
        """Whether the worker has connected."""
        return self._waiting is None

    @property
    def limit(self) -> int:
        """Bytes of memory that the kernel lets it have; 0 for as many as the machine has."""
        return self._bounds.memory and self._bounds.memory + HEADROOM

    def accept(self) -> None:
        """Take the connection that has come in place of what listened, and send what was kept for it.

        Where it came from us it is at its end: the container could not be started.
        """
        there, _ = self.connection.accept()
        self.connection.close()
        self.connection = there
        waiting, self._waiting = self._waiting or [], None
        for data in waiting:
            self.send(data)

    def send(self, data: bytes) -> None:
        """Send, or keep until it is up; should it have died meanwhile, its socket says so."""
        if self._waiting is not None:
            self._waiting.append(data)
            return
        with suppress(OSError):
            self.connection.sendall(data)

    def alive(self) -> bool:
        """Whether it has not ended; while it starts, too."""
        return self._thread.is_alive()

    def resident(self) -> int:
        """Resident memory of its processes, bytes; 0 while it starts."""
        return resident(self._pid) if self._pid else 0

    def bound(self, bounds: Limits) -> None:
        """Have other limits from now on."""
        if bounds != self._bounds:
            self._bounds = bounds
            with self._lock:
                container = self._container
            if container is not None:
                self._set()

    def show(self) -> None:
        """Have it write down where it is."""
        self._tell("SIGUSR1")

    def leave(self) -> None:
        """Have it end by itself."""
        self._unwanted = True
        if self.connected:
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

    def end(self) -> int:
        """Kill it, wait until it is gone, and return how it ended."""
        self._unwanted = True
        with suppress(OSError):
            self.connection.close()
        self._tell("SIGKILL")
        self._thread.join(DYING)
        self._client.close()
        with suppress(OSError):
            os.unlink(self._path)
        return 128 - self._code if self._code > 128 else self._code

    def _tell(self, signal: str) -> None:
        if self._container is not None and self._thread.is_alive():
            with suppress(*_errors()):
                self._client.api.kill(self._container.id, signal)

    def _set(self) -> None:
        with suppress(*_errors()):  # it has just ended, or the kernel refuses less than it holds
            self._container.update(**limits(self.limit, self._bounds.cores))

    def _live(self) -> None:
        """Start the container and wait for its end."""
        try:
            begun = self._bounds
            container = self._client.containers.create(
                self.place.image,
                name=self.name,
                entrypoint=["python3", "-P", "-m", "dynamo.worker", _SOCKET],
                working_dir="/",
                environment=ONE_THREAD,
                mounts=[*mounts([self._root], sorted(self.place.folders)), _socket(self._path)],
                labels=labels(self._engine, self._sandbox),
                auto_remove=True,
                **secured(self.place.network),
                **limits(self.limit, begun.cores),
            )
            container.start()
            with self._lock:
                self._container = container
            self._pid = int(self._client.api.inspect_container(container.id)["State"]["Pid"])
            if self._bounds != begun:
                self._set()
            if self._unwanted:
                self._tell("SIGKILL")
            self._code = int(self._client.api.wait(container.id, timeout=None)["StatusCode"])
        except _errors() as error:
            self.error = said(error)
        finally:
            if self._waiting is not None:  # it never connected: wake who listens
                self.error = self.error or f"it ended with exit code {self._code} before it was up"
                with suppress(OSError), socket.socket(socket.AF_UNIX) as waking:
                    waking.connect(self._path)


def _socket(path: str) -> Any:
    from docker.types import Mount

    return Mount(_SOCKET, path, type="bind")


def _errors() -> tuple[type[Exception], ...]:
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    return (DockerException, RequestException, OSError, KeyError)
