"""Machines of a slice that take jobs in: as many as it says, whatever is in the queue, so no policy is asked. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from dynamo.fleet.buying import Market
from dynamo.fleet.decision import Buy
from dynamo.fleet.record import WorkerRecord
from dynamo.fleet.slice import Slice

__all__ = ["access_points", "lacking_points", "without_points"]


def access_points(slice_: Slice) -> frozenset[str]:
    """Return the node groups whose machines take jobs in."""
    return frozenset(name for name, group in slice_.nodes.items() if group.role == "submit")


def lacking_points(
    points: AbstractSet[str], trading: Market, live: Sequence[WorkerRecord], now: float
) -> tuple[Buy, ...]:
    """Return what is to be bought so that each group has its count, by its first offers that can be had now.

    One that is on its way out is replaced when it is gone: `live` are all that may cost money.
    """
    buys: list[Buy] = []
    there = Counter(one.group for one in live)
    for name in points & trading.groups.keys():
        group = trading.groups[name]
        lacking = 0 if group.out else min(group.min, group.max) - there[name]
        for offer in trading.offers.values():
            count = min(lacking, offer.left)
            if offer.group == name and offer.rests_until <= now and count > 0:
                why = f"{name} has {there[name]} of the {group.min} access points that the slice asks for"
                buys.append(Buy(offer.key, count, why))
                lacking -= count
    return tuple(buys)


def without_points(points: AbstractSet[str], trading: Market, live: Sequence[WorkerRecord]) -> Market:
    """Return what workers can be bought by: the groups of workers, and of the limits what access points leave."""
    taken = [one for one in live if one.group in points]
    limits = trading.limits
    return Market(
        {key: offer for key, offer in trading.offers.items() if offer.group not in points},
        trading.rules,
        {name: group for name, group in trading.groups.items() if name not in points},
        replace(
            limits,
            cores=max(limits.cores - sum(one.cores for one in taken), 0.0),
            usd_per_hour=max(limits.usd_per_hour - sum(one.usd_per_hour for one in taken), 0.0),
        ),
    )
