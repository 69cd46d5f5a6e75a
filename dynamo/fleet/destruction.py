"""The end of a slice: all its machines and networks are taken away, and the listings say that nothing is left."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from dynamo.errors import DynamoError, WorkspaceError
from dynamo.fleet.calls import Call, Calls
from dynamo.fleet.join import JoinDesk
from dynamo.fleet.join_ledger import JoinLedger
from dynamo.fleet.ledger import Ledger
from dynamo.fleet.life import Patience
from dynamo.fleet.machine import Machine
from dynamo.fleet.network import Network
from dynamo.fleet.owner import Owned, Owner, refuse_foreign
from dynamo.fleet.provider import NetworkProvider, Provider
from dynamo.fleet.record import WorkerRecord
from dynamo.fleet.slice import machine_name
from dynamo.fleet.starter import LONGEST_QUEUE
from dynamo.fleet.trust import Trust, may_join
from dynamo.graph.units import format_count

__all__ = ["Left", "destroy", "disbelieve"]

#: Seconds for which a worker that is gone is looked for, to have it believed no more.
_REMEMBERED = 30 * 86_400.0

#: Seconds between two listings, while something is left.
_PAUSE = 2.0


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of a slice: nothing, where all three are empty.

    Parameters
    ----------
    machines, networks
        As ``provider: name or id``.
    silent
        Provider that did not list what there is, and why.
    """

    machines: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    silent: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.machines or self.networks or self.silent)


def destroy(
    slice_: str,
    providers: Mapping[str, Callable[[], Provider]],
    ledger: Ledger,
    tell: Callable[[str], None],
    *,
    patience: float = 600.0,
    clock: Callable[[], float] = time.time,
    owner: Owner | None = None,
) -> Left:
    """Take away all that providers list of a slice, until they list nothing, for so many seconds; return what is left.

    What fails is tried again. The journal's workers are gone when their provider lists nothing any more. Raises
    `UserError` where there is something that is not of `owner`; nothing is taken away then.
    """
    calls = {name: Calls(name, _connector(connect)) for name, connect in providers.items()}
    elsewhere = _elsewhere(ledger, providers)
    try:
        until, told, seen = time.monotonic() + patience, set[str](), set[str]()
        unknown: dict[str, WorkerRecord] = {}
        while True:
            answers, silent = _listed(slice_, calls)
            if owner is not None:
                listed: dict[str, list[Owned]] = {name: [*a, *b] for name, (a, b) in answers.items()}
                refuse_foreign(slice_, owner.foreign(listed))
            left = _turn(calls, answers, silent, told, tell)
            seen |= {f"{name}: {one.name}" for name, (found, _) in answers.items() for one in found}
            unknown |= _unknown(ledger, answers, clock())
            awaited = _awaited(ledger, seen, clock())
            left = replace(
                left, machines=(*left.machines, *awaited.values()), silent={**left.silent, **elsewhere}
            )
            try:
                _write_down(ledger, left, awaited, unknown, clock())
            except WorkspaceError as error:  # what is there is taken away all the same
                _once(told, f"this is not written down: {error.message}", tell)
            done = not (left.machines or left.networks or left.silent.keys() - elsewhere.keys())
            if done or time.monotonic() > until:
                return left
            time.sleep(_PAUSE)
    finally:
        for one in calls.values():
            one.close()


def disbelieve(
    ledger: Ledger, tickets: JoinLedger, trust: Callable[[], Trust], *, clock: Callable[[], float] = time.time
) -> str:
    """Have the workers that are gone believed no more; return why the central manager was not told, or nothing."""
    now, desk = clock(), JoinDesk(tickets)
    try:
        for one in ledger.workers(ended_after=now - _REMEMBERED):
            if not one.live:
                dies = one.dies or one.ordered + LONGEST_QUEUE
                desk.revoke(one.name, now, dies if one.joined is not None else 0.0)
    except WorkspaceError as error:
        return f"workers that had joined: {error.message}"
    gone = tickets.ends(now)
    try:
        trust().revoke(list(gone), gone)
    except DynamoError as error:
        if gone:
            return f"{format_count(len(gone), 'worker')} that had joined: {error.message}"
    return ""


_Everything: TypeAlias = tuple[Sequence[Machine], Sequence[Network]]


