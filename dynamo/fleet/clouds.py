"""The providers of a slice as the controller uses them: what they list and sell is asked for, and never awaited."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from dynamo.errors import DynamoError, UserError
from dynamo.fleet.calls import Call, Calls
from dynamo.fleet.machine import Machine, MachineSpec
from dynamo.fleet.network import Network, NetworkSpec
from dynamo.fleet.offering import Offering
from dynamo.fleet.owner import Owned, Owner, foreign_words, refuse_foreign
from dynamo.fleet.refusals import BadRequestError, ProviderError, UnavailableError
from dynamo.fleet.seen import Listing
from dynamo.fleet.slice import Slice
from dynamo.fleet.wiring import networked, owned_spec

__all__ = ["Clouds"]

_T = TypeVar("_T", bound=Owned)

#: Seconds after which what is for sale is asked anew, where it says what a quota leaves, and where there was no answer.
_SOLD, _LEFT, _AGAIN = 900.0, 60.0, 30.0


class Clouds:
    """Calls of all providers of a slice.

    Parameters
    ----------
    slice_
        Its name.
    calls
        Provider to the threads in which it is called.
    clock
        The time, in Unix seconds.
    owner
        Whose its machines and networks are; None where all are.
    ordering
        Provider to the threads in which machines are ordered: nothing else waits behind a burst. None for the same.
    """

    def __init__(
        self,
        slice_: str,
        calls: Mapping[str, Calls],
        clock: Callable[[], float],
        owner: Owner | None = None,
        ordering: Mapping[str, Calls] | None = None,
    ) -> None:
        self._slice = slice_
        self.calls = dict(calls)
        self._ordering = self.calls if ordering is None else dict(ordering)
        self._clock = clock
        self._owner = owner
        #: Provider to the networks that the slice asks for there, by their names.
        self.networked: Mapping[str, Mapping[str, NetworkSpec]] = {}
        self._asked: dict[str, tuple[float, Call]] = {}
        self._pricing: dict[str, tuple[float, Call]] = {}
        self._wiring: dict[str, tuple[float, Call]] = {}
        self._wired: dict[str, Sequence[Network]] = {}
        self._making: dict[tuple[str, str], tuple[float, Call]] = {}
        self._destroying: dict[tuple[str, str], Call] = {}
        self._failed: set[tuple[str, str]] = set()
        self._orders: dict[str, Call] = {}
        self.listings: dict[str, Listing] = {}
        #: What, and where, to those of a slice of this name that are not ours.
        self.foreign: dict[tuple[str, str], list[Owned]] = {}
        self.catalogue: dict[str, Sequence[Offering]] = {}
        #: Provider to the ids of the networks of the slice that machines may be in there, by their names.
        self.networks: dict[str, dict[str, str]] = {}
        #: Provider to what went wrong with it last; empty where all is well.
        self.troubles: dict[str, str] = {}

    @property
    def under_way(self) -> frozenset[str]:
        """Tokens of orders whose call has no outcome yet."""
        return frozenset(self._orders)

    def ask(self) -> None:
        """Have each provider list what there is, and say what it sells, unless it is at that already."""
        now = self._clock()
        for name, calls in self.calls.items():
            if name not in self._asked:
                self._asked[name] = now, calls.call("list", self._slice)
            limited = any(one.left is not None for one in self.catalogue.get(name, ()))
            if _is_due(self._pricing.get(name), now, _LEFT if limited else _SOLD):
                self._pricing[name] = now, calls.call("offerings")
            lacking = set(self.networked.get(name, ())) - self.networks.get(name, {}).keys()
            if name in self.networked and _is_due(self._wiring.get(name), now, _AGAIN if lacking else _SOLD):
                self._wiring[name] = now, calls.call("list_networks", self._slice)

    def collect(self) -> None:
        """Take what came of what was asked."""
        for name, (at, call) in list(self._asked.items()):
            if call.done:
                del self._asked[name]
                machines = self._outcome(name, call)
                if machines is not None:
                    self._list(name, at, machines)
        for name, (_, call) in self._pricing.items():
            # Nothing is bought where nobody knows what there is.
            if (
                call.done
                and name in self.listings
                and (sold := self._outcome(f"{name} (what it sells)", call)) is not None
            ):
                self.catalogue[name] = sold
        for name, (at, call) in self._wiring.items():
            if call.done and (found := self._outcome(f"{name} (networks)", call)) is not None:
                self._wired[name] = self._ours("networks", name, found)
                self._forget_lost(name, at)
        self._end()

    def _forget_lost(self, name: str, at: float) -> None:
        """Have networks made anew that were made before a listing, and are not in it."""
        there = {one.tags.group for one in self._wired[name]}
        for key, (made, call) in list(self._making.items()):
            if key[0] == name and key[1] not in there and made < at and call.done:
                del self._making[key]

    def follow(self, slice_: Slice) -> None:
        """Have the networks of a slice from now on; those that there are are listed anew where it asks for others."""
        before, self.networked = self.networked, networked(slice_)
        for name, specs in self.networked.items():
            if specs != before.get(name):
                self._wired.pop(name, None)
                self._wiring.pop(name, None)

    def wire(self, *, paused: bool) -> None:
        """Have the networks made, completed and shaped as the slice says, unless it is paused; none is taken away."""
        if paused:
            return
        for name, specs in self.networked.items():
            if name in self.listings and name in self._wired:
                ids = {network: self._network(name, spec) for network, spec in specs.items()}
                self.networks[name] = {network: id_ for network, id_ in ids.items() if id_}

    def _network(self, name: str, spec: NetworkSpec) -> str:
        """Return the id of a network that machines may be in, and see to it that it is as the slice says; else nothing.

        One that came of another order, as of other addresses, stays as it is: machines may be in it. One that is
        there serves also where its cloud does not let it be changed, or does not answer.
        """
        group = spec.tags.group
        there = [one for one in self._wired[name] if one.tags.group == group]
        others = [one.id for one in there if one.cidr and one.tags.token != spec.tags.token]
        if len(others) == len(there) > 0 or any(at == name for _, at in self.foreign):
            return min((one.id for one in there), default="")
        spec = owned_spec(spec, there, self._owner.name if self._owner else "")
        at, call = self._making.get((name, group), (0.0, None))
        made = self._outcome(f"{name} (network {group})", call) if call and call.done else None
        edited = call is not None and call.arguments != (spec,)
        if call is None or (call.done and (edited or (call.failed and self._clock() - at > _AGAIN))):
            self._making[name, group] = self._clock(), self.calls[name].call("create_network", spec)
        elif made and self._owner:
            self._owner.remember([made])
        whole = [one.id for one in there if one.cidr and one.id not in others]
        return made.id if made and not edited else min(whole, default="")

    def _end(self) -> None:
        """Take what came of destroys; one that failed is asked for again at once, and then as settled."""
        for key, call in list(self._destroying.items()):
            if call.done:
                del self._destroying[key]
                self._outcome(key[0], call)
                if not call.failed:
                    self._failed.discard(key)
                elif key not in self._failed and self._lists(*key):
                    self._failed.add(key)
                    self.destroy(*key)

    def _list(self, name: str, at: float, machines: Sequence[Machine]) -> None:
        """Take a listing, but leave out what is not ours."""
        self.listings[name] = listing(at, self._ours("machines", name, machines))

    def _ours(self, what: str, name: str, found: Sequence[_T]) -> list[_T]:
        """Return what is ours of what was listed, and note what is not."""
        others = (self._owner.foreign({name: found}) if self._owner else {}).get(name, [])
        trouble = f"{name} ({what} of others)"
        self.foreign.pop((what, name), None)
        self.troubles.pop(trouble, None)
        if others:
            self.foreign[what, name] = list(others)
            self.troubles[trouble] = foreign_words(self._slice, {name: others})
        return [one for one in found if one not in others]

    def check_ours(self, *, busy: bool) -> None:
        """Raise `UserError` where there is something of others, unless we are `busy`: then it is left alone."""
        found: dict[str, list[Owned]] = {}
        for (_, name), some in self.foreign.items():
            found.setdefault(name, []).extend(some)
        if not busy:
            refuse_foreign(self._slice, found)

    def all_ours(self) -> bool:
        """Wait until all have said what there is, or cannot: whether all have.

        Raises `UserError` where there are machines of others.
        """
        self.ask()
        for _, call in self._asked.values():
            while not call.done:
                call.wait(1.0)
        self.collect()
        self.check_ours(busy=False)
        return self.listings.keys() >= self.calls.keys()

    def fresh(self, within: float) -> frozenset[str]:
        """Return the providers whose last listing is not older than so many seconds."""
        now = self._clock()
        return frozenset(name for name, one in self.listings.items() if now - one.at <= within)

    def no_room(self, provider: str, token: str) -> bool:
        """Whether a machine came to nothing because its provider has none of these left."""
        found = self.listings[provider].machines.get(token) if provider in self.listings else None
        return found is not None and found.no_room

    def order(self, provider: str, spec: MachineSpec) -> None:
        """Order a machine, whose intent is written down already."""
        whose = replace(spec.tags, owner=self._owner.name if self._owner else "")
        spec = replace(spec, tags=whose)
        self._orders[spec.tags.token] = self._ordering[provider].call("create", spec)

    def answers(self) -> list[tuple[str, Machine | ProviderError]]:
        """Return the orders that have an outcome now, by their tokens."""
        found: list[tuple[str, Machine | ProviderError]] = []
        for token, call in list(self._orders.items()):
            if call.done:
                del self._orders[token]
                found.append((token, _answer(call)))
        return found

    def destroy(self, provider: str, machine: str) -> None:
        """Have a machine taken away, unless that is under way."""
        if provider in self.calls and (provider, machine) not in self._destroying:
            self._destroying[provider, machine] = self.calls[provider].call("destroy", machine)

    def _lists(self, provider: str, machine: str) -> bool:
        """Whether a provider listed a machine when it last did."""
        known = self.listings.get(provider)
        return known is not None and any(one.id == machine for one in known.machines.values())

    def wait(self, seconds: float) -> None:
        """Wait until all listings that were asked for are there, so long at most."""
        until = time.monotonic() + seconds
        for _, call in [*self._asked.values(), *self._pricing.values(), *self._wiring.values()]:
            call.wait(max(until - time.monotonic(), 0.0))

    def close(self) -> None:
        """Have the threads end."""
        for calls in {*self.calls.values(), *self._ordering.values()}:
            calls.close()

    def _outcome(self, name: str, call: Call) -> Any:
        """Return what a call returned; None where it failed, which is noted under the name."""
        try:
            result = call.result()
        except DynamoError as error:
            self.troubles[name] = f"{call.verb}: {error.message}"
            return None
        self.troubles.pop(name, None)
        return result


def _is_due(asked: tuple[float, Call] | None, now: float, after: float) -> bool:
    """Whether something is to be asked: it never was, or its answer is so many seconds old, or was none."""
    if asked is None:
        return True
    at, call = asked
    return call.done and now - at > (_AGAIN if call.failed else after)


def listing(at: float, machines: Iterable[Machine]) -> Listing:
    """Return a listing by token; of two machines of one order, the one that has run the longest counts."""
    found: dict[str, Machine] = {}
    doubles = []
    for one in sorted(machines, key=lambda m: (not m.there, m.created or 0.0, m.id)):
        if one.tags.token not in found:
            found[one.tags.token] = one
        elif one.state != "gone":
            doubles.append(one)
    return Listing(at, found, tuple(doubles))


def _answer(call: Call) -> Machine | ProviderError:
    try:
        made: Machine = call.result()
    except ProviderError as error:
        return error
    except UserError as error:  # settings or credentials that do not do
        return BadRequestError(error.message)
    except DynamoError as error:
        return UnavailableError(error.message)
    return made
