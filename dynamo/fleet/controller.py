"""What keeps a slice as its work needs it: looks, settles what became of workers, decides, orders and drains.

What is decided is decided elsewhere, by pure functions. A turn waits for nothing: what is asked of clouds and of the
pool is collected in a later turn. An order is written down before it is given: a crash at any moment loses none.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dynamo.errors import DynamoError, UserError
from dynamo.fleet import guard
from dynamo.fleet.access_points import access_points, lacking_points, without_points
from dynamo.fleet.adoption import adopted, as_worker
from dynamo.fleet.buying import Market, believed, market, unknown_offers
from dynamo.fleet.clouds import Clouds
from dynamo.fleet.decision import Buy, Decision, Policy, Release
from dynamo.fleet.hearing import Hearing
from dynamo.fleet.ledger import Ledger
from dynamo.fleet.life import Patience
from dynamo.fleet.machine import Machine
from dynamo.fleet.obeying import obey
from dynamo.fleet.policies.fallback import decided
from dynamo.fleet.record import WorkerRecord
from dynamo.fleet.refusals import (
    BadRequestError,
    NoCapacityError,
    OutcomeUnknownError,
    ProviderError,
    UnavailableError,
)
from dynamo.fleet.roster import Roster, Starter
from dynamo.fleet.seen import Seen
from dynamo.fleet.settle import settle
from dynamo.fleet.settled import Ghost
from dynamo.fleet.slice import Slice, machine_name
from dynamo.fleet.standing import Standing
from dynamo.fleet.steady import Uptime
from dynamo.fleet.view import Load, View
from dynamo.fleet.view_json import inputs_data, outcome_data
from dynamo.fleet.viewing import planned_with, view_workers

__all__ = ["Controller"]

#: A listing that is older than so many turns, and so many seconds, is not of now.
_STALE, _STALE_SECONDS = 3.0, 60.0
#: Seconds ahead of the end of a day's budget at which machines are taken away: that may fail at first.
_ENDING = 180.0


class Controller:
    """The fleet of one slice.

    Parameters
    ----------
    slice_
        What it shall be.
    ledger
        What it was; nobody else writes it.
    clouds, hearing
        How the world is asked.
    policy
        What decides.
    starter
        What machines are started with.
    clock
        The time, in Unix seconds, without jumps.
    interval
        Seconds between two turns.
    patience
        What is waited for, and for how long.
    uptime
        By which it is known whether the clock was set between two controllers.
    """

    def __init__(
        self,
        slice_: Slice,
        ledger: Ledger,
        clouds: Clouds,
        hearing: Hearing,
        policy: Policy,
        starter: Starter,
        *,
        clock: Callable[[], float],
        interval: float = 10.0,
        patience: Patience | None = None,
        uptime: Uptime = lambda: ("", 0.0),
    ) -> None:
        self.slice, self.ledger, self.clouds, self.hearing = slice_, ledger, clouds, hearing
        self.policy, self.starter, self._clock = policy, starter, clock
        self.interval, self._patience = interval, patience or Patience()
        self._history: Mapping[str, Any] = ledger.in_mind(policy.name)
        self._noticed: Mapping[str, float] = ledger.noticed(clock())
        self._turned, self._watched = -math.inf, False
        self.clouds.follow(slice_)
        #: What is wrong with the policy; empty where nothing is.
        self.trouble = ""
        self.roster = Roster(ledger, clouds, hearing, starter, self._patience.believed, clock(), uptime)
        self.standing = Standing.of(ledger.learned("standing")).moved(self.roster.set_by)
        #: Machines that the journal does not know, as if they were ours: they count against the limits.
        self._strangers: list[WorkerRecord] = []
        self.decision = Decision()
        #: The queue as it was in the last turn, in classes.
        self.loads: Sequence[Load] = ()
        self.paused = False

    def turn(self) -> None:
        """Do what is to be done by what is known now."""
        now = self._clock()
        # Who joined while nobody looked has booted nobody knows how fast.
        self._watched, self._turned = now - self._turned <= _STALE * self.interval, now
        self.clouds.collect()
        self.hearing.collect(now)
        self.roster.read(now)
        self.clouds.check_ours(busy=bool(self.roster.live))
        self.clouds.wire(paused=self.paused)
        self._take_answers(now)
        self._settle(now)
        self._decide(now)

    def ask(self) -> None:
        """Have the world asked for the next turn; returns at once."""
        self.clouds.ask()
        self.hearing.ask()

    def now(self) -> float:
        """Return the time by its clock."""
        return self._clock()

    def edit(self, slice_: Slice) -> None:
        """Have another slice from the next turn on; what it does not name any more is drained."""
        for name, group in slice_.nodes.items():
            if group != self.slice.nodes.get(name):
                self.standing = self.standing.restore(name)
        self.slice = slice_
        self.clouds.follow(slice_)

    def use(self, policy: Policy) -> None:
        """Have another policy decide from the next turn on, with what it kept in mind when it last did."""
        self.policy = policy
        self._history = self.ledger.in_mind(policy.name)

    def restore(self, group: str) -> None:
        """Bring a node group back into service."""
        self.standing = self.standing.restore(group)

    def release(self, workers: Sequence[WorkerRecord], why: str) -> None:
        """Drain workers because somebody says so."""
        self.roster.release([Release(one.token, why) for one in workers], self._clock())

    def _take_answers(self, now: float) -> None:
        """Write down what became of orders."""
        records = {one.token: one for one in self.roster.all}
        for token, answer in self.clouds.answers():
            one = records[token]
            if one.stage != "requested":  # the listing was faster, or it was taken back meanwhile
                continue
            if isinstance(answer, Machine):
                self.roster.put([one.step("booting", now, "the provider has made it", machine=answer.id)])
            elif not isinstance(answer, OutcomeUnknownError):
                self._refused(one, answer, now)
            else:
                self.ledger.tell(now, "unknown", answer.message, token)

    def _refused(self, one: WorkerRecord, error: ProviderError, now: float) -> None:
        self.standing = self.standing.refused(one.offer, error, now)
        self.roster.put([one.step("gone", now, error.message, failed=True)])

    def _settle(self, now: float) -> None:
        """Write down what became of workers, and have taken away what has no use."""
        within = max(_STALE * self.interval, _STALE_SECONDS)
        fresh = self.clouds.fresh(within)
        seen = Seen(now, self.clouds.listings, fresh, self.hearing.heard(now), self.hearing.since)
        boots = {one.offer: self.standing.boot_limit(one.offer) for one in self.roster.all}
        settled = settle(
            self.roster.all, seen, self.clouds.under_way, self._noticed, boots, self._patience,
            access_points(self.slice),
        )  # fmt: skip
        if settled.noticed or self._noticed:
            self.ledger.notice(now, settled.noticed)
        self._noticed = settled.noticed
        before = {one.token: one for one in self.roster.all}
        for one in settled.workers:
            self._learn_boot(before[one.token], one)
        self.roster.put(settled.workers)
        self._adopt(settled.ghosts, now)
        known = {one.token for one in self.roster.all}
        new = [one for one in settled.unknown if one.machine.tags.token not in known]
        self._strangers = [as_worker(one, self.slice, self.clouds.catalogue, now)[0] for one in new]
        self.roster.destroy(settled.destroy, now)

    def _learn_boot(self, before: WorkerRecord, one: WorkerRecord) -> None:
        if one.stage == "joined" and before.joined is None and self._watched:
            self.standing = self.standing.booted(one.offer, one.group, one.since - one.ordered)
        elif one.failed and not before.failed and before.stage == "booting":
            if self.clouds.no_room(one.provider, one.token):
                self.standing = self.standing.refused(one.offer, NoCapacityError(one.why), one.since)
            else:
                self.standing = self.standing.failed(one.offer, one.group, one.why, one.since)

    def _adopt(self, ghosts: Sequence[Ghost], now: float) -> None:
        """Take machines that the pool hears of for ours, where the slice has a place for them.

        What is more than its limits allow is let go as after an edit of it.
        """
        known = [one for one in ghosts if one.provider in self.clouds.catalogue]  # who said what he sells
        found = adopted(known, self.slice, self.clouds.catalogue, self.roster.live, now)
        self.roster.put(found.ours)
        self.roster.destroy(found.others, now)

    def _decide(self, now: float) -> None:
        """Ask the policy, hold what it says against the limits, and act."""
        trading = market(
            self.slice, self.clouds.catalogue, self.standing, self.roster.all, now, self.clouds.networks,
            self.roster.day,
        )  # fmt: skip
        heard = self.hearing.heard(now)
        ahead = max(_ENDING, 2 * self.interval)
        obey(self.roster, self.slice, trading.limits, now, ahead=ahead, trusted=heard is not None)
        self.loads = self.hearing.loads(now)
        if self.paused or heard is None:  # who cannot be heard of cannot join either
            self.ledger.learn("standing", self.standing.data())
            return
        points = access_points(self.slice)
        live = self.roster.live  # without those that were let go just now
        # After the loss of a journal they work, and are adopted in a while.
        there = [*live, *(one for one in self._strangers if one.offer and one.token in heard)]
        work = without_points(points, trading, there)
        before, view = self._history, self._view(there, work, points, now)
        decision, self.trouble = decided(self.policy, view, self._history)
        self._history = decision.history
        if self.trouble:
            self.ledger.tell(now, "policy failed", self.trouble)
        bought = guard.allowed_buys(
            (*lacking_points(points, trading, there, now), *decision.buys), [*self.roster.all, *self._strangers],
            trading.offers, trading.groups, trading.limits, now, self.roster.day,
        )  # fmt: skip
        # After a restart a provider may not have said yet what it sells: then nobody knows what its workers are worth.
        unknown = unknown_offers(self.slice, self.clouds.catalogue, self.clouds.networks)
        known = [one for one in live if one.offer not in unknown]
        released = guard.allowed_releases(decision.releases, known, trading.groups, now, trusted=view.trusted)
        self.decision = replace(
            decision, buys=bought.buys, releases=released, reasons=(*decision.reasons, *bought.against)
        )
        self._write(inputs_data(view, before), now)
        self._buy(bought.buys, trading, now)
        self.roster.release(released, now)

    def _view(self, there: Sequence[WorkerRecord], work: Market, points: Collection[str], now: float) -> View:
        """Return what a policy decides from: nothing of access points."""
        unsold = [one for one in there if one.group in work.groups and one.offer not in work.offers]
        offers = {**work.offers, **{one.offer: believed(one) for one in unsold}}
        since = now - self._patience.requested
        workers = planned_with(there, points, self.clouds.under_way, since)
        return View(
            now=now,
            loads=self.loads,
            workers=view_workers(workers, self.hearing.heard(now), now),
            offers=list(offers.values()),
            groups=work.groups,
            coming=self.hearing.coming(now, work.offers.values()),
            limits=work.limits,
            trusted=self.hearing.trusted(self.roster.live, now),
            lateness=self.hearing.lateness(now),
        )

    def _write(self, before: Mapping[str, Any], now: float) -> None:
        """Write a decision down, with what it was made from; of those that do nothing the last one is kept."""
        with self.ledger.change():
            self.ledger.keep_in_mind(self.policy.name, self.decision.history)
            self.ledger.learn("standing", self.standing.data())
            self.ledger.decided(now, self.policy.name, before, outcome_data(self.decision))

    def _buy(self, buys: Sequence[Buy], trading: Market, now: float) -> None:
        """Write orders down, then give them."""
        records = [self._record(buy, trading, now) for buy in buys for _ in range(buy.count)]
        self.roster.put(records)
        for one in records:
            try:
                spec = self.starter.spec(one, self.slice, trading)
            except DynamoError as error:
                wrong = BadRequestError if isinstance(error, UserError) else UnavailableError
                self._refused(one, wrong(error.message), now)
                continue
            self.clouds.order(one.provider, spec)

    def _record(self, buy: Buy, trading: Market, now: float) -> WorkerRecord:
        offer, token = trading.offers[buy.offer], uuid.uuid4().hex
        group = self.slice.nodes[offer.group]
        return WorkerRecord(
            token, self.slice.name, offer.group, offer.provider, offer.key,
            machine_name(self.slice.name, offer.group, token), "requested", now, now, offer.cores, offer.memory,
            offer.usd_per_hour, offer.quantum, offer.minimum, dies=group.dies(token, now), why=buy.why,
        )  # fmt: skip
