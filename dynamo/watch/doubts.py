"""Doubts: rules that can never match, as far as parameters of the workflow and what was judged before tell.

Enters: the rules of a run file and of its subscribers, and what is known of the products. Leaves: notes, no faults: a
workflow may mean something else by its parameters. Pure; nothing can go wrong.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from dynamo.alerts.subscriber import Subscribers
from dynamo.errors import nearest
from dynamo.graph.units import format_count
from dynamo.runfile.alerts import AlertsRule, MatchRule
from dynamo.runfile.values import At

__all__ = ["Known", "doubts", "known_of", "understood"]


@dataclass(frozen=True, slots=True)
class Known:
    """What products may hold.

    Parameters
    ----------
    highest
        The highest level, in the units of the products.
    furthest
        The longest lead time, minutes.
    kinds
        The kinds of hazard; none where they are not known.
    """

    highest: float = math.inf
    furthest: float = math.inf
    kinds: Collection[str] = ()


def known_of(params: Mapping[str, Any], kinds: Collection[str] = ()) -> Known:
    """Return what parameters say that are named as those of the nowcast: `levels`, and `horizon` in minutes."""
    levels, horizon = params.get("levels"), params.get("horizon")
    numbers = (
        levels if isinstance(levels, Sequence) and levels and all(map(_is_number, levels)) else [math.inf]
    )
    return Known(float(max(numbers)), float(horizon) if _is_number(horizon) else math.inf, kinds)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def understood(rule: MatchRule) -> str:
    """Return a rule in words.

    >>> understood(MatchRule("STORM", 35, 5, 1800, ["desk", "siren"]))
    'STORM >= 35 within 5 km, up to 30 min ahead -> desk, siren'
    """
    level = f" >= {rule.level:g}" if math.isfinite(rule.level) else " of any level"
    near = f"within {rule.within:g} km" if rule.within else "at the place itself"
    ahead = "at any lead time" if rule.lead is None else f"up to {rule.lead / 60:g} min ahead"
    return f"{rule.hazard}{level} {near}, {ahead} -> {', '.join(rule.to) or 'all channels'}"


def doubts(alerts: AlertsRule, people: Subscribers | None, known: Known) -> Iterator[tuple[At, str]]:
    """Yield where a rule of the run file stands that cannot match as it is meant, and why; then that of subscribers.

    `people` have the rules of the run file too; those are told once.
    """
    for index, rule in enumerate(alerts.rules):
        for key, said in _doubts(rule, known):
            yield ("alerts", "rules", index, key), f"{key}: {said}"
    if people is not None:
        for said in _doubts_of(people, alerts.rules, known):
            yield ("alerts", "subscribers"), f"subscribers: {said}"


def _doubts(rule: MatchRule, known: Known) -> Iterator[tuple[str, str]]:
    if known.kinds and rule.hazard not in known.kinds:
        yield "hazard", f"no product ever spoke of {rule.hazard!r}{_other(rule.hazard, known.kinds)}"
    if rule.level > known.highest:
        yield (
            "level",
            f"no polygon reaches {rule.level:g}: `levels` of the workflow ends at {known.highest:g}",
        )
    if rule.lead is not None and rule.lead / 60 > known.furthest:
        yield (
            "lead",
            f"{rule.lead / 60:g} min, but `horizon` of the workflow is {known.furthest:g} min",
        )


def _doubts_of(people: Subscribers, rules: Sequence[MatchRule], known: Known) -> Iterator[str]:
    """Say of rules of their own."""
    import numpy as np

    def who(rows: Any) -> str:
        count = len(np.unique(people.owner[rows]))
        return f"{format_count(count, 'subscriber')} {'asks' if count == 1 else 'ask'} for"

    told = {rule.hazard for rule in rules} | {""}
    for code, kind in enumerate(people.hazards):
        rows = people.hazard == code
        if known.kinds and kind not in told and kind not in known.kinds and rows.any():
            yield f"{who(rows)} {kind!r}, of which no product ever spoke{_other(kind, known.kinds)}"
    levels = np.array([rule.level for rule in rules])
    rows = (people.min_level > known.highest) & ~np.isin(people.min_level, levels)
    if rows.any():
        yield f"{who(rows)} a level that no polygon reaches: `levels` of the workflow ends at {known.highest:g}"
    leads = np.array([rule.lead / 60 for rule in rules if rule.lead is not None])
    ahead = people.max_lead_minutes
    rows = (ahead > known.furthest) & np.isfinite(ahead) & ~np.isin(ahead, leads)
    if rows.any():
        yield f"{who(rows)} a longer lead time than `horizon` of the workflow, {known.furthest:g} min"


def _other(kind: str, kinds: Collection[str]) -> str:
    return nearest(kind, kinds) or f"; they speak of {', '.join(sorted(kinds)[:10])}"
