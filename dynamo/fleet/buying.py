"""What a slice can be bought by at the moment: its offers, its node groups and its limits, for a view. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dynamo.fleet.day import Day
from dynamo.fleet.guard import spent_today
from dynamo.fleet.record import WorkerRecord
from dynamo.fleet.slice import NodeOffer, Slice
from dynamo.fleet.slice_offers import Catalogue, Priced, priced_group
from dynamo.fleet.standing import BAD_BOOTS, Standing
from dynamo.fleet.view import Group, Limits, Offer

__all__ = ["Market", "believed", "lacking", "market", "unknown_offers"]


@dataclass(frozen=True, slots=True)
class Market:
    """What can be bought.

    Parameters
    ----------
    offers
        Key to offer, those of each node group in the order of the slice; none whose provider has not said what it is.
    rules
        Key to what the slice says of it.
    groups
        Name to bounds.
    limits
        Of the slice, and what was spent today.
    """

    offers: Mapping[str, Offer]
    rules: Mapping[str, NodeOffer]
    groups: Mapping[str, Group]
    limits: Limits


def market(
    slice_: Slice,
    catalogue: Catalogue,
    standing: Standing,
    workers: Sequence[WorkerRecord],
    now: float,
    networks: Mapping[str, Mapping[str, str]] | None = None,
    day: Day | None = None,
) -> Market:
    """Return what can be bought now; `workers` are all that live, and those that ended in the day.

    `networks` are those that there are, by provider and name: a machine is not bought before its networks are there;
    None where that does not matter.

    A price counts as the most that may be paid, so that no limit is exceeded when that of spot rises.
    """
    offers: dict[str, Offer] = {}
    rules: dict[str, NodeOffer] = {}
    counts = Counter(one.offer for one in workers if one.live)
    for name in slice_.nodes:
        for priced in priced_group(slice_, name, catalogue):
            key = priced.offer.key(name)
            if priced.offer.provider not in catalogue or key in offers:
                continue
            # What nobody knows the price of has no place in a budget.
            if priced.usd_most is None and slice_.limits.money:
                continue
            if isinstance(priced.offer.size, str) and priced.offering is None:
                continue
            if networks is not None and lacking(slice_, name, priced.offer.provider, networks):
                continue
            offers[key] = _offer(key, name, priced, standing, counts[key])
            rules[key] = priced.offer
    asked = slice_.limits
    limits = Limits(asked.cores, asked.usd_per_hour, asked.usd_per_day, spent_today(workers, now, day))
    return Market(offers, rules, _groups(slice_, standing, workers, now), limits)


def _groups(
    slice_: Slice, standing: Standing, workers: Sequence[WorkerRecord], now: float
) -> dict[str, Group]:
    """Return the bounds of each node group; one that brought nothing of late is tried with one more at a time."""
    out = standing.out_of_service(now)
    return {
        name: Group(
            name=name,
            min=group.fewest if group.count is not None else group.min,
            max=group.most
            if standing.bad.get(name, 0) < BAD_BOOTS
            else min(group.most, _one_more(workers, name)),
            warm=group.warm,
            idle=group.idle,
            out=out.get(name, ""),
        )
        for name, group in slice_.nodes.items()
    }


def lacking(slice_: Slice, group: str, provider: str, networks: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return the networks of a node group that should be at a provider, and are not."""
    wanted = [name for name in slice_.nodes[group].networks if provider in slice_.networks[name].spans]
    return [name for name in wanted if name not in networks.get(provider, {})]


def unknown_offers(
    slice_: Slice, catalogue: Catalogue, networks: Mapping[str, Mapping[str, str]]
) -> frozenset[str]:
    """Return the offers of a slice whose providers have not said yet what they are, or which networks there are.

    Of one whose network cannot be made nothing is bought, but its workers are known.
    """
    return frozenset(
        offer.key(name)
        for name, group in slice_.nodes.items()
        for offer in group.offers
        if offer.provider not in catalogue
        or (offer.provider not in networks and lacking(slice_, name, offer.provider, networks))
    )


def believed(worker: WorkerRecord) -> Offer:
    """Return the offer of a worker there is, as long as nobody says what it is: none can be bought by it.

    Limits hold by what was written down, which is the most; what it costs now nobody knows, so nothing replaces it.
    """
    return Offer(
        worker.offer, worker.group, worker.provider, worker.cores, worker.memory, worker.usd_per_hour, left=0,
        quantum=worker.quantum, minimum=worker.minimum, usd_now=0.0,
    )  # fmt: skip


def _one_more(workers: Sequence[WorkerRecord], group: str) -> int:
    """Return how many a group may have that brought nothing of late: one more than joined."""
    return sum(one.live and one.group == group and one.joined is not None for one in workers) + 1


def _offer(key: str, group: str, priced: Priced, standing: Standing, live: int) -> Offer:
    said, rest = priced.offering, standing.rests.get(key)
    boot, boot_high = standing.boot(key)
    at_most = 10**6 if priced.offer.at_most is None else priced.offer.at_most - live
    left = at_most if said is None or said.left is None else min(at_most, said.left)
    return Offer(
        key=key,
        group=group,
        provider=priced.offer.provider,
        cores=priced.cores,
        memory=priced.memory,
        usd_per_hour=priced.usd_most or 0.0,
        speed=said.speed if said else 1.0,
        boot=boot,
        boot_high=boot_high,
        left=max(left, 0),
        rests_until=rest.until if rest else 0.0,
        quantum=said.quantum if said else 1.0,
        minimum=said.minimum if said else 60.0,
        ends=said.ends if said and said.ends is not None else float("inf"),
        spot=priced.offer.bought == "spot",
        usd_now=priced.usd,
    )
