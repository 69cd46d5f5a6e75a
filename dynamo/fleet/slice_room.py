"""How much of a slice's limits is taken as a plan is made, and which offer still fits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from dynamo.fleet.machine import Machine
from dynamo.fleet.slice import Slice
from dynamo.fleet.slice_offers import Catalogue, Priced, price_machine, priced_group

__all__ = ["Room"]


@dataclass
class Room:
    """Cores and US dollars an hour: of what there is now, and of what there will be as far as it is planned."""

    slice: Slice
    catalogue: Catalogue
    usd_now: float = 0.0
    cores_now: int = 0
    usd: float = 0.0
    cores: int = 0
    unpriced: int = 0
    taken: Counter[str] = field(default_factory=Counter)

    def there(self, provider: str, machine: Machine) -> tuple[int, float | None]:
        """Count a machine as one that costs now; return its cores and what it costs."""
        cores, usd = price_machine(self.slice, provider, machine, self.catalogue)
        self.usd_now += usd or 0.0
        self.cores_now += cores
        return cores, usd

    def stays(self, cores: int, usd: float | None) -> None:
        """Count a machine among those that there will be."""
        self.cores += cores
        self.usd += usd or 0.0
        self.unpriced += usd is None

    def full(self, group: str, priced: Priced) -> bool:
        """Whether no more machines of a group may be had by an offer than it has now."""
        most = priced.offer.at_most
        return most is not None and self.taken[priced.offer.key(group)] >= most

    def choose(self, group: str) -> Priced | str:
        """Return the best offer of a group for which there is room, and take it; or why there is none."""
        limits, why = self.slice.limits, "its offers have their `max`"
        for one in priced_group(self.slice, group, self.catalogue):
            if self.full(group, one):
                continue
            if self.cores + one.cores > limits.cores:
                why = f"limits.cores is {limits.cores:g}"
            elif self.usd + (one.usd or 0.0) > limits.hourly * (1 + 1e-9):
                why = f"limits.usd_per_hour is {limits.usd_per_hour:g}"
                if limits.usd_per_day / 24 < limits.usd_per_hour:
                    why = f"limits.usd_per_day is {limits.usd_per_day:g}"
            else:
                self.take(group, one)
                return one
        return why

    def take(self, group: str, priced: Priced) -> None:
        """Count a machine that is, or will be, of an offer."""
        self.taken[priced.offer.key(group)] += 1
        self.stays(priced.cores, priced.usd)

    def most(self, silent: Collection[str] = ()) -> float:
        """Return US dollars an hour that all groups cost at most, dearest offers first, without those of `silent`."""
        whole = 0.0
        for name, group in self.slice.nodes.items():
            left = group.most
            offers = [
                one
                for one in priced_group(self.slice, name, self.catalogue)
                if one.offer.provider not in silent
            ]
            for one in sorted(offers, key=lambda one: -(one.usd_most or 0.0)):
                count = left if one.offer.at_most is None else min(left, one.offer.at_most)
                whole += count * (one.usd_most or 0.0)
                left -= count
        return min(whole, max(self.slice.limits.usd_per_hour, self.usd))
