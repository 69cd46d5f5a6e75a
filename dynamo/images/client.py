"""Docker of this machine: reached, or an error that says who must do what."""

from __future__ import annotations

import os
from typing import Any

from dynamo.errors import InfrastructureError, UserError

__all__ = ["connect", "said"]

#: Seconds that one answer of Docker may take.
TIMEOUT = 120


def connect() -> Any:
    """Return a client of Docker's engine.

    Raises `UserError` where the bindings are not installed or Docker is closed to this user, `InfrastructureError`
    where it does not answer.
    """
    try:
        import docker
    except ImportError:
        raise UserError(
            "containers need Docker's bindings for Python: pip install 'dynamo-weather[docker]'"
        ) from None
    where = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    socket = where.removeprefix("unix://")
    if where.startswith("unix://") and not os.path.exists(socket):  # noqa: PTH110 - a socket
        raise _silent(where, "there is no such socket")
    try:
        client = docker.from_env(timeout=TIMEOUT)
        client.ping()
    except docker.errors.DockerException as error:
        if os.path.exists(socket) and not os.access(socket, os.R_OK | os.W_OK):  # noqa: PTH110
            raise UserError(
                f"you may not use Docker ({socket}): join the group that may (sudo usermod --append --groups docker "
                "$USER), and log in again"
            ) from error
        raise _silent(where, said(error)) from error
    return client


def _silent(where: str, why: str) -> InfrastructureError:
    return InfrastructureError(
        f"Docker does not answer at {where}: start it (sudo systemctl start docker), or install it "
        f"(docs.docker.com/engine/install); {why}"
    )


def said(error: Exception) -> str:
    """Return what Docker itself said, without the layers of HTTP around it."""
    return str(getattr(error, "explanation", None) or error)
