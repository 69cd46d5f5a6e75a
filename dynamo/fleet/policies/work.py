"""Work per deadline: as many cores as the work that is due needs, bought where they are cheapest and in time.

See `docs/explanation/when-to-buy.md` for why, and `dynamo.fleet.demand` for the formulas.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dynamo.fleet.decision import Buy, Decision, Release
from dynamo.fleet.demand import Terms, eligible, fits
from dynamo.fleet.forecast import Rhythm
from dynamo.fleet.packing import Packed, Room, Want, pack
from dynamo.fleet.policies.part import Part
from dynamo.fleet.release import Keep, choose
from dynamo.fleet.view import Load, Offer, View

__all__ = ["WorkPerDeadline"]

#: What is kept between decisions is bounded: deadlines, steps of what is held, sets of offers.
_DEADLINES, _STEPS, _SETS = 300, 30, 8
_MINUTE = 60.0
#: What costs so many times as much as another offer is replaced by it in time.
_DEAR = 2.0


@dataclass(frozen=True, slots=True)
class WorkPerDeadline:
    """Have ``margin * max(D, F)`` cores and the warm floor: up at once, down after a hold.

    Parameters
    ----------
    margin
        On what the work needs: boots, machines and estimates err.
    hold, blind_hold
        Seconds for which what was needed is kept: where the view tells what is to come, and where it does not.
    terms
        How work is turned into cores, see `dynamo.fleet.demand.Terms`.
    ahead
        Seconds, beyond the boot of nine machines of ten, by which workers are ordered before forecast work comes.
    gain, tolerated
        For each share of late jobs above the tolerated one, the margin grows by this; half as much again at most.
    use
        Seconds for which a machine is expected to be used when offers are compared.
    at_once, share
        How many workers are let go in a minute at most: so many, or this share of the fleet.
    near
        Seconds before the next billing step from which on a worker may be let go.
    """

    margin: float = 1.2
    hold: float = 0.0
    blind_hold: float = 300.0
    terms: Terms = field(default_factory=Terms)
    ahead: float = 20.0
    gain: float = 5.0
    tolerated: float = 0.005
    use: float = 900.0
    at_once: int = 5
    share: float = 0.25
    near: float = 30.0
    name: str = "work"

    def decide(self, view: View, history: Mapping[str, Any]) -> Decision:
        """Return what is to be bought and let go, and why."""
        seen = _seen(view, history)
        rhythm = Rhythm.restore(history.get("rhythm", {})).after(view)
        held = {key: list(steps) for key, steps in dict(history.get("held", {})).items()}
        room, turn = Room.of(view), _Turn()
        kept: dict[str, list[list[float]]] = {}
        for keys, loads in _sets(view):
            part = Part(self, view, keys, loads, seen, rhythm)
            name = ",".join(sorted(keys))
            kept[name] = self._hold(held.get(name, []), view, part.target)
            room = turn.serve(part, room, max(value for _, value in kept[name]))
        room = turn.floors(view, self, room)
        going = [float(at) for at in history.get("gone", []) if view.now - float(at) < _MINUTE]
        most = max(self.at_once, int(self.share * len(view.workers))) - len(going)
        releases = choose(view, turn.keeps, most, self.near) if not turn.buys else []
        turn.tell(view, releases)
        return Decision(
            tuple(turn.buys),
            tuple(releases),
            turn.figures.get("target", 0.0),
            tuple(turn.reasons),
            turn.figures,
            {
                "seen": {repr(due): at for due, at in seen.items()},
                "held": dict(list(kept.items())[-_SETS:]),
                "rhythm": rhythm.state(),
                "gone": [*going, *(view.now for _ in releases)],
            },
        )

    def stretch(self, view: View, rhythm: Rhythm | None = None) -> float:
        """Return the margin with what lateness adds to it; a class counts by the work that comes of it."""
        works = rhythm.works if rhythm else {}
        total = sum(works.get(kind, 0.0) for kind in view.lateness)
        late = max(view.lateness.values(), default=0.0)
        if total > 0.0:
            late = sum(share * works.get(kind, 0.0) for kind, share in view.lateness.items()) / total
        return self.margin * (1.0 + min(0.5, self.gain * max(late - self.tolerated, 0.0)))

    def _hold(self, steps: Sequence[Sequence[float]], view: View, target: float) -> list[list[float]]:
        """Return the largest target of each step of the hold, this one's too."""
        hold = self.hold if view.foretold else self.blind_hold
        step = max(hold / _STEPS, 1.0)
        at = math.floor(view.now / step) * step
        kept = [[float(a), float(b)] for a, b in steps if view.now - hold <= a <= view.now]
        if kept and kept[-1][0] >= at:
            kept[-1][1] = max(kept[-1][1], target)
        else:
            kept.append([at, target])
        return kept[-2 * _STEPS :]


def _seen(view: View, history: Mapping[str, Any]) -> dict[float, float]:
    """Return when a job with each deadline of the queue was first seen."""
    before = {float(due): float(at) for due, at in dict(history.get("seen", {})).items()}
    dues = sorted({load.due for load in view.loads if math.isfinite(load.due)})[-_DEADLINES:]
    return {due: min(before.get(due, view.now), view.now) for due in dues}


