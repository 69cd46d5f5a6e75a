"""The fleet that a policy on trial would have: what it buys boots, costs and is let go, and nothing of it is there.

Jobs are those of the real queue, dealt out to the cores that the policy would have. What that cannot tell is left out:
that jobs would be done sooner or later than they really are, boots that fail, and machines that are not to be had.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, field, replace
from typing import Any

from dynamo.fleet.day import midnight
from dynamo.fleet.decision import Decision
from dynamo.fleet.guard import allowed_buys, allowed_releases, must_go
from dynamo.fleet.life import LifeStage
from dynamo.fleet.record import WorkerRecord
from dynamo.fleet.seen import Heard
from dynamo.fleet.view import Offer, Stage, View, Worker
from dynamo.fleet.viewing import view_workers

__all__ = ["Phantom"]

_STAGES: dict[Stage, LifeStage] = {"booting": "booting", "ready": "joined", "draining": "draining"}


@dataclass(frozen=True, slots=True)
class Phantom:
    """Workers that are not there.

    Parameters
    ----------
    workers
        Those that would cost money. One that drains has in `dies` when its job would be done.
    idle
        Token to since when a worker would have no job (Unix seconds).
    ended
        US dollars that those cost since midnight UTC which are gone.
    day
        Of which midnight, in Unix seconds.
    bought
        How many were ordered in all.
    """

    workers: tuple[WorkerRecord, ...] = ()
    idle: Mapping[str, float] = field(default_factory=dict)
    ended: float = 0.0
    day: float = 0.0
    bought: int = 0

    @classmethod
    def like(cls, view: View) -> Phantom:
        """Return the same workers as there really are: so a trial begins."""
        offers = {offer.key: offer for offer in view.offers}
        real = [_real(one, offers[one.offer]) for one in view.workers if one.offer in offers]
        spent = sum(one.cost(midnight(view.now), view.now) for one in real)
        return cls(tuple(real), ended=max(view.limits.usd_today - spent, 0.0), day=midnight(view.now))

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Phantom:
        """Return that of which `state` was kept."""
        return cls(**{**state, "workers": tuple(WorkerRecord(*one) for one in state["workers"])})

    def state(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "workers": [astuple(one) for one in self.workers],
            "idle": dict(self.idle),
            "ended": self.ended,
            "day": self.day,
            "bought": self.bought,
        }

    def after(self, view: View) -> Phantom:
        """Return it as it would be now: who has booted is there, and who was drained or is too old is gone."""
        boots = {offer.key: offer.boot for offer in view.offers}
        day = midnight(view.now)
        staying: list[WorkerRecord] = []
        ended = self.ended if day == self.day else 0.0
        for one in self.workers:
            up = one.ordered + boots.get(one.offer, 0.0)
            if one.dies is not None and one.dies <= view.now:
                ended += one.cost(day, view.now)
            else:
                booted = one.stage == "booting" and up <= view.now
                staying.append(one.step("joined", up, one.why) if booted else one)
        free, jobs = [], sum(load.runnable for load in view.loads)
        for one in staying:
            if one.stage != "booting" and jobs <= 0:
                free.append(one.token)
            jobs -= one.cores if one.stage != "booting" else 0
        idle = {token: self.idle.get(token, view.now) for token in free}
        return replace(self, workers=tuple(staying), idle=idle, ended=ended, day=day)

    def seen(self, view: View) -> View:
        """Return the view of who has these workers in the place of the real ones."""
        workers = view_workers(self.workers, self._heard(view), view.now)
        return replace(
            view, workers=workers, limits=replace(view.limits, usd_today=self.spent_today(view.now))
        )

    def spent_today(self, now: float) -> float:
        """Return US dollars that they would have cost since midnight UTC, up to the next billing step."""
        return self.ended + sum(one.cost(self.day, now) for one in self.workers)

    def obey(self, decision: Decision, view: View) -> tuple[Phantom, Decision]:
        """Do what was decided, as far as bounds and budgets allow; return what was done too.

        `view` is that of `seen`. Raises `KeyError` where there is no such offer.
        """
        offers = {offer.key: offer for offer in view.offers}
        # Those that ended are not kept, and so what they cost is taken from the budget.
        limits = replace(view.limits, usd_per_day=view.limits.usd_per_day - self.ended)
        bought = allowed_buys(decision.buys, self.workers, offers, view.groups, limits, view.now).buys
        cut = must_go(self.workers, limits, view.now)
        let_go = allowed_releases(
            decision.releases, self.workers, view.groups, view.now, trusted=view.trusted
        )
        ends = {one.token: one.ends for one in view.workers}
        going = {one.token for one in (*cut, *let_go)}
        kept = [
            _drained(one, ends.get(one.token), view.now) if one.token in going else one
            for one in self.workers
        ]
        count = sum(buy.count for buy in bought)
        numbers = iter(range(self.bought, self.bought + count))
        new = [
            _ordered(offers[buy.offer], next(numbers), view.now) for buy in bought for _ in range(buy.count)
        ]
        done = replace(decision, buys=bought, releases=let_go)
        return replace(self, workers=(*kept, *new), bought=self.bought + count), done

    def _heard(self, view: View) -> dict[str, Heard]:
        """Deal the jobs of the queue out, the first workers first."""
        jobs = sum(load.runnable for load in view.loads)
        ends = view.now + max((load.longest for load in view.loads), default=0.0)
        heard = {}
        for one in self.workers:
            if one.stage == "booting":
                continue
            busy = max(min(one.cores, jobs), 0)
            jobs -= one.cores
            heard[one.token] = Heard(one.cores, busy, self.idle.get(one.token), ends=ends if busy else None)
        return heard


def _drained(one: WorkerRecord, ends: float | None, now: float) -> WorkerRecord:
    """Return a worker that is let go: it is gone when its job is done, at once where it has none."""
    if one.stage == "draining":
        return one
    gone = replace(one, dies=now if ends is None else ends)
    return gone.step("draining", now, "") if one.stage == "joined" else gone


def _real(one: Worker, offer: Offer) -> WorkerRecord:
    """Return the record of a worker of a view."""
    dies = one.dies if one.dies < float("inf") else None
    if one.stage == "draining" and one.ends is not None:
        dies = one.ends
    return WorkerRecord(
        one.token, "", one.group, offer.provider, one.offer, "", _STAGES[one.stage], one.since, one.made, one.cores,
        offer.memory, offer.usd_per_hour, offer.quantum, offer.minimum, "phantom", dies=dies,
    )  # fmt: skip


def _ordered(offer: Offer, number: int, now: float) -> WorkerRecord:
    """Return a machine that is ordered now."""
    return WorkerRecord(
        f"phantom-{number}", "", offer.group, offer.provider, offer.key, "", "booting", now, now, offer.cores,
        offer.memory, offer.usd_per_hour, offer.quantum, offer.minimum, "phantom",
    )  # fmt: skip
