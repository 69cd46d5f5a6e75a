"""What the jobs that a set of offers can serve need, what these have, and how that is said."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

from dynamo.fleet.demand import Demand, Terms, demand, fits, supply
from dynamo.fleet.forecast import Rhythm
from dynamo.fleet.packing import Want
from dynamo.fleet.view import Coming, Load, View

__all__ = ["Part", "Settings"]


class Settings(Protocol):
    """What of a policy's settings is needed here."""

    @property
    def terms(self) -> Terms:
        """How work is turned into cores."""

    @property
    def ahead(self) -> float:
        """Seconds, beyond a boot, by which workers are ordered before forecast work comes."""

    @property
    def use(self) -> float:
        """Seconds for which a machine is expected to be used."""

    def stretch(self, view: View, rhythm: Rhythm | None = None) -> float:
        """Return the margin."""


class Part:
    """What the loads that only some offers can serve need, and what these have."""

    def __init__(
        self,
        policy: Settings,
        view: View,
        keys: frozenset[str],
        loads: Sequence[Load],
        seen: Mapping[float, float],
        rhythm: Rhythm,
    ) -> None:
        now, self.margin = view.now, policy.stretch(view, rhythm)
        self.policy, self.view, self.keys, self.loads = policy, view, keys, loads
        self.offers = [offer for offer in view.offers if offer.key in keys]
        open_ = [offer for offer in self.offers if offer.rests_until <= now and offer.left > 0] or self.offers
        self.soonest = now + min((offer.boot for offer in open_), default=0.0)
        self.every = len(keys) == len(view.offers)
        boots = [offer.boot_high for offer in open_] or [0.0]
        coming = self._coming(rhythm, now + min(boots) + policy.ahead)
        later = self._coming(rhythm, now + max(boots) + policy.ahead)
        self.queue = demand(loads, (), now, policy.terms, self.soonest, seen)
        self.coming = coming
        self.both = demand(loads, coming, now, policy.terms, self.soonest, seen, rhythm.longest)
        self.forecast = demand((), coming, now, policy.terms, longest=rhythm.longest)
        self.warm = _warm(view) if self.every else 0.0
        self.target = self._target(self.both, coming)
        #: What is needed until the slowest offer could serve.
        self.later = max(
            self._target(demand(loads, later, now, policy.terms, self.soonest, seen, rhythm.longest), later),
            self.target,
        )
        self.usable = {
            offer.key: float(max((fits(load, offer) for load in loads), default=offer.cores))
            for offer in self.offers
        }
        self.by = self._by()
        self.ready, self.booting = supply(view, keys, loads, self.by)

    def _coming(self, rhythm: Rhythm, until: float) -> list[Coming]:
        """Return what comes until then: as the view tells, and of classes of which it does not as their rhythm does."""
        if not self.every:
            return []
        told = {kind for one in self.view.coming for kind in one.kinds}
        others = [] if self.view.foretold else rhythm.coming(self.view.now, until, without=told)
        return [one for one in (*self.view.coming, *others) if one.at <= until]

    def _target(self, need: Demand, coming: Sequence[Coming]) -> float:
        runnable = sum(load.runnable for load in self.loads) + sum(one.cores for one in coming)
        return min(self.margin * need.cores, runnable) + self.warm

    def _by(self) -> float:
        """Return when what is bought must serve."""
        binds = self.both
        if binds.start > self.view.now:
            return max(binds.start, self.soonest)
        return binds.due if self.soonest < binds.due < math.inf else self.soonest

    @property
    def missing(self) -> float:
        """Cores of speed 1 that are neither there nor booting."""
        return self.target - self.ready - self.booting

    def want(self, bought: float) -> Want:
        """Return what is to be bought beside what was, just now."""
        return Want(self.missing - bought, self.by, self.policy.use, self.usable)

    def price(self, key: str) -> float:
        """Return US dollars an hour for a useful core of speed 1."""
        offer = next(offer for offer in self.offers if offer.key == key)
        return offer.price / max(self.usable[key] * offer.speed, 1e-9)

    def cores(self) -> dict[str, float]:
        """Return useful cores of speed 1 by offer: of all workers that do not drain."""
        speeds = {offer.key: offer.speed for offer in self.offers}
        found = dict.fromkeys(speeds, 0.0)
        for worker in self.view.workers:
            if worker.stage != "draining" and worker.offer in found:
                found[worker.offer] += self.usable[worker.offer] * speeds[worker.offer]
        return found

    def words(self) -> str:
        """Say what is needed and what is there."""
        there = f"{self.ready:,.0f} there, {self.booting:,.0f} booting"
        return f"{_need(self.both, self.view.now)}{self._source()}; {there}"

    def _source(self) -> str:
        """Say from what the jobs are expected that decide, where they are not there yet."""
        if self.both.start <= self.view.now:
            return ""
        why = dict.fromkeys(one.why for one in self.coming if one.at == self.both.start and one.why)
        return f" ({', '.join(why)})" if why else ""


def _need(need: Demand, now: float) -> str:
    if need.cores <= 0.0:
        return "nothing is due"
    guess = f", {need.guessed:,.0f} of them one for each job that nothing is known of" if need.guessed else ""
    many = math.ceil(need.cores)
    cores = f"{many:,} {'core' if many == 1 else 'cores'}{guess}"
    if need.work <= 0.0:
        return f"{need.late:,.0f} core-seconds are late whatever is bought: {cores}" if need.late else cores
    if need.late >= 0.5:
        cores += f", also for {need.late:,.0f} core-seconds that are late"
    if need.start > now:
        return (
            f"{need.work:,.0f} core-seconds are forecast in {need.start - now:,.0f} s, "
            f"due in {need.due - now:,.0f} s: {cores}"
        )
    if math.isinf(need.due):
        return f"{need.work:,.0f} core-seconds wait without a deadline: {cores}"
    if need.due <= now:
        return f"{need.work:,.0f} core-seconds have been due for {now - need.due:,.0f} s: {cores}"
    return f"{need.work:,.0f} core-seconds are due in {need.due - now:,.0f} s: {cores}"


def _warm(view: View) -> float:
    """Return the cores of the workers that groups keep for what may come."""
    cores = 0.0
    for group in view.groups.values():
        first = next((offer for offer in view.offers if offer.group == group.name), None)
        if first is not None:
            cores += group.warm * first.cores * first.speed
    return cores
