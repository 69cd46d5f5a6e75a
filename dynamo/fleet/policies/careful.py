"""The policy by work and deadlines with room for what nobody expected."""

from __future__ import annotations

from dataclasses import dataclass, field

from dynamo.fleet.demand import Terms
from dynamo.fleet.policies.work import WorkPerDeadline

__all__ = ["Careful"]


@dataclass(frozen=True, slots=True)
class Careful(WorkPerDeadline):
    """As `work`, with half as much again as the work needs.

    With a nowcast that tells what comes it has no more late jobs than plain queue depth; a live fleet is told less.

    Its parameters are those of `WorkPerDeadline`. What it costs beside others is in docs/explanation/when-to-buy.md.
    """

    margin: float = 1.5
    hold: float = 60.0
    ahead: float = 30.0
    terms: Terms = field(default_factory=lambda: Terms(doubt=0.0))
    name: str = "careful"
