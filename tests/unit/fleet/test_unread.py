"""An access point that does not let the fleet read its queue has no worker bought for it: that is said."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import htcondor2
import pytest

from dynamo.errors import InfrastructureError
from dynamo.fleet.condor_asking import CondorError, collected, queued
from dynamo.fleet.condor_pool import CondorPool
from dynamo.fleet.queue_key import QueueKeys
from dynamo.fleet.slice import machine_name

#: Calls where the stand-ins of HTCondor are, instead of in a process apart.
HERE = SimpleNamespace(call=lambda _whom, function, *arguments, **_: function(*arguments))
_ORDER = "7f3a90c1d2e4"


@pytest.fixture
def pool(monkeypatch, tmp_path):
    """Return a pool with one access point, the time, and whether it refuses to be read."""
    now, refuses = [1000.0], [True]

    class Collector:
        def __init__(self, _where):
            pass

        def query(self, kind, _which=None, _projection=None):
            who = f"worker-{machine_name('dfw', 'front', _ORDER)}@casa"
            said = {
                "Name": "ap",
                "DynamoToken": _ORDER,
                "LastHeardFrom": now[0],
                "AuthenticatedIdentity": who,
            }
            return [said] if kind == htcondor2.AdType.Schedd else []

    class Schedd:
        def __init__(self, _ad):
            pass

        def query(self, *_):
            if refuses[0]:
                raise htcondor2.HTCondorException(f"AUTHENTICATE:1003: Failed, at {now[0]}")
            return []

        def history(self, *_, **__):
            return []

    monkeypatch.setattr(htcondor2, "Collector", Collector)
    monkeypatch.setattr(htcondor2, "Schedd", Schedd)
    keys = QueueKeys(tmp_path, "casa")
    return CondorPool("", lambda _slot: None, keys, HERE, clock=lambda: now[0]), now, refuses


def test_an_access_point_that_cannot_be_read_is_named(pool, caplog):
    """After two minutes, as with a key of another workspace: once an hour, with HTCondor's own words."""
    pool, now, _ = pool
    caplog.set_level(logging.WARNING)
    for now[0] in (1000.0, 1100.0):
        pool.read("")
    assert not caplog.messages
    for now[0] in (1121.0, 1200.0, 4000.0):
        pool.read("")
    (said,) = caplog.messages
    assert said.startswith("the queue of the access point ap cannot be read")
    assert "drain it" in said
    assert said.endswith("(AUTHENTICATE:1003: Failed, at 1121.0)")
    now[0] = 4722.0
    pool.read("")
    assert caplog.messages[1].endswith("at 4722.0) (and 2 times since the last line of this)")


def test_one_that_was_away_for_a_moment_is_not(pool, caplog):
    """It was being started anew."""
    pool, now, refuses = pool
    caplog.set_level(logging.WARNING)
    for now[0], refuses[0] in ((1000.0, True), (1060.0, False), (1121.0, True)):
        pool.read("")
    assert not caplog.messages


def test_one_that_does_not_answer_is_left_alone_for_a_while(monkeypatch, pool):
    """It is in the collector, but nothing comes through to it: a reading waits for all there are, and one at a time."""
    pool, now, refuses = pool
    refuses[0] = False
    asked = []

    def call(whom, function, *arguments, limit=None):
        if limit is None:
            return function(*arguments)
        asked.append((now[0], limit))
        raise InfrastructureError(f"{whom} did not answer")

    monkeypatch.setattr(pool, "_apart", SimpleNamespace(call=call))
    for now[0] in (1000.0, 1010.0, 1299.0, 1301.0, 1500.0):
        assert pool.read("").workers[_ORDER].queue == 0
    assert asked == [(1000.0, 10.0), (1301.0, 10.0)]


def points(monkeypatch, pool, count, owner="worker-"):
    """Have the collector list so many schedds that there are; return what answers in its place."""
    orders = [f"{number:012x}" for number in range(count)]
    listed = [
        {
            "Name": f"ap{number}",
            "LastHeardFrom": 1e9,
            "AuthenticatedIdentity": f"{owner}{machine_name('dfw', 'front', order)}@casa",
            **({"DynamoToken": order} if owner else {}),
        }
        for number, order in enumerate(orders)
    ]
    return lambda kind: listed if kind == "Schedd" else []


def test_many_that_do_not_answer_do_not_blind_the_fleet(monkeypatch, pool):
    """Two at most keep a reading waiting; when all are known to be deaf, it waits for none."""
    pool, now, _ = pool
    listed, asked = points(monkeypatch, pool, 5), []

    def call(whom, function, *arguments, limit=None):
        if function is collected:
            return listed(arguments[1])
        asked.append(now[0])
        raise InfrastructureError(f"{whom} did not answer")

    monkeypatch.setattr(pool, "_apart", SimpleNamespace(call=call))
    for now[0] in (1000.0, 1010.0, 1020.0, 1030.0):
        assert len(pool.read("").workers) == 5
    assert asked == [1000.0, 1000.0, 1010.0, 1010.0, 1020.0]


@pytest.mark.parametrize(
    "error",
    [InfrastructureError("no answer within 10 s"), CondorError("too many queries of the history", "")],
)
def test_a_history_that_is_not_told_keeps_nobody_from_the_queue(monkeypatch, pool, caplog, error):
    """Of the pool's own schedd too: its jobs count, and what those that ended took is learned when it is told."""
    pool, now, _ = pool
    listed, asked = points(monkeypatch, pool, 1, owner=""), []
    job = {"ClusterId": 1, "ProcId": 0, "JobStatus": 1, "Owner": "radar", "Cmd": "/bin/tile"}

    def call(_whom, function, *arguments, **_):
        if function is collected:
            return listed(arguments[1])
        if function is queued:
            return [job]
        asked.append(arguments[-2:])
        if len(asked) == 1:
            raise error
        return []

    monkeypatch.setattr(pool, "_apart", SimpleNamespace(call=call))
    mark = ""
    for now[0] in (1000.0, 1010.0, 1020.0, 1311.0, 1321.0):
        read = pool.read(mark)
        mark = read.mark
        assert len(read.jobs) == 1
    assert asked == [(1000, 1010), (1000, 1311), (1311, 1321)]
    (said,) = caplog.messages
    assert said.startswith(f"the history of the schedd ap0 cannot be read: {error}; until then nobody learns")
