"""Find what makes a slice bad before anything is bought: without a cloud, and with what the clouds sell.

Each fault has its place in the document and says what to do.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping

from dynamo.errors import UserError, nearest
from dynamo.fleet import registry
from dynamo.fleet.credentials import Credentials, find_credentials
from dynamo.fleet.provider import Driver, NetworkProvider, Provider
from dynamo.fleet.slice import TOKEN_SHOWN, Measure, NodeGroup, NodeOffer, Slice, machine_name
from dynamo.fleet.slice_costs import check_least
from dynamo.fleet.slice_file import SliceDraft, read
from dynamo.fleet.slice_networks import check_groups_networks, check_networks
from dynamo.fleet.slice_secrets import refuse_open, refuse_secrets
from dynamo.runfile.values import At

__all__ = ["check", "is_name", "load", "reach"]

#: What may be part of a host name; of the two names of one machine together they must not be too long.
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_LONGEST = 63
_YEAR = 365 * 86_400.0

DriverOf = Callable[[str], Driver]
Find = Callable[[str], Credentials]


def load(path: str | os.PathLike[str], text: str | None = None) -> Slice:
    """Return the slice of a document that is right as far as can be known without the clouds.

    Raises `FaultySliceError` with all its faults.
    """
    draft = read(path, text)
    check(draft)
    return draft.sound()


def check(
    draft: SliceDraft, driver_of: DriverOf | None = None, find: Find = find_credentials
) -> dict[str, Driver]:
    """Add all faults that can be found without a cloud; return the drivers, by the names of the providers.

    Drivers are those that are installed, unless `driver_of` says otherwise.
    """
    driver_of = driver_of or registry.driver
    drivers: dict[str, Driver] = {}
    refuse_secrets(draft)
    refuse_open(draft)
    if draft.slice is None:
        return drivers
    slice_ = draft.slice
    _check_name(draft, ("slice",), slice_.name)
    for what, names in (
        ("providers", slice_.providers),
        ("networks", slice_.networks),
        ("nodes", slice_.nodes),
    ):
        for name in names:
            _check_name(draft, (what, name), name)
    for name in slice_.providers:
        found = _check_provider(draft, slice_, name, driver_of, find)
        if found:
            drivers[name] = found
    check_networks(draft, slice_)
    if not slice_.nodes:
        draft.tell(("nodes",), "has no group; name at least one")
    for name, group in slice_.nodes.items():
        _check_group(draft, name, group)
        check_groups_networks(draft, slice_, name, group)
        for index, offer in enumerate(group.offers):
            _check_offer(draft, slice_, draft.offer_at(name, index), offer, drivers)
    check_least(draft)
    return drivers


def is_name(text: str) -> bool:
    """Whether a slice, a provider, a network or a node group may be called so."""
    return len(text) <= _LONGEST and _NAME.fullmatch(text) is not None


def _check_name(draft: SliceDraft, at: At, name: str) -> None:
    if not _NAME.fullmatch(name):
        near = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        hint = f", like {near}" if near else ""
        mark = draft.root.key(at) if len(at) > 1 else draft.root.find(at).mark
        draft.faults.add(mark, f"{name!r} is no name: lower-case letters, digits and hyphens inside{hint}")


def _check_provider(
    draft: SliceDraft, slice_: Slice, name: str, driver_of: DriverOf, find: Find
) -> Driver | None:
    rule, at = slice_.providers[name], ("providers", name)
    try:
        driver = driver_of(rule.driver)
    except UserError as error:
        draft.tell((*at, "driver"), str(error))
        return None
    for key in rule.options:
        if key not in driver.options:
            known = ["driver", "region", "credentials", *driver.options]
            hint = nearest(key, known) or f"; known are {', '.join(known)}"
            draft.faults.add(
                draft.root.key((*at, key)), f"unknown key {key!r} of the driver {rule.driver!r}{hint}"
            )
    if rule.credentials:
        try:
            find(rule.credentials)
        except UserError as error:
            draft.tell((*at, "credentials"), str(error))
    elif driver.needs_credentials:
        draft.tell(at, f"has no `credentials`, which the driver {rule.driver!r} needs")
    return driver


def _check_group(draft: SliceDraft, name: str, group: NodeGroup) -> None:
    at = ("nodes", name)
    if group.count is None:
        for key, value in (("min", group.min), ("warm", group.warm)):
            if value > group.max:
                draft.tell((*at, key), f"is {value}, and `max` is {group.max}")
        if group.role != "worker":
            draft.tell(
                (*at, "role"), f"only workers grow and shrink: say how many of {group.role!r} with `count`"
            )
    length = len(machine_name(str(draft.root.find(("slice",)).value), name, "x" * TOKEN_SHOWN))
    if length > _LONGEST:
        draft.faults.add(
            draft.root.key(at),
            f"host names of its machines (slice, group and {TOKEN_SHOWN} letters) would have {length} letters, and at "
            f"most {_LONGEST} can be: shorten the name of the slice or of the group",
        )
    for key in [one for one in ("lifetime", "idle") if getattr(group, one) > _YEAR]:
        draft.tell((*at, key), "is longer than a year")
    if not group.offers:
        draft.tell((*at, "offers"), "is empty")
    seen: dict[str, int] = {}
    for index, offer in enumerate(group.offers):
        first = seen.setdefault(offer.key(name), index)
        if first != index:
            draft.tell(draft.offer_at(name, index), f"{offer} is offered twice; leave one out")


def _check_offer(
    draft: SliceDraft, slice_: Slice, at: At, offer: NodeOffer, drivers: Mapping[str, Driver]
) -> None:
    if offer.provider not in slice_.providers:
        draft.tell(
            (*at, "provider"),
            f"unknown provider {offer.provider!r}{nearest(offer.provider, slice_.providers)}",
        )
    driver = drivers.get(offer.provider)
    if driver and isinstance(offer.size, Measure) and not driver.to_measure:
        draft.tell((*at, "size"), f"machines at {offer.provider!r} have sizes with names: give one of these")
    if offer.max_price is not None and offer.bought != "spot":
        draft.tell((*at, "max_price"), "is for `purchase: spot` only; `limits` says what all may cost")
    if offer.reservation and offer.bought != "reserved":
        draft.tell((*at, "purchase"), f"what has a `reservation` is reserved, not {offer.bought}")
    if offer.bought == "reserved" and not offer.reservation and offer.usd_per_hour is None:
        draft.tell(
            (*at, "purchase"),
            "of what is reserved, name the `reservation`; or say by `usd_per_hour` what it costs",
        )


def reach(draft: SliceDraft, drivers: Mapping[str, Driver]) -> dict[str, Provider]:
    """Return the providers, without a call of a cloud; raises `FaultySliceError` where one does not take its settings.

    What makes no networks, and is to have one, is such a fault too.
    """
    slice_ = draft.sound()
    providers: dict[str, Provider] = {}
    for name, rule in slice_.providers.items():
        try:
            providers[name] = drivers[name].connect(rule.settings(name))
        except UserError as error:
            draft.tell(("providers", name), str(error))
    for name, network in slice_.networks.items():
        for index, at in enumerate(network.spans):
            if at in providers and not isinstance(providers[at], NetworkProvider):
                driver = slice_.providers[at].driver
                draft.tell(
                    ("networks", name, "spans", index), f"the driver {driver!r} of {at!r} makes no networks"
                )
    draft.sound()
    return providers
