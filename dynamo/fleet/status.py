"""How a fleet stands, as JSON for the journal, from which other processes tell it, and from which metrics are made."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from dynamo.fleet.access_points import access_points
from dynamo.fleet.buying import lacking, market
from dynamo.fleet.controller import Controller
from dynamo.fleet.demand import Terms, demand
from dynamo.fleet.guard import spent_today
from dynamo.fleet.last_hour import elasticity_of
from dynamo.fleet.policies.shadow import SHADOW
from dynamo.fleet.record import WorkerRecord
from dynamo.fleet.standing import Standing
from dynamo.fleet.view import Offer

__all__ = ["status_data"]

_HOUR = 3600.0
#: Sentences in which the last decision is told.
_REASONS = 3
#: A turn may be a second after the other; and one that is so many intervals or seconds late is one that was missed.
_ROWS, _MISSED, _LATE = 3600, 3.0, 60.0


def status_data(controller: Controller, now: float) -> dict[str, Any]:
    """Return how a fleet stands now.

    The demand is that of the queue, whatever decides, so that policies can be compared: the cores of speed 1 with which
    all of it is in time.
    """
    offers = market(
        controller.slice, controller.clouds.catalogue, controller.standing, controller.roster.all, now
    ).offers
    heard = controller.hearing.heard(now) or {}
    rows = controller.ledger.history(last=_ROWS, since=now - _HOUR)
    return {
        "at": now,
        "interval": controller.interval,
        "policy": controller.policy.name,
        "paused": controller.paused,
        **_supply(controller.roster.live, offers, access_points(controller.slice)),
        "busy": sum(one.busy for one in heard.values()),
        "target": controller.decision.target,
        "why": list(controller.decision.reasons[:_REASONS]),
        "demand": demand(controller.loads, (), now, Terms()).cores,
        "figures": _finite(controller.decision.figures),
        "work": sum(one.work for one in controller.loads),
        **controller.hearing.figures(now),
        "usd_today": spent_today(controller.roster.all, now, controller.roster.day),
        "limits": _limits(controller),
        "groups": sorted(controller.slice.nodes),
        "offers": sorted(offers),
        "providers": sorted(controller.slice.providers),
        **_wrong(controller, now),
        "boots": _boots(controller.standing),
        "shadow": _shadow(controller),
        "elasticity": elasticity_of(rows, now, max(_MISSED * controller.interval, _LATE)),
    }


def _supply(
    live: Sequence[WorkerRecord], offers: Mapping[str, Offer], points: Collection[str]
) -> dict[str, Any]:
    """Return what there is and costs; the supply is of cores of speed 1 that are in the pool, and run jobs."""
    working = [one for one in live if one.group not in points]
    cores: dict[str, Counter[str]] = {}
    for one in live:
        cores.setdefault(one.group, Counter())[one.stage] += one.cores
    speeds = {key: offer.speed for key, offer in offers.items()}
    return {
        "stages": dict(Counter(one.stage for one in live)),
        "cores": sum(one.cores for one in live),
        "cores_of": {group: dict(stages) for group, stages in cores.items()},
        "ready": sum(one.cores for one in working if one.stage == "joined"),
        "supply": sum(
            one.cores * speeds.get(one.offer, 1.0) for one in working if one.stage in {"joined", "draining"}
        ),
        "usd_per_hour": sum(one.usd_per_hour for one in live),
    }


def _wrong(controller: Controller, now: float) -> dict[str, Any]:
    """Return what is wrong, and what came to nothing in the last day."""
    standing, trouble = controller.standing, controller.hearing.trouble
    failed = [one for one in controller.roster.all if one.failed]
    return {
        "troubles": {
            **controller.clouds.troubles,
            **({"pool": trouble} if trouble else {}),
            **({"policy": controller.trouble} if controller.trouble else {}),
            **_lacking(controller),
        },
        "out": standing.out_of_service(now),
        "rests": {key: [rest.until, rest.why] for key, rest in standing.rests.items() if rest.until > now},
        "failed": len(failed),
        "failures": dict(Counter(one.group for one in failed)),
    }


def _shadow(controller: Controller) -> dict[str, Any]:
    """Return what a policy on trial would have done and cost until now; empty where there is none."""
    kept = controller.decision.history.get(SHADOW)
    if not kept:
        return {}
    sides = {
        side: {key: kept["trial"][side][key] for key in ("usd", "orders", "core_seconds", "missing", "cores")}
        for side in ("acting", "candidate")
    }
    seconds = {key: kept["trial"][key] for key in ("since", "seconds")}
    return {
        "name": kept["name"],
        "failed": kept.get("failed", ""),
        **seconds,
        **sides,
        **kept.get("does", {}),
    }


def _boots(standing: Standing) -> dict[str, list[float]]:
    """Return of each offer how many boots are remembered, and the seconds of half and of nine in ten of them."""
    return {key: [len(seen), *standing.boot(key)] for key, seen in standing.boots.items() if seen}


def _limits(controller: Controller) -> dict[str, float]:
    limits = controller.slice.limits
    return _finite(
        {"cores": limits.cores, "usd_per_hour": limits.usd_per_hour, "usd_per_day": limits.usd_per_day}
    )


def _finite(numbers: Mapping[str, float]) -> dict[str, float]:
    """Leave out what JSON cannot hold."""
    return {name: float(value) for name, value in numbers.items() if math.isfinite(value)}


def _lacking(controller: Controller) -> dict[str, str]:
    """Return the networks that are not there yet, for want of which nothing is bought."""
    found: dict[str, str] = {}
    for name, group in controller.slice.nodes.items():
        for provider in {one.provider for one in group.offers}:
            for network in lacking(controller.slice, name, provider, controller.clouds.networks):
                found[f"network {network}"] = f"it is not at {provider} yet"
    return found
