"""What is called in a process apart holds up nobody here, is given up in time, and leaves no process behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from dynamo.errors import InfrastructureError
from dynamo.fleet.apart import Apart
from dynamo.fleet.condor_asking import CondorError, collected
from dynamo.fleet.condor_pool import CondorPool


@pytest.fixture
def silent():
    """Return a service that never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def at(listener: socket.socket) -> str:
    """Return where it listens."""
    return f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def apart():
    """Return a process that is given five seconds: its start is in it."""
    with Apart(5.0) as made:
        yield made


def pid(apart: Apart) -> int:
    """Return its number."""
    return apart.call("the kernel", os.getpid)


def test_what_is_asked_for_and_what_is_raised_comes_through(apart):
    """From one process, which is not ours, in a session of its own: Ctrl-C is not for it."""
    first = pid(apart)
    assert pid(apart) == first != os.getpid()
    assert apart.call("the kernel", os.getsid, 0) == first
    with pytest.raises(ZeroDivisionError):
        apart.call("reckoning", divmod, 1, 0)
    assert pid(apart) == first


def test_a_pool_that_never_answers_holds_up_no_other_thread(apart, silent):
    """HTCondor's bindings would, for a minute: here a thread takes its turns while the call is under way."""
    pool = CondorPool(at(silent), lambda _slot: None, SimpleNamespace(), apart)
    turns, over = [0], threading.Event()

    def count() -> None:
        while not over.wait(0.01):
            turns[0] += 1

    other = threading.Thread(target=count)
    other.start()
    try:
        with pytest.raises(InfrastructureError) as raised:
            pool.read("")
    finally:
        over.set()
        other.join()
    assert turns[0] > 20  # of hundreds; four where the lock is held
    assert raised.value.message.startswith(
        f"cannot ask the pool: the pool's collector ({at(silent)}) did not answer within 5 s: look whether it runs"
    )


def test_after_a_call_that_was_given_up_another_process_is_asked(apart, silent):
    """The one that hangs is no more."""
    first = pid(apart)
    with pytest.raises(InfrastructureError, match="did not answer within 5 s"):
        apart.call("the pool", collected, at(silent), "Startd", "true", ["Name"])
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)
    assert pid(apart) != first


def test_a_call_may_have_less_time_than_others(apart, silent):
    """An access point is not to hold a reading up as long as a collector may."""
    pid(apart)
    with pytest.raises(InfrastructureError, match=r"did not answer within 0\.5 s"):
        apart.call("the pool", collected, at(silent), "Startd", "true", ["Name"], limit=0.5)


def test_where_the_process_dies_it_is_said(apart):
    """And the next call is made in another."""
    with pytest.raises(InfrastructureError, match=r"asks the pool has died \(exit status -9\)"):
        apart.call("the pool", os.kill, pid(apart), signal.SIGKILL)
    assert pid(apart) != os.getpid()


def test_what_cannot_come_through_does_not_spoil_the_next_call(apart):
    """A lock cannot be sent; nor does an answer stand for that of another call."""
    with pytest.raises(TypeError):
        apart.call("the pool", divmod, threading.Lock(), 1)
    with pytest.raises(InfrastructureError, match="has died"):
        apart.call("the pool", threading.Lock)
    assert apart.call("reckoning", divmod, 7, 2) == (3, 1)


def test_what_htcondor_refuses_is_told_in_its_words(apart):
    """Nobody listens there: it says so itself, and at once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = at(listener)
    with pytest.raises(CondorError) as raised:
        apart.call("the pool", collected, nobody, "Startd", "true", ["Name"])
    assert raised.value.text == str(raised.value) == "Failed communication with collector."
    with pytest.raises(InfrastructureError, match="cannot ask the pool: the pool does not answer: is it up"):
        CondorPool(nobody, lambda _slot: None, SimpleNamespace(), apart).read("")


def test_nothing_remains_after_it(silent):
    """Also where a thread has a call under way, which ends by that; and none is started any more."""
    outcome: list[str] = []

    def ask() -> None:
        try:
            asked.call("the pool", collected, at(silent), "Startd", "true", ["Name"])
        except InfrastructureError as error:
            outcome.append(error.message)

    with Apart(60.0) as asked:
        number = pid(asked)
        caller = threading.Thread(target=ask)
        caller.start()
        connection, _ = silent.accept()
    caller.join()
    connection.close()
    assert "has died" in outcome[0]
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)
    with pytest.raises(InfrastructureError, match="about to end"):
        pid(asked)


_PARENT = """
import sys
from dynamo.fleet.apart import Apart
from dynamo.fleet.condor_asking import collected
apart = Apart(3.0)
apart.call("nobody", print)
print("begun", flush=True)
if sys.argv[1]:
    apart.call("the pool", collected, sys.argv[1], "Startd", "true", ["Name"])
sys.stdin.read()
"""


@pytest.mark.parametrize("hangs", [True, False])
def test_it_ends_with_who_started_it(silent, hangs):
    """By ``kill -9``, also where it hangs just then: its output, which the process has too, is closed by both."""
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, at(silent) if hangs else ""],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "_CONDOR_QUERY_TIMEOUT": "3600"},
    )  # fmt: skip
    with parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"begun\n"
        there = [silent.accept()] if hangs else []
        parent.kill()
        assert parent.communicate(timeout=60) == (b"", b"")
    for connection, _ in there:
        connection.close()
