"""When a slice is destroyed its workers are believed no more, at once; and where that cannot be told, it is said."""

from __future__ import annotations

import pytest

from dynamo.errors import InfrastructureError
from dynamo.fleet import destruction
from dynamo.fleet.destruction import destroy, disbelieve
from dynamo.fleet.join import JoinDesk, JoinRequest, Ticket
from dynamo.fleet.join_ledger import JoinLedger
from dynamo.fleet.ledger import Ledger
from dynamo.fleet.machine import MachineSpec, Tags
from dynamo.fleet.record import WorkerRecord
from dynamo.fleet.trust import Trust
from dynamo.fleet.worker_config import PoolPlace
from dynamo.testing import Cloud


class Manager:
    """A central manager with the files of its configuration."""

    def __init__(self):
        self.files = {}

    def run(self, command):
        """Read a file, or take it away; do nothing else."""
        if command[0] == "rm":
            self.files.pop(command[-1], None)
        return self.files.get(command[-1], "") if command[0] == "sh" and "cat" in command[2] else ""

    def write(self, path, text):
        """Keep a file."""
        self.files[path] = text

    def fragment(self, slice_):
        """Say which file it is."""
        return slice_


@pytest.fixture
def place(tmp_path):
    """Return the ledger and the tickets of a slice, of whose three workers two have joined and one lives."""
    with Ledger(tmp_path / "journal.db", "dfw") as ledger, JoinLedger(tmp_path / "journal.db") as tickets:
        desk = JoinDesk(tickets)
        for name, stage, joins in (("a", "gone", True), ("b", "gone", False), ("c", "stopping", True)):
            ledger.put(
                WorkerRecord(
                    name, "dfw", "workers", "c", "o", name, stage, 50.0, 1.0, 1, 0,
                    ended=50.0 if stage == "gone" else None,
                )
            )  # fmt: skip
            token = desk.issue(Ticket(name, name, "workers", "o", until=1000.0, dies=5000.0))
            if joins:
                request = JoinRequest(name, name, token, "n" * 64)
                desk.spend(desk.admit(request, 10.0), request, 10.0)
        yield ledger, tickets


def test_the_central_manager_is_told_at_once(place):
    """Of those that had joined and are gone; and has nothing left of it when their tokens have expired."""
    ledger, tickets = place
    manager, now = Manager(), [100.0]
    trust = Trust(manager, PoolPlace("cm:9618", "casa"), "dfw", clock=lambda: now[0])
    assert disbelieve(ledger, tickets, lambda: trust, clock=lambda: 100.0) == ""
    assert "worker-a@casa" in manager.files["dfw"]
    assert not any(f"worker-{one}@" in manager.files["dfw"] for one in "bc")
    now[0] = 6000.0
    assert disbelieve(ledger, tickets, lambda: trust, clock=lambda: 6000.0) == ""
    assert manager.files == {}


def test_whom_a_lost_journal_had_refused_is_not_believed_again(place, tmp_path):
    """Nor whom another workspace had: whoever writes the fragment next, until their tokens have expired."""
    ledger, tickets = place
    manager, now = Manager(), [100.0]
    trust = Trust(manager, PoolPlace("cm:9618", "casa"), "dfw", clock=lambda: now[0])
    disbelieve(ledger, tickets, lambda: trust, clock=lambda: 100.0)
    with Ledger(tmp_path / "new.db", "dfw") as empty, JoinLedger(tmp_path / "new.db") as none:
        assert disbelieve(empty, none, lambda: trust, clock=lambda: 100.0) == ""
        assert 'stringListMember(sub, "worker-a@casa")' in manager.files["dfw"]
        now[0] = 5299.0
        trust.revoke(["z"], {"z": 7000.0})
        assert 'stringListMember(sub, "worker-a@casa,worker-z@casa")' in manager.files["dfw"]
        now[0] = 5301.0
        disbelieve(empty, none, lambda: trust, clock=lambda: 5301.0)
        assert 'stringListMember(sub, "worker-z@casa")' in manager.files["dfw"]


