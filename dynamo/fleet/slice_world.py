"""What there is of a slice, and what can be bought: asked of all its providers at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from dynamo.fleet.machine import Machine
from dynamo.fleet.network import Network
from dynamo.fleet.offering import Offering
from dynamo.fleet.provider import NetworkProvider, Provider
from dynamo.fleet.refusals import ProviderError
from dynamo.fleet.slice import Slice

__all__ = ["World", "look"]


@dataclass(frozen=True, slots=True)
class World:
    """What providers said, by their names in the slice; one that did not answer is in `silent` alone, with the reason.

    `code` is the exit code that the worst of the reasons asks for, 0 where all answered.
    """

    machines: Mapping[str, Sequence[Machine]] = field(default_factory=dict)
    networks: Mapping[str, Sequence[Network]] = field(default_factory=dict)
    offerings: Mapping[str, Sequence[Offering]] = field(default_factory=dict)
    silent: Mapping[str, str] = field(default_factory=dict)
    code: int = 0

    @property
    def listed(self) -> Mapping[str, Sequence[Machine | Network]]:
        """All that was listed, by provider."""
        return {name: (*some, *self.networks.get(name, ())) for name, some in self.machines.items()}


def look(slice_: Slice, providers: Mapping[str, Provider]) -> World:
    """Ask all providers, each in a thread of its own; their calls have time limits."""
    answers: dict[str, _Answer] = {}
    silent: dict[str, str] = {}
    codes = [0]
    with ThreadPoolExecutor(max(1, len(providers)), thread_name_prefix="slice") as pool:
        waiting = {name: pool.submit(_ask, slice_.name, provider) for name, provider in providers.items()}
    for name, one in waiting.items():
        error = one.exception()
        if error is None:
            answers[name] = one.result()
        elif isinstance(error, ProviderError):
            silent[name] = str(error)
            codes.append(error.exit_code)
        else:
            raise error
    return World(
        {name: one.machines for name, one in answers.items()},
        {name: one.networks for name, one in answers.items()},
        {name: one.offerings for name, one in answers.items()},
        silent,
        min((code for code in codes if code), default=0),
    )


@dataclass(frozen=True, slots=True)
class _Answer:
    machines: Sequence[Machine]
    networks: Sequence[Network]
    offerings: Sequence[Offering]


def _ask(slice_: str, provider: Provider) -> _Answer:
    machines = provider.list(slice_)
    networks = provider.list_networks(slice_) if isinstance(provider, NetworkProvider) else []
    return _Answer(machines, networks, provider.offerings())
