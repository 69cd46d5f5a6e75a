"""The workers of a slice while the controller is at work: what is written down of them, and what follows from that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from dynamo.fleet.buying import Market
from dynamo.fleet.clouds import Clouds
from dynamo.fleet.day import Day
from dynamo.fleet.decision import Release
from dynamo.fleet.hearing import Hearing
from dynamo.fleet.ledger import Ledger
from dynamo.fleet.machine import MachineSpec
from dynamo.fleet.record import WorkerRecord
from dynamo.fleet.settled import Destroy
from dynamo.fleet.slice import Slice
from dynamo.fleet.steady import Moment, Uptime

__all__ = ["Roster", "Starter"]

#: Seconds for which workers that ended are remembered, and between two drains of one that does not heed the first.
_REMEMBERED, _AGAIN = 86_400.0, 60.0
#: Under which it is kept when the workers were last read, and what day that was.
_READ = "read"


class Starter(Protocol):
    """Makes what a machine is started with, and sees to it that one that was let go is believed no more."""

    def spec(self, worker: WorkerRecord, slice_: Slice, trading: Market) -> MachineSpec:
        """Return the order of a worker, with a join token of its own."""

    def let_go(self, workers: Sequence[WorkerRecord]) -> None:
        """Have these workers believed no more; returns at once."""


class Roster:
    """All workers that live, and those that ended today.

    Parameters
    ----------
    ledger
        Where they are written down.
    clouds, hearing
        By whom they are taken away, and drained.
    starter
        Who is told of those that are let go.
    believed
        Seconds for which one that is gone without having been taken away is still believed: it may be listed again.
    now
        The time; where the clock was set while nobody looked, all of them keep their ages, and the day what it cost.
    uptime
        By which it is known whether the clock was set.
    """

    def __init__(
        self,
        ledger: Ledger,
        clouds: Clouds,
        hearing: Hearing,
        starter: Starter,
        believed: float,
        now: float,
        uptime: Uptime,
    ) -> None:
        self._believed = believed
        self._disbelieved: set[str] = set()
        self._ledger, self._clouds, self._hearing, self._starter = ledger, clouds, hearing, starter
        self._drained: dict[str, float] = {}
        self._uptime = uptime
        self.all: list[WorkerRecord] = []
        #: The day of which the budget is.
        self.day = Day.of(now)
        #: Seconds by which the clock was set while nobody looked.
        self.set_by = 0.0
        self._go_on(now)

    def _go_on(self, now: float) -> None:
        """Have all that is written down keep its age, in one step with the time by which it is reckoned."""
        if kept := self._ledger.learned(_READ):
            moment, day = Moment(*kept[:3]), Day(*kept[3:])
            self.set_by = moment.set_by(Moment(now, *self._uptime()))
            self.day = day.moved(self.set_by) if self.set_by else day
        with self._ledger.change():
            if self.set_by:
                self._ledger.move(self.set_by)
            self._keep(now)

    def _keep(self, now: float) -> None:
        self._ledger.learn(_READ, [now, *self._uptime(), *self.day])

    def since(self, now: float) -> float:
        """Return since when workers that ended are remembered, in Unix seconds."""
        return min(now - _REMEMBERED, self.day.began)

    def read(self, now: float) -> None:
        """Read what is written down."""
        self.day = self.day.at(now)
        self._keep(now)
        self.all = self._ledger.workers(ended_after=self.since(now))
        gone = [one for one in self.all if one.stage == "gone" and now - one.since >= self._believed]
        if new := [one for one in gone if one.token not in self._disbelieved]:
            self._starter.let_go(new)
        self._disbelieved = {one.token for one in gone}

    @property
    def live(self) -> list[WorkerRecord]:
        """Those that may cost money."""
        return [one for one in self.all if one.live]

    def put(self, changed: Sequence[WorkerRecord]) -> None:
        """Write records down, and have who is being taken away believed no more."""
        if not changed:
            return
        with self._ledger.change():
            for one in changed:
                self._ledger.put(one)
        new = {one.token: one for one in changed}
        self.all = [new.pop(one.token, one) for one in self.all] + list(new.values())
        if gone := [one for one in changed if one.stage == "stopping"]:
            self._starter.let_go(gone)

    def release(self, releases: Sequence[Release], now: float) -> None:
        """Have workers drain; one that has not joined yet is taken away."""
        records = {one.token: one for one in self.live}
        for release in releases:
            one = records.get(release.token)
            if one is None or one.stage in {"draining", "stopping"}:
                continue
            if one.stage == "joined":
                self.put([one.step("draining", now, release.why)])
                self._drain(one, now)
            else:
                self.put([one.step("stopping", now, release.why)])

    def drain_again(self, now: float) -> None:
        """Have workers drained that were told to, and still take jobs."""
        heard = self._hearing.heard(now) or {}
        for one in self.live:
            said = heard.get(one.token)
            deaf = one.stage == "draining" and said is not None and not said.draining
            if deaf and now - self._drained.get(one.token, 0.0) > _AGAIN:
                self._drain(one, now)

    def destroy(self, destroy: Sequence[Destroy], now: float) -> None:
        """Have machines taken away."""
        for one in destroy:
            self._ledger.tell(now, "destroy", one.why, one.token)
            self._clouds.destroy(one.provider, one.machine)

    def _drain(self, one: WorkerRecord, now: float) -> None:
        self._drained[one.token] = now
        self._hearing.drain(one.token)
