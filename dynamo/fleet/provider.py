"""What talks to one kind of cloud: five verbs for machines, three for networks.

A class of this shape, and an entry point ``dynamo.providers`` that names it, is a provider. `dynamo.testing` has the
suite that every provider passes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from dynamo.errors import UserError, nearest
from dynamo.fleet.credentials import Credentials
from dynamo.fleet.machine import Machine, MachineSpec
from dynamo.fleet.network import Network, NetworkSpec
from dynamo.fleet.offering import Offering

__all__ = ["Driver", "NetworkProvider", "Provider", "ProviderSettings"]


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """One provider as the slice document names it.

    Parameters
    ----------
    name
        Its name in the slice.
    driver
        Which kind of provider it is: the name of an entry point.
    region
        Where, in the words of the cloud.
    credentials
        What it is reached with, found where the slice says.
    options
        What else the slice says of it; each driver names the keys that it knows.
    """

    name: str
    driver: str
    region: str = ""
    credentials: Credentials = field(default_factory=Credentials)
    options: Mapping[str, str] = field(default_factory=dict)

    def check_options(self, known: Mapping[str, str]) -> None:
        """Raise `UserError` for an option that its driver does not know."""
        for name in self.options:
            if name not in known:
                raise UserError(
                    f"provider {self.name}: unknown option {name!r}{nearest(name, known)}; known are "
                    f"{', '.join(sorted(known))}"
                )


class Provider(Protocol):
    """One cloud, in one region, by one account. An object serves one thread; each thread makes its own.

    Each verb is one or a few calls of the cloud with time limits of their own, raises what `dynamo.fleet.refusals`
    names and nothing else, and keeps nothing between calls: what the cloud lists is the truth.
    """

    def create(self, spec: MachineSpec) -> Machine:
        """Order a machine, and return it as it then stands, without waiting until it is up.

        An order whose token was given before returns the machine of that order. Where nobody can know whether the
        order went through, raises `OutcomeUnknownError`.
        """

    def list(self, slice_: str) -> Sequence[Machine]:
        """Return all machines of a slice, complete or an error; those that are gone may be left out."""

    def describe(self, id_: str) -> Machine:
        """Return one machine; raises `GoneError` where there is none."""

    def destroy(self, id_: str) -> None:
        """Take a machine away, and what was made for it alone; one that is gone already is no error."""

    def offerings(self) -> Sequence[Offering]:
        """Return what can be bought here."""


@runtime_checkable
class NetworkProvider(Provider, Protocol):
    """A provider that makes networks too."""

    def create_network(self, spec: NetworkSpec) -> Network:
        """Make a network with all that belongs to it; one of the same token is completed, not made twice."""

    def list_networks(self, slice_: str) -> Sequence[Network]:
        """Return all networks of a slice, also those that were made in part."""

    def destroy_network(self, id_: str) -> None:
        """Take a network away with all that belongs to it; one that is gone already is no error."""


@dataclass(frozen=True, slots=True)
class Driver:
    """An entry point ``dynamo.providers``: how a kind of provider is reached, and what a slice may say of it.

    Parameters
    ----------
    connect
        Makes a provider, without a call of the cloud; raises `UserError` where settings or credentials do not do.
    options
        Keys of the slice's ``providers`` that it knows, and what each says.
    needs_credentials
        Whether it cannot be reached without.
    to_measure
        Whether machines may have any cores and memory, rather than the sizes that the provider names.
    prepared
        Whether what its machines start from has HTCondor and dynamo; else they are fetched when one first starts.
    shapes
        Whether it holds machines to the bandwidth of their networks; else a machine does so itself when it starts.
    """

    connect: Callable[[ProviderSettings], Provider]
    options: Mapping[str, str] = field(default_factory=dict)
    needs_credentials: bool = False
    to_measure: bool = False
    prepared: bool = False
    shapes: bool = True
