"""The containers of one engine: where their sockets lie, and that none is left behind by an engine that is no more."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from itertools import count
from pathlib import Path

from dynamo.engine.contained import Contained
from dynamo.engine.place import Place
from dynamo.engine.spawn import Limits
from dynamo.images.client import connect
from dynamo.images.container import ENGINE, USER, WORKER
from dynamo.journal.locks import held

__all__ = ["Containers", "end_command", "sweep"]


class Containers:
    """Starts workers in containers.

    Parameters
    ----------
    root
        The folder of the workspace.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._sockets = ""
        self._numbers = count()

    def start(self, place: Place, sandbox: str, bounds: Limits) -> Contained:
        """Start a worker; raises what `connect` does."""
        if not self._sockets:
            sweep()
            # Not in the workspace: the path of a socket has 107 bytes at most (unix(7)).
            self._sockets = tempfile.mkdtemp(prefix="dynamo-")
        return Contained(place, f"{self._sockets}/{next(self._numbers)}", self._root, sandbox, bounds)

    def close(self) -> None:
        """Remove what is left in this process's name, once its workers have ended."""
        if self._sockets:
            shutil.rmtree(self._sockets, ignore_errors=True)


def sweep() -> None:
    """Remove containers of this user whose engine is no more; whatever Docker says, that is no fault of a run."""
    from docker.errors import DockerException

    client = connect()
    with suppress(DockerException, OSError):
        for container in client.containers.list(
            all=True, ignore_removed=True, filters={"label": f"{USER}={os.getuid()}"}
        ):
            engine = Path(container.labels.get(ENGINE, ""))
            # Seen from elsewhere, its workspace may not be there at all.
            if engine.is_absolute() and engine.parent.is_dir() and not held(engine / "lock"):
                with suppress(DockerException):
                    container.remove(force=True)
    client.close()


def end_command(sandbox: str) -> None:
    """Remove the container that a worker with this sandbox had a command in, as it cannot any more."""
    from docker.errors import DockerException

    client = connect()
    with suppress(DockerException, OSError):
        for container in client.containers.list(
            all=True, ignore_removed=True, filters={"label": f"{WORKER}={sandbox}"}
        ):
            with suppress(DockerException):
                container.remove(force=True)
    client.close()
