"""A destroy that failed is asked for again at once, and an interval that is none is refused."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from dynamo.cli.fleet import command
from dynamo.errors import UserError
from dynamo.fleet.refusals import ThrottledError, UnavailableError
from dynamo.fleet.slice import NodeGroup, NodeOffer, ProviderRule, Slice

SLICE = Slice(
    "dfw", {"c": ProviderRule("memory")}, {"workers": NodeGroup((NodeOffer("c", "two"),), max=4, idle=60.0)}
)


def test_a_destroy_that_failed_is_asked_for_again_in_the_next_turn(worlds):
    """Each minute more may cost an hour."""
    world = worlds(SLICE)
    world.pool.submit("lead", 3000, count=4)
    world.run(200)
    (one, *_) = world.ledger.workers()
    world.cloud.fail("destroy", UnavailableError("no answer"))
    world.controller.clouds.destroy("c", one.machine)
    world.settle()
    assert one.machine in {machine.id for machine in world.there}
    world.run(20)
    assert one.machine not in {machine.id for machine in world.there}


def test_a_cloud_that_has_too_many_calls_is_not_given_more(worlds):
    """A destroy that is refused again is asked for each minute."""
    world = worlds(SLICE)
    world.pool.submit("lead", 100, count=8)
    world.run(100)
    with world.cloud.failing("destroy", ThrottledError("too many calls")):
        world.run(600)
        asked, machines = world.cloud.calls.count("destroy"), len(world.there)
    assert machines == 4
    assert asked <= machines * 12
    world.run(120)
    assert not world.there


@pytest.mark.parametrize("interval", ["nan", "inf", "0"])
def test_a_fleet_that_would_never_wait_is_refused(interval):
    """No number is none: the loop would ask all clouds without a break."""
    found = CliRunner().invoke(command, ["run", "slice.yaml", "--interval", interval])
    assert found.exit_code == 2 or isinstance(found.exception, UserError)
    assert interval != "nan" or "must be from 1 to 300 s, not nan" in str(found.exception)
