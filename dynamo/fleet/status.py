"""How a fleet stands, as JSON for the journal, from which other processes tell it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from dynamo.fleet.controller import Controller
from dynamo.fleet.guard import spent_today

__all__ = ["status_data"]


def status_data(controller: Controller, now: float) -> dict[str, Any]:
    """Return how a fleet stands now."""
    live = controller.roster.live
    heard = controller.hearing.heard(now) or {}
    busy = sum(one.busy for one in heard.values())
    return {
        "at": now,
        "policy": controller.policy.name,
        "paused": controller.paused,
        "stages": dict(Counter(one.stage for one in live)),
        "cores": sum(one.cores for one in live),
        "ready": sum(one.cores for one in live if one.stage == "joined"),
        "busy": busy,
        "target": controller.decision.target,
        **controller.hearing.figures(),
        "usd_per_hour": sum(one.usd_per_hour for one in live),
        "usd_today": spent_today(controller.roster.all, now),
        "lateness": controller.hearing.lateness(now),
        "troubles": {
            **controller.clouds.troubles,
            **({"pool": controller.hearing.trouble} if controller.hearing.trouble else {}),
        },
        "out": controller.standing.out_of_service(now),
        "rests": {
            key: [rest.until, rest.why] for key, rest in controller.standing.rests.items() if rest.until > now
        },
        "failed": sum(one.failed for one in controller.roster.all),
    }
