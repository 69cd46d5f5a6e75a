"""Leases of Blazar, that bare metal is had of: found, told to Nova, refused where they are not there now."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from dynamo.fleet.machine import Tags
from dynamo.fleet.refusals import BadRequestError, NoCapacityError, UnavailableError
from tests.cloud.fake_openstack import FakeOpenStack
from tests.cloud.openstack_use import SPEC, provider

PAST, NOW, FUTURE, FAR = "2020-01-01 00:00", "2021-01-01 00:00", "2090-01-01 06:30", "2099-01-01 00:00"


@pytest.fixture
def cloud() -> Iterator[FakeOpenStack]:
    """An OpenStack with a lease that is there, and others that are not what is meant."""
    fake = FakeOpenStack()
    fake.blazar.lease("storm", NOW, FAR)
    fake.blazar.lease("addresses", NOW, FAR, types=["virtual:floatingip"])
    yield fake
    fake.close()


def ids(cloud: FakeOpenStack, name: str) -> tuple[str, str]:
    """Return the ids of a lease and of its reservation."""
    id_ = next(key for key, one in cloud.blazar.leases.items() if one["name"] == name)
    return id_, cloud.blazar.reservation(id_)


@pytest.mark.parametrize("form", ["blazar:{name}", "{name}", "blazar:{id}", "{id}", "{reservation}"])
def test_a_lease_may_be_named_in_any_way(cloud, form):
    """By its name, its id, or that of its reservation: Nova is told the reservation, and the machine comes up."""
    id_, reservation = ids(cloud, "storm")
    spec = replace(
        SPEC, reservation=form.format(name="storm", id=id_, reservation=reservation), purchase="reserved"
    )
    made = provider(cloud).create(spec)
    assert cloud.nova.hints[made.id] == {"reservation": reservation}
    cloud.nova.boot(made.id)
    found = provider(cloud).describe(made.id)
    assert (found.state, found.purchase) == ("running", "reserved")


def test_the_lease_of_the_provider_serves_all_its_machines(cloud):
    """And an order that names one of its own has that."""
    own = cloud.blazar.reservation(cloud.blazar.lease("own", NOW, FAR))
    first = provider(cloud, lease="blazar:storm").create(SPEC)
    other = replace(SPEC, tags=Tags("dfw", "workers", "2"), reservation="blazar:own")
    second = provider(cloud, lease="blazar:storm").create(other)
    assert cloud.nova.hints[first.id] == {"reservation": ids(cloud, "storm")[1]}
    assert cloud.nova.hints[second.id] == {"reservation": own}


def test_a_lease_to_come_is_said_to_be_pending(cloud):
    """The offering rests, and the next one is tried; nothing is ordered."""
    cloud.blazar.lease("later", FUTURE, FAR, "PENDING")
    cloud.blazar.lease("early", NOW, FAR, "PENDING")
    with pytest.raises(NoCapacityError, match=r"lease later is pending: .* before 2090-01-01 06:30 UTC"):
        provider(cloud).create(replace(SPEC, reservation="blazar:later"))
    cloud.blazar.lease("hasty", FUTURE, FAR, "ACTIVE")
    for name in ("early", "hasty"):
        with pytest.raises(NoCapacityError, match=f"lease {name} is pending"):
            provider(cloud).create(replace(SPEC, reservation=f"blazar:{name}"))
    assert cloud.nova.servers == {}


@pytest.mark.parametrize(
    ("start", "end", "status", "says"),
    [
        (PAST, NOW, "ACTIVE", "lease old is over: it ended at 2021-01-01 00:00 UTC"),
        (PAST, NOW, "TERMINATED", "lease old is over: it ended"),
        (PAST, FAR, "TERMINATED", "its status is TERMINATED"),
        (PAST, FAR, "ERROR", "its status is ERROR"),
    ],
)
def test_a_lease_that_is_over_is_refused(cloud, start, end, status, says):
    """The user must act: make a new one, and name it."""
    cloud.blazar.lease("old", start, end, status)
    with pytest.raises(BadRequestError, match=says) as told:
        provider(cloud).create(replace(SPEC, reservation="blazar:old"))
    assert "make a new one" in told.value.message
    assert cloud.nova.servers == {}


def test_a_name_that_was_used_before_means_the_lease_that_is_not_over(cloud):
    """Names are used again, week after week."""
    cloud.blazar.lease("weekly", PAST, NOW, "TERMINATED")
    id_ = cloud.blazar.lease("weekly", NOW, FAR)
    made = provider(cloud).create(replace(SPEC, reservation="blazar:weekly"))
    assert cloud.nova.hints[made.id] == {"reservation": cloud.blazar.reservation(id_)}
    cloud.blazar.lease("weekly", NOW, FAR)
    with pytest.raises(BadRequestError, match="2 leases are named 'weekly': name one by its id"):
        provider(cloud).create(replace(SPEC, tags=Tags("dfw", "workers", "2"), reservation="blazar:weekly"))


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ("blazar:strom", r"no lease 'strom' \(did you mean 'storm'\?\); make it first"),
        ("blazar:addresses", r"reserves virtual:floatingip and no hosts"),
        ("blazar:both", "reserves hosts 2 times: name one of"),
    ],
)
def test_a_lease_that_cannot_be_meant_is_refused(cloud, named, says):
    """One that is not there, one of something else, and one with two reservations of hosts."""
    cloud.blazar.lease("both", NOW, FAR, types=["physical:host", "physical:host"])
    with pytest.raises(BadRequestError, match=says):
        provider(cloud).create(replace(SPEC, reservation=named))


def test_one_of_two_reservations_may_be_named(cloud):
    """By its id."""
    id_ = cloud.blazar.lease("both", NOW, FAR, types=["virtual:floatingip", "physical:host", "physical:host"])
    second = cloud.blazar.leases[id_]["reservations"][2]["id"]
    made = provider(cloud).create(replace(SPEC, reservation=second))
    assert cloud.nova.hints[made.id] == {"reservation": second}


def test_a_cloud_without_blazar_says_so(cloud):
    """Rather than that a service is missing in a catalog."""
    cloud.services.remove("reservation")
    with pytest.raises(
        BadRequestError, match="the lease storm cannot be asked for: this cloud has no Blazar"
    ):
        provider(cloud, lease="blazar:storm").create(SPEC)


def test_the_errors_of_blazar_are_told(cloud):
    """Its form of errors is its own."""
    body = {"error_code": 503, "error_message": "Blazar rests", "error_name": 503}
    with (
        cloud.failing("GET /reservation", status=503, body=body),
        pytest.raises(UnavailableError, match=r"chameleon \(Blazar\): GET /leases: 503 Blazar rests"),
    ):
        provider(cloud, lease="blazar:storm").create(SPEC)


def test_what_is_left_of_a_lease_is_offered(cloud):
    """As many as it has hosts that no machine of ours is on, until it ends."""
    here = provider(cloud, lease="blazar:storm")
    here.create(replace(SPEC, size="baremetal"))
    found = {one.size: one for one in here.offerings()}["baremetal"]
    assert (found.purchase, found.left) == ("reserved", 1)
    assert found.ends == datetime(2099, 1, 1, tzinfo=UTC).timestamp()
    here.create(replace(SPEC, size="baremetal", tags=Tags("dfw", "workers", "2")))
    assert {one.left for one in here.offerings()} == {0}


def test_the_times_of_leases_are_utc(cloud, monkeypatch):
    """Wherever the fleet runs: Blazar does not say it."""
    monkeypatch.setenv("TZ", "America/Chicago")
    time.tzset()
    try:
        found = provider(cloud, lease="blazar:storm").offerings()[0]
    finally:
        monkeypatch.undo()
        time.tzset()
    assert found.ends == datetime(2099, 1, 1, tzinfo=UTC).timestamp()


def test_nothing_is_left_of_a_lease_that_is_not_there_now(cloud):
    """To come, or over: it is offered with its end, and none of it."""
    cloud.blazar.lease("later", FUTURE, FAR, "PENDING")
    cloud.blazar.lease("old", PAST, NOW, "TERMINATED")
    for name in ("later", "old"):
        assert {one.left for one in provider(cloud, lease=f"blazar:{name}").offerings()} == {0}


def test_a_machine_whose_lease_ended_fails_with_nova_s_reason(cloud):
    """Between the order and the host."""
    made = provider(cloud, lease="blazar:storm").create(SPEC)
    cloud.blazar.leases[ids(cloud, "storm")[0]]["status"] = "TERMINATED"
    cloud.nova.boot(made.id)
    found = provider(cloud).describe(made.id)
    assert (found.state, found.reason[:19]) == ("failed", "No valid host was f")
