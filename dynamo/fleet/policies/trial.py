"""What a policy on trial would have cost and missed, against the one that decides, since the trial began."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from dynamo.fleet.demand import Terms, demand
from dynamo.fleet.view import View

__all__ = ["Side", "Trial"]

#: A decision holds for so many seconds at most: what was while nobody decided is not known.
_MOST = 60.0


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two.

    Parameters
    ----------
    usd
        US dollars, in whole billing steps.
    orders
        How many machines.
    core_seconds
        Paid, of cores of any speed.
    missing
        Seconds in which there were fewer cores than the queue needed.
    paid
        Token of each worker that lives to the dollars that it has cost.
    cores, short
        Cores that are paid now, and whether there are too few.
    """

    usd: float = 0.0
    orders: int = 0
    core_seconds: float = 0.0
    missing: float = 0.0
    paid: Mapping[str, float] = field(default_factory=dict)
    cores: float = 0.0
    short: bool = False

    def after(self, view: View, seconds: float, needed: float, *, first: bool) -> Side:
        """Return it with what passed since the last decision; what was there at the first one was paid before."""
        offers = {offer.key: offer for offer in view.offers}
        paid = {
            one.token: offers[one.offer].usd_per_hour * (one.paid_until - one.made) / 3600.0
            if one.offer in offers
            else self.paid.get(one.token, 0.0)
            for one in view.workers
        }
        new = [token for token in paid if token not in self.paid]
        ready = sum(
            one.cores * (offers[one.offer].speed if one.offer in offers else 1.0)
            for one in view.workers
            if one.stage != "booting"
        )
        usd = sum(max(cost - self.paid.get(token, 0.0), 0.0) for token, cost in paid.items())
        return Side(
            usd=self.usd + (0.0 if first else usd),
            orders=self.orders + (0 if first else len(new)),
            core_seconds=self.core_seconds + self.cores * seconds,
            missing=self.missing + (seconds if self.short else 0.0),
            paid=paid,
            cores=sum(one.cores for one in view.workers),
            short=ready + 1e-6 < needed,
        )


@dataclass(frozen=True, slots=True)
class Trial:
    """Both sides since the trial began.

    Parameters
    ----------
    since, at
        When it began, and when it was last looked at (Unix seconds); None before the first look.
    seconds
        For how long somebody decided since then.
    acting, candidate
        The sides.
    """

    since: float
    at: float | None = None
    seconds: float = 0.0
    acting: Side = Side()
    candidate: Side = Side()

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Trial:
        """Return that of which `state` was kept."""
        sides = {name: Side(**state[name]) for name in ("acting", "candidate")}
        return cls(**{**state, **sides})

    def state(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    def after(self, real: View, phantom: View) -> Trial:
        """Return it with what passed until now, from the views of both; before the first look nothing has."""
        first = self.at is None
        seconds = 0.0 if self.at is None else min(max(real.now - self.at, 0.0), _MOST)
        needed = demand(real.loads, (), real.now, Terms()).cores
        return Trial(
            since=self.since,
            at=real.now,
            seconds=self.seconds + seconds,
            acting=self.acting.after(real, seconds, needed, first=first),
            candidate=self.candidate.after(phantom, seconds, needed, first=first),
        )
