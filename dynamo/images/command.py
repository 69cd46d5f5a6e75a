"""Run one command line in a container of its image, where no dynamo and perhaps no shell is.

Enters: an argument list, a `Box`. Leaves: the exit code; what it wrote goes to this process's own output.
Goes wrong: `CannotStart` (the program is not in the image ...), `InfrastructureError` (Docker).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from dynamo.errors import InfrastructureError
from dynamo.images.client import connect, said
from dynamo.images.container import labels, limits, mounts, secured

__all__ = ["Box", "CannotStartError", "Ended", "end_current", "run_command"]


class CannotStartError(Exception):
    """The image has no such program, or it cannot be executed there."""


@dataclass(frozen=True, slots=True)
class Box:
    """What the container of a command is made of.

    Parameters
    ----------
    image, name
        Digest of the image, and what people call it.
    engine
        The folder of the engine that it belongs to.
    folders
        What is there to be read, at the same paths.
    memory, cores
        Its limits, bytes (0 for none) and processors.
    network
        Whether it may use the network.
    """

    image: str
    name: str
    engine: str
    folders: Sequence[str] = ()
    memory: int = 0
    cores: int = 1
    network: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """How it ended: exit code, and whether it came upon its memory limit."""

    code: int
    oom: bool


#: The container that this process waits for.
_current: Any = None


def run_command(argv: Sequence[str], box: Box, folder: str) -> Ended:
    """Run `argv` in a container whose current folder is `folder`, at the same path as here.

    Raises `CannotStartError`, and `InfrastructureError` where Docker fails or does not answer.
    """
    global _current  # noqa: PLW0603 - read by the thread that ends this process
    from docker.errors import APIError, DockerException, ImageNotFound

    client = connect()
    try:
        _current = container = client.containers.create(
            box.image,
            entrypoint=list(argv),
            working_dir=folder,
            mounts=mounts([folder], box.folders),
            labels=labels(box.engine, folder),
            **secured(box.network),
            **limits(box.memory, box.cores),
        )
        try:
            return _run(client, container)
        finally:
            _current = None
            with suppress(DockerException, OSError):
                container.remove(force=True)
    except ImageNotFound as error:
        raise InfrastructureError(f"the image {box.name} is gone from this machine: {said(error)}") from error
    except APIError as error:
        if error.is_client_error():
            raise CannotStartError(said(error)) from error
        raise InfrastructureError(f"Docker cannot run {argv[0]!r} in {box.name}: {said(error)}") from error
    except (DockerException, OSError) as error:
        raise InfrastructureError(f"Docker was lost while {argv[0]!r} ran: {said(error)}") from error
    finally:
        client.close()


def _run(client: Any, container: Any) -> Ended:
    output = client.api.attach(container.id, stdout=True, stderr=True, stream=True, demux=True)
    container.start()
    for streams in output:
        for number, data in enumerate(streams, 1):
            if data:
                os.write(number, data)
    code = int(container.wait()["StatusCode"])
    state = client.api.inspect_container(container.id)["State"]
    return Ended(code, bool(state["OOMKilled"]))


def end_current() -> None:
    """End the container that another thread of this process waits for, if there is one."""
    container = _current
    if container is not None:
        from docker.errors import DockerException

        with suppress(DockerException, OSError):
            connect().api.remove_container(container.id, force=True)
