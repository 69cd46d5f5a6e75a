"""A cloud in memory that fails on demand, for faults that a real one does not produce when a test asks for it."""

# ruff: noqa: SLF001 - the cloud and its providers are two halves of one thing

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeVar

from dynamo.fleet.machine import Machine, MachineSpec, Tags
from dynamo.fleet.network import Network, NetworkSpec
from dynamo.fleet.offering import Offering
from dynamo.fleet.provider import Driver, ProviderSettings
from dynamo.fleet.refusals import (
    BadRequestError,
    GoneError,
    NoCapacityError,
    OutcomeUnknownError,
    ProviderError,
    QuotaError,
    UnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")

__all__ = ["Cloud", "CloudProvider", "Fault", "cloud_driver"]

Verb = Literal[
    "create", "list", "describe", "destroy", "offerings", "create_network", "list_networks", "destroy_network"
]


@dataclass
class Fault:
    """What goes wrong with calls of one verb.

    Parameters
    ----------
    verb
        Of which calls.
    error
        What is raised; None where nothing is, once `before` has returned.
    times
        With how many calls it does.
    done
        Whether the call is carried out all the same, before that is raised: an answer that was lost.
    before
        Called before all else, in the thread of the call: to hang, or to stop a process.
    """

    verb: Verb
    error: ProviderError | None = None
    times: int = 1
    done: bool = False
    before: Callable[[], None] = lambda: None


@dataclass
class Cloud:
    """A cloud: what there is in it, what it sells, and what goes wrong.

    Parameters
    ----------
    sizes
        What it sells, besides machines to measure, which cost nothing.
    clock
        The true time, Unix seconds.
    skew
        Seconds by which its own clock is ahead.
    boot
        Seconds from an order until a machine runs.
    capacity, quota
        How many machines there is room for, and how many the account may have.
    hidden
        Seconds for which a new machine is not in listings yet.
    vanish
        How many calls of `list` leave out what they would have listed, though there was no error.
    """

    sizes: Sequence[Offering] = ()
    clock: Callable[[], float] = time.time
    skew: float = 0.0
    boot: float = 0.0
    capacity: int = 10**6
    quota: int = 10**6
    hidden: float = 0.0
    vanish: int = 0
    faults: list[Fault] = field(default_factory=list)
    machines: dict[str, Machine] = field(default_factory=dict)
    networks: dict[str, Network] = field(default_factory=dict)
    orders: dict[str, MachineSpec] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def provider(self) -> CloudProvider:
        """Return a new provider of this cloud."""
        return CloudProvider(self)

    def fail(
        self, verb: Verb, error: ProviderError | None = None, *, times: int = 1, done: bool = False
    ) -> Fault:
        """Have the next calls of a verb fail; by default as one whose outcome nobody knows."""
        fault = Fault(verb, error or OutcomeUnknownError("the answer was lost"), times, done)
        self.faults.append(fault)
        return fault

    @contextmanager
    def failing(self, verb: Verb, error: ProviderError, *, done: bool = False) -> Iterator[None]:
        """Have all calls of a verb fail meanwhile."""
        fault = self.fail(verb, error, times=10**9, done=done)
        try:
            yield
        finally:
            self.faults.remove(fault)

    @contextmanager
    def down(self) -> Iterator[None]:
        """Have every call fail meanwhile, with nothing done."""
        verbs: tuple[Verb, ...] = ("create", "list", "describe", "destroy", "offerings")
        more: tuple[Verb, ...] = ("create_network", "list_networks", "destroy_network")
        faults = [
            self.fail(verb, UnavailableError("the cloud does not answer"), times=10**9)
            for verb in (*verbs, *more)
        ]
        try:
            yield
        finally:
            for fault in faults:
                self.faults.remove(fault)

    def ghost(self, tags: Tags, *, age: float = 0.0) -> Machine:
        """Have a machine with these tags that nobody ordered, made `age` seconds ago."""
        made = self._new(tags, f"ghost-{tags.token[:8]}", MachineSpec(tags, "ghost"), age)
        return self.machines.setdefault(made.id, made)

    def lose(self, id_: str) -> None:
        """Have a machine vanish by itself, as one that failed or was taken back."""
        del self.machines[id_]

    def there(self, slice_: str = "") -> list[Machine]:
        """Return the machines that there really are, of one slice or of all."""
        return [one for one in self.machines.values() if one.there and slice_ in {"", one.tags.slice}]

    def _new(self, tags: Tags, name: str, spec: MachineSpec, age: float = 0.0) -> Machine:
        number = next(self._ids)
        made = self.clock() + self.skew - age
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        return Machine(f"m-{number}", tags, name, "pending", spec.size, spec.purchase, made, (address,))


class CloudProvider:
    """A provider of a `Cloud`."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def create(self, spec: MachineSpec) -> Machine:
        """Order a machine; see `dynamo.fleet.provider.Provider`, also for the other verbs."""
        return self._call("create", lambda: self._create(spec))

    def list(self, slice_: str) -> Sequence[Machine]:
        """Return all machines of a slice."""
        return self._call("list", lambda: self._list(slice_))

    def describe(self, id_: str) -> Machine:
        """Return one machine."""
        return self._call("describe", lambda: self._machine(id_))

    def destroy(self, id_: str) -> None:
        """Take a machine away."""
        self._call("destroy", lambda: self._cloud.machines.pop(id_, None))

    def offerings(self) -> Sequence[Offering]:
        """Return what is sold."""
        return self._call("offerings", lambda: list(self._cloud.sizes))

    def create_network(self, spec: NetworkSpec) -> Network:
        """Make a network."""
        id_ = f"n-{spec.tags.token}"
        made = Network(id_, spec.tags, spec.cidr)
        return self._call("create_network", lambda: self._cloud.networks.setdefault(id_, made))

    def list_networks(self, slice_: str) -> Sequence[Network]:
        """Return the networks of a slice."""
        return self._call(
            "list_networks", lambda: [n for n in self._cloud.networks.values() if n.tags.slice == slice_]
        )

    def destroy_network(self, id_: str) -> None:
        """Take a network away."""
        self._call("destroy_network", lambda: self._cloud.networks.pop(id_, None))

    def _call(self, verb: Verb, act: Callable[[], T]) -> T:
        """Carry out a call, with what is to go wrong of it."""
        cloud = self._cloud
        with cloud._lock:
            cloud.calls.append(verb)
            fault = next((one for one in cloud.faults if one.verb == verb and one.times > 0), None)
            if fault:
                fault.times -= 1
        if fault:
            fault.before()
        with cloud._lock:
            if fault is None or fault.done or fault.error is None:
                result = act()
            if fault and fault.error:
                raise fault.error
            return result

    def _create(self, spec: MachineSpec) -> Machine:
        cloud = self._cloud
        earlier = next((one.id for one in cloud.machines.values() if one.tags.token == spec.tags.token), None)
        if earlier:
            return self._machine(earlier)
        if spec.size and spec.size not in {one.size for one in cloud.sizes}:
            raise BadRequestError(f"there is no size {spec.size!r}")
        if len(cloud.machines) >= cloud.quota:
            raise QuotaError(f"the account may have {cloud.quota} machines")
        if len(cloud.machines) >= cloud.capacity:
            raise NoCapacityError("there is no room for another machine")
        made = cloud._new(spec.tags, spec.name, spec)
        cloud.machines[made.id] = made
        cloud.orders[made.id] = spec
        return self._machine(made.id)

    def _list(self, slice_: str) -> Sequence[Machine]:
        cloud = self._cloud
        if cloud.vanish > 0:
            cloud.vanish -= 1
            return []
        seen = cloud.clock() + cloud.skew - cloud.hidden
        return [
            self._machine(one.id)
            for one in cloud.machines.values()
            if one.tags.slice == slice_ and (one.created or 0.0) <= seen
        ]

    def _machine(self, id_: str) -> Machine:
        cloud = self._cloud
        if id_ not in cloud.machines:
            raise GoneError(f"there is no machine {id_}")
        one = cloud.machines[id_]
        up = cloud.clock() + cloud.skew >= (one.created or 0.0) + cloud.boot
        return replace(one, state="running") if one.state == "pending" and up else one


def cloud_driver(cloud: Cloud, *, to_measure: bool = True) -> Driver:
    """Return a driver whose providers are all of this cloud."""

    def connect(settings: ProviderSettings) -> CloudProvider:  # noqa: ARG001 - as every driver is called
        return cloud.provider()

    return Driver(connect, to_measure=to_measure)
