"""Compare policies in simulation: the same traces, worlds and seeds for each, and what came of it in figures.

Enters: how a trace is made from a seed, a world, names of policies. Leaves: a `Comparison` for each policy and world.
Goes wrong: a policy or setting that does not exist (`UserError`).
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from dynamo.fleet.policies.named import for_trace
from dynamo.fleet.simulator.model import Record, simulate
from dynamo.fleet.simulator.outcome import Outcome, outcome
from dynamo.fleet.simulator.scenario import Scenario
from dynamo.fleet.simulator.trace import Trace

__all__ = ["FIGURES", "Comparison", "Wanted", "compare", "with_boot"]

#: The figures of an outcome.
FIGURES = tuple(field.name for field in fields(Outcome) if field.name not in {"policy", "trace", "seed"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """A policy by name, with its settings, and what it is called in tables."""

    name: str
    settings: Mapping[str, Any]
    label: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a policy did in a world, for each seed; `record` is that of the first."""

    policy: str
    boot: float
    outcomes: tuple[Outcome, ...]
    record: Record

    def median(self, figure: str) -> float:
        """Return the median of a figure over the seeds."""
        return float(statistics.median(getattr(each, figure) for each in self.outcomes))

    def spread(self, figure: str) -> tuple[float, float]:
        """Return the least and the most of a figure over the seeds."""
        values = [float(getattr(each, figure)) for each in self.outcomes]
        return min(values), max(values)


def compare(
    trace: Callable[[int], Trace],
    worlds: Iterable[Scenario],
    policies: Sequence[Wanted],
    seeds: Sequence[int],
) -> Iterator[Comparison]:
    """Yield what each policy does in each world, as it is found.

    Parameters
    ----------
    trace
        Makes the trace of a seed; a recorded one is the same for all, and then only boots and estimates differ.
    worlds
        In which.
    policies
        Which.
    seeds
        Of weather, boots and the errors of estimates; the same for each policy.
    """
    traces = [trace(seed) for seed in seeds]
    for world in worlds:
        for wanted in policies:
            first, outcomes = None, []
            for seed, made in zip(seeds, traces, strict=True):
                policy = for_trace(wanted.name, made, world, seed, **wanted.settings)
                record = simulate(made, policy, world, seed)
                first = first or record
                outcomes.append(replace(outcome(record), policy=wanted.label))
            assert first is not None
            yield Comparison(wanted.label, world.offers[0].boot, tuple(outcomes), first)


def with_boot(world: Scenario, seconds: float) -> Scenario:
    """Return a world whose machines all boot in so many seconds, the slowest tenth in half as many again or more."""
    offers = tuple(replace(offer, boot=seconds, boot_high=1.5 * seconds) for offer in world.offers)
    return replace(world, offers=offers, boots={})
