"""Judged: what came of a cycle, for the log and for those who look. Frozen data; nothing can go wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dynamo.alerts.alert import Alert
    from dynamo.alerts.lifecycle import Cycle, Judgement

__all__ = ["Judged"]


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of a cycle.

    Parameters
    ----------
    cycle
        With the share of its field that was usual lately.
    outcome
        None where it was judged before.
    alerts
        What is told, the most urgent first.
    unseen
        To how many nobody can tell that it is over, for too little is known near them.
    less
        Whether less of the field is known than lately.
    """

    cycle: Cycle
    outcome: Judgement | None
    alerts: list[Alert]
    unseen: int = 0
    less: bool = False
