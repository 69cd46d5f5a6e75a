"""Ads of machines of the fleet that are what they say: any worker can read which orders there are. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dynamo.fleet.slice import TOKEN_SHOWN

__all__ = ["IDENTITY", "proven"]

#: As whom the collector knows who sent an ad; it is set there, whatever the ad says.
IDENTITY = "AuthenticatedIdentity"


def proven(ads: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return ads without those that name another machine's order; ads that name no order stay.

    A machine proves its name, and the name ends with that of its order (`dynamo.fleet.slice.machine_name`).
    """
    return [ad for ad in ads if "DynamoToken" not in ad or _is_its_own(ad)]


def _is_its_own(ad: Mapping[str, Any]) -> bool:
    worker = str(ad.get(IDENTITY, "")).partition("@")[0]
    order = str(ad["DynamoToken"])[:TOKEN_SHOWN]
    return bool(order) and worker.startswith("worker-") and worker.endswith(f"-{order}")
