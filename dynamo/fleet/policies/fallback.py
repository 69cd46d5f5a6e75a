"""What is decided where a policy fails: whatever is wrong with it, the storm goes on."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import orjson

from dynamo.fleet.decision import Decision, Policy
from dynamo.fleet.policies.queue_depth import QueueDepth
from dynamo.fleet.view import View
from dynamo.fleet.view_json import decision_data

__all__ = ["decided"]


def decided(policy: Policy, view: View, history: Mapping[str, Any]) -> tuple[Decision, str]:
    """Return what a policy decides, and an empty text; or what plain queue depth would, and what is wrong.

    A policy that fails is asked once more without what it kept in mind: another dynamo may have written that.
    """
    try:
        return _checked(policy.decide(view, history), view), ""
    except Exception as error:  # noqa: BLE001 - a fault of a policy stops nothing
        why = f"the policy {policy.name} failed ({type(error).__name__}: {error}): queue depth decided"
    with suppress(Exception):
        made = _checked(policy.decide(view, {}), view)
        why = why.replace(": queue depth decided", ": it began anew, without what it kept in mind")
        return replace(made, reasons=(why, *made.reasons)), why
    made = QueueDepth().decide(view, {})
    return replace(made, reasons=(why, *made.reasons), history=history), why


def _checked(decision: Decision, view: View) -> Decision:
    """Return a decision that can be carried out and written down; raises what it is wrong by."""
    known = {offer.key for offer in view.offers if offer.left}
    for buy in decision.buys:
        if buy.offer not in known:
            raise ValueError(f"it buys {buy.offer!r}, which nobody offers")
        if not isinstance(buy.count, int) or buy.count < 0:
            raise ValueError(f"it buys {buy.count!r} x {buy.offer}")
    orjson.dumps(decision_data(decision))  # as it is written down
    return decision
