"""Ads of machines of the fleet that are what they say: any worker can read which orders there are. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dynamo.fleet.slice import TOKEN_SHOWN

__all__ = ["IDENTITY", "proven"]

#: As whom the collector knows who sent an ad; it is set there, whatever the ad says.
IDENTITY = "AuthenticatedIdentity"


def proven(ads: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return ads without those of machines of a fleet that do not name their own order; those of others stay.

    A machine proves its name, and the name ends with that of its order (`dynamo.fleet.slice.machine_name`). One that
    leaves its order out would be taken for an access point of the pool itself, without whose answer nothing is known.
    """
    return [ad for ad in ads if _is_its_own(ad)]


def _is_its_own(ad: Mapping[str, Any]) -> bool:
    worker = str(ad.get(IDENTITY, "")).partition("@")[0]
    of_fleet = worker.startswith("worker-")
    if "DynamoToken" not in ad:
        return not of_fleet
    order = str(ad["DynamoToken"])[:TOKEN_SHOWN]
    return bool(order) and of_fleet and worker.endswith(f"-{order}")
