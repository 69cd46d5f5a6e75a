"""What the controller hears of the pool: its queue, its workers, whether that can be trusted, and what it teaches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dynamo.errors import DynamoError
from dynamo.fleet.calls import Call, Calls
from dynamo.fleet.clocks import Clocks, reach
from dynamo.fleet.endings import Endings
from dynamo.fleet.ledger import Ledger
from dynamo.fleet.predict import Predictor
from dynamo.fleet.queue import Done, Reading
from dynamo.fleet.record import WorkerRecord
from dynamo.fleet.refusals import NotBegunError
from dynamo.fleet.seen import Heard
from dynamo.fleet.view import Coming, Load, Offer
from dynamo.fleet.viewing import heard_of, loads_of

__all__ = ["Hearing"]

#: Seconds between two times that what was learned is written down.
_KEEP = 60.0
#: Under which it is kept when the pool was last heard, and since when.
_HEARD = "heard"
#: Of how many clocks it is told when they start a run.
_TOLD = 5


class Hearing:
    """The pool as it was last heard.

    Parameters
    ----------
    calls
        In which the pool is asked.
    ledger
        Where what is learned is kept.
    stale
        Seconds after which what it said counts no more.
    drains
        In which it is told to drain; None for the same.
    """

    def __init__(self, calls: Calls, ledger: Ledger, stale: float, drains: Calls | None = None) -> None:
        self._calls, self._ledger, self._stale = calls, ledger, stale
        self._draining = drains or calls
        kept = ledger.learned("costs") or {}
        self.predictor = Predictor.restore(kept.get("predictor", {}))
        self._clocks = Clocks.restore(kept.get("clocks", {}))
        self._mark = str(kept.get("mark", ""))
        self._kept_at = 0.0
        self._call: Call | None = None
        self.endings = Endings()
        self._drains: dict[str, Call] = {}
        self.reading: Reading | None = None
        #: Since when it has answered without a break.
        self.since = 0.0
        self._known: tuple[Reading, float, Mapping[str, Heard]] | None = None
        self.trouble = "the pool has not answered yet"

    def ask(self) -> None:
        """Have the pool asked, unless it is at that."""
        if self._call is None:
            self._call = self._calls.call("read", self._mark)

    def wait(self, seconds: float) -> None:
        """Wait until it has answered, so long at most."""
        if self._call is not None:
            self._call.wait(seconds)

    def collect(self, now: float) -> None:
        """Take what it said."""
        for token in [token for token, call in self._drains.items() if call.done]:
            try:
                self._drains.pop(token).result()
            except NotBegunError:  # many drain, each after the other: it is asked for again
                pass
            except DynamoError as error:  # it is tried again: the worker does not say that it drains
                self._ledger.tell(now, "not drained", error.message, token)
        if self._call is None or not self._call.done:
            return
        call, self._call = self._call, None
        try:
            reading: Reading = call.result()
        except DynamoError as error:
            self.trouble = error.message
            return
        if self.heard(now) is None:
            self.since = self._since(now)
        self.reading, self.trouble = reading, ""
        self._ledger.learn(_HEARD, [now, self.since])
        self._learn(reading.done)
        self._clocks.hear(reading)
        self._mark = reading.mark
        if now - self._kept_at > _KEEP:
            self.keep(now)

    def _since(self, now: float) -> float:
        """Return since when it answers: who was started anew goes on where the one before him was just now."""
        at, since = self._ledger.learned(_HEARD) or (now, now)
        known = self.reading is None and 0 <= now - at <= self._stale
        return float(since) if known else now

    def keep(self, now: float) -> None:
        """Write down what was learned, and up to where."""
        self._kept_at = now
        kept = {"predictor": self.predictor.state(), "clocks": self._clocks.state(), "mark": self._mark}
        self._ledger.learn("costs", kept)

    def heard(self, now: float) -> Mapping[str, Heard] | None:
        """Return what the pool says of its workers; None where it does not answer."""
        if self.reading is None or now - self.reading.at > self._stale:
            return None
        if self._known is None or self._known[:2] != (self.reading, now):
            self._known = self.reading, now, heard_of(self.reading, self.predictor, now)
        return self._known[2]

    def loads(self, now: float) -> Sequence[Load]:
        """Return its queue as it was last known."""
        return loads_of(self.reading.jobs, self.predictor, now) if self.reading else ()

    def coming(self, now: float, offers: Iterable[Offer] = ()) -> Sequence[Coming]:
        """Return what the clocks of run files start before the slowest of these offers could serve, and what next."""
        return self._clocks.coming(now, now + reach(offers), self.predictor)

    def trusted(self, workers: Sequence[WorkerRecord], now: float) -> bool:
        """Whether the pool answers, and knows most of the workers that have joined it.

        One that was just restarted answers too, and knows nobody.
        """
        heard = self.heard(now)
        if heard is None:
            return False
        joined = [one.token for one in workers if one.stage in {"joined", "draining"}]
        return 2 * sum(token in heard for token in joined) >= len(joined)

    def lateness(self, now: float) -> dict[str, float]:
        """Return of each class the share of its jobs of the last hour that were late."""
        return {kind: one.late / one.due for kind, one in self.endings.hour(now).items() if one.due}

    def drain(self, token: str) -> None:
        """Have a worker drained, unless that is under way."""
        if token in self._drains:
            return
        self._drains[token] = self._draining.call("drain", token)

    def _learn(self, done: Sequence[Done]) -> None:
        for one in done:
            self.predictor.learn(one.kind, dict(one.features), one.core_seconds)
            self.endings.add(one)

    def figures(self, now: float) -> dict[str, Any]:
        """Return what is of interest to who looks at the fleet."""
        jobs = self.reading.jobs if self.reading else ()
        running = sum(one.state == "running" for one in jobs)
        return {
            "waiting": len(jobs) - running,
            "running": running,
            "overdue": sum(one.due < now for one in jobs),
            "pool": self.heard(now) is not None,
            "coming": [[one.at, one.work, one.why] for one in _next(self.coming(now))],
            "lateness": self.lateness(now),
            "jobs": {kind: one._asdict() for kind, one in self.endings.hour(now).items()},
        }


def _next(coming: Iterable[Coming]) -> list[Coming]:
    """Return the next run of each clock, of a few."""
    first: dict[str, Coming] = {}
    for one in coming:
        first.setdefault(one.why, one)
    return list(first.values())[:_TOLD]
