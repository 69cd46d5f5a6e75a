"""How many cores the work needs to be done in time: D of the queue, F of what is forecast, and who can serve it.

Work is in core-seconds of a core of speed 1, and so a demand is in cores of speed 1; times are as in `View`. For jobs
that come at `r` or later and are due by `d`, no fewer cores do than (Baruah's bound on processor demand)::

    cores(r, d) = sum of their core-seconds / (d - r - overhead)

and the demand is the largest of these over all `r` (now, and when forecast jobs come) and all `d`. With `r` = now and
only the queue that is `D(t)`. `overhead` is what passes until a job runs at all. Jobs are whole: where they are much
alike, and no more than a few go one after the other on a core, so many cores are needed as that takes. What is left
over when the last ones end is little where the pool runs the longest first (Graham 1969), as it does with jobs that
dynamo submits; where it takes them in any order, the seconds of the longest are to be taken off above and below the
line (Graham 1966): `tail`. It is never more than the cores that the jobs can use at the same time.

Of many forecasts the largest is one that errs upwards, so each counts for less than what it says, by `doubt`.

Where a deadline is so near that nothing ordered now could serve before it, what is bought cannot help these jobs, but
it can the next that are like them: the window is then that of the jobs when they were first seen, and does not shrink.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from dynamo.fleet.view import Coming, Load, Offer, View, Worker

__all__ = ["Demand", "Terms", "demand", "eligible", "fits", "ready_at", "supply"]

#: Where no more jobs than this go one after the other on a core, it matters that they are whole.
_FEW = 4
_SHORTEST = 1.0  # seconds: a window is taken for no shorter
NOTHING: Mapping[float, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Terms:
    """How work is turned into cores.

    Parameters
    ----------
    overhead
        Seconds from a job being there to it running: a negotiation, and the files.
    tail
        For pools that do not run the longest jobs first: up to this share of the window is taken off for one.
    doubt
        By how much less than it says a forecast counts: this share of what lies between what is expected and what is
        not exceeded nine times in ten.
    caution
        Where between what is expected (0) and what is not exceeded nine times in ten (1) the work is taken.
    open_ended
        Seconds in which jobs without a deadline are to be done.
    recovery
        Seconds in which work is to be done that is late already, or cannot be in time.
    """

    overhead: float = 5.0
    tail: float = 0.0
    doubt: float = 0.5
    caution: float = 0.0
    open_ended: float = 900.0
    recovery: float = 60.0


@dataclass(frozen=True, slots=True)
class Demand:
    """What is needed, and the window that it comes from.

    Parameters
    ----------
    cores
        Of speed 1.
    start, due
        The window that binds; `start` is after now for a forecast.
    work
        Core-seconds in that window.
    guessed
        Cores of it that are one for each job, because nothing is known of what they take.
    late
        Core-seconds in the queue that cannot be in time whatever is bought.
    behind
        Cores of it that catch up on these: they run before all others, so what is late makes the next late too.
    """

    cores: float = 0.0
    start: float = 0.0
    due: float = math.inf
    work: float = 0.0
    guessed: float = 0.0
    late: float = 0.0
    behind: float = 0.0


@dataclass(frozen=True, slots=True)
class _Item:
    """Work that comes at `start`, in the order of `due`, with `window` seconds for it."""

    start: float
    due: float
    window: float
    work: float
    cores: float
    longest: float = 0.0


def demand(
    loads: Iterable[Load],
    coming: Iterable[Coming],
    now: float,
    terms: Terms,
    soonest: float = 0.0,
    seen: Mapping[float, float] = NOTHING,
    longest: float = 0.0,
) -> Demand:
    """Return the cores that queued and forecast jobs need; see the head of this module.

    Parameters
    ----------
    loads, coming, now
        As in `View`.
    terms
        How work is turned into cores.
    soonest
        When a worker that is ordered now can serve.
    seen
        Deadline to when a job with it was first seen.
    longest
        Seconds that the longest of the forecast jobs is taken to take.
    """
    loads = list(loads)
    guessed = float(sum(load.runnable for load in loads if not load.known))
    items: list[_Item] = []
    late = behind = 0.0
    for load in loads:
        if load.known and load.runnable > 0:
            found, missed = _queued(load, now, terms, soonest, seen.get(load.due, now))
            items += found
            late += missed
            behind += min(missed / max(terms.recovery, load.longest), load.runnable)
    for one in coming:
        at = max(one.at, now)
        window = one.due - at if math.isfinite(one.due) else terms.open_ended
        work = max(one.work - terms.doubt * max(one.high - one.work, 0.0), 0.0)
        items.append(_Item(at, one.due, window, work, float(one.cores), longest))
    best = Demand(start=now)
    for start in {now, *(item.start for item in items)}:
        best = max(best, _largest(items, start, terms), key=lambda found: found.cores)
    return Demand(best.cores + guessed + behind, best.start, best.due, best.work, guessed, late, behind)


def _careful(one: Load, terms: Terms) -> float:
    return one.work + terms.caution * max(one.high - one.work, 0.0)


def _queued(load: Load, now: float, terms: Terms, soonest: float, first: float) -> tuple[list[_Item], float]:
    """Return the work of a load that can be in time, and core-seconds that are late whatever is done."""
    work, longest = _careful(load, terms), load.longest
    if not math.isfinite(load.due):
        seconds = max(terms.open_ended, longest + terms.overhead)
        return [_Item(now, load.due, seconds, work, load.runnable, longest)], 0.0
    left = load.due - now - terms.overhead
    if left <= _SHORTEST or work / load.runnable > left:  # even the average one is late
        return [], work
    window = load.due - (now if load.due > soonest else min(first, now))
    if longest <= left:
        return [_Item(now, load.due, window, work, load.runnable, longest)], 0.0
    # the longest alone is late: nothing is bought for it, and it spoils no window
    alone = min(longest * load.cores, work)
    return [_Item(now, load.due, window, work - alone, load.runnable - load.cores, left)], alone


def _largest(items: Iterable[_Item], start: float, terms: Terms) -> Demand:
    """Return the largest demand of windows that begin at `start`."""
    best = Demand(start=start)
    work = cores = longest = window = 0.0
    for item in sorted((item for item in items if item.start >= start), key=lambda item: item.due):
        work, cores, longest = work + item.work, cores + item.cores, max(longest, item.longest)
        window = max(window, item.window + item.start - start)
        seconds = max(window - terms.overhead, _SHORTEST)
        tail = min(longest, terms.tail * seconds)
        safe = (work - tail) / max(seconds - tail, _SHORTEST)
        needed = min(max(work / seconds, safe, _whole(work, cores, seconds, longest)), cores)
        if needed > best.cores:
            best = Demand(needed, start, item.due, work)
    return best


def _whole(work: float, cores: float, seconds: float, longest: float) -> float:
    """Return the cores that jobs need because none can be divided; 0 where many fit on a core, or they differ much."""
    room = seconds * cores
    if work <= 0.0 or room >= (_FEW + 1) * work or not work <= longest * cores <= 2.0 * work:
        return 0.0
    return cores / max(math.floor(room / work + 1e-9), 1)


def fits(load: Load, offer: Offer) -> int:
    """Return how many cores of one machine such jobs can use: 0 if its group, cores or memory do not do."""
    if load.groups and offer.group not in load.groups:
        return 0
    jobs = offer.cores // max(load.cores, 1)
    if load.memory and offer.memory:
        jobs = min(jobs, offer.memory // load.memory)
    return jobs * load.cores


def eligible(loads: Sequence[Load], offers: Sequence[Offer]) -> dict[frozenset[str], list[Load]]:
    """Return the loads by the keys of the offers whose machines can run them, the narrowest first.

    Each value holds those too that fewer offers can serve, if all of these are in the key: what such a set of offers
    has must do for all of them.
    """
    known: dict[tuple[int, int, frozenset[str]], frozenset[str]] = {}
    own: dict[frozenset[str], list[Load]] = {}
    for load in loads:
        shape = (load.cores, load.memory, load.groups)
        if shape not in known:
            known[shape] = frozenset(offer.key for offer in offers if fits(load, offer))
        own.setdefault(known[shape], []).append(load)
    sets = sorted(own, key=lambda keys: (len(keys), sorted(keys)))
    return {keys: [load for inner in sets if inner <= keys for load in own[inner]] for keys in sets if keys}


def ready_at(worker: Worker, offer: Offer | None, now: float) -> float:
    """Return when a worker can serve; infinite for one that boots for so long that nobody should count on it."""
    if worker.stage == "draining":
        return math.inf
    if worker.stage == "ready":
        return now
    boot, high = (offer.boot, offer.boot_high) if offer else (60.0, 120.0)
    if now - worker.made > 2.0 * high + 30.0:
        return math.inf
    return max(worker.made + boot, now)


def supply(view: View, keys: frozenset[str], loads: Sequence[Load], by: float) -> tuple[float, float]:
    """Return cores of speed 1 that can serve these loads: of workers that are ready, and of those that boot.

    Cores that no job can use count as none: of another group, or with no memory left for one more job. Those that boot
    count if they can serve `by` then, and those whose lifetime is over before do not.
    """
    offers: Mapping[str, Offer] = {offer.key: offer for offer in view.offers}
    usable = {key: _usable(offers[key], loads) * offers[key].speed for key in keys if key in offers}
    ready = booting = 0.0
    for worker in view.workers:
        offer = offers.get(worker.offer)
        when = ready_at(worker, offer, view.now)
        if worker.offer not in usable or when > by or worker.dies <= by:
            continue
        if worker.stage == "ready":
            ready += usable[worker.offer]
        else:
            booting += usable[worker.offer]
    return ready, booting


def _usable(offer: Offer, loads: Sequence[Load]) -> float:
    return float(max((fits(load, offer) for load in loads), default=offer.cores))
