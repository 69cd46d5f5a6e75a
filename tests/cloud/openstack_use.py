"""How the tests of the driver `openstack` use it."""

from __future__ import annotations

from dynamo.provisioners.openstack import OpenStackProvider

from dynamo.fleet.credentials import Credentials
from dynamo.fleet.machine import MachineSpec, Tags
from dynamo.fleet.provider import ProviderSettings
from tests.cloud.fake_openstack import REGION, SECRET, FakeOpenStack

MARK = "join-token-that-nobody-may-see"
SPEC = MachineSpec(
    Tags("dfw", "workers", "7f01"),
    "dfw-workers-7f01",
    size="m3.medium",
    image="dynamo-worker",
    user_data=f"#cloud-config\n# {MARK}\n",
)
#: Read limits short enough to hang a test on; a local answer comes in a few milliseconds.
IMPATIENT = (5.0, 1.0)


def credentials(cloud: FakeOpenStack, **other: str) -> Credentials:
    """Return the credentials of the application, or others."""
    given = {
        "auth_url": f"{cloud.url}/identity/v3",
        "application_credential_id": "ac1",
        "application_credential_secret": SECRET,
    }
    return Credentials(other or given, "env:CHAMELEON")


def provider(
    cloud: FakeOpenStack,
    limits: tuple[float, float] = (5.0, 20.0),
    given: Credentials | None = None,
    region: str = REGION,
    **options: str,
) -> OpenStackProvider:
    """Return a new object, as each thread has its own; machines are in the shared network unless it is said."""
    options = {"network": "sharednet1"} | options
    settings = ProviderSettings("chameleon", "openstack", region, given or credentials(cloud), options)
    return OpenStackProvider(settings, limits)
