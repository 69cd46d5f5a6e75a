"""What a machine says of an order counts only where it is that order's machine."""

from __future__ import annotations

from types import SimpleNamespace

import htcondor2
import pytest

from dynamo.fleet.condor_pool import CondorPool
from dynamo.fleet.proven import proven
from dynamo.fleet.slice import machine_name

#: Calls where the stand-ins of HTCondor are, instead of in a process apart.
HERE = SimpleNamespace(call=lambda _whom, function, *arguments, **_: function(*arguments))
_ORDER, _OTHER = "7f3a90c1d2e4", "00aa11bb22cc"


def _slot(name, order, by, **more):
    identity = f"worker-{machine_name('dfw', 'workers', by)}@casa"
    said = {"Name": name, "Machine": name.partition("@")[2], "DynamoToken": order, "Cpus": 1}
    said |= {"State": "Unclaimed", "Activity": "Idle", "LastHeardFrom": 990, "MyCurrentTime": 990}
    return {**said, "AuthenticatedIdentity": identity, **more}


_TRUE = _slot("slot1@a", _ORDER, _ORDER)
_FORGED = _slot("slot1@evil", _ORDER, _OTHER, Draining=True, State="Drained", LastHeardFrom=999)


@pytest.fixture
def drained(monkeypatch):
    """Return the pool, in whose collector a worker has forged an ad, and what it has drained."""
    asked = []

    class Collector:
        def __init__(self, _where):
            pass

        def query(self, kind, _which=None, projection=None):
            ads = [_TRUE, _FORGED] if kind == htcondor2.AdType.Startd else []
            return [{key: ad[key] for key in projection or ad if key in ad} for ad in ads]

    monkeypatch.setattr(htcondor2, "Collector", Collector)
    return CondorPool("", asked.append, SimpleNamespace(), HERE, clock=lambda: 1000.0), asked


def test_a_worker_cannot_say_that_another_is_draining(drained):
    """Its word would have that one taken away in the midst of a job."""
    pool, asked = drained
    (worker,) = pool.read("").workers.values()
    assert (worker.cores, worker.draining, worker.at) == (1, False, 990)
    pool.drain(_ORDER)
    assert asked == ["slot1@a"]


@pytest.mark.parametrize(
    ("changes", "stays"),
    [
        ({}, True),
        ({"AuthenticatedIdentity": "condor@casa"}, False),
        ({"AuthenticatedIdentity": f"{machine_name('dfw', 'workers', _ORDER)}@casa"}, False),
        ({"AuthenticatedIdentity": "unauthenticated@unmapped"}, False),
        ({"AuthenticatedIdentity": f"worker-evil@dfw-workers-{_ORDER[:8]}"}, False),
        ({"DynamoToken": ""}, False),
    ],
)
def test_only_the_machine_of_an_order_speaks_for_it(changes, stays):
    """Not another daemon of the pool, nor who has proven nothing."""
    assert bool(proven([{**_TRUE, **changes}])) is stays


def test_who_names_no_order_is_left_alone():
    """As an access point that the fleet did not start."""
    others = [{"Name": "submit.example.org"}, {"Name": "two", "AuthenticatedIdentity": "condor@casa"}]
    assert proven(others) == others


def test_an_access_point_of_the_fleet_that_hides_its_order_does_not_silence_the_pool(monkeypatch):
    """Where it does not answer either, it would count as one of the pool's own, and nothing could be read."""
    hidden = _slot("ap", _ORDER, _ORDER)
    del hidden["DynamoToken"]

    class Collector:
        def __init__(self, _where):
            pass

        def query(self, kind, _which=None, _projection=None):
            return [hidden] if kind == htcondor2.AdType.Schedd else []

    def refuse(_ad):
        raise htcondor2.HTCondorException("Failed to connect")

    monkeypatch.setattr(htcondor2, "Collector", Collector)
    monkeypatch.setattr(htcondor2, "Schedd", refuse)
    read = CondorPool("", lambda _slot: None, SimpleNamespace(), HERE, clock=lambda: 1000.0).read("")
    assert (read.jobs, read.workers) == ([], {})
