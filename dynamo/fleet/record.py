"""What the journal keeps of a worker."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from dynamo.fleet.life import LIVE, LifeStage, check_step
from dynamo.fleet.offering import Offering

__all__ = ["WorkerRecord"]


@dataclass(frozen=True, slots=True)
class WorkerRecord:
    """One worker, from its order to its end.

    Parameters
    ----------
    token
        Of the order; also a tag of the machine.
    slice, group, provider, offer, name
        Whose it is, where it is, by which offer it was bought, and its host name.
    machine
        What the provider knows it by; empty until the provider has answered.
    stage, since, why
        Where it is in its life, since when, and why.
    ordered, joined, ended, dies
        When it was ordered, was first heard of in the pool, was not paid any more, and its lifetime is over.
    failed
        Whether it came to nothing.
    cores, memory
        What it has: cores, and bytes.
    usd_per_hour, quantum, minimum
        As of an `Offering`.
    """

    token: str
    slice: str
    group: str
    provider: str
    offer: str
    name: str
    stage: LifeStage
    since: float
    ordered: float
    cores: int
    memory: int
    usd_per_hour: float = 0.0
    quantum: float = 1.0
    minimum: float = 60.0
    machine: str = ""
    joined: float | None = None
    ended: float | None = None
    dies: float | None = None
    failed: bool = False
    why: str = ""

    @property
    def live(self) -> bool:
        """Whether it may cost money."""
        return self.stage in LIVE

    def step(
        self, stage: LifeStage, now: float, why: str, *, failed: bool = False, machine: str = ""
    ) -> Self:
        """Return it in its next stage; raises `InternalError` where that cannot follow."""
        check_step(self.stage, stage)
        return replace(
            self,
            stage=stage,
            since=now,
            why=why,
            failed=self.failed or failed,
            machine=machine or self.machine,
            joined=now if stage == "joined" and self.joined is None else self.joined,
            ended=now if stage == "gone" else None,
        )

    def cost(self, begin: float, end: float) -> float:
        """Return US dollars that it costs from `begin` to `end` (Unix seconds), in whole billing steps."""
        if self.stage == "gone" and not self.machine:  # nothing came of the order
            return 0.0
        until = min(end, self.ended if self.ended is not None else end)
        if until <= begin or until < self.ordered:
            return 0.0
        before = self._billed(begin - self.ordered) if begin > self.ordered else 0.0
        return max(self._billed(until - self.ordered) - before, 0.0)

    def _billed(self, seconds: float) -> float:
        bill = Offering("", 1, 1, usd_per_hour=self.usd_per_hour, quantum=self.quantum, minimum=self.minimum)
        return bill.cost(max(seconds, 0.0))

    def paid_until(self, now: float) -> float:
        """Return when the next billing step begins."""
        bill = Offering("", 1, 1, quantum=self.quantum, minimum=self.minimum)
        return self.ordered + bill.billed(max(now - self.ordered, 0.0))
