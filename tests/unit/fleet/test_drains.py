"""Many workers are drained one after the other: all are, and what was not begun is no event."""

from __future__ import annotations

import pytest

from dynamo.errors import InfrastructureError
from dynamo.fleet.calls import Call
from dynamo.fleet.hearing import Hearing
from dynamo.fleet.ledger import Ledger
from dynamo.fleet.record import WorkerRecord
from dynamo.fleet.refusals import NotBegunError
from dynamo.fleet.roster import Roster
from dynamo.fleet.seen import Heard

MANY, TAKES, WAITS = 250, 2.0, 180.0


class OneByOne:
    """Calls of a pool that carries out one drain each two seconds, by a time that the test turns."""

    def __init__(self, fails=()):
        self.now, self.asked, self.drained, self.count = 0.0, [], set(), 0
        self.fails = set(fails)

    def call(self, verb, token):
        """Have a worker drained."""
        call = Call(verb, (token,), 60.0)
        self.asked.append((self.now, call))
        return call

    def pass_time(self, seconds):
        """Carry out what fits in, and give up what waited for too long."""
        self.now += seconds
        for _ in range(round(seconds / TAKES)):
            if self.asked:
                (token,) = (call := self.asked.pop(0)[1]).arguments
                call.begin()
                self.count += 1
                if token in self.fails:
                    self.fails.remove(token)
                    call.end(error=InfrastructureError("condor_drain: it does not answer"))
                else:
                    self.drained.add(token)
                    call.end()
        for since, call in self.asked:
            if self.now - since > WAITS:
                call.end(error=NotBegunError("drain was not begun in 180 s"))
        self.asked = [one for one in self.asked if not one[1].done]


@pytest.fixture
def drained(tmp_path, monkeypatch):
    """Return what drains workers until all are, and returns what was told."""

    def run(calls) -> list:
        with Ledger(tmp_path / "journal.db", "dfw") as ledger:
            hearing = Hearing(calls, ledger, 60.0)
            roster = Roster(ledger, None, hearing, None, 900.0, 0.0, lambda: ("", 0.0))
            tokens = [f"t{n}" for n in range(MANY)]
            roster.all = [
                WorkerRecord(one, "dfw", "workers", "c", "c/two", one, "draining", 0.0, 0.0, 2, 0)
                for one in tokens
            ]
            heard = {one: Heard(2, 2) for one in tokens}
            monkeypatch.setattr(hearing, "heard", lambda _: heard)
            while calls.now < 2 * MANY * TAKES:
                hearing.collect(calls.now)
                heard |= {one: Heard(2, 2, draining=True) for one in calls.drained}
                roster.drain_again(calls.now)
                calls.pass_time(10.0)
            return [event for event in ledger.events() if event.what == "not drained"]

    return run


def test_all_of_many_workers_are_drained_and_nobody_is_told_of_those_that_wait(drained):
    """Each once: 250 take 500 s, and each is asked for again after 180 s in which nobody came to it."""
    calls = OneByOne()
    assert drained(calls) == []
    assert len(calls.drained) == calls.count == MANY


def test_a_drain_that_failed_is_told_and_asked_for_again(drained):
    """The pool has said no: somebody may have to mend it."""
    calls = OneByOne(fails=["t3"])
    (event,) = drained(calls)
    assert (event.token, event.why) == ("t3", "condor_drain: it does not answer")
    assert len(calls.drained) == MANY
