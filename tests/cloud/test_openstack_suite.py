"""The driver `openstack` passes the suite that every provider passes, against a small OpenStack over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from dynamo.fleet.machine import Tags
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
from tests.cloud.fake_openstack import PASSWORD, SECRET, FakeOpenStack
from tests.cloud.openstack_use import SPEC, provider

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
        spec=replace(SPEC, tags=Tags("", "", ""), user_data=""),
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