class _All:
    """A provider with all that it lists of a slice as one answer, also one that makes no networks."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self.destroy = provider.destroy

    def everything(self, slice_: str) -> _Everything:
        """Return the machines that may still cost money, and the networks."""
        machines = [one for one in self._provider.list(slice_) if one.state != "gone"]
        wired = self._provider.list_networks(slice_) if isinstance(self._provider, NetworkProvider) else ()
        return machines, wired

    def destroy_network(self, id_: str) -> None:
        """Take a network away."""
        assert isinstance(self._provider, NetworkProvider)
        self._provider.destroy_network(id_)


def _elsewhere(ledger: Ledger, providers: Mapping[str, object]) -> dict[str, str]:
    """Return providers that the slice does not name any more, and that have workers: nobody can ask them."""
    counts = Counter(one.provider for one in ledger.workers() if one.provider not in providers)
    return {
        name: f"it is not in the slice any more, and has {format_count(count, 'worker')}: put it back first"
        for name, count in counts.items()
    }


def _connector(connect: Callable[[], Provider]) -> Callable[[], _All]:
    return lambda: _All(connect())


def _listed(slice_: str, calls: Mapping[str, Calls]) -> tuple[dict[str, _Everything], dict[str, str]]:
    """Ask each provider what there is; return what they said, and why others did not."""
    answers: dict[str, _Everything] = {}
    silent: dict[str, str] = {}
    for name, call in {name: one.call("everything", slice_) for name, one in calls.items()}.items():
        try:
            answers[name] = call.result()
        except DynamoError as error:
            silent[name] = error.message
    return answers, silent


def _turn(
    calls: Mapping[str, Calls],
    answers: Mapping[str, _Everything],
    silent: Mapping[str, str],
    told: set[str],
    tell: Callable[[str], None],
) -> Left:
    """Have taken away what providers list; return what is left."""
    machines: list[str] = []
    networks: list[str] = []
    ends: list[Call] = []
    failed: list[tuple[str, Call]] = []
    for name, (found, wired) in answers.items():
        for machine in found:
            end = calls[name].call("destroy", machine.id)
            if machine.there:
                machines.append(f"{name}: {machine.name}")
                ends.append(end)
            else:  # a cloud may list one that never came up for an hour after its end
                failed.append((f"{name}: {machine.name}", end))
            _once(told, f"taking {machine.name} at {name} away", tell)
        for network in wired:
            networks.append(f"{name}: {network.tags.group} ({network.id})")
            if not any(one.there for one in found):  # a network cannot go before its machines
                ends.append(calls[name].call("destroy_network", network.id))
                _once(told, f"taking the network {network.tags.group} at {name} away", tell)
    for end in ends:
        with suppress(DynamoError):  # the next listing tells whether it is there
            end.result()
    for one, end in failed:
        try:
            end.result()
        except DynamoError:
            machines.append(one)
    return Left(tuple(machines), tuple(networks), silent)


def _once(told: set[str], line: str, tell: Callable[[str], None]) -> None:
    if line not in told:
        told.add(line)
        tell(line)


def _awaited(ledger: Ledger, seen: Collection[str], now: float) -> dict[str, str]:
    """Return orders, by their tokens, given just now, whose machine no listing had yet: it may still come."""
    patience = Patience().requested
    return {
        one.token: f"{one.provider}: {one.name} (ordered {max(now - one.ordered, 0):.0f} s ago, may still come)"
        for one in ledger.workers()
        if now - one.ordered < patience and f"{one.provider}: {one.name}" not in seen
    }


def _write_down(
    ledger: Ledger,
    left: Left,
    awaited: Mapping[str, str],
    unknown: Mapping[str, WorkerRecord],
    now: float,
) -> None:
    """Write down which workers are going, and which are gone: their provider answered, and does not list them.

    Of those that the journal did not know only who is gone: what is left is a stranger to a fleet that begins here,
    which knows what such a machine costs by its listing.
    """
    there = {one.partition(": ")[2] for one in left.machines}
    with ledger.change():
        for one in ledger.workers():
            going = (
                one if one.stage == "stopping" else one.step("stopping", now, "the slice is being destroyed")
            )
            if going is not one:
                ledger.put(going)
            if one.token not in awaited and one.provider not in left.silent and one.name not in there:
                ledger.put(going.step("gone", now, "the slice was destroyed"))
        for name, one in unknown.items():
            new = ledger.worker(one.token) is None
            if new and one.provider not in left.silent and name not in there:
                ledger.put(replace(one, since=now, ended=now))


def _unknown(ledger: Ledger, answers: Mapping[str, _Everything], now: float) -> dict[str, WorkerRecord]:
    """Return machines that the journal does not know, by name, as workers that are gone: each may have joined.

    One whose tags make a name that no worker can have was not ordered by a fleet, and could not.
    """
    why = "the slice was destroyed; the journal did not know it"
    return {
        one.name: WorkerRecord(
            one.tags.token, ledger.slice, one.tags.group, provider, "", name, "gone", now,
            min(one.created or now, now), 0, 0, machine=one.id, joined=now, why=why,
        )
        for provider, (found, _) in answers.items()
        for one in found
        if may_join(name := machine_name(ledger.slice, one.tags.group, one.tags.token))
        and ledger.worker(one.tags.token) is None
    }  # fmt: skip
