"""What is decided where a policy fails: whatever is wrong with it, the storm goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dynamo.fleet.decision import Decision, Policy
from dynamo.fleet.policies.queue_depth import QueueDepth
from dynamo.fleet.view import View

__all__ = ["decided"]


def decided(policy: Policy, view: View, history: Mapping[str, Any]) -> tuple[Decision, str]:
    """Return what a policy decides, and an empty text; or what plain queue depth would, and what is wrong."""
    try:
        return policy.decide(view, history), ""
    except Exception as error:  # noqa: BLE001 - a fault of a policy stops nothing
        why = f"the policy {policy.name} failed ({type(error).__name__}: {error}): queue depth decided"
    made = QueueDepth().decide(view, {})
    return replace(made, reasons=(why, *made.reasons), history=history), why
