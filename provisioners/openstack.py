"""OpenStack: Chameleon, Jetstream2 and most academic clouds.

Machines are servers of Nova with our tags in their metadata, networks are Neutron's (`openstack_networks`), bare metal
is had of a lease of Blazar (`openstack_leases`). Libcloud's connections carry the calls, and not its driver of nodes:
that one reads a new server in a second call, so that a failure of the reading looks like one of the order; it drops
the descriptions of networks, and cannot say which of many errors Neutron or Blazar means.

Nova knows no token for an order: the servers are listed before one is ordered. Two orders of one token that are given
at the same moment may make two servers; both are listed, with the same token.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from dynamo.provisioners.openstack_calls import Calls
from dynamo.provisioners.openstack_keystone import TIME_LIMITS, reach
from dynamo.provisioners.openstack_leases import Lease, find_lease
from dynamo.provisioners.openstack_networks import Networks
from dynamo.provisioners.openstack_servers import machine, request, reservation_of, tags_of

from dynamo.errors import UserError, nearest
from dynamo.fleet.machine import Machine, MachineSpec
from dynamo.fleet.network import Network, NetworkSpec
from dynamo.fleet.offering import Offering
from dynamo.fleet.provider import Driver, ProviderSettings
from dynamo.fleet.refusals import BadRequestError, GoneError, NoCapacityError

__all__ = ["OPTIONS", "OpenStackProvider", "connect", "driver"]

#: What a slice may say of a provider of this kind.
OPTIONS: Mapping[str, str] = {
    "availability_zone": "the zone of Nova that machines are made in",
    "config_drive": "yes (the default) or no: whether user data is also on a disk of the machine",
    "dns": "name servers of the networks that are made, with commas between",
    "external_network": "the network that leads outside, by name or id, where there are several",
    "key_name": "a key pair of Nova that may log in to the machines",
    "lease": "the lease of Blazar that machines are part of, as blazar:NAME or blazar:ID",
    "network": "the network, by name or id, of machines for which the slice names none",
    "physical_network": "the physical network of the networks that are made, as physnet1 for bare metal",
    "usd_per_core_hour": "what a core costs an hour; 0 where an allocation has paid for it",
}

_GIB, _MIB = 1 << 30, 1 << 20


class OpenStackProvider:
    """One project in one region of an OpenStack cloud; see `dynamo.fleet.provider.NetworkProvider`.

    Parameters
    ----------
    settings
        As the slice names it.
    limits
        Seconds to connect, and to wait for each part of an answer.
    """

    def __init__(self, settings: ProviderSettings, limits: tuple[float, float] = TIME_LIMITS) -> None:
        self._name = settings.name
        self._region = settings.region
        self._options = _checked(settings)
        self._calls = Calls(reach(settings), limits)
        self._networks = Networks(self._calls, self._options)

    def __repr__(self) -> str:
        return f"OpenStackProvider({self._name!r}, region={self._region!r})"

    def create(self, spec: MachineSpec) -> Machine:
        """Order a server; see `Provider.create`."""
        there = [one for one in self.list(spec.tags.slice) if one.tags == spec.tags]
        if there:
            return min(there, key=lambda one: (not one.there, one.created or 0.0, one.id))
        lease = self._lease(spec)
        networks = spec.networks or self._own_choice()
        asked = request(
            spec,
            flavor=self._flavor(spec.size),
            image=self._image(spec.image),
            networks=networks,
            security_groups=self._networks.security_groups(spec.networks),
            reservation=lease.reservation if lease else "",
            options=self._options,
        )
        made = self._calls.make("compute", "/servers", "server", asked)
        return Machine(
            id=str(made["id"]),
            tags=spec.tags,
            name=spec.name,
            state="pending",
            size=spec.size,
            purchase=spec.purchase,
        )

    def list(self, slice_: str) -> Sequence[Machine]:
        """Return all servers of a slice; see `Provider.list`."""
        found = (machine(one) for one in self._servers())
        return [one for one in found if one is not None and one.tags.slice == slice_]

    def describe(self, id_: str) -> Machine:
        """Return one server; see `Provider.describe`."""
        found = machine(self._calls.one("compute", "/servers", id_, "server"))
        if found is None:
            raise GoneError(f"{self._name}: the server {id_} is not of a slice")
        return found

    def destroy(self, id_: str) -> None:
        """Take a server away, with the ports that Nova made for it; see `Provider.destroy`."""
        try:
            server = self._calls.one("compute", "/servers", id_, "server")
        except GoneError:
            return
        if tags_of(server) is None:
            raise BadRequestError(
                f"{self._name}: the server {id_} is not of a slice and is left alone: see who made it, and take it "
                "away by hand if it is yours"
            )
        self._calls.delete("compute", f"/servers/{id_}")

    def offerings(self) -> Sequence[Offering]:
        """Return the flavors, with how many more of each the quota leaves; see `Provider.offerings`."""
        absolute = (self._calls.get("compute", "/limits").get("limits") or {}).get("absolute") or {}
        lease = find_lease(self._calls, self._options["lease"]) if self._options.get("lease") else None
        free = self._free(lease) if lease else None
        price = self._options.get("usd_per_core_hour")
        offered = []
        for flavor in self._flavors():
            cores, memory = int(flavor.get("vcpus") or 0), int(flavor.get("ram") or 0) * _MIB
            if min(cores, memory) < 1 or flavor.get("OS-FLV-DISABLED:disabled"):
                continue  # nobody can plan with what has no cores or memory
            offered.append(
                Offering(
                    size=str(flavor["name"]),
                    cores=cores,
                    memory=memory,
                    purchase="reserved" if lease else "on-demand",
                    region=self._region,
                    usd_per_hour=cores * float(price) if price else None,
                    disk=int(flavor.get("disk") or 0) * _GIB,
                    left=_least(_left(absolute, flavor), free),
                    ends=lease.end if lease else math.inf,
                )
            )
        return offered

    def create_network(self, spec: NetworkSpec) -> Network:
        """Make a network, or complete it; see `NetworkProvider.create_network`."""
        return self._networks.create(spec)

    def list_networks(self, slice_: str) -> Sequence[Network]:
        """Return the networks of a slice; see `NetworkProvider.list_networks`."""
        return self._networks.list(slice_)

    def destroy_network(self, id_: str) -> None:
        """Take a network away; see `NetworkProvider.destroy_network`."""
        self._networks.destroy(id_)

    def _lease(self, spec: MachineSpec) -> Lease | None:
        """Return the lease that a machine is part of, if it is; raises what `Lease.check` does."""
        if spec.purchase == "spot":
            raise BadRequestError(
                f"{self._name}: OpenStack has no spot machines; buy it on demand, or reserve it"
            )
        named = spec.reservation or self._options.get("lease", "")
        if not named:
            if spec.purchase == "reserved":
                raise BadRequestError(f"{self._name}: {spec.name} is of a reservation, and none is named")
            return None
        lease = find_lease(self._calls, named)
        lease.check(time.time())
        return lease

    def _servers(self) -> Sequence[Mapping[str, Any]]:
        return self._calls.every("compute", "/servers/detail", "servers")

    def _free(self, lease: Lease) -> int:
        """Return how many machines of a lease may be had now: none before it begins, and none when it is over."""
        try:
            lease.check(time.time())
        except (NoCapacityError, BadRequestError):
            return 0
        return max(lease.hosts - sum(reservation_of(one) == lease.reservation for one in self._servers()), 0)

    def _own_choice(self) -> tuple[str, ...]:
        named = self._options.get("network")
        return (self._networks.find(named),) if named else ()

    def _flavors(self) -> Sequence[Mapping[str, Any]]:
        return self._calls.every("compute", "/flavors/detail", "flavors")

    def _flavor(self, named: str) -> str:
        flavors = self._flavors()
        found = [one for one in flavors if named in {one["name"], one["id"]}]
        if found:
            return str(found[0]["id"])
        names = [str(one["name"]) for one in flavors]
        raise BadRequestError(
            f"{self._name}: no flavor {named!r}{nearest(named, names)}; there are {', '.join(sorted(names))}"
        )

    def _image(self, named: str) -> str:
        """Return the id of an image by its name or id; of several with one name, none is chosen."""
        if not named:
            raise BadRequestError(f"{self._name}: no image is named; a machine is started from one")
        listed = self._calls.every("image", "/images", "images", {"name": named})
        found = [one for one in listed if one.get("name") == named and one.get("status") == "active"]
        if len(found) == 1:
            return str(found[0]["id"])
        if found:
            ids = ", ".join(sorted(str(one["id"]) for one in found))
            raise BadRequestError(
                f"{self._name}: {len(found)} images are named {named!r}: name one by its id: {ids}"
            )
        return self._image_by_id(named)

    def _image_by_id(self, named: str) -> str:
        """Return the id of an image that is ready; Glance gives it bare."""
        try:
            found = self._calls.get("image", f"/images/{named}")
        except (GoneError, BadRequestError):
            raise BadRequestError(
                f"{self._name}: no image is named {named!r}, or has that id; is it one of this cloud and project?"
            ) from None
        if found.get("status") != "active":
            raise BadRequestError(f"{self._name}: the image {named!r} is {found.get('status')}, not active")
        return str(found["id"])


def _left(absolute: Mapping[str, Any], flavor: Mapping[str, Any]) -> int | None:
    """Return how many of a flavor the quota leaves; None where it is not limited. Nova writes -1 for that."""
    rooms = [
        (absolute.get("maxTotalInstances", -1), absolute.get("totalInstancesUsed", 0), 1),
        (absolute.get("maxTotalCores", -1), absolute.get("totalCoresUsed", 0), flavor["vcpus"]),
        (absolute.get("maxTotalRAMSize", -1), absolute.get("totalRAMUsed", 0), flavor["ram"]),
    ]
    left = [max(int(most) - int(used), 0) // int(each) for most, used, each in rooms if int(most) >= 0]
    return min(left, default=None)


def _least(one: int | None, other: int | None) -> int | None:
    return min((each for each in (one, other) if each is not None), default=None)


def _checked(settings: ProviderSettings) -> Mapping[str, str]:
    """Return the options of a provider; raises `UserError` for one that nobody can follow."""
    options = settings.options
    settings.check_options(OPTIONS)
    if options.get("config_drive", "yes") not in {"yes", "no"}:
        raise UserError(
            f"provider {settings.name}: config_drive is yes or no, not {options['config_drive']!r}"
        )
    price = options.get("usd_per_core_hour", "0")
    try:
        fits = math.isfinite(float(price)) and float(price) >= 0
    except ValueError:
        fits = False
    if not fits:
        raise UserError(f"provider {settings.name}: usd_per_core_hour is US dollars, not {price!r}")
    return options


def connect(settings: ProviderSettings) -> OpenStackProvider:
    """Return a provider; raises `UserError` where its settings or credentials do not do."""
    return OpenStackProvider(settings)


driver = Driver(connect=connect, options=OPTIONS, needs_credentials=True)
