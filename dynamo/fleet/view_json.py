"""A view as JSON and back, and a decision, so that it can be explained and done again.

Of a decision it is kept what it was made from, and what was done: `inputs_data` and `outcome_data`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from dynamo.fleet.decision import Buy, Decision, Release
from dynamo.fleet.policies.shadow import SHADOW, said
from dynamo.fleet.view import Coming, Group, Limits, Load, Offer, View, Worker

__all__ = ["decision_data", "decision_of", "inputs_data", "outcome_data", "view_data", "view_of"]

#: How JSON, which has no infinite numbers, holds one.
_INFINITE = "infinite"


def view_data(view: View) -> dict[str, Any]:
    """Return a view as JSON values."""
    return {
        "now": view.now,
        "loads": [_data(one) for one in view.loads],
        "workers": [_data(one) for one in view.workers],
        "offers": [_data(one) for one in view.offers],
        "groups": [_data(one) for one in view.groups.values()],
        "coming": [_data(one) for one in view.coming],
        "limits": _data(view.limits),
        "trusted": view.trusted,
        "lateness": dict(view.lateness),
    }


def inputs_data(view: View, history: Mapping[str, Any]) -> dict[str, Any]:
    """Return all that a policy decides from, as JSON values: a view, and beside it what the policy had in mind.

    What a policy on trial had in mind is left out: who acts takes no notice of it.
    """
    return view_data(view) | {"history": {name: data for name, data in history.items() if name != SHADOW}}


def view_of(data: Mapping[str, Any]) -> View:
    """Return the view that `view_data` wrote; raises `KeyError` or `TypeError` where another dynamo did."""
    groups = [Group(**_values(one)) for one in data["groups"]]
    return View(
        now=data["now"],
        loads=[Load(**{**_values(one), "groups": frozenset(one["groups"])}) for one in data["loads"]],
        workers=[Worker(**_values(one)) for one in data["workers"]],
        offers=[Offer(**_values(one)) for one in data["offers"]],
        groups={one.name: one for one in groups},
        coming=[
            Coming(**{**_values(one), "kinds": frozenset(one.get("kinds", ()))}) for one in data["coming"]
        ],
        limits=Limits(**_values(data["limits"])),
        trusted=data["trusted"],
        lateness=data["lateness"],
    )


def decision_data(decision: Decision) -> dict[str, Any]:
    """Return a decision as JSON values."""
    return {
        "buys": [[one.offer, one.count, one.why] for one in decision.buys],
        "releases": [[one.token, one.why] for one in decision.releases],
        "target": decision.target,
        "reasons": list(decision.reasons),
        "figures": dict(decision.figures),
        "history": dict(decision.history),
    }


def outcome_data(decision: Decision) -> dict[str, Any]:
    """Return a decision as JSON values, without what is kept in mind for the next one, which is kept elsewhere."""
    return decision_data(decision) | {"history": said(decision.history)}


def decision_of(data: Mapping[str, Any]) -> Decision:
    """Return the decision that `decision_data` or `outcome_data` wrote."""
    return Decision(
        buys=tuple(Buy(*one) for one in data["buys"]),
        releases=tuple(Release(*one) for one in data["releases"]),
        target=data["target"],
        reasons=tuple(data["reasons"]),
        figures=data["figures"],
        history=data.get("history", {}),
    )


def _data(one: Any) -> dict[str, Any]:
    return {field.name: _plain(getattr(one, field.name)) for field in dataclasses.fields(one)}


def _plain(value: Any) -> Any:
    if isinstance(value, frozenset):
        return sorted(value)
    return _INFINITE if isinstance(value, float) and math.isinf(value) else value


def _values(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: math.inf if value == _INFINITE else value for name, value in data.items()}
