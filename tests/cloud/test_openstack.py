"""The driver `openstack` against a small OpenStack over real HTTP: the suite, the five verbs, and what is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from dynamo.provisioners.openstack import OpenStackProvider, driver

from dynamo.fleet.credentials import Credentials
from dynamo.fleet.machine import MachineSpec, Tags
from dynamo.fleet.provider import NetworkProvider, ProviderSettings
from dynamo.fleet.refusals import (
    AuthError,
    BadRequestError,
    NoCapacityError,
    OutcomeUnknownError,
    QuotaError,
    ThrottledError,
    UnavailableError,
)
from dynamo.testing import PROVIDER_CHECKS, ProviderBench
from tests.cloud.fake_openstack import PASSWORD, REGION, SECRET, FakeOpenStack

SPEC = MachineSpec(
    Tags("dfw", "workers", "7f01"), "dfw-workers-7f01", size="m3.medium", image="dynamo-worker"
)
NO_HOST = {
    "badRequest": {"code": 400, "message": "No valid host was found. There are not enough hosts available."}
}
FORBIDDEN = {"forbidden": {"code": 403, "message": "Policy doesn't allow os_compute_api:servers:create."}}


@pytest.fixture
def cloud() -> Iterator[FakeOpenStack]:
    """An OpenStack of one user."""
    fake = FakeOpenStack()
    yield fake
    fake.close()


def credentials(cloud: FakeOpenStack, **other: str) -> Credentials:
    given = {
        "auth_url": f"{cloud.url}/identity/v3",
        "application_credential_id": "ac1",
        "application_credential_secret": SECRET,
    }
    return Credentials(given | other, "env:CHAMELEON")


def provider(cloud: FakeOpenStack, limits=(5.0, 5.0), **options: str) -> OpenStackProvider:
    """Return a new object, as each thread has its own; machines are in the shared network unless it is said."""
    options = {"network": "sharednet1"} | options
    return OpenStackProvider(
        ProviderSettings("chameleon", "openstack", REGION, credentials(cloud), options), limits
    )


def bench(cloud: FakeOpenStack) -> ProviderBench:
    create = "POST /compute/v2.1/servers$"

    cloud.nova.most = 50

    def stranger():
        id_ = cloud.nova.stranger(Name="mine")
        return id_, lambda: id_ in cloud.nova.servers

    @contextmanager
    def quota():
        cloud.nova.quota["cores"] = 1
        yield
        cloud.nova.quota["cores"] = -1

    def answering(status, body, **headers):
        return lambda: cloud.failing(create, status=status, body=body, headers=headers)

    return ProviderBench(
        connect=lambda: provider(cloud),
        spec=replace(SPEC, tags=Tags("", "", "")),
        settle=lambda _, id_: cloud.nova.boot(id_),
        faults={
            QuotaError: quota,
            NoCapacityError: answering(400, NO_HOST),
            BadRequestError: answering(
                400, {"badRequest": {"code": 400, "message": "Invalid imageRef provided."}}
            ),
            AuthError: answering(403, FORBIDDEN),
            ThrottledError: answering(429, "<html>slow down</html>", **{"Retry-After": "7"}),
            UnavailableError: answering(503, "<html><h1>503 Service Unavailable</h1></html>"),
            OutcomeUnknownError: lambda: cloud.failing(create, how="cut-after"),
        },
        stranger=stranger,
        secrets=(SECRET, PASSWORD, *cloud.issued),
        many=120,
        network_steps=tuple(
            (lambda calls=calls, how=how: cloud.failing(calls, how=how))
            for calls in (
                "POST .*/networks$",
                "POST .*/subnets$",
                "POST .*/security-groups$",
                "POST .*/security-group-rules$",
                "POST .*/routers$",
                "PUT .*/add_router_interface$",
            )
            for how in ("status", "cut", "cut-after")
        ),
    )


@pytest.mark.parametrize("name", PROVIDER_CHECKS)
def test_the_driver_passes_the_suite(cloud, name):
    """Every check of providers holds, and leaves nothing at the cloud."""
    before = {kind: set(things) for kind, things in cloud.neutron.things.items()}
    PROVIDER_CHECKS[name](bench(cloud))
    assert {one["name"] for one in cloud.nova.servers.values()} <= {"somebody-elses"}
    assert {kind: set(things) for kind, things in cloud.neutron.things.items()} == before


def test_it_is_a_driver_with_networks(cloud):
    """The entry point makes a provider of networks without a call of the cloud."""
    made = driver.connect(ProviderSettings("chameleon", "openstack", REGION, credentials(cloud)))
    assert isinstance(made, NetworkProvider)
    assert cloud.calls == []
    assert driver.needs_credentials