def _sets(view: View) -> Iterator[tuple[frozenset[str], list[Load]]]:
    """Yield sets of offers and the loads that only these can serve; all offers with all loads come last."""
    every = frozenset(offer.key for offer in view.offers)
    found = eligible(view.loads, view.offers)
    everything = [load for load in view.loads if any(fits(load, offer) for offer in view.offers)]
    for keys, loads in found.items():
        if keys != every:
            yield keys, loads
    yield every, everything


class _Turn:
    """One decision as it is made."""

    def __init__(self) -> None:
        self.buys: list[Buy] = []
        self.keeps: list[Keep] = []
        self.reasons: list[str] = []
        self.figures: dict[str, float] = {}
        self._bought: dict[str, float] = {}  # offer key -> cores of speed 1

    def serve(self, part: Part, room: Room, held: float) -> Room:
        """Buy what one set of offers is missing."""
        already = sum(cores for key, cores in self._bought.items() if key in part.keys)
        packed, room = pack(part.want(already), part.offers, room, part.view.now)
        self._take(packed, part.offers, part.words(), part.usable)
        self._say(part, packed, already)
        speeds = {offer.key: part.usable[offer.key] * offer.speed for offer in part.offers}
        self.keeps.append(Keep(speeds, part.target, held, part.ready))
        room = self._patient(part, room)
        if part.every:
            self.figures |= {
                "D": part.queue.cores,
                "F": part.forecast.cores,
                "target": part.target,
                "held": held,
                "margin": part.margin,
                "ready": part.ready,
                "booting": part.booting,
                "missing": max(part.missing, 0.0),
                "late_core_seconds": part.queue.late,
                "guessed_cores": part.queue.guessed,
            }
        return room

    def _patient(self, part: Part, room: Room) -> Room:
        """Order what is far cheaper than what is there, though it boots for longer: when it is up, the dear goes."""
        for offer in sorted(part.offers, key=lambda offer: part.price(offer.key)):
            price, have = part.price(offer.key), part.cores()
            have = {key: cores + self._bought.get(key, 0.0) for key, cores in have.items()}
            dear = sum(cores for key, cores in have.items() if part.price(key) > _DEAR * price)
            cheap = sum(cores for key, cores in have.items() if part.price(key) <= price)
            cores = min(dear, part.later - cheap)
            if cores <= 0.0 or not part.usable[offer.key]:
                continue
            want = Want(cores, math.inf, part.policy.use, {offer.key: part.usable[offer.key]})
            packed, room = pack(want, [offer], room, part.view.now)
            why = f"to take over from {dear:,.0f} cores that cost more than twice as much"
            self._take(packed, [offer], why, part.usable)
            self.reasons += [f"{count} x {key} asked {why}." for key, count in packed.counts.items()]
        return room

    def floors(self, view: View, policy: WorkPerDeadline, room: Room) -> Room:
        """Buy what is missing of the workers that groups have whatever the work."""
        for name, group in view.groups.items():
            offers = [offer for offer in view.offers if offer.group == name]
            there = sum(worker.group == name and worker.stage != "draining" for worker in view.workers)
            there += sum(buy.count for buy in self.buys if buy.offer in {offer.key for offer in offers})
            short = max(group.min, group.warm) - there
            if short <= 0 or not offers or group.out:
                continue
            first = offers[0]
            cores = short * float(first.cores) * first.speed
            want = Want(cores, view.now, policy.use, {offer.key: float(offer.cores) for offer in offers})
            packed, room = pack(want, offers, room, view.now)
            why = f"{name} has {there} workers, and is to have {max(group.min, group.warm)} at least"
            self._take(packed, offers, why, want.usable)
            self.reasons.append(f"{why}.{_bit(packed)}")
        return room

    def _take(self, packed: Packed, offers: Sequence[Offer], why: str, usable: Mapping[str, float]) -> None:
        for offer in offers:
            count = packed.counts.get(offer.key, 0)
            if count:
                self.buys.append(Buy(offer.key, count, why))
                cores = count * usable[offer.key] * offer.speed
                self._bought[offer.key] = self._bought.get(offer.key, 0.0) + cores

    def _say(self, part: Part, packed: Packed, already: float) -> None:
        missing = part.missing - already
        if packed.counts:
            asked = ", ".join(f"{count} x {key}" for key, count in packed.counts.items())
            self.reasons.append(f"{part.words()}; {packed.cores:,.0f} more asked: {asked}.{_bit(packed)}")
        elif missing > 1e-6:
            self.reasons.append(f"{part.words()}; {missing:,.1f} are missing.{_bit(packed)}")
        elif part.every:
            self.reasons.append(f"{part.words()}.")

    def tell(self, view: View, releases: Sequence[Release]) -> None:
        """Say what is let go, and what cannot be helped."""
        if releases:
            self.reasons.append(f"{len(releases)} workers are let go: there are more than are needed.")
        if not view.trusted:
            self.reasons.append("Nothing is let go: the queue and the pool were not both seen just now.")
        for load in view.loads:
            if load.waiting and not any(fits(load, offer) for offer in view.offers):
                self.reasons.append(f"No offer can run the {load.waiting} waiting jobs of {load.kind}.")


def _bit(packed: Packed) -> str:
    return f" Not all could be asked for: {'; '.join(packed.bit)}." if packed.bit else ""
