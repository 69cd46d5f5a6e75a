"""What became of each worker, by what clouds list and the pool hears, and what is to be taken away.

Pure. That a machine is gone is not believed because one listing does not have it; that many are, still less: a cloud
that lists nothing and says no error looks the same as an empty one, and so does a collector that was just restarted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from dynamo.fleet.life import LifeStage, Patience
from dynamo.fleet.machine import Machine
from dynamo.fleet.record import WorkerRecord
from dynamo.fleet.seen import Heard, Seen
from dynamo.fleet.settled import Destroy, Ghost, Settled

__all__ = ["settle"]


def settle(
    workers: Sequence[WorkerRecord],
    seen: Seen,
    under_way: frozenset[str],
    noticed: Mapping[str, float],
    boots: Mapping[str, float],
    patience: Patience,
    points: Collection[str] = (),
) -> Settled:
    """Return what became of workers, live ones and those that ended not long ago.

    Parameters
    ----------
    under_way
        Tokens of orders whose call has no outcome yet.
    noticed
        As the last time returned it.
    boots
        Offer to the seconds that its workers may take until they join.
    points
        Node groups of access points, which are not given up as soon: their queue is lost with them.
    """
    judge = _Judge(workers, seen, under_way, noticed, boots, patience, points)
    return judge.all()


class _Judge:
    """One settling."""

    def __init__(
        self,
        workers: Sequence[WorkerRecord],
        seen: Seen,
        under_way: frozenset[str],
        before: Mapping[str, float],
        boots: Mapping[str, float],
        patience: Patience,
        points: Collection[str],
    ) -> None:
        self.workers, self.seen, self.now = {one.token: one for one in workers}, seen, seen.now
        self.under_way, self.before, self.boots, self.patience = under_way, before, boots, patience
        self.points = points
        self.noticed: dict[str, float] = {}
        self.crowd = self._crowd()
        self.many = frozenset(self._many_missing())

    def all(self) -> Settled:
        changed: list[WorkerRecord] = []
        destroy: list[Destroy] = []
        for record in self.workers.values():
            new = self._next(record)
            if new is not record:
                changed.append(new)
            destroy += self._destroys(record, new)
        ghosts: list[Ghost] = []
        unknown = tuple(Ghost(provider, machine) for provider, machine in self._unknown())
        for one in unknown:
            machine = one.machine
            if self._long(f"ghost/{machine.id}", self.patience.ghost):
                if machine.state == "running" and machine.tags.token in (self.seen.heard or {}):
                    ghosts.append(one)
                elif self._useless(one) and not self._recent(f"again/{machine.id}", self.patience.again):
                    self.noticed[f"again/{machine.id}"] = self.now
                    why = "a machine that the journal does not know, and the pool does not hear of"
                    destroy.append(Destroy(one.provider, machine.id, machine.tags.token, why))
        destroy += self._doubles()
        return Settled(tuple(changed), tuple(destroy), tuple(ghosts), unknown, self.noticed)

    def _useless(self, ghost: Ghost) -> bool:
        """Whether a machine that the journal does not know is none that works, and that the pool may yet hear of."""
        if ghost.provider not in self.seen.fresh:
            return False
        if ghost.machine.state != "running":
            return True
        # After the loss of a journal, or of the collector's memory, all that work are as unknown as those that do not.
        return self.seen.heard is not None and self.now - self.seen.since >= self.patience.unheard

    def _crowd(self) -> bool:
        """Whether the pool hears of most workers that have joined: one that was just restarted knows nobody."""
        joined = [one.token for one in self.workers.values() if one.stage in {"joined", "draining"}]
        return 2 * sum(token in (self.seen.heard or {}) for token in joined) >= len(joined)

    def _next(self, one: WorkerRecord) -> WorkerRecord:
        """Return a worker as it stands now; itself where nothing changed."""
        machine, heard = self._machine(one), (self.seen.heard or {}).get(one.token)
        self._keep(f"queue/{one.token}")
        if heard is not None and heard.queue is not None:
            self.noticed[f"queue/{one.token}"] = self.now
        if one.stage == "gone":
            return self._back(one, machine, heard=heard is not None)
        if one.stage == "requested":
            return self._requested(one, machine)
        if machine is None or machine.state == "gone":
            return self._absent(one, heard)
        # Of an order that was taken back before its answer came, a machine may come.
        if one.stage == "stopping":
            return one if one.machine else replace(one, machine=machine.id)
        if machine.state == "failed":
            why = f"the machine failed: {machine.reason or 'its provider does not say why'}"
            return one.step("stopping", self.now, why, failed=True)
        if one.stage == "booting":
            return self._booting(one, machine, heard=heard is not None)
        return self._draining(one) if one.stage == "draining" else self._joined(one, heard)

    def _joined(self, one: WorkerRecord, heard: Heard | None) -> WorkerRecord:
        if heard is None:
            wait = self.patience.unheard_queue if self._is_point(one) else self.patience.unheard
            if self.seen.heard is not None and self._long(f"unheard/{one.token}", wait):
                why = f"the pool has not heard of it for {wait:.0f} s"
                return one.step("stopping", self.now, why, failed=True)
            return one
        if heard.draining:
            return one.step(
                "draining", self.now, "it takes no more jobs by itself: idle, or at the end of its life"
            )
        if one.dies is not None and self.now > one.dies:
            return one.step("draining", self.now, "its lifetime is over")
        return one

    def _is_point(self, one: WorkerRecord) -> bool:
        """Whether it is an access point: by its group, which may be out of the slice, or as it had a queue."""
        return one.group in self.points or f"queue/{one.token}" in self.noticed

    def _requested(self, one: WorkerRecord, machine: Machine | None) -> WorkerRecord:
        if machine is not None and machine.state != "gone":
            return one.step("booting", self.now, "the provider has made it", machine=machine.id)
        listing = self.seen.listings.get(one.provider)
        if one.token in self.under_way or listing is None or one.provider not in self.seen.fresh:
            return one
        if listing.at - one.since > self.patience.requested:
            return one.step("gone", self.now, "no machine came of the order", failed=True)
        return one

    def _booting(self, one: WorkerRecord, machine: Machine, *, heard: bool) -> WorkerRecord:
        if heard:
            return one.step("joined", self.now, "the pool hears of it", machine=machine.id)
        limit = self.boots.get(one.offer, self.patience.booting)
        # Nobody can join a pool that does not answer: only what was seen of it counts.
        if self.seen.heard is not None and self.now - max(one.since, self.seen.since) > limit:
            return one.step(
                "stopping", self.now, f"it did not join the pool within {limit:.0f} s", failed=True
            )
        return one

    def _draining(self, one: WorkerRecord) -> WorkerRecord:
        heard = self.seen.heard
        said = (heard or {}).get(one.token)
        if said is not None and (said.draining and not said.busy if said.queue is None else said.queue == 0):
            return one.step("stopping", self.now, "its last job is done")
        wait = self.patience.missing if self.crowd else self.patience.unheard
        if self._is_point(one):
            wait = self.patience.unheard_queue
        if heard is not None and one.token not in heard and self._long(f"left/{one.token}", wait):
            return one.step("stopping", self.now, "it has left the pool")
        if self.now - one.since > self.patience.draining:
            lost = "are lost with its queue" if said and said.queue is not None else "run again elsewhere"
            why = f"it still has jobs after {self.patience.draining:.0f} s; they {lost}"
            return one.step("stopping", self.now, why)
        return one

    def _absent(self, one: WorkerRecord, heard: Heard | None) -> WorkerRecord:
        """A machine that a listing does not have."""
        missing = f"missing/{one.token}"
        if one.provider not in self.seen.fresh:
            self._keep(missing)
            return one
        if one.stage == "stopping":
            return self._stopped(one)
        sure = one.token not in self.many and (one.stage != "joined" or self.seen.heard is not None)
        wait = self.patience.missing if sure else self.patience.many_missing
        if one.stage == "booting":  # what was just made may be listed late
            wait = max(wait, self.patience.requested)
        if heard and one.stage != "draining":
            # The pool remembers who is gone. Who was heard of after he was missing is there, whatever is listed.
            wait = max(wait, self.patience.said)
            if heard.at > self.before.get(missing, self.now):
                return one
        if not self._long(missing, wait):
            return one
        expected = one.stage == "draining"
        lost = "its queue is lost" if self._is_point(one) else "its jobs run again"
        why = "it ended itself" if expected else f"its provider does not list it any more; {lost}"
        return one.step("gone", self.now, why, failed=not expected)

    def _stopped(self, one: WorkerRecord) -> WorkerRecord:
        """One that is being taken away, and is not listed: but an order may still become a machine."""
        listed = self.seen.listings[one.provider].at
        made = one.machine or listed - one.ordered > self.patience.requested
        if listed > one.since and made and one.token not in self.under_way:
            return one.step("gone", self.now, one.why)
        return one

    def _back(self, one: WorkerRecord, machine: Machine | None, *, heard: bool) -> WorkerRecord:
        if machine is None or machine.state in {"gone", "stopping"}:
            return one
        if self.now - one.since >= self.patience.believed:  # the pool was told to refuse it
            why = "it was gone for too long to be let back, and is listed"
            return one.step("stopping", self.now, why, machine=machine.id)
        if heard:
            return one.step(
                "joined", self.now, "it was believed to be gone, and is there", machine=machine.id
            )
        if self.seen.heard is None:  # it may work
            return one
        known = "it was believed to be gone, and is listed"
        young = self.now - one.ordered <= self.boots.get(one.offer, self.patience.booting)
        stage: LifeStage = (
            "booting" if one.joined is None and young and one.machine and machine.there else "stopping"
        )
        return one.step(stage, self.now, known, machine=machine.id)

    def _destroys(self, one: WorkerRecord, new: WorkerRecord) -> Iterator[Destroy]:
        """Have a machine taken away when it begins to stop, and again while it is still listed."""
        machine = self._machine(new)
        id_ = machine.id if machine else new.machine
        if new.stage != "stopping" or not id_:
            return
        if one.stage != "stopping" or not self._recent(f"again/{one.token}", self.patience.again):
            self.noticed[f"again/{one.token}"] = self.now
            yield Destroy(new.provider, id_, new.token, new.why)

    def _machine(self, one: WorkerRecord) -> Machine | None:
        listing = self.seen.listings.get(one.provider)
        return listing.machines.get(one.token) if listing else None

    def _unknown(self) -> Iterator[tuple[str, Machine]]:
        for provider, listing in self.seen.listings.items():
            for token, machine in listing.machines.items():
                # One that failed, or was stopped, still has a place in the quota, and often a disk that is paid.
                if token not in self.workers and machine.state != "gone":
                    yield provider, machine

    def _doubles(self) -> Iterator[Destroy]:
        for provider, listing in self.seen.listings.items():
            for machine in listing.doubles:
                if not self._recent(f"again/{machine.id}", self.patience.again):
                    self.noticed[f"again/{machine.id}"] = self.now
                    yield Destroy(provider, machine.id, machine.tags.token, "a second machine of one order")

    def _many_missing(self) -> Iterator[str]:
        """Tokens of workers of providers that do not list more than half of what should be there.

        Two count as many where the pool knows most of its own no more: it may have been restarted just then.
        """
        few = 2 if self.crowd else 1
        for provider in self.seen.fresh:
            should = [
                w
                for w in self.workers.values()
                if w.provider == provider and w.stage in {"booting", "joined"}
            ]
            missing = [w.token for w in should if self._machine(w) is None]
            if len(missing) > few and 2 * len(missing) > len(should):
                yield from missing

    def _long(self, what: str, seconds: float) -> bool:
        """Whether something has been so for so long; it is noticed now if it was not before."""
        since = self.noticed[what] = self.before.get(what, self.now)
        return self.now - since >= seconds

    def _recent(self, what: str, seconds: float) -> bool:
        self._keep(what)
        return what in self.before and self.now - self.before[what] < seconds

    def _keep(self, what: str) -> None:
        """Neither notice something anew nor forget it: nothing was seen of it."""
        if what in self.before:
            self.noticed[what] = self.before[what]
