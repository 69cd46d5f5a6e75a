"""EC2, Amazon's cloud, and others that speak its language: machines by RunInstances, networks as VPCs.

Enters: orders. Leaves: instances that carry the tags of their order from the moment they are made. Goes wrong: as
`dynamo.provisioners.ec2_errors` maps it. Nothing is tried again here: who ordered decides that, from the listing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from dynamo.provisioners.ec2_calls import Calls, by_tags, flat
from dynamo.provisioners.ec2_errors import Ec2Answer
from dynamo.provisioners.ec2_machines import machine, order
from dynamo.provisioners.ec2_networks import Networks
from dynamo.provisioners.ec2_sizes import offerings

from dynamo.errors import UserError
from dynamo.fleet.machine import Machine, MachineSpec, Tags
from dynamo.fleet.network import Network, NetworkSpec
from dynamo.fleet.offering import Offering
from dynamo.fleet.prices import PriceTable, price_table
from dynamo.fleet.provider import Driver, ProviderSettings
from dynamo.fleet.refusals import BadRequestError, GoneError, OutcomeUnknownError

__all__ = ["OPTIONS", "Ec2", "connect", "driver"]

OPTIONS: Mapping[str, str] = {
    "connect_timeout": "Seconds that are waited for a connection; 5 if nothing is said.",
    "endpoint": "URL of another cloud that speaks EC2, instead of Amazon's of the region.",
    "key_name": "Name of a key pair, for who is to log in to machines.",
    "prices": "A file of prices that go before those that are shipped.",
    "read_timeout": "Seconds that are waited for an answer; 30 if nothing is said.",
    "security_groups": "Ids, with commas between, for machines that are in no network of the slice.",
    "subnet": "Id of the subnet of machines that are in no network of the slice.",
    "zone": "Availability zone that networks are made in.",
}
_NOT_GONE = ("pending", "running", "shutting-down", "stopping", "stopped")
#: Codes by which EC2 says that it had this order before.
_HAD_BEFORE = {"IdempotentParameterMismatch", "IdempotentInstanceTerminated"}


class Ec2:
    """One region by one account.

    Parameters
    ----------
    calls
        How it is reached.
    prices
        What things cost there.
    options
        What the slice says of it, by the names in `OPTIONS`.
    """

    def __init__(self, calls: Calls, prices: PriceTable, options: Mapping[str, str]) -> None:
        self._calls = calls
        self._prices = prices
        self._options = dict(options)
        self._networks = Networks(calls, self._options.get("zone", ""))

    def __repr__(self) -> str:
        return f"Ec2({self._calls.where})"

    def create(self, spec: MachineSpec) -> Machine:
        """Order a machine, or return the one of an order that was given before.

        EC2 itself takes the same order only once (ClientToken) but forgets it in time, and its listing may not have
        what was ordered a moment ago: so both are asked.
        """
        found = self._of_order(spec.tags)
        if found:
            return found
        params = order(spec, self._place(spec), self._options)
        try:
            root = self._calls.ask("RunInstances", params)
        except Ec2Answer as answer:
            had = answer.code in _HAD_BEFORE
            failed = self._calls.refused(answer, "RunInstances", params)
        else:
            made = root.find("instancesSet/item")
            machine_ = None if made is None else machine(made, spec.tags)
            if machine_ is not None and machine_.id:
                return machine_
            raise OutcomeUnknownError(
                f"{self._calls.where} took the order of {spec.name} and names no machine"
            )
        if had:
            return self._had_before(spec)
        raise failed

    def list(self, slice_: str) -> Sequence[Machine]:
        """Return all machines of a slice that are not gone."""
        wanted = by_tags(slice_, more={"instance-state-name": _NOT_GONE})
        return [one for one in self._machines(wanted) if one.tags.slice == slice_]

    def describe(self, id_: str) -> Machine:
        """Return one machine, also one that is gone and that EC2 still knows of; raises `GoneError` for no such."""
        root = self._calls.call("DescribeInstances", flat("InstanceId", [id_]))
        found = root.find("reservationSet/item/instancesSet/item")
        made = None if found is None else machine(found)
        if made is None:
            what = "knows no machine" if found is None else "has, as a machine of no slice,"
            raise GoneError(f"{self._calls.where} {what} {id_}")
        return made

    def destroy(self, id_: str) -> None:
        """End a machine, with its disk; one that is gone already is no error, and one of no slice is left alone."""
        try:
            root = self._calls.call("DescribeInstances", flat("InstanceId", [id_]))
            found = root.find("reservationSet/item/instancesSet/item")
            if found is None:
                return
            made = machine(found)
            if made is None:
                raise BadRequestError(f"{id_} is a machine of no slice: it is left as it is")
            if made.state not in {"gone", "failed"}:
                self._calls.call("TerminateInstances", flat("InstanceId", [id_]))
        except GoneError:
            pass

    def offerings(self) -> Sequence[Offering]:
        """Return the sizes of the region, on demand and by spot, at the prices of our table."""
        return offerings(self._calls, self._prices)

    def create_network(self, spec: NetworkSpec) -> Network:
        """Make a VPC with all that belongs to it, or what is lacking of it."""
        return self._networks.create(spec)

    def list_networks(self, slice_: str) -> Sequence[Network]:
        """Return all networks of a slice, also those that were made in part."""
        return self._networks.list(slice_)

    def destroy_network(self, id_: str) -> None:
        """Take a VPC away with all that belongs to it; its machines must be gone."""
        self._networks.destroy(id_)

    def _machines(self, wanted: Mapping[str, str]) -> Sequence[Machine]:
        listed = self._calls.pages("DescribeInstances", wanted, "reservationSet/item/instancesSet/item")
        return [made for made in map(machine, listed) if made]

    def _of_order(self, tags: Tags) -> Machine | None:
        """Return the machine of an order, one that is there rather than one that is gone."""
        found = [one for one in self._machines(by_tags(tags.slice, tags.token)) if one.tags == tags]
        return min(found, key=lambda one: (not one.there, one.created or math.inf, one.id), default=None)

    def _had_before(self, spec: MachineSpec) -> Machine:
        """Return the machine of an order that EC2 says it had, though the listing had not its machine just now."""
        found = self._of_order(spec.tags)
        if found is None:
            raise OutcomeUnknownError(
                f"{self._calls.where} had the order of {spec.name} before, and does not list its machine yet"
            )
        return found

    def _place(self, spec: MachineSpec) -> dict[str, str]:
        if len(spec.networks) > 1:
            raise BadRequestError(
                f"a machine on EC2 is in one network (a VPC); {spec.name} is to be in {len(spec.networks)}"
            )
        if spec.networks:
            return self._networks.place(spec.networks[0])
        groups = [one.strip() for one in self._options.get("security_groups", "").split(",") if one.strip()]
        subnet = self._options.get("subnet", "")
        return ({"SubnetId": subnet} if subnet else {}) | flat("SecurityGroupId", groups)


def connect(settings: ProviderSettings) -> Ec2:
    """Make a provider; raises `UserError` where settings or credentials do not do."""
    settings.check_options(OPTIONS)
    found = settings.credentials
    key, secret = found.need("access_key_id", "secret_access_key")
    token = found.get("session_token") or ""
    for name, value in (("access_key_id", key), ("secret_access_key", secret), ("session_token", token)):
        if not (value.isascii() and value.isprintable()) or " " in value:
            raise UserError(
                f"provider {settings.name}: the {name} in {found.source} has what no key has, as a space"
            )
    region = settings.region or found.get("region") or found.get("default_region") or ""
    if not region or not region.replace("-", "").isalnum():
        raise UserError(f"provider {settings.name}: EC2 needs a `region`, as us-east-2")
    calls = Calls(
        (key, secret, token),
        region,
        settings.options.get("endpoint", ""),
        connect=_seconds(settings, "connect_timeout", 5.0),
        read=_seconds(settings, "read_timeout", 30.0),
    )
    prices = settings.options.get("prices")
    return Ec2(calls, price_table([prices] if prices else []), settings.options)


def _seconds(settings: ProviderSettings, name: str, default: float) -> float:
    text = settings.options.get(name)
    if text is None:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise UserError(f"provider {settings.name}: `{name}` is a number of seconds, not {text!r}")
    return seconds


driver = Driver(connect, OPTIONS, needs_credentials=True, shapes=False)
