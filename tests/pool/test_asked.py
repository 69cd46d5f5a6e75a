"""What is asked of a pool that cannot be: told before anything is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynamo.errors import UserError
from dynamo.pool import host
from dynamo.pool.context import requirements
from dynamo.pool.settings import PoolSettings
from dynamo.pool.status import PoolStatus, words


def test_docker_that_is_not_there_is_told_with_how_to_get_it(monkeypatch):
    """Where no Docker is installed, the message says which package to install."""
    monkeypatch.setenv("DOCKER_HOST", "")
    monkeypatch.setattr(host, "_SOCKET", Path("/nowhere/docker.sock"))
    monkeypatch.setattr("shutil.which", lambda _: None)
    _no_docker(monkeypatch)
    with pytest.raises(
        UserError, match=r"needs Docker, which is not on this machine: apt-get install docker\.io"
    ):
        host.connect()


def test_docker_that_does_not_run_is_told_with_how_to_start_it(monkeypatch):
    """Where the daemon is installed and does not answer, the message says how to start it."""
    monkeypatch.setenv("DOCKER_HOST", "")
    monkeypatch.setattr(host, "_SOCKET", Path("/nowhere/docker.sock"))
    monkeypatch.setattr("shutil.which", lambda _: "/usr/sbin/dockerd")
    _no_docker(monkeypatch)
    with pytest.raises(UserError, match="installed but not running: start it"):
        host.connect()


def test_a_socket_that_is_closed_to_the_user_is_told(monkeypatch, tmp_path):
    """Where the user may not use the socket, the message names the group."""
    socket = tmp_path / "docker.sock"
    socket.touch()
    monkeypatch.setenv("DOCKER_HOST", "")
    monkeypatch.setattr(host, "_SOCKET", socket)
    monkeypatch.setattr("os.access", lambda *_: False)
    _no_docker(monkeypatch)
    with pytest.raises(UserError, match="join its group"):
        host.connect()


def test_a_docker_elsewhere_that_does_not_answer_is_named(monkeypatch):
    """The address in DOCKER_HOST is in the message."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    _no_docker(monkeypatch)
    with pytest.raises(UserError, match="none answers at DOCKER_HOST=unix:///nowhere"):
        host.connect()


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"name": "My Pool"}, "cannot be the name"),
        ({"workers": -1}, "has workers with cores: -1 of 1"),
        ({"cores": 0}, "has workers with cores: 2 of 0"),
        ({"cores": 4, "memory": 2**20}, "128 MiB"),
        ({"mounts": (Path("/no/such/folder"),)}, "no folder"),
    ],
)
def test_settings_that_do_not_fit_are_refused(asked, told):
    """Each is named in the message."""
    with pytest.raises(UserError, match=told):
        PoolSettings(**asked)


def test_the_image_gets_the_libraries_of_this_machine():
    """Libraries are pinned to what is installed here; what only tests need stays out."""
    import numpy as np

    pinned = requirements()
    assert f"numpy=={np.__version__}" in pinned
    assert any(one.startswith("htcondor") for one in pinned)
    assert not any(one.startswith(("pytest", "mypy", "dynamo")) for one in pinned)


def test_what_stands_still_is_named():
    """A container that does not run and a worker that offers nothing are told."""
    text = words(PoolStatus("p", {"manager": "running", "worker-1": "exited"}, {}, {"held": 2}, "silence"))
    assert "not running: worker-1" in text
    assert "exited, no slots known" in text
    assert "queue: 2 jobs: 2 held" in text
    assert text.endswith("silence")


def _no_docker(monkeypatch):
    import docker

    def fail(**_):
        raise docker.errors.DockerException("no such file")

    monkeypatch.setattr(docker, "from_env", fail)
