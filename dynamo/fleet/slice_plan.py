"""Plan what brings a slice about: what is made, kept, changed and removed, and what that costs.

Pure: what the slice asks for and what there is enter, a `Plan` leaves, and nothing is bought. Of a provider that did
not answer nothing is known: what is there stays, and for groups that might have machines there none is made, lest one
be bought twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from dynamo.fleet.machine import Machine
from dynamo.fleet.network import Network
from dynamo.fleet.slice import NodeGroup, Slice
from dynamo.fleet.slice_offers import Priced, offer_of, price_machine, priced_group
from dynamo.fleet.slice_room import Room
from dynamo.fleet.slice_steps import Action, Plan, Step
from dynamo.fleet.slice_world import World

__all__ = ["plan"]

#: In which order what becomes of machines is told, and done.
_ORDER: tuple[Action, ...] = ("ends", "remove", "keep", "change", "make")


def plan(slice_: Slice, world: World) -> Plan:
    """Return what brings `slice_` about where there is what `world` says."""
    networks, moved = _networks(slice_, world)
    machines = _Machines(slice_, world, moved, Room(slice_, world.offerings))
    machines.sort()
    for name in sorted(
        slice_.nodes, key=lambda name: not machines.silent(name)
    ):  # what must stay counts first
        machines.fill(name)
    room = machines.room
    return Plan(
        slice_.name,
        (
            *(one for one in networks if one.action != "remove"),
            *sorted(machines.steps, key=lambda one: _ORDER.index(one.action)),
            *(one for one in networks if one.action == "remove"),
        ),
        room.usd_now,
        room.usd,
        room.most(world.silent),
        room.cores_now,
        room.cores,
        room.unpriced,
        tuple(machines.short),
        dict(world.silent),
    )


def _networks(slice_: Slice, world: World) -> tuple[list[Step], set[tuple[str, str]]]:
    """Return what becomes of networks, and those, by provider and name, that no machine which is there can be in."""
    wanted = {
        (provider, name): cidr
        for name, rule in slice_.networks.items()
        for provider, cidr in rule.parts().items()
    }
    rates = {
        (provider, name): 0.0 if rule.tunnelled(provider) else rule.bandwidth or 0.0
        for name, rule in slice_.networks.items()
        for provider in rule.spans
    }
    steps: list[Step] = []
    seen: set[tuple[str, str]] = set()
    moved: set[tuple[str, str]] = set()
    for provider, found in world.networks.items():
        for one in found:
            if one.tags.slice != slice_.name:
                continue
            key = (provider, one.tags.group)
            action, why = _network(one, wanted.get(key), rates.get(key, 0.0), twice=key in seen)
            if action == "change" and one.cidr:
                moved.add(key)
            seen.add(key)
            cidr = wanted.get(key) or one.cidr
            steps.append(Step(action, "network", key[1], provider, id=one.id, size=cidr, why=why))
    for (provider, name), cidr in wanted.items():
        if provider in world.networks and (provider, name) not in seen:
            steps.append(Step("make", "network", name, provider, size=cidr))
            moved.add((provider, name))
    return steps, moved


def _network(one: Network, cidr: str | None, rate: float, *, twice: bool) -> tuple[Action, str]:
    if cidr is None:
        return "remove", "is not in the slice any more"
    if twice:
        return "remove", "is there twice"
    if not one.cidr:
        return "change", "was made in part only, and is completed"
    if one.cidr != cidr:
        return "change", f"has {one.cidr}"
    if one.bandwidth is not None and round(one.bandwidth) != round(rate):
        return "shape", f"{_limit(one.bandwidth)}, and is to have {_limit(rate)}"
    return "keep", ""


def _limit(rate: float) -> str:
    return f"{rate / 1e6:g} Mb/s at most" if rate else "no limit"


class _Machines:
    """Sorts the machines that there are, and adds those that are lacking."""

    def __init__(self, slice_: Slice, world: World, moved: Collection[tuple[str, str]], room: Room) -> None:
        self.slice = slice_
        self.world = world
        self.moved = moved
        self.room = room
        self.steps: list[Step] = []
        self.short: list[str] = []
        self.kept: Counter[str] = Counter()
        #: By group: machines that are to be replaced by what the group asks for now, and why.
        self.misfits: dict[str, list[tuple[str, Machine, str]]] = {}

    def sort(self) -> None:
        """Say of every machine that there is what becomes of it, but for those that do not fit their group."""
        every = [
            (provider, one)
            for provider, found in self.world.machines.items()
            for one in found
            if one.tags.slice == self.slice.name and one.state != "gone"
        ]
        for provider, one in sorted(every, key=self._first):
            group = self.slice.nodes.get(one.tags.group)
            if one.state == "failed":
                self._step("remove", provider, one, f"failed{': ' if one.reason else ''}{one.reason}")
            elif one.state == "stopping":
                self._step("ends", provider, one, "is being taken away already")
            elif group is None:
                self._step("remove", provider, one, "its group is not in the slice any more")
            else:
                self._sort_one(provider, one, group)

    def _first(self, each: tuple[str, Machine]) -> tuple[bool, float, float, str]:
        """Of machines of which there are too many, those are kept that are up, cheap and old."""
        provider, one = each
        usd = price_machine(self.slice, provider, one, self.world.offerings)[1]
        return one.state != "running", usd or 0.0, one.created or 0.0, one.id

    def _sort_one(self, provider: str, one: Machine, group: NodeGroup) -> None:
        name = one.tags.group
        offer = offer_of(priced_group(self.slice, name, self.world.offerings), provider, one)
        behind = [network for network in group.networks if (provider, network) in self.moved]
        if self.kept[name] >= group.most:
            self._step("remove", provider, one, f"the group has {group.most} at most")
        elif offer is None:
            why = f"no offer of the group is of {one.size or 'its size'} ({one.purchase}) at {provider}"
            self.misfits.setdefault(name, []).append((provider, one, why))
        elif self.room.full(name, offer):
            self._step("remove", provider, one, f"its offer has {offer.offer.at_most} at most")
        elif behind:
            why = f"it cannot be in the network {behind[0]!r}, which is made anew"
            self.misfits.setdefault(name, []).append((provider, one, why))
        else:
            self.kept[name] += 1
            self.room.take(name, offer)
            self._step("keep", provider, one)

    def _step(
        self,
        action: Action,
        provider: str,
        one: Machine,
        why: str = "",
        new: tuple[str, float | None] | None = None,
    ) -> None:
        """Add what becomes of a machine that is there; of one that is changed, `new` is the offer and its price."""
        usd = price_machine(self.slice, provider, one, self.world.offerings)[1]
        if one.state != "failed":
            self.room.there(provider, one)
        offer, usd = new or ("", usd)
        group = one.tags.group
        self.steps.append(
            Step(action, "machine", group, provider, 1, one.id, one.name, one.size, offer, usd, why)
        )

    def silent(self, name: str) -> list[str]:
        """Return the providers of a group that did not answer."""
        return sorted({one.provider for one in self.slice.nodes[name].offers} & self.world.silent.keys())

    def fill(self, name: str) -> None:
        """Make what a group lacks, in the place of those that do not fit it first."""
        group, misfits = self.slice.nodes[name], self.misfits.get(name, [])
        lacking = group.fewest - self.kept[name]
        if self.silent(name):
            self._wait(name, misfits, self.silent(name))
            return
        bought = self._buy(name, lacking)
        for provider, one, why in misfits:
            if bought:
                new = bought.pop(0)
                told = f"{why}: replaced by {new.offer}"
                self._step("change", provider, one, told, (new.offer.key(name), new.usd))
            else:
                self._step("remove", provider, one, why)
        for new in dict.fromkeys(bought):
            offer, count = new.offer, bought.count(new)
            key = offer.key(name)
            self.steps.append(
                Step(
                    "make",
                    "machine",
                    name,
                    offer.provider,
                    count,
                    size=str(offer.size),
                    offer=key,
                    usd_per_hour=new.usd,
                )
            )

    def _wait(self, name: str, misfits: list[tuple[str, Machine, str]], silent: list[str]) -> None:
        """Leave a group as it is, but for what is more than it may have, until all its providers answer."""
        group = self.slice.nodes[name]
        for provider, one, why in misfits:
            if self.kept[name] >= group.most:
                self._step("remove", provider, one, f"{why}, and the group has {group.most} at most")
                continue
            self.kept[name] += 1
            self.room.stays(*price_machine(self.slice, provider, one, self.world.offerings))
            self._step("keep", provider, one, f"{why}; it stays until {silent[0]} answers")
        lacking = group.fewest - self.kept[name]
        if lacking > 0:
            self.short.append(
                f"{name}: {lacking} more may be lacking, but {' and '.join(silent)} may have them, and did not answer: "
                "none is made"
            )

    def _buy(self, name: str, lacking: int) -> list[Priced]:
        bought: list[Priced] = []
        while len(bought) < lacking:
            new = self.room.choose(name)
            if isinstance(new, str):
                whole = self.slice.nodes[name].fewest
                self.short.append(f"{name}: {lacking - len(bought)} of {whole} cannot be had, for {new}")
                break
            bought.append(new)
        return bought
