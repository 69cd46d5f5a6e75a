"""How the suite for providers reaches a cloud to try them on."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace

from dynamo.fleet.machine import MachineSpec, Tags
from dynamo.fleet.provider import NetworkProvider, Provider
from dynamo.fleet.refusals import (
    AuthError,
    BadRequestError,
    NoCapacityError,
    OutcomeUnknownError,
    ProviderError,
    QuotaError,
    ThrottledError,
    UnavailableError,
)

__all__ = ["MARK", "OWNER", "REFUSALS", "Fault", "ProviderBench"]

#: What every cloud may answer; a bench provokes each, or says why it cannot.
REFUSALS: tuple[type[ProviderError], ...] = (
    AuthError,
    BadRequestError,
    NoCapacityError,
    OutcomeUnknownError,
    QuotaError,
    ThrottledError,
    UnavailableError,
)
#: Stands in the user data of each machine; no error may show it.
MARK = "join-token-of-the-suite"
#: Whose all machines and networks are.
OWNER = "somewhere:/srv/suite"

Fault = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True)
class ProviderBench:
    """How the suite reaches a cloud to try a provider on.

    Parameters
    ----------
    connect
        Makes a new provider object, as each thread and each restart does.
    spec
        A machine as this cloud can make it; the suite gives it tags, a name and user data of its own.
    settle
        Has what was ordered come up, for a cloud that takes its time: called with the provider and an id.
    faults
        Refusal to what provokes it: a context in which the next order is refused so. For `OutcomeUnknownError` the
        order is carried out, and its answer lost.
    cannot
        Refusals that this cloud does not know, and why.
    stranger
        Makes a machine that is of no slice, and returns its id and what tells whether it is still there.
    secrets
        Texts that no error may show: the credentials.
    many
        How many machines are made to see whether a listing is whole.
    network_steps
        For clouds whose networks are made in several calls: contexts in each of which another one fails.
    """

    connect: Callable[[], Provider]
    spec: MachineSpec
    settle: Callable[[Provider, str], None] = lambda provider, id_: None  # noqa: ARG005
    faults: Mapping[type[ProviderError], Fault] = field(default_factory=dict)
    cannot: Mapping[type[ProviderError], str] = field(default_factory=dict)
    stranger: Callable[[], tuple[str, Callable[[], bool]]] | None = None
    secrets: tuple[str, ...] = ()
    many: int = 3
    network_steps: tuple[Fault, ...] = ()

    def order(self, slice_: str, group: str = "workers") -> MachineSpec:
        """Return a new order for a machine of a slice."""
        token = uuid.uuid4().hex
        return replace(
            self.spec,
            tags=Tags(slice_, group, token, OWNER),
            name=f"{slice_}-{group}-{token[:8]}",
            user_data=self.spec.user_data or f"#cloud-config\n# {MARK}\n",
        )

    @contextmanager
    def slice(self) -> Iterator[str]:
        """Give the name of a slice that nobody else has, and leave nothing of it."""
        name = f"try-{uuid.uuid4().hex[:8]}"
        try:
            yield name
        finally:
            provider = self.connect()
            for machine in provider.list(name):
                provider.destroy(machine.id)
            if isinstance(provider, NetworkProvider):
                for network in provider.list_networks(name):
                    provider.destroy_network(network.id)
