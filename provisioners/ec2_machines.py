"""Machines in the words of EC2: an order as parameters of RunInstances, and an instance as a `Machine`."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime
from xml.etree.ElementTree import Element

from dynamo.provisioners.ec2_calls import tagged, tags_of

from dynamo.fleet.machine import Machine, MachineSpec, MachineState, Tags
from dynamo.fleet.offering import Purchase
from dynamo.fleet.refusals import BadRequestError

__all__ = ["client_token", "machine", "order"]

#: Bytes of user data that EC2 takes.
USER_DATA = 16_384

_STATES: Mapping[str, MachineState] = {
    "pending": "pending",
    "running": "running",
    "shutting-down": "stopping",
    "stopping": "stopping",
    # Its disk is still paid for, and what is not wanted running is not wanted at all.
    "stopped": "stopping",
    "terminated": "gone",
}
#: Why a machine ended that never came up; of these, that there was none left.
_NO_ROOM = "Server.InsufficientInstanceCapacity"
_NEVER_UP = (_NO_ROOM, "Server.InternalError", "Client.InternalError")
_NEVER_UP_IN = ("LimitExceeded", "InvalidSnapshot")
_BY_US = "Client.UserInitiatedShutdown"


def client_token(tags: Tags) -> str:
    """Return what EC2 knows an order by: the same for the same order, whoever gives it, and of its 64 letters."""
    return hashlib.sha256(f"{tags.slice}\0{tags.group}\0{tags.token}".encode()).hexdigest()


def order(spec: MachineSpec, place: Mapping[str, str], options: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters of RunInstances; raises `BadRequestError` for what EC2 cannot make.

    Parameters
    ----------
    spec
        What is ordered.
    place
        Parameters that say where: subnet and security groups.
    options
        Of the provider: ``key_name``.
    """
    data = spec.user_data.encode()
    if not spec.size or not spec.image:
        what = "a size (as c7i.4xlarge)" if not spec.size else "an image (as ami-0123456789abcdef0)"
        raise BadRequestError(f"EC2 needs {what} to make the machine {spec.name}: name one in the slice")
    if len(data) > USER_DATA:
        raise BadRequestError(f"the user data of {spec.name} is {len(data)} bytes; EC2 takes {USER_DATA}")
    kinds = ["instance", "volume", *(["spot-instances-request"] if spec.purchase == "spot" else [])]
    return {
        "ImageId": spec.image,
        "InstanceType": spec.size,
        "MinCount": "1",
        "MaxCount": "1",
        "ClientToken": client_token(spec.tags),
        # A machine that powers itself off is gone with its disk, and costs nothing more.
        "InstanceInitiatedShutdownBehavior": "terminate",
        # What the machine is told, and its role, are not had by forged requests, nor from within containers.
        "MetadataOptions.HttpTokens": "required",
        "MetadataOptions.HttpPutResponseHopLimit": "1",
        **({"UserData": base64.b64encode(data).decode()} if data else {}),
        **({"KeyName": options["key_name"]} if options.get("key_name") else {}),
        **_bought(spec),
        **tagged(kinds, spec.tags, spec.name),
        **place,
    }


def _bought(spec: MachineSpec) -> dict[str, str]:
    if spec.purchase == "spot":
        options = "InstanceMarketOptions.SpotOptions."
        most = {} if spec.max_price is None else {f"{options}MaxPrice": f"{spec.max_price:.6f}"}
        return {
            "InstanceMarketOptions.MarketType": "spot",
            f"{options}SpotInstanceType": "one-time",
            f"{options}InstanceInterruptionBehavior": "terminate",
            **most,
        }
    if spec.reservation:
        target = "CapacityReservationSpecification.CapacityReservationTarget.CapacityReservationId"
        return {target: spec.reservation}
    # What is reserved by contract (reserved instances, savings plans) is found by the bill, and is no other order.
    return {}


def machine(element: Element, tags: Tags | None = None) -> Machine | None:
    """Return an instance as a machine; None where it is of no slice and `tags` are not known otherwise."""
    written = tags_of(element)
    whose = Tags.read(written) or tags
    if whose is None:
        return None
    state, reason = _state(element)
    spot = element.findtext("instanceLifecycle") == "spot"
    reserved = bool(element.findtext("capacityReservationId"))
    purchase: Purchase = "spot" if spot else "reserved" if reserved else "on-demand"
    addresses = (element.findtext("privateIpAddress"), element.findtext("ipAddress"))
    return Machine(
        id=element.findtext("instanceId") or "",
        tags=whose,
        name=written.get("Name", ""),
        state=state,
        size=element.findtext("instanceType") or "",
        purchase=purchase,
        created=_time(element.findtext("launchTime")),
        addresses=tuple(one for one in addresses if one),
        reason=reason,
        no_room=state == "failed" and element.findtext("stateReason/code") == _NO_ROOM,
    )


def _state(element: Element) -> tuple[MachineState, str]:
    state = _STATES.get(element.findtext("instanceState/name") or "", "pending")
    code = element.findtext("stateReason/code") or ""
    reason = "" if code in {"", _BY_US} else (element.findtext("stateReason/message") or code)
    if state == "gone" and (code in _NEVER_UP or any(part in code for part in _NEVER_UP_IN)):
        return "failed", reason
    return state, reason if state in {"stopping", "gone"} else ""


def _time(text: str | None) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp() if text else None
    except ValueError:
        return None
