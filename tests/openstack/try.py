"""Try the driver `openstack` on Debian's own OpenStack, as `make openstack` does: ``python try.py CONTAINER``.

It is no part of ``make test``: the services are a gigabyte, and take minutes to come up. Nova's machines are not real.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace

from dynamo.provisioners.openstack import OpenStackProvider

from dynamo.fleet.credentials import Credentials
from dynamo.fleet.machine import Machine, MachineSpec, Tags
from dynamo.fleet.network import NetworkSpec
from dynamo.fleet.provider import ProviderSettings
from dynamo.fleet.refusals import AuthError, BadRequestError, ProviderError, QuotaError, UnavailableError

CONTAINER = sys.argv[1]
NETWORK = NetworkSpec(Tags("dfw", "data", "n1"), "192.168.10.0/24")


def run(*command: str) -> str:
    """Run a command and return what it printed."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def admin(command: str) -> str:
    """Run a command of OpenStack's client as its administrator."""
    return run("docker", "exec", CONTAINER, "bash", "-c", f". /root/rc; {command}")


def provider(password: str = "radar-secret") -> OpenStackProvider:
    """Return the driver as a user of the project `radar`."""
    address = run("docker", "inspect", "-f", "{{.NetworkSettings.IPAddress}}", CONTAINER)
    given = {
        "auth_url": f"http://{address}:5000/v3",
        "username": "radar",
        "password": password,
        "project_name": "radar",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    return OpenStackProvider(
        ProviderSettings("debian", "openstack", "RegionOne", Credentials(given, "env:RADAR"), {})
    )


def spec(token: str, network: str, size: str = "small", image: str = "worker") -> MachineSpec:
    """Return the order of a machine."""
    tags = Tags("dfw", "workers", token)
    return MachineSpec(
        tags, f"dfw-workers-{token}", size=size, image=image, user_data="#cloud-config\n", networks=(network,)
    )


def refused(kind: type[ProviderError], act: Callable[[], object]) -> None:
    """Check that something is refused so, and show the words."""
    try:
        act()
    except kind as error:
        print(f"  {kind.__name__}: {error}")
        return
    raise AssertionError(f"not refused by {kind.__name__}")


def settled(cloud: OpenStackProvider, id_: str) -> Machine:
    """Wait until a machine is no longer being made."""
    while (found := cloud.describe(id_)).state == "pending":
        time.sleep(0.5)
    return found


def try_machines(cloud: OpenStackProvider) -> None:
    """Make a network and a machine in it, each once; end both."""
    network = cloud.create_network(NETWORK)
    assert cloud.create_network(NETWORK) == network
    assert cloud.list_networks("dfw") == [network]
    begun = time.monotonic()
    order = spec("7f01", network.id)
    made = cloud.create(order)
    assert cloud.create(order).id == made.id
    found = settled(cloud, made.id)
    print(f"  {found.name} {found.state} {found.addresses} after {time.monotonic() - begun:.1f} s")
    assert (found.state, found.tags, list(cloud.list("dfw"))) == ("running", order.tags, [found])
    refused(UnavailableError, lambda: cloud.destroy_network(network.id))
    full = settled(cloud, cloud.create(spec("7f02", network.id, "huge")).id)
    assert (full.state, full.no_room) == ("failed", True)
    for one in (made, made, full):
        cloud.destroy(one.id)
    while any(one.state != "gone" for one in cloud.list("dfw")):
        time.sleep(0.5)
    cloud.destroy_network(network.id)
    assert not cloud.list_networks("dfw")


def try_refusals(cloud: OpenStackProvider) -> None:
    """See what is said of wrong orders, and of quotas."""
    network = cloud.create_network(NETWORK)
    refused(BadRequestError, lambda: cloud.create(spec("a1", network.id, image="wroker")))
    refused(BadRequestError, lambda: cloud.create(spec("a2", network.id, size="smal")))
    refused(BadRequestError, lambda: cloud.create(spec("a3", "00000000-0000-0000-0000-000000000000")))
    refused(AuthError, lambda: provider("wrong").list("dfw"))
    other = replace(NETWORK, tags=Tags("dfw", "other", "n2"), cidr="192.168.11.0/24")
    for quota, limit, act in (
        ("cores", 1, lambda: cloud.create(spec("a4", network.id))),
        ("ram", 1000, lambda: cloud.create(spec("a5", network.id))),
        ("networks", 1, lambda: cloud.create_network(other)),
        ("secgroups", 1, lambda: cloud.create_network(other)),
        ("routers", 0, lambda: cloud.create_network(other)),
    ):
        admin(f"openstack quota set --force --{quota} {limit} radar")
        refused(QuotaError, act)
        admin(f"openstack quota set --force --{quota} 900000 radar")
    for one in cloud.list_networks("dfw"):
        cloud.destroy_network(one.id)


def try_bandwidth(cloud: OpenStackProvider) -> None:
    """Shape a network, once only administrators may, then as one of them; change it, take it away."""
    refused(BadRequestError, lambda: cloud.create_network(replace(NETWORK, bandwidth=5e7)))
    admin("openstack role add --project radar --user radar admin")
    cloud = provider()
    for bandwidth in (5e7, 1e8):
        network = cloud.create_network(replace(NETWORK, bandwidth=bandwidth))
        assert network.bandwidth == bandwidth
        rules = admin("openstack network qos policy show dfw-data-n1 -f value -c rules")
        assert rules.count(f"'max_kbps': {bandwidth / 1000:.0f},") == 2, rules
    cloud.destroy_network(network.id)
    assert not admin("openstack network qos policy list -f value")


cloud = provider()
print(*cloud.offerings(), sep="\n")
for part in (try_machines, try_refusals, try_bandwidth):
    print(part.__doc__)
    part(cloud)
print("nothing is left:", not cloud.list_networks("dfw"))
