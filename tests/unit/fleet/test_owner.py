"""Two workspaces with a slice of the same name, at the same account: neither touches what is of the other."""

from __future__ import annotations

from contextlib import closing, suppress

import pytest

from dynamo.errors import DynamoError, UserError
from dynamo.fleet.calls import Calls
from dynamo.fleet.clouds import Clouds
from dynamo.fleet.destruction import destroy
from dynamo.fleet.ledger import Ledger
from dynamo.fleet.machine import MachineSpec, Tags
from dynamo.fleet.owner import Owner
from dynamo.fleet.record import WorkerRecord
from dynamo.fleet.slice import NetworkRule, ProviderRule, Slice
from dynamo.fleet.wiring import wire
from dynamo.testing import Cloud

SLICE = Slice(
    "dfw", {"c": ProviderRule("memory")}, {}, networks={"data": NetworkRule("192.168.10.0/24", ("c",))}
)


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


def test_a_network_of_another_workspace_is_not_taken_away(tmp_path, ledger):
    """Not even where there is no machine; when it was adopted, or says not whose it is, it is."""
    cloud, owner = Cloud(), Owner(tmp_path, ledger)
    elsewhere = wire(SLICE, {"c": cloud.provider()}, "radar:/srv/dfw/.dynamo")

    def end():
        return destroy("dfw", {"c": cloud.provider}, ledger, lambda _: None, patience=0.0, owner=owner)

    with pytest.raises(
        UserError, match=r"not ordered from here: 1 at c, from radar:/srv/dfw/\.dynamo\. Look"
    ):
        end()
    assert len(cloud.networks) == 1
    owner.adopt(network for _, network in elsewhere)
    again = wire(SLICE, {"c": cloud.provider()}, owner.name)
    assert list(again) == list(elsewhere)
    end()
    assert not cloud.networks
    ((_, old),) = wire(SLICE, {"c": cloud.provider()})
    assert owner.foreign({"c": [old]}) == {}
    end()
    assert not cloud.networks


def test_a_fleet_makes_no_network_beside_that_of_another_workspace(tmp_path, ledger):
    """It ends, or leaves it alone while it has machines of its own; once it made one, a move changes nothing."""
    cloud, now = Cloud(), [1e9]
    wire(SLICE, {"c": cloud.provider()}, "radar:/srv/dfw/.dynamo")
    with closing(Calls("c", cloud.provider)) as calls:
        clouds = Clouds("dfw", {"c": calls}, lambda: now[0], Owner(tmp_path, ledger))
        clouds.follow(SLICE)
        looked(clouds)
        with pytest.raises(UserError, match=r"from radar:/srv/dfw/\.dynamo\. Look"):
            clouds.check_ours(busy=False)
        clouds.check_ours(busy=True)
        assert clouds.networks == {"c": {}}
        assert cloud.calls.count("create_network") == 1
        cloud.networks.clear()
        now[0] += 1000
        looked(clouds)
        clouds.check_ours(busy=False)
        looked(clouds)
        (made,) = cloud.networks.values()
        assert clouds.networks == {"c": {"data": made.id}}
    assert made.tags.owner == Owner(tmp_path, ledger).name
    assert Owner(tmp_path / "after", ledger).foreign({"c": [made]}) == {}


def looked(clouds):
    """Have all said what there is, and what is lacking asked for."""
    clouds.ask()
    for asked in (clouds._asked, clouds._pricing, clouds._wiring):
        for _, call in asked.values():
            with suppress(DynamoError):
                call.result()
    clouds.collect()
    clouds.wire(paused=False)
    for _, call in clouds._making.values():
        call.result()


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
