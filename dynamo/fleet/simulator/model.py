"""The event loop of a simulation: a trace, a policy, a world and a seed give a record of all that happened.

The same seed gives the same boots by number of the order and the same errors of the estimates by job, whatever the
policy does: what differs between two policies is then the policies' doing (common random numbers).
"""

from __future__ import annotations

import heapq
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dynamo.fleet.decision import Decision, Policy
from dynamo.fleet.simulator.cloud import Cloud
from dynamo.fleet.simulator.draws import Draws
from dynamo.fleet.simulator.estimates import Estimates, by_name
from dynamo.fleet.simulator.eye import Eye
from dynamo.fleet.simulator.faults import Death, NoCollector, Reclaim
from dynamo.fleet.simulator.forecast import AsLive, Forecast
from dynamo.fleet.simulator.machine import Machine
from dynamo.fleet.simulator.pool import Pool
from dynamo.fleet.simulator.queue import DONE, RUNNING, Queue
from dynamo.fleet.simulator.scenario import Scenario
from dynamo.fleet.simulator.trace import Trace

__all__ = ["Record", "simulate"]

#: Kinds of events; at the same time they happen in this order.
_FINISH, _READY, _LOST, _GONE, _RECLAIM, _MATCH, _DECIDE = range(7)


@dataclass(frozen=True, slots=True)
class Record:
    """All that happened.

    Parameters
    ----------
    trace, scenario, policy, seed
        Of what.
    started, finished
        For each job of the trace when it began, the last time, and when it was done; infinite where it was not.
    reruns
        How often a job had to run again.
    machines
        All that were ordered.
    refused
        What the policy asked for and was not given: the limit or the fault, and how many machines.
    targets
        Time and wanted cores of each decision.
    reasons
        Time and reasons of each decision that did something.
    """

    trace: Trace
    scenario: Scenario
    policy: str
    seed: int
    started: list[float]
    finished: list[float]
    reruns: int
    machines: list[Machine]
    refused: Mapping[str, int]
    targets: list[tuple[float, float]] = field(default_factory=list)
    reasons: list[tuple[float, tuple[str, ...]]] = field(default_factory=list)


def simulate(trace: Trace, policy: Policy, scenario: Scenario, seed: int = 0) -> Record:
    """Run a trace under a policy."""
    return _Model(trace, policy, scenario, seed).run()


