"""A worker that is started early: it is taken by an engine, or it ends with whoever started it."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import suppress

import psutil
import pytest

from dynamo.engine.spawn import early
from dynamo.engine.workers import Workers
from dynamo.errors import WorkspaceError


def test_a_worker_that_nobody_takes_ends_with_the_body():
    """Also where the body fails; nothing of it remains, not even a zombie."""
    with pytest.raises(KeyError), early() as first:  # noqa: PT012 - the body is what fails
        pid = first.process.pid
        assert psutil.pid_exists(pid)
        raise KeyError
    assert first.process.returncode == -signal.SIGKILL
    assert not psutil.pid_exists(pid)


MASTER = """
import os
from dynamo.engine.spawn import Spawned
worker = Spawned()
worker.connection.sendall({told!r})
print(worker.process.pid, flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("told", [b"", b'{"log": "log", "sandbox": "box", "modules": []}\n'])
def test_a_worker_ends_when_its_master_is_killed(tmp_path, told):
    """Before it was told where to work, and after."""
    master = subprocess.run(
        [sys.executable, "-c", MASTER.format(told=told)],
        stdout=subprocess.PIPE, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert master.returncode == -signal.SIGKILL
    with suppress(psutil.NoSuchProcess):
        psutil.Process(int(master.stdout)).wait(60)


def test_a_worker_whose_folder_went_with_its_master_ends_quietly(tmp_path):
    """The next engine removes the folder of one that was killed: no fault of the worker, and nothing to tell."""
    told = b'{"log": "gone/log", "sandbox": "gone/box", "modules": []}\n'
    master = subprocess.run(
        [sys.executable, "-c", MASTER.format(told=told)],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    with suppress(psutil.NoSuchProcess):
        psutil.Process(int(master.stdout)).wait(60)
    assert master.stderr == "", "which the worker has too, so this is all that either said"


def test_a_worker_that_cannot_work_says_so_to_a_living_master(tmp_path):
    """A folder that is not there is a fault while somebody waits for the worker."""
    told = b'{"log": "gone/log", "sandbox": "gone/box", "modules": []}\n'
    waits = MASTER.replace("os.kill(os.getpid(), 9)", "worker.process.wait()")
    master = subprocess.run(
        [sys.executable, "-c", waits.format(told=told)],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert "FileNotFoundError" in master.stderr


def test_an_engine_takes_it_as_its_first_worker(tmp_path):
    """And starts the others itself; all end with the engine."""
    with early() as first:
        workers = Workers(tmp_path, first=first)
        workers.start(2)
        pids = [w.process.pid for w in workers.idle]
        assert pids[0] == first.process.pid
        assert len(set(pids)) == 2
        workers.close()
        assert not any(map(psutil.pid_exists, pids))


def test_one_that_has_died_is_not_taken(tmp_path):
    """Another is started in its place."""
    with early() as first:
        first.process.kill()
        first.process.wait()
        workers = Workers(tmp_path, first=first)
        workers.start(1)
        assert workers.idle[0].process.poll() is None
        workers.close()


def test_workers_that_are_busy_count(tmp_path):
    """A warm engine has as many workers as it was asked to have, whatever they do."""
    workers = Workers(tmp_path)
    workers.reserve()
    workers.start(2)
    assert (len(workers.busy), len(workers.idle)) == (1, 1)
    workers.close()


def test_a_worker_that_cannot_be_started_is_told(tmp_path, monkeypatch):
    """By the engine, as a fault of the machine; no socket stays open."""
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    workers = Workers(tmp_path)
    before = psutil.Process().num_fds()
    with early() as first:
        assert first is None
    with pytest.raises(WorkspaceError, match="cannot start a worker process"):
        workers.start(1)
    assert psutil.Process().num_fds() == before
    workers.close()