def test_workers_without_a_ticket_are_refused_too(tmp_path, monkeypatch):
    """One that was adopted, and one that only its cloud knew: the journal with their tickets was lost."""
    monkeypatch.setattr(destruction, "_PAUSE", 0.0)
    cloud, manager = Cloud(), Manager()
    cloud.provider().create(MachineSpec(Tags("dfw", "workers", "7f3a90c1d2e4"), "dfw-workers-7f3a90c1"))
    cloud.provider().create(
        MachineSpec(Tags("dfw", "my workers", "8"), "tagged-by-hand")
    )  # which never joined
    with Ledger(tmp_path / "journal.db", "dfw") as ledger, JoinLedger(tmp_path / "journal.db") as tickets:
        for name, joined, dies in (("a", 60.0, 5000.0), ("b", 60.0, None), ("c", None, None)):
            ledger.put(
                WorkerRecord(
                    name,
                    "dfw",
                    "workers",
                    "c",
                    "o",
                    name,
                    "joined",
                    50.0,
                    1.0,
                    1,
                    0,
                    joined=joined,
                    dies=dies,
                )
            )
        destroy("dfw", {"c": cloud.provider}, ledger, lambda _: None, clock=lambda: 1000.0)
        trust = Trust(manager, PoolPlace("cm:9618", "casa"), "dfw", clock=lambda: 1000.0)
        assert disbelieve(ledger, tickets, lambda: trust, clock=lambda: 1000.0) == ""
        assert list(tickets.ends(1000.0)) == ["a", "b", "dfw-workers-7f3a90c1"]
        assert list(tickets.ends(9000.0)) == ["b", "dfw-workers-7f3a90c1"]
    assert '"worker-a@casa,worker-b@casa,worker-dfw-workers-7f3a90c1@casa"' in manager.files["dfw"]


def test_where_it_cannot_be_told_that_is_said(place):
    """How many, and why; and nothing where there is nobody to tell of."""
    ledger, tickets = place

    def nobody():
        raise InfrastructureError("the pool is down")

    assert disbelieve(ledger, tickets, nobody, clock=lambda: 100.0) == (
        "1 worker that had joined: the pool is down"
    )
    assert tickets.revoked(100.0) == ["a"]
    assert disbelieve(ledger, tickets, nobody, clock=lambda: 6000.0) == ""


def test_a_token_is_refused_for_as_long_as_it_is_good(tmp_path):
    """That is until its worker's lifetime and its grace are over, and so long its ticket is kept."""
    with JoinLedger(tmp_path / "j.db") as tickets:
        desk = JoinDesk(tickets)
        ticket = Ticket("w1", "o1", "g", "f", 1800.0, 43_200.0, grace=3600.0)
        asked = JoinRequest("w1", "o1", desk.issue(ticket), "n")
        desk.spend(desk.admit(asked, 10.0), asked, 10.0)
        desk.revoke("w1", 20_000.0)
        for now, gone in ((20_001.0, ["w1"]), (46_799.0, ["w1"]), (46_801.0, [])):
            tickets.forget(now - 3600.0)
            assert list(tickets.revoked(now)) == gone


def test_who_was_adopted_is_refused_too(tmp_path):
    """A journal that was lost had his ticket: he is known by his name, until his token has expired; once is enough."""
    with JoinLedger(tmp_path / "j.db") as tickets:
        desk = JoinDesk(tickets)
        for now in (100.0, 200.0):
            desk.revoke("dfw-workers-7f3a90c1", now, dies=5000.0)
        assert len(tickets.tickets("dfw-workers-7f3a90c1")) == 1
        assert tickets.revoked(8599.0) == ["dfw-workers-7f3a90c1"]
        assert tickets.revoked(8601.0) == []
        desk.revoke("who-never-joined", 100.0)
        assert tickets.tickets("who-never-joined") == []