class _Model:
    def __init__(self, trace: Trace, policy: Policy, scenario: Scenario, seed: int) -> None:
        self._trace = trace
        self._policy = policy
        self._scenario = scenario
        self._seed = seed
        self._draws = Draws(seed)
        estimates = by_name(scenario.estimates, self._draws)
        self._queue = Queue(trace.jobs, scenario.offers, estimates, longest=scenario.order == "longest")
        self._pool = Pool(self._queue, scenario.offers, self._started)
        self._cloud = Cloud(scenario, self._draws)
        self._eye = Eye(scenario, self._queue, self._pool, self._cloud)
        self._now = 0.0
        self._events: list[tuple[float, int, int, int]] = []  # time, kind, number, attempt
        self._attempts = [0] * len(trace.jobs)
        self._finished = [math.inf] * len(trace.jobs)
        self._forecast = self._foreteller(estimates)
        self._history: Mapping[str, Any] = {}
        self._matching = False
        self._targets: list[tuple[float, float]] = []
        self._reasons: list[tuple[float, tuple[str, ...]]] = []
        self._deaths = {each.order: each.after for each in scenario.faults if isinstance(each, Death)}
        self._blind = [each for each in scenario.faults if isinstance(each, NoCollector)]

    def run(self) -> Record:
        """Let all of it happen."""
        for place, fault in enumerate(self._scenario.faults):
            if isinstance(fault, Reclaim):
                self._push(fault.at, _RECLAIM, place)
        for machine in self._cloud.begin():
            self._ready(machine.number, 0)
        self._push(0.0, _DECIDE)
        self._loop()
        pairs = zip(self._eye.began, self._attempts, strict=True)
        states = self._queue.state
        return Record(
            trace=self._trace,
            scenario=self._scenario,
            policy=self._policy.name,
            seed=self._seed,
            started=[at if attempts else math.inf for at, attempts in pairs],
            finished=self._finished,
            reruns=sum(self._attempts) - sum(1 for state in states if state in {RUNNING, DONE}),
            machines=self._cloud.machines,
            refused=dict(self._cloud.refused),
            targets=self._targets,
            reasons=self._reasons,
        )

    def _foreteller(self, estimates: Estimates) -> Forecast | AsLive | None:
        """Return what tells of the cycles to come; None where nobody does."""
        if self._scenario.forecast == "nowcast":
            return Forecast(self._trace, self._draws)
        if self._scenario.forecast == "clocks":
            return AsLive(self._trace, self._finished, self._scenario.offers, estimates.predictor)
        return None

    def _loop(self) -> None:
        jobs, events, until = self._trace.jobs, self._events, self._trace.until
        handlers = (
            self._finish,
            self._ready,
            self._lost,
            self._gone,
            self._reclaim,
            self._match,
            self._decide,
        )
        coming, count = 0, len(jobs)
        while events and events[0][0] <= until:
            at = events[0][0]
            if coming < count and jobs[coming].release <= at:
                at = self._now = max(self._now, jobs[coming].release)
                while coming < count and jobs[coming].release <= at:
                    self._queue.add(coming)
                    coming += 1
                self._wake()
                continue
            self._now, kind, number, attempt = heapq.heappop(events)
            handlers[kind](number, attempt)

    def _push(self, at: float, kind: int, number: int = 0, attempt: int = 0) -> None:
        heapq.heappush(self._events, (at, kind, number, attempt))

    def _wake(self) -> None:
        """Have the negotiator match what waits, unless it is about to."""
        if not self._matching:
            self._matching = True
            at = self._now + self._scenario.match
            for fault in self._blind:
                if fault.start <= at < fault.end:
                    at = fault.end
            self._push(at, _MATCH)

    def _started(self, number: int, machine: Machine) -> None:
        job = self._trace.jobs[number]
        self._attempts[number] += 1
        self._eye.began[number] = self._now
        self._eye.changed.add(machine)
        took = job.work / (job.cores * machine.offer.speed)
        self._push(self._now + took, _FINISH, number, self._attempts[number])

    def _finish(self, number: int, attempt: int) -> None:
        if self._attempts[number] != attempt or number not in self._pool.on:
            return  # its machine was lost on the way
        self._finished[number] = self._now
        self._queue.done(number)
        machine = self._pool.done(number)
        self._eye.finished(number, self._now)
        self._eye.changed.add(machine)
        if not machine.jobs:
            machine.idle_since = self._now
            if machine.state == "draining":
                self._stop(machine)
        elif machine.free and machine.state == "ready" and self._queue.tallies:
            self._wake()

    def _ready(self, number: int, _attempt: int) -> None:
        machine = self._cloud.machines[number]
        if machine.state != "booting":
            return
        machine.state = "ready"
        machine.ready = machine.since = machine.idle_since = self._now
        self._eye.changed.add(machine)
        self._pool.join(machine)
        if self._queue.tallies:
            self._wake()
        if number in self._deaths:
            self._push(self._now + self._deaths[number], _LOST, number)

    def _lost(self, number: int, _attempt: int) -> None:
        """Take a machine away: one that never joined, died, or was wanted back."""
        machine = self._cloud.machines[number]
        if machine.state != "gone":
            self._remove(machine)

    def _gone(self, number: int, _attempt: int) -> None:
        self._lost(number, 0)

    def _reclaim(self, place: int, _attempt: int) -> None:
        fault = self._scenario.faults[place]
        assert isinstance(fault, Reclaim)
        for machine in list(self._cloud.live.values()):
            if (
                machine.offer.key == fault.offer
                and self._draws.uniform("reclaim", machine.number) < fault.share
            ):
                self._remove(machine)

    def _remove(self, machine: Machine) -> None:
        self._cloud.gone(machine, self._now)
        self._eye.changed.add(machine)
        if self._pool.leave(machine):
            self._wake()

    def _match(self, _number: int, _attempt: int) -> None:
        self._matching = False
        self._pool.match()

    def _decide(self, _number: int, _attempt: int) -> None:
        view = self._eye.view(self._now, self._forecast.coming(self._now) if self._forecast else ())
        decision = self._policy.decide(view, self._history)
        self._history = json.loads(json.dumps(dict(decision.history)))
        self._targets.append((self._now, decision.target))
        if decision.buys or decision.releases:
            self._reasons.append((self._now, decision.reasons))
        self._act(decision, trusted=view.trusted)
        self._push(self._now + self._scenario.interval, _DECIDE)

    def _act(self, decision: Decision, *, trusted: bool) -> None:
        for buy in decision.buys:
            for machine in self._cloud.order(buy.offer, buy.count, self._now):
                self._eye.changed.add(machine)
                at, joins = self._cloud.boot(machine)
                self._push(at, _READY if joins else _LOST, machine.number)
        for release in decision.releases:
            machine_of = self._cloud.live.get(int(release.token[1:]))
            if machine_of is None or machine_of.state == "draining":
                self._cloud.refused["no such worker to release"] += 1
            elif not trusted:
                self._cloud.refused["a release on a view that is not to be trusted"] += 1
            else:
                self._release(machine_of)

    def _release(self, machine: Machine) -> None:
        machine.state = "draining"
        machine.since = self._now
        self._eye.changed.add(machine)
        if not machine.jobs:
            self._stop(machine)

    def _stop(self, machine: Machine) -> None:
        at = self._cloud.give_back(machine, self._now)
        if at <= self._now:
            self._remove(machine)
        else:
            self._push(at, _GONE, machine.number)
