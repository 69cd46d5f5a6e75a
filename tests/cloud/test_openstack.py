"""The driver `openstack` against a small OpenStack over real HTTP: the five verbs, and what is asked of Nova."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from dynamo.provisioners.openstack import driver

from dynamo.fleet.machine import Tags
from dynamo.fleet.provider import NetworkProvider, ProviderSettings
from dynamo.fleet.refusals import (
    BadRequestError,
    UnavailableError,
)
from tests.cloud.fake_openstack import REGION, FakeOpenStack
from tests.cloud.openstack_use import SPEC, credentials, provider


@pytest.fixture
def cloud() -> Iterator[FakeOpenStack]:
    """An OpenStack of one user."""
    fake = FakeOpenStack()
    yield fake
    fake.close()


def test_it_is_a_driver_with_networks(cloud):
    """The entry point makes a provider of networks without a call of the cloud."""
    made = driver.connect(ProviderSettings("chameleon", "openstack", REGION, credentials(cloud)))
    assert isinstance(made, NetworkProvider)
    assert cloud.calls == []
    assert driver.needs_credentials


def test_a_server_is_made_as_it_is_ordered(cloud):
    """Flavor and image by name, user data, config drive, tags with the order itself, and no second call of it."""
    made = provider(cloud, key_name="radar", availability_zone="nova").create(SPEC)
    asked = cloud.bodies[cloud.calls.index("POST /compute/v2.1/servers")]["server"]
    assert asked["metadata"] == {
        "dynamo-slice": "dfw",
        "dynamo-group": "workers",
        "dynamo-token": "7f01",
        "dynamo-size": "m3.medium",
        "dynamo-purchase": "on-demand",
    }
    assert (asked["flavorRef"], asked["imageRef"], asked["config_drive"]) == ("3", "img-worker", True)
    assert (asked["key_name"], asked["availability_zone"]) == ("radar", "nova")
    assert asked["networks"] == [{"uuid": cloud.neutron.shared}]
    assert "security_groups" not in asked
    assert cloud.nova.user_data[made.id] == SPEC.user_data
    assert cloud.calls[-1] == "POST /compute/v2.1/servers"
    assert (made.state, made.size, made.tags) == ("pending", "m3.medium", SPEC.tags)


def test_a_server_has_no_config_drive_where_that_is_said(cloud):
    """And no network is chosen for it where there is just one."""
    made = provider(cloud, config_drive="no", network="")
    made.create(SPEC)
    asked = cloud.bodies[cloud.calls.index("POST /compute/v2.1/servers")]["server"]
    assert asked["config_drive"] is False
    assert "networks" not in asked


def test_flavor_and_image_may_be_named_by_id(cloud):
    """As Chameleon's pages show them."""
    id_ = "70a599e0-31e7-49b7-b260-868f441e862b"
    provider(cloud).create(replace(SPEC, size="b", image=id_))
    (server,) = cloud.nova.servers.values()
    assert (server["flavor"]["id"], server["image"]["id"]) == ("b", id_)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (
            {"size": "m3.medum"},
            r"no flavor 'm3.medum' \(did you mean 'm3.medium'\?\); there are baremetal, m1.tiny",
        ),
        ({"image": "dynamo-worke"}, "no image is named 'dynamo-worke', or has that id"),
        ({"image": ""}, "no image is named; a machine is started from one"),
        (
            {"image": "CC-Ubuntu24.04"},
            "2 images are named 'CC-Ubuntu24.04': name one by its id: img-1, img-2",
        ),
        ({"image": "half-uploaded"}, "no image is named 'half-uploaded'"),
        ({"image": "img-queued"}, "the image 'img-queued' is queued, not active"),
        ({"networks": ("7f0d",)}, "Network 7f0d could not be found.*make the network again"),
        ({"purchase": "spot"}, "OpenStack has no spot machines"),
        ({"purchase": "reserved"}, "is of a reservation, and none is named"),
    ],
)
def test_an_order_that_cannot_be_is_refused_in_words(cloud, wrong, says):
    """Before anything is ordered."""
    with pytest.raises(BadRequestError, match=says):
        provider(cloud).create(replace(SPEC, **wrong))
    assert cloud.nova.servers == {}
    assert not any(one.startswith("POST /compute") for one in cloud.calls)


def test_networks_that_nova_cannot_choose_from_are_said(cloud):
    """Two networks and none named: the slice is to name one."""
    cloud.neutron.add("networks", {"name": "other"})
    with pytest.raises(BadRequestError, match="Multiple possible networks found, use a Network ID"):
        provider(cloud, network="").create(SPEC)


def test_the_own_network_is_found_by_name_or_id(cloud):
    """One that is named twice, or not there, is refused."""
    other = cloud.neutron.add("networks", {"name": "twice"})["id"]
    cloud.neutron.add("networks", {"name": "twice"})
    cloud.neutron.add("subnets", {"cidr": "10.9.0.0/24", "network_id": other})
    provider(cloud, network=other).create(SPEC)
    for named, says in (("twice", "2 networks are named twice"), ("none", "no network none")):
        with pytest.raises(BadRequestError, match=says):
            provider(cloud, network=named).create(replace(SPEC, tags=Tags("dfw", "workers", named)))


STATES = [
    ({"status": "BUILD"}, "pending", ""),
    ({"status": "ACTIVE"}, "running", ""),
    ({"status": "ACTIVE", "OS-EXT-STS:task_state": "deleting"}, "stopping", ""),
    ({"status": "DELETED", "OS-EXT-STS:task_state": "deleting"}, "gone", ""),
    ({"status": "SOFT_DELETED"}, "gone", ""),
    (
        {"status": "SHUTOFF"},
        "running",
        "it has turned itself off; it counts against the quota until it is destroyed",
    ),
    ({"status": "PAUSED"}, "running", ""),
    ({"status": "UNKNOWN"}, "running", ""),
    (
        {"status": "ERROR", "fault": {"message": "No valid host was found. "}},
        "failed",
        "No valid host was found",
    ),
    ({"status": "ERROR"}, "failed", "Nova gives no reason"),
]


