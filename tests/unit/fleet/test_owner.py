"""Two workspaces with a slice of the same name, at the same account: neither touches the machines of the other."""

from __future__ import annotations

import pytest

from dynamo.errors import UserError
from dynamo.fleet.destruction import destroy
from dynamo.fleet.ledger import Ledger
from dynamo.fleet.machine import MachineSpec, Tags
from dynamo.fleet.owner import Owner
from dynamo.fleet.record import WorkerRecord
from dynamo.testing import Cloud


def order(cloud, token, owner):
    """Have a machine of the slice."""
    return cloud.provider().create(MachineSpec(Tags("dfw", "workers", token, owner), f"dfw-{token}"))


@pytest.fixture
def ledger(tmp_path):
    """The ledger of the slice in our workspace."""
    with Ledger(tmp_path / "journal.db", "dfw") as opened:
        yield opened


def test_what_is_of_another_workspace_is_not_destroyed(tmp_path, ledger):
    """Nor is anything else then; when it was adopted, all is."""
    cloud, owner = Cloud(), Owner(tmp_path, ledger)
    order(cloud, "ours", owner.name)
    order(cloud, "old", "")
    theirs = order(cloud, "theirs", "radar:/srv/dfw/.dynamo")

    def end():
        return destroy("dfw", {"c": cloud.provider}, ledger, lambda _: None, patience=0.0, owner=owner)

    with pytest.raises(
        UserError, match=r"not ordered from here: 1 at c, from radar:/srv/dfw/\.dynamo\. Look"
    ):
        end()
    assert len(cloud.there()) == 3
    owner.adopt([theirs])
    end()
    assert not cloud.there()


def test_a_workspace_that_moved_knows_its_machines(tmp_path, ledger):
    """By its journal; and one that lost its journal, by where it is."""
    before = Owner(tmp_path / "before", ledger)
    machine = order(Cloud(), "t1", before.name)
    after = Owner(tmp_path / "after", ledger)
    assert after.foreign({"c": [machine]}) == {"c": [machine]}
    ledger.put(WorkerRecord("t1", "dfw", "workers", "c", "o", "dfw-t1", "joined", 1.0, 1.0, 1, 0))
    assert after.foreign({"c": [machine]}) == {}
    with Ledger(tmp_path / "lost.db", "dfw") as other:
        assert Owner(tmp_path / "before", other).foreign({"c": [machine]}) == {}
    long = Owner(tmp_path / ("x" * 250), ledger).name
    assert len(long) == 64
