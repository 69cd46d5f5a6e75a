"""Servers of Nova as machines of the fleet: how one is asked for, and what one says of itself.

What Nova calls metadata holds our tags. It is written with the order itself, so no server of ours is ever without.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from ipaddress import ip_address
from typing import Any, get_args

from dynamo.provisioners.openstack_errors import no_room, plain

from dynamo.fleet.machine import Machine, MachineSpec, MachineState, Tags
from dynamo.fleet.offering import Purchase
from dynamo.fleet.refusals import BadRequestError

__all__ = ["machine", "request", "reservation_of", "tags_of"]

#: What Nova takes, in bytes of base64.
_USER_DATA = 65535
_SIZE, _PURCHASE, _RESERVATION = "dynamo-size", "dynamo-purchase", "dynamo-reservation"
_STATES: Mapping[str, MachineState] = {
    "BUILD": "pending",
    "REBUILD": "pending",
    "DELETED": "gone",
    "SOFT_DELETED": "gone",
    "ERROR": "failed",
}
_OFF = "it has turned itself off; it counts against the quota until it is destroyed"


def request(
    spec: MachineSpec,
    flavor: str,
    image: str,
    networks: Sequence[str] = (),
    security_groups: Sequence[str] = (),
    reservation: str = "",
    options: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the body of ``POST /servers``; flavor, image, networks and groups are ids."""
    options = options or {}
    data = base64.b64encode(spec.user_data.encode()).decode()
    if len(data) > _USER_DATA:
        raise BadRequestError(
            f"{spec.name}: the user data has {len(data)} bytes of base64, and Nova takes {_USER_DATA}; make it shorter"
        )
    server: dict[str, Any] = {
        "name": spec.name,
        "flavorRef": flavor,
        "imageRef": image,
        "metadata": {
            **spec.tags.written(),
            _SIZE: spec.size,
            _PURCHASE: spec.purchase,
            **({_RESERVATION: reservation} if reservation else {}),
        },
        "config_drive": options.get("config_drive", "yes") == "yes",
    }
    if data:
        server["user_data"] = data
    if networks:
        server["networks"] = [{"uuid": one} for one in networks]
    if security_groups:
        server["security_groups"] = [{"name": one} for one in security_groups]
    for key in ("key_name", "availability_zone"):
        if options.get(key):
            server[key] = options[key]
    hints = {"os:scheduler_hints": {"reservation": reservation}} if reservation else {}
    return {"server": server, **hints}


def tags_of(server: Mapping[str, Any]) -> Tags | None:
    """Return the tags of a server; None where it is not ours."""
    return Tags.read({str(key): str(value) for key, value in (server.get("metadata") or {}).items()})


def reservation_of(server: Mapping[str, Any]) -> str:
    """Return the reservation that a server of ours is part of; empty for none."""
    return str((server.get("metadata") or {}).get(_RESERVATION) or "") if tags_of(server) else ""


def machine(server: Mapping[str, Any]) -> Machine | None:
    """Return a server as Nova lists it as a machine; None where it is not ours."""
    tags = tags_of(server)
    if tags is None:
        return None
    metadata = server["metadata"]
    purchase: Purchase = (
        metadata.get(_PURCHASE) if metadata.get(_PURCHASE) in get_args(Purchase) else "on-demand"
    )
    state = _state(server)
    return Machine(
        id=str(server["id"]),
        tags=tags,
        name=str(server.get("name") or ""),
        state=state,
        size=str(metadata.get(_SIZE) or ""),
        purchase=purchase,
        created=_time(server.get("created")),
        addresses=_addresses(server.get("addresses") or {}),
        reason=(reason := _reason(server, state)),
        no_room=state == "failed" and no_room(reason),
    )


def _state(server: Mapping[str, Any]) -> MachineState:
    """Return how a server stands.

    One of any other status (turned off, paused, unknown) is there until somebody takes it away, and nobody does yet:
    it is paid for, and told as one that runs, so that it is missed in the pool and destroyed.
    """
    if server.get("OS-EXT-STS:task_state") == "deleting" and server.get("status") not in {
        "DELETED",
        "SOFT_DELETED",
    }:
        return "stopping"
    return _STATES.get(str(server.get("status")), "running")


def _reason(server: Mapping[str, Any], state: MachineState) -> str:
    if server.get("status") == "SHUTOFF":
        return _OFF
    if state != "failed":
        return ""
    return plain(str((server.get("fault") or {}).get("message") or "")) or "Nova gives no reason"


def _time(written: Any) -> float | None:
    try:
        return datetime.fromisoformat(str(written)).timestamp()
    except ValueError:
        return None


def _addresses(networks: Mapping[str, Sequence[Mapping[str, Any]]]) -> tuple[str, ...]:
    found = {str(one["addr"]): None for ports in networks.values() for one in ports}
    return tuple(sorted(found, key=lambda one: not ip_address(one).is_private))
