"""Docker of this machine: reached, or an error that says how to get it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dynamo.errors import InfrastructureError, UserError

__all__ = ["answering", "connect", "docker_socket"]

_SOCKET = Path("/var/run/docker.sock")
_INSTALL = "apt-get install docker.io (Debian, Ubuntu), or see docs.docker.com/engine/install"


def connect() -> Any:
    """Return a client of Docker's engine.

    Raises `UserError` where Docker or its bindings are missing, not running, or closed to this user.
    """
    try:
        import docker
    except ImportError:
        raise UserError(
            "a pool in containers needs the Docker bindings for Python: pip install 'dynamo-weather[docker]'"
        ) from None
    try:
        client = docker.from_env(timeout=600)
    except docker.errors.DockerException as error:
        raise UserError(_why(error)) from error
    try:
        client.ping()
    except docker.errors.DockerException as error:
        client.close()
        raise UserError(_why(error)) from error
    return client


@contextmanager
def answering() -> Iterator[None]:
    """Raise what Docker fails by, or that it does not answer, as `InfrastructureError`."""
    import docker
    import requests

    try:
        yield
    except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
        raise InfrastructureError(f"Docker failed: {getattr(error, 'explanation', None) or error}") from error


def docker_socket() -> str:
    """Return the path of the socket at which Docker answers; raises `UserError` where it is on another machine."""
    where = os.environ.get("DOCKER_HOST") or f"unix://{_SOCKET}"
    kind, _, path = where.partition("://")
    if kind != "unix":
        raise UserError(
            f"the workers can run containers only with Docker of this machine, not with DOCKER_HOST={where}"
        )
    return path


def _why(error: Exception) -> str:
    """Say what must be done that Docker can be reached."""
    where = os.environ.get("DOCKER_HOST")
    if where:
        return f"a pool in containers needs Docker, and none answers at DOCKER_HOST={where}: {error}"
    if _SOCKET.exists() and not os.access(_SOCKET, os.R_OK | os.W_OK):
        return (
            f"a pool in containers needs Docker, and you may not use {_SOCKET}: join its group "
            f"(sudo usermod --append --groups docker $USER), and log in again"
        )
    if shutil.which("dockerd"):
        return (
            "a pool in containers needs Docker, which is installed but not running: start it "
            "(sudo systemctl start docker, or dockerd as root)"
        )
    return f"a pool in containers needs Docker, which is not on this machine: {_INSTALL}"
