"""Which machines to buy for the cores that are missing: the cheapest that are up in time, within every limit.

What an offer costs is what is billed from its order to the end of its expected use, by the useful cores of speed 1
that it brings: price, measured speed, boot time, billing steps and what is left of a reservation are all in that
figure. What is paid for already comes first, for it costs nothing; spot comes before on-demand as long as it is cheaper
with its risk, and on-demand stands behind it when the cloud has none.

A small exact search finds how many of each: an offer takes no machine, or about as many as what is missing asks
for, or all it may; more than that no best answer needs. `tests/unit/fleet/test_packing.py` compares with all answers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from dynamo.fleet.guard import AHEAD
from dynamo.fleet.view import Offer, View

__all__ = ["Packed", "Room", "Want", "pack"]

_ENOUGH = 1e-6
#: Offers that the search looks at, the cheapest by the core: each multiplies its work.
_LOOKED_AT = 5


@dataclass(frozen=True, slots=True)
class Want:
    """Missing cores.

    Parameters
    ----------
    cores
        Of speed 1.
    by
        When they are to serve; what cannot is bought only where nothing can.
    use
        Seconds for which they are expected to be used.
    usable
        Offer key to the cores of one machine that jobs can use; only these offers are bought.
    risk
        What spot is taken to cost more than its price, as a share, for what is lost with it.
    """

    cores: float
    by: float
    use: float
    usable: Mapping[str, float]
    risk: float = 0.15


@dataclass(frozen=True, slots=True)
class Packed:
    """Machines by offer, the cores of speed 1 they bring, US dollars for them, and what stood against more."""

    counts: Mapping[str, int] = field(default_factory=dict)
    cores: float = 0.0
    usd: float = 0.0
    bit: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Room:
    """What may still be ordered: of the slice's limits, and of each group and offer."""

    cores: float
    usd_per_hour: float
    usd: float
    groups: Mapping[str, float]
    left: Mapping[str, float]

    @classmethod
    def of(cls, view: View) -> Room:
        """Return the room that the workers of a view leave; those that drain are still there."""
        prices = {offer.key: offer.usd_per_hour for offer in view.offers}
        rate = sum(prices.get(worker.offer, 0.0) for worker in view.workers)
        groups = {name: 0 if group.out else group.max for name, group in view.groups.items()}
        for worker in view.workers:
            groups[worker.group] = groups.get(worker.group, 0) - 1
        rests = {offer.key for offer in view.offers if offer.rests_until > view.now}
        return cls(
            view.limits.cores - sum(worker.cores for worker in view.workers),
            view.limits.usd_per_hour - rate,
            view.limits.usd_per_day - view.limits.usd_today - rate * AHEAD / 3600,
            groups,
            {offer.key: 0 if offer.key in rests else offer.left for offer in view.offers},
        )

    def most(self, offer: Offer) -> tuple[float, str]:
        """Return how many of an offer may be ordered, and which limit that is."""
        rooms = [
            (self.left.get(offer.key, 0), f"no more of {offer.key} can be had now"),
            (self.groups.get(offer.group, 0), f"the bounds of the group {offer.group}"),
            (self.cores / offer.cores, "limits.cores"),
        ]
        if offer.usd_per_hour > 0.0:
            rooms.append((self.usd_per_hour / offer.usd_per_hour, "limits.usd_per_hour"))
            rooms.append((self.usd / _least(offer), "limits.usd_per_day"))
        most, why = min(rooms, key=lambda each: each[0])
        return max(math.floor(most + 1e-9) if math.isfinite(most) else most, 0), why

    def without(self, offer: Offer, count: int) -> Room:
        """Return the room that is left after an order."""
        return replace(
            self,
            cores=self.cores - count * offer.cores,
            usd_per_hour=self.usd_per_hour - count * offer.usd_per_hour,
            usd=self.usd - count * _least(offer),
            groups={**self.groups, offer.group: self.groups.get(offer.group, 0) - count},
            left={**self.left, offer.key: self.left.get(offer.key, 0) - count},
        )


def _least(offer: Offer) -> float:
    """Return US dollars that a machine costs at least."""
    return offer.usd_per_hour * max(offer.minimum, offer.quantum, AHEAD) / 3600


@dataclass(frozen=True, slots=True)
class _Option:
    offer: Offer
    cores: float  # of speed 1
    usd: float  # of one machine, over its use


def pack(want: Want, offers: Sequence[Offer], room: Room, now: float) -> tuple[Packed, Room]:
    """Return what to buy, and the room that is left; never more than one machine too many, and none beyond a limit."""
    able = [_option(want, offer, now) for offer in offers if want.usable.get(offer.key, 0) > 0]
    options = [one for one in able if one is not None]
    if not options or want.cores <= _ENOUGH:
        return Packed(bit=() if want.cores <= _ENOUGH else ("no offer fits",)), room
    # what cannot be up in time only where nothing can
    open_ = [one for one in options if room.most(one.offer)[0] >= 1]
    timely = [one for one in open_ if now + one.offer.boot <= want.by] or open_
    # the order of the slice decides between equals
    ranked = sorted(timely, key=lambda one: (one.usd / one.cores, one.offer.boot))[:_LOOKED_AT]
    counts = _search(ranked, 0, want.cores, room)[2]
    found = {one.offer.key: count for one, count in zip(ranked, counts, strict=False) if count}
    for one in ranked:
        room = room.without(one.offer, found.get(one.offer.key, 0))
    cores = sum(one.cores * found.get(one.offer.key, 0) for one in ranked)
    usd = sum(one.usd * found.get(one.offer.key, 0) for one in ranked)
    bit: tuple[str, ...] = ()
    if cores < want.cores - _ENOUGH:
        bit = tuple(dict.fromkeys(room.most(one.offer)[1] for one in options))
    return Packed(found, cores, usd, bit), room


def _option(want: Want, offer: Offer, now: float) -> _Option | None:
    """Return what a machine of an offer brings and costs; None for a reservation that ends before it is of use."""
    use = min(want.use, offer.ends - now - offer.boot)
    if use < min(60.0, want.use):
        return None
    billed = max(
        math.ceil((offer.boot + use) / max(offer.quantum, 1.0)) * max(offer.quantum, 1.0), offer.minimum
    )
    cores = want.usable[offer.key] * offer.speed
    usd = offer.price * billed / 3600 * (1.0 + want.risk * offer.spot)
    return _Option(offer, cores, usd * want.use / use)


_Answer = tuple[float, float, tuple[int, ...]]


def _search(options: Sequence[_Option], at: int, missing: float, room: Room) -> _Answer:
    """Return the best counts from option `at` on: cores still missing, US dollars, counts; the least, in that order."""
    if at == len(options) or missing <= _ENOUGH:
        return max(missing, 0.0), 0.0, ()
    one = options[at]
    enough = math.ceil(missing / one.cores - _ENOUGH)
    most = int(min(room.most(one.offer)[0], enough))
    best: _Answer | None = None
    for count in sorted({most, most - 1, most - 2, most - 3, 0}, reverse=True):
        if count < 0:
            continue
        short, usd, counts = _search(
            options, at + 1, missing - count * one.cores, room.without(one.offer, count)
        )
        answer = (round(short, 6), usd + count * one.usd, (count, *counts))
        if best is None or answer[:2] < best[:2]:
            best = answer
    assert best is not None
    return best
