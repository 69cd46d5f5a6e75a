"""One dead cloud holds up nothing, what takes too long is given up, and each thread has a provider of its own."""

from __future__ import annotations

import threading

import pytest

from dynamo.fleet.calls import Calls
from dynamo.fleet.machine import MachineSpec, Tags
from dynamo.fleet.refusals import (
    NotBegunError,
    OutcomeUnknownError,
    ProviderError,
    QuotaError,
    UnavailableError,
)
from dynamo.testing import Cloud, Fault

SPEC = MachineSpec(Tags("s", "workers", "t1"), "s-t1", user_data="secret words")


@pytest.fixture
def hang():
    """Return an event that calls wait for; it is set at the end."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def make(request):
    """Return what makes `Calls`, which are closed at the end."""

    def made(connect, **more) -> Calls:
        calls = Calls("c", connect, **more)
        request.addfinalizer(calls.close)
        return calls

    return made


def hanging(cloud: Cloud, verb, event, times=100) -> None:
    """Have calls of a verb wait for the event."""
    cloud.faults.append(Fault(verb, times=times, done=True, before=lambda: event.wait(60)))


def test_what_a_provider_returns_and_raises_comes_through(make):
    """In whatever order it is asked for."""
    cloud = Cloud()
    cloud.fail("create", QuotaError("no more"))
    calls = make(cloud.provider)
    refused, listed = calls.call("create", SPEC), calls.call("list", "s")
    assert listed.result() == []
    with pytest.raises(QuotaError, match="no more"):
        refused.result()
    assert calls.call("create", SPEC).result().tags == SPEC.tags


def test_a_call_that_hangs_is_given_up(make, hang):
    """Nobody knows what became of an order; of a question it is known that there was no answer."""
    cloud = Cloud()
    hanging(cloud, "create", hang)
    hanging(cloud, "list", hang)
    calls = make(cloud.provider, limit=0.05)
    with pytest.raises(OutcomeUnknownError, match=r"no answer to create in 0\.05 s"):
        calls.call("create", SPEC).result()
    with pytest.raises(UnavailableError, match="no answer to list"):
        calls.call("list", "s").result()


def test_a_call_that_was_given_up_keeps_its_outcome(make, hang):
    """Its late answer is not heard; the machine is found in the listing."""
    cloud = Cloud()
    hanging(cloud, "create", hang, times=1)
    calls = make(cloud.provider, limit=0.05, threads=1)
    late = calls.call("create", SPEC)
    with pytest.raises(OutcomeUnknownError):
        late.result()
    hang.set()
    while not calls.call("list", "s").result():
        pass
    with pytest.raises(OutcomeUnknownError):
        late.result()


def test_other_calls_go_on_beside_those_that_hang(make, hang):
    """Another thread takes the place of one that hangs; until too many do, then it is said at once."""
    cloud = Cloud()
    hanging(cloud, "create", hang)
    calls = make(cloud.provider, limit=0.05, threads=2)
    for turn in range(2):
        given_up = [calls.call("create", SPEC) for _ in range(2)]
        for call in given_up:
            with pytest.raises(OutcomeUnknownError):
                call.result()
        if turn == 0:
            assert calls.call("list", "s").result() == []
    with pytest.raises(UnavailableError, match="c answers no more: 4 calls of it hang"):
        calls.call("list", "s").result()
    hang.set()
    listed = False
    while not listed:
        try:
            listed = isinstance(calls.call("list", "s").result(), list)
        except UnavailableError:
            listed = False


def test_each_thread_has_a_provider_of_its_own(make):
    """For those of Libcloud serve one thread."""
    cloud, made = Cloud(), []
    both = threading.Barrier(2, timeout=30)

    def connect():
        made.append(threading.get_ident())
        return cloud.provider()

    for _ in range(2):
        cloud.faults.append(Fault("list", done=True, before=both.wait))
    calls = make(connect, threads=2)
    for call in [calls.call("list", "s") for _ in range(2)]:
        call.result()
    assert len(set(made)) == 2
    calls.call("list", "s").result()
    assert len(made) == 2


def test_a_provider_that_cannot_be_made_fails_its_calls_alone(make):
    """And is made anew for the next."""
    cloud, tries = Cloud(), []

    def connect():
        tries.append(1)
        if len(tries) == 1:
            raise UnavailableError("no route")
        return cloud.provider()

    calls = make(connect, threads=1)
    with pytest.raises(UnavailableError, match="no route"):
        calls.call("list", "s").result()
    assert calls.call("list", "s").result() == []


def test_a_fault_of_a_provider_is_told_without_its_text(make):
    """Which may hold a secret; where it was raised is told."""

    class Broken:
        def create(self, spec):
            raise ValueError(f"cannot send {spec.user_data}")

        def list(self, slice_):
            raise KeyError(slice_)

    calls = make(Broken)
    with pytest.raises(OutcomeUnknownError, match=r"ValueError at .*test_calls.py:\d+") as caught:
        calls.call("create", SPEC).result()
    assert "secret" not in str(caught.value)
    with pytest.raises(ProviderError, match="KeyError"):
        calls.call("list", "s").result()


def test_a_call_that_waits_behind_one_that_hangs_is_made(make, hang):
    """By a thread that takes its place as soon as that is given up; nobody need ask for anything else."""
    cloud = Cloud()
    hanging(cloud, "create", hang, times=1)
    calls = make(cloud.provider, limit=0.05, threads=1)
    late, waiting = calls.call("create", SPEC), calls.call("list", "s")
    with pytest.raises(OutcomeUnknownError):
        late.result()
    assert waiting.result() == []


def test_a_call_that_nobody_begins_is_given_up(make, hang):
    """Where all threads hang; it is known then that nothing was done."""
    cloud = Cloud()
    hanging(cloud, "list", hang)
    calls = make(cloud.provider, limit=0.05, threads=1)
    asked = [calls.call("list", "s") for _ in range(2)]
    last = calls.call("create", SPEC)
    for call in asked:
        with pytest.raises(UnavailableError):
            call.result()
    with pytest.raises(NotBegunError, match=r"create was not begun in 0\.15 s"):
        last.result()
    hang.set()
    assert not cloud.there()


def test_threads_do_not_become_more_and_more(make):
    """However many calls there were."""
    cloud = Cloud()
    calls = make(cloud.provider, threads=2)
    for _ in range(300):
        for call in [calls.call("list", "s") for _ in range(3)]:
            call.result()
    assert len(calls._threads) <= 4