@pytest.mark.parametrize(("said", "state", "reason"), STATES)
def test_a_server_is_told_as_it_stands(cloud, said, state, reason):
    """Described, and listed, alike."""
    made = provider(cloud).create(SPEC)
    cloud.nova.servers[made.id] |= {"OS-EXT-STS:task_state": None} | said
    found = provider(cloud).describe(made.id)
    assert (found.state, found.reason) == (state, reason)
    assert found.no_room == reason.startswith("No valid host")
    assert list(provider(cloud).list("dfw")) == [found]


def test_a_server_has_its_time_and_addresses(cloud):
    """Private addresses first, IPv6 too."""
    made = provider(cloud).create(SPEC)
    cloud.nova.boot(made.id)
    public = [{"addr": "129.114.108.7", "version": 4}, {"addr": "2001:db8::7", "version": 6}]
    cloud.nova.servers[made.id]["addresses"] = {"public": public} | cloud.nova.servers[made.id]["addresses"]
    found = provider(cloud).describe(made.id)
    assert found.created == 1767225600.0
    assert found.addresses[-1] == "129.114.108.7"
    assert set(found.addresses) == {"10.52.0.1", "2001:db8::7", "129.114.108.7"}


def test_the_order_of_a_machine_that_failed_is_not_given_again(cloud):
    """It is listed as failed until it is destroyed; of two that came of one order the live one is told."""
    first = provider(cloud).create(SPEC)
    cloud.nova.fail(first.id, "No valid host was found.")
    assert provider(cloud).create(SPEC).state == "failed"
    second = cloud.nova.stranger(**SPEC.tags.written())
    assert provider(cloud).create(SPEC).id == second
    assert {one.id for one in provider(cloud).list("dfw")} == {first.id, second}


def test_a_server_that_is_taken_away_slowly_is_stopping(cloud):
    """It is listed until it is gone, and may be destroyed again meanwhile."""
    cloud.nova.slow_deletes = True
    made = provider(cloud).create(SPEC)
    for _ in range(2):
        provider(cloud).destroy(made.id)
        assert [one.state for one in provider(cloud).list("dfw")] == ["stopping"]
    cloud.nova.finish_deletes()
    assert provider(cloud).list("dfw") == []
    provider(cloud).destroy(made.id)


def test_the_servers_of_strangers_are_left_alone(cloud):
    """Whatever they are called, and whatever else stands in their metadata."""
    strangers = [cloud.nova.stranger(), cloud.nova.stranger(**{"dynamo-slice": "dfw"})]
    assert provider(cloud).list("dfw") == []
    for id_ in strangers:
        with pytest.raises(BadRequestError, match="is not of a slice and is left alone"):
            provider(cloud).destroy(id_)
    assert set(cloud.nova.servers) == set(strangers)


def test_a_listing_that_changes_while_it_is_read_begins_anew(cloud):
    """The page's marker is gone: Nova refuses the next page, and half a listing is none."""
    cloud.nova.most = 2
    for n in range(5):
        provider(cloud).create(replace(SPEC, tags=Tags("dfw", "workers", f"{n}")))
    refused = {"badRequest": {"code": 400, "message": "marker [0e44cc9c] not found"}}
    with cloud.failing("GET .*/servers/detail", status=400, body=refused, skip=1, times=1):
        assert len(provider(cloud).list("dfw")) == 5
    with (
        cloud.failing("GET .*/servers/detail", status=400, body=refused),
        pytest.raises(UnavailableError, match="changes faster than it is read"),
    ):
        provider(cloud).list("dfw")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"servers": [], "servers_links": [{"rel": "next", "href": "/v2.1/servers?marker=7"}]}, "has no end"),
        ({"elsewhere": []}, "cannot be read"),
        ([], "cannot be read"),
        ("<html></html>", "cannot be read"),
    ],
)
def test_a_listing_that_is_none_is_an_error(cloud, body, says):
    """Never an empty one."""
    with (
        cloud.failing("GET .*/servers/detail", status=200, body=body),
        pytest.raises(UnavailableError, match=says),
    ):
        provider(cloud).list("dfw")


def test_what_is_offered_has_a_price_only_where_the_slice_says_one(cloud):
    """None is not the same as nothing; what has no cores is not offered."""
    found = {one.size: one for one in provider(cloud).offerings()}
    assert set(found) == {"m1.tiny", "m3.medium", "baremetal"}
    medium = found["m3.medium"]
    assert (medium.cores, medium.memory, medium.disk) == (8, 30 * 2**30, 60 * 2**30)
    assert (medium.usd_per_hour, medium.purchase, medium.region, medium.left) == (
        None,
        "on-demand",
        REGION,
        None,
    )
    for price, usd in (("0", 0.0), ("0.05", 0.4)):
        priced = {one.size: one for one in provider(cloud, usd_per_core_hour=price).offerings()}
        assert priced["m3.medium"].usd_per_hour == pytest.approx(usd)


def test_what_is_left_of_the_quota_is_said(cloud):
    """The scarcest of machines, cores and memory decides."""
    cloud.nova.quota |= {"instances": 5, "cores": 24, "ram": 4 * 30720}
    provider(cloud).create(SPEC)
    assert {one.size: one.left for one in provider(cloud).offerings()} == {
        "m1.tiny": 4,
        "m3.medium": 2,
        "baremetal": 0,
    }
