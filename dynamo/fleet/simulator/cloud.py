"""The clouds of a simulation: what may be ordered, what is refused, how long a boot takes."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

from dynamo.fleet.simulator.draws import Draws, lognormal
from dynamo.fleet.simulator.faults import NoBoots, NoStock, Outage, SlowBoots
from dynamo.fleet.simulator.machine import Machine, paid_seconds
from dynamo.fleet.simulator.scenario import Scenario
from dynamo.fleet.view import Offer

__all__ = ["Cloud"]

#: Seconds that an offer rests after a refusal, doubling with each up to the second.
_REST = (180.0, 1800.0)
_DAY = 86400.0


class Cloud:
    """Machines by order, and the limits that the controller holds a policy to.

    Parameters
    ----------
    scenario
        The world.
    draws
        Where boots are drawn from.
    """

    def __init__(self, scenario: Scenario, draws: Draws) -> None:
        self._scenario = scenario
        self._draws = draws
        self._places = {offer.key: place for place, offer in enumerate(scenario.offers)}
        self._rests = [0.0] * len(scenario.offers)
        self._refusals = [0] * len(scenario.offers)
        self._have = [0] * len(scenario.offers)
        self._members = dict.fromkeys(scenario.groups, 0)
        self._cores = 0
        self._rate = 0.0
        self.machines: list[Machine] = []  # all that were ever ordered
        self.live: dict[int, Machine] = {}
        #: What the policy asked for and was not given: the limit or the fault, and how many machines.
        self.refused: Counter[str] = Counter()

    def order(self, key: str, count: int, now: float) -> list[Machine]:
        """Order machines by an offer; return those that are to come."""
        place = self._places.get(key)
        if place is None:
            self.refused["no such offer"] += count
            return []
        offer = self._scenario.offers[place]
        allowed, why = self._allowed(place, offer, count, now)
        if allowed < count:
            self.refused[why] += count - allowed
        if allowed <= 0:
            return []
        fault = self._shut(offer, now)
        if fault:
            self.refused[fault] += allowed
            self._rests[place] = now + min(_REST[0] * 2 ** self._refusals[place], _REST[1])
            self._refusals[place] += 1
            return []
        self._refusals[place] = 0
        return [self._make(place, offer, now) for _ in range(allowed)]

    def begin(self) -> list[Machine]:
        """Return the machines that are there from the start."""
        present = self._scenario.present.items()
        places = [self._places[key] for key, count in present for _ in range(count)]
        return [self._make(place, self._scenario.offers[place], 0.0) for place in places]

    def boot(self, machine: Machine) -> tuple[float, bool]:
        """Return when a machine joins or is given up, and whether it joins."""
        offer, now = machine.offer, machine.made
        median, high = self._scenario.boots.get(offer.key, (offer.boot, offer.boot_high))
        seconds = lognormal(median, high, self._draws.normal("boot", machine.number))
        for fault in self._scenario.faults:
            if not isinstance(fault, SlowBoots | NoBoots) or not fault.start <= now < fault.end:
                continue
            if fault.offer not in {"", offer.key}:
                continue
            if isinstance(fault, SlowBoots):
                seconds *= fault.factor
            elif self._draws.uniform("no boot", machine.number) < fault.share:
                return now + fault.after, False
        return now + seconds, True

    def give_back(self, machine: Machine, now: float) -> float:
        """Return when a machine that is let go now is gone: at once, unless its provider does not answer."""
        return max([now, *(fault.end for fault in self._outages(machine.offer, now))])

    def gone(self, machine: Machine, now: float) -> None:
        """Take note that a machine is gone."""
        machine.state = "gone"
        machine.gone = now
        machine.since = now
        del self.live[machine.number]
        self._count(machine, -1)

    def offers(self) -> tuple[Offer, ...]:
        """Return the offers as they stand: how many more may be had, and until when one rests."""
        stands = zip(self._scenario.offers, self._have, self._rests, strict=True)
        return tuple(
            replace(offer, left=max(0, offer.left - had), rests_until=rests) for offer, had, rests in stands
        )

    def spent_today(self, now: float) -> float:
        """Return what the machines of this day cost up to their next billing step; 0 where no limit asks for it."""
        if math.isinf(self._scenario.limits.usd_per_day):
            return 0.0
        midnight = now - now % _DAY
        spent = 0.0
        for machine in self.machines:
            if machine.gone > midnight:
                seconds = paid_seconds(machine, now, self._scenario.paid_from)
                spent += (
                    min(seconds, max(0.0, machine.made + seconds - midnight))
                    * machine.offer.usd_per_hour
                    / 3600
                )
        return spent

    def _allowed(self, place: int, offer: Offer, count: int, now: float) -> tuple[int, str]:
        """Return how many of `count` may be ordered, and which limit bit."""
        group, limits = self._scenario.groups[offer.group], self._scenario.limits
        rooms: list[tuple[float, str]] = [
            (0 if group.out else math.inf, f"the group is out of service: {group.out}"),
            (0 if self._rests[place] > now else math.inf, "the offer rests"),
            (group.max - self._members[offer.group], "max of the group"),
            (offer.left - self._have[place], "no more left of the offer"),
            ((limits.cores - self._cores) // offer.cores, "limits.cores"),
        ]
        if offer.usd_per_hour > 0.0:
            rooms.append(
                ((limits.usd_per_hour - self._rate + 1e-9) // offer.usd_per_hour, "limits.usd_per_hour")
            )
            step = max(offer.minimum, offer.quantum) * offer.usd_per_hour / 3600
            day = limits.usd_per_day - self.spent_today(now)
            rooms.append((day // step if step else math.inf, "limits.usd_per_day"))
        room, why = min(rooms, key=lambda each: each[0])
        return int(max(0, min(room, count))), why

    def _shut(self, offer: Offer, now: float) -> str:
        if self._outages(offer, now):
            return "the provider does not answer"
        faults = [fault for fault in self._scenario.faults if isinstance(fault, NoStock)]
        if any(fault.offer == offer.key and fault.start <= now < fault.end for fault in faults):
            return "no capacity"
        return ""

    def _outages(self, offer: Offer, now: float) -> list[Outage]:
        faults = [fault for fault in self._scenario.faults if isinstance(fault, Outage)]
        return [
            fault for fault in faults if fault.provider == offer.provider and fault.start <= now < fault.end
        ]

    def _make(self, place: int, offer: Offer, now: float) -> Machine:
        machine = Machine(len(self.machines), place, offer, now)
        self.machines.append(machine)
        self.live[machine.number] = machine
        self._count(machine, 1)
        return machine

    def _count(self, machine: Machine, sign: int) -> None:
        self._have[machine.place] += sign
        self._members[machine.offer.group] += sign
        self._cores += sign * machine.offer.cores
        self._rate += sign * machine.offer.usd_per_hour
