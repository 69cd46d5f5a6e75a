"""What no policy can do: more than the limits, more than a group's bounds, or let half of a fleet go at one blow.

Pure. A policy respects all of this by itself; this holds whatever a policy does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dynamo.fleet.day import Day
from dynamo.fleet.decision import Buy, Release
from dynamo.fleet.record import WorkerRecord
from dynamo.fleet.view import Group, Limits, Offer

__all__ = [
    "AHEAD",
    "Allowed",
    "allowed_buys",
    "allowed_releases",
    "must_go",
    "over_limits",
    "spent_today",
]

#: Seconds of what runs that must still be paid of a day's budget before anything more is bought, and within which what
#: runs is let go: a worker needs some time to drain.
AHEAD = 600.0
#: How many workers are let go in a minute, at most: so many, or this share of the fleet.
RELEASES, SHARE = 5, 0.25
#: More than anybody buys.
_ALL = 10**9


class Allowed(NamedTuple):
    """What may be bought, and what stood against the rest, in words."""

    buys: tuple[Buy, ...]
    against: tuple[str, ...]


def spent_today(workers: Sequence[WorkerRecord], now: float, day: Day | None = None) -> float:
    """Return US dollars that workers cost since the day began, those that ended too, up to the next billing step.

    The day, here and below, is that of `now` (UTC) unless it is given.
    """
    began = (day or Day.of(now)).began
    return sum(one.cost(began, now) for one in workers)


def allowed_buys(
    buys: Sequence[Buy],
    workers: Sequence[WorkerRecord],
    offers: Mapping[str, Offer],
    groups: Mapping[str, Group],
    limits: Limits,
    now: float,
    day: Day | None = None,
) -> Allowed:
    """Return so much of `buys` as the limits leave room for, in their order.

    `workers` are all that live, and those that ended today.
    """
    live = [one for one in workers if one.live]
    used = _Used(
        sum(one.cores for one in live),
        sum(one.usd_per_hour for one in live),
        limits.usd_per_day - spent_today(workers, now, day),
        Counter(one.group for one in live),
    )
    allowed, against = [], []
    for buy in buys:
        offer = offers[buy.offer]
        count, why = max(buy.count, 0), ""
        for room, limit in _rooms(offer, groups[offer.group], limits, used, now):
            if room < count:
                count, why = max(room, 0), limit
        if why:
            against.append(f"{buy.count - count} of {buy.count} x {buy.offer} not bought: {why}")
        if count:
            allowed.append(Buy(buy.offer, count, buy.why))
            used.cores += count * offer.cores
            used.rate += count * offer.usd_per_hour
            used.left -= count * _at_least(offer)
            used.counts[offer.group] += count
    return Allowed(tuple(allowed), tuple(against))


@dataclass
class _Used:
    """Cores, dollars an hour, dollars that are left of the day, and machines of each node group."""

    cores: float
    rate: float
    left: float
    counts: Counter[str]


def _rooms(offer: Offer, group: Group, limits: Limits, used: _Used, now: float) -> Iterator[tuple[int, str]]:
    """Yield for how many machines of an offer each limit leaves room, and the limit in words."""
    yield 0 if group.out else _ALL, f"{group.name} is out of service: {group.out}"
    yield 0 if offer.rests_until > now else _ALL, f"{offer.key} rests after a refusal"
    yield group.max - used.counts[group.name], f"{group.name} may have {group.max}"
    yield _room(limits.cores - used.cores, offer.cores), f"the slice may have {limits.cores:g} cores"
    rate = limits.usd_per_hour - used.rate
    yield _room(rate, offer.usd_per_hour), f"the slice may cost {limits.usd_per_hour:g} dollars an hour"
    day = used.left - used.rate * AHEAD / 3600
    yield _room(day, _at_least(offer)), f"{used.left:.2f} of {limits.usd_per_day:g} dollars a day are left"


def _room(left: float, each: float) -> int:
    """How many fit; a rounding error leaves none out."""
    if each <= 0:
        return _ALL if left > -1e-9 else 0
    return int(min(max(left / each + 1e-9, 0.0), _ALL))


def _at_least(offer: Offer) -> float:
    """Return US dollars that a machine costs that is let go as soon as it may."""
    return offer.usd_per_hour * max(offer.minimum, offer.quantum, AHEAD) / 3600


def allowed_releases(
    releases: Sequence[Release],
    workers: Sequence[WorkerRecord],
    groups: Mapping[str, Group],
    now: float,
    *,
    trusted: bool,
) -> tuple[Release, ...]:
    """Return so many of `releases` as may go now; `workers` are all that live.

    None where the queue and the pool were not both seen just now, and never so many in a minute that a wrong view takes
    the fleet away before somebody sees it.
    """
    if not trusted:
        return ()
    records = {one.token: one for one in workers if one.live}
    going = sum(one.stage in {"draining", "stopping"} and now - one.since < 60.0 for one in records.values())
    most = max(RELEASES, int(SHARE * len(records))) - going
    staying = Counter(one.group for one in records.values() if one.stage not in {"draining", "stopping"})
    allowed: list[Release] = []
    for release in releases:
        one = records.get(release.token)
        if one is None or one.stage in {"draining", "stopping"} or len(allowed) >= most:
            continue
        if one.group in groups and staying[one.group] <= groups[one.group].min:
            continue
        staying[one.group] -= 1
        allowed.append(release)
    return tuple(allowed)


def over_limits(
    workers: Sequence[WorkerRecord], most: Mapping[str, int], limits: Limits
) -> tuple[Release, ...]:
    """Return who is to go since a slice was edited to have less: the dearest first, of a group the youngest.

    `workers` are all that live; who drains or stops is on his way, and counts no more. `most` is node group to how many
    it may have.
    """
    staying = sorted(
        (one for one in workers if one.stage not in {"draining", "stopping"}),
        key=lambda one: (one.usd_per_hour, one.ordered),
    )
    going: list[Release] = []
    counts: Counter[str] = Counter()
    cores = rate = 0.0
    for one in staying:  # the cheapest and oldest have a place first
        why = ""
        if counts[one.group] >= most.get(one.group, 10**9):
            why = f"{one.group} may have {most[one.group]}"
        elif cores + one.cores > limits.cores:
            why = f"the slice may have {limits.cores:g} cores"
        elif rate + one.usd_per_hour > limits.usd_per_hour + 1e-9:
            why = f"the slice may cost {limits.usd_per_hour:g} dollars an hour"
        if why:
            going.append(Release(one.token, why))
        else:
            counts[one.group] += 1
            cores, rate = cores + one.cores, rate + one.usd_per_hour
    return tuple(going)


def must_go(
    workers: Sequence[WorkerRecord],
    limits: Limits,
    now: float,
    ahead: float = AHEAD,
    day: Day | None = None,
) -> tuple[Release, ...]:
    """Return who is to go so that the day's budget is not exceeded within `ahead` seconds, the most expensive first."""
    if limits.usd_per_day == float("inf"):
        return ()
    began, ends = day or Day.of(now)
    left = limits.usd_per_day - spent_today(workers, now, day)
    going: list[Release] = []
    live = sorted((one for one in workers if one.live), key=lambda one: -one.usd_per_hour)
    until = min(now + ahead, ends)
    need = sum(one.cost(began, until) - one.cost(began, now) for one in live)
    for one in live:
        if need <= left + 1e-9:
            break
        if one.usd_per_hour > 0:
            need -= one.cost(began, until) - one.cost(began, now)
            going.append(
                Release(one.token, f"{max(left, 0):.2f} of {limits.usd_per_day:g} dollars a day are left")
            )
    return tuple(going)
