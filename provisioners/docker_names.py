"""How containers and networks of the fleet are named in Docker."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from dynamo.fleet.machine import Tags

__all__ = ["NAME", "PROVIDER", "is_of", "name_of", "of_slice"]

#: Label with the name that was asked for; that of Docker comes of the token.
NAME = "dynamo-name"
#: Label with the provider's name in the slice: one Docker may be two of its clouds.
PROVIDER = "dynamo-provider"


def of_slice(slice_: str) -> dict[str, list[str]]:
    """Return the filters by which Docker lists what there is of a slice."""
    return {"label": [f"dynamo-slice={slice_}"]}


def is_of(thing: Mapping[str, Any], provider: str) -> bool:
    """Whether what Docker lists is of a provider; what was made before that was written on it is of each."""
    return bool((thing.get("Labels") or {}).get(PROVIDER, provider) == provider)


def name_of(tags: Tags) -> str:
    """Return the name in Docker of what an order makes: the same order has the same, another one never.

    >>> name_of(Tags("dfw", "workers", "7f"))
    'dynamo-fleet-91bea19c2069118f'
    """
    whole = f"{tags.slice}\0{tags.group}\0{tags.token}"
    return f"dynamo-fleet-{hashlib.sha256(whole.encode()).hexdigest()[:16]}"
