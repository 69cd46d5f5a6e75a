"""HTCondor's configuration of a worker or an access point, as it is sent to one that joins."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from dynamo.errors import UserError
from dynamo.fleet.join import Ticket
from dynamo.fleet.slice import Role

__all__ = ["PoolPlace", "worker_config"]

_HOST = re.compile(r"[A-Za-z0-9.:\[\]_-]+")
#: What may stand in an ad: nothing that HTCondor's configuration takes for more than a text.
_TEXT = re.compile(r"[A-Za-z0-9 ._/:+@-]*")
#: Seconds after which the collector may drop an ad of a worker that says nothing any more.
_REMEMBERED = 180
#: The same settings as the execution points and the access point of `dynamo pool` have.
_FRAGMENTS: Mapping[Role, Sequence[str]] = {
    "worker": ("security.conf", "ep.conf", "latency-ep.conf"),
    "submit": ("security.conf", "ap.conf", "latency-ap.conf"),
}
#: What an access point says of itself.
_QUEUES = ("SCHEDD_ATTRS = $(SCHEDD_ATTRS) DynamoToken DynamoGroup DynamoOffer ClassAdLifetime",)


@dataclass(frozen=True, slots=True)
class PoolPlace:
    """Where a pool is: its central manager, as ``host:port``, and its domain of trust."""

    central_manager: str
    trust_domain: str

    def __post_init__(self) -> None:
        for what, text in (
            ("central manager", self.central_manager),
            ("domain of trust", self.trust_domain),
        ):
            if not _HOST.fullmatch(text):
                raise UserError(f"{text!r} cannot be the {what} of a pool")

    def identity(self, worker: str) -> str:
        """Return whom a worker is taken for."""
        return f"worker-{worker}@{self.trust_domain}"


def worker_config(place: PoolPlace, ticket: Ticket) -> str:
    """Return the configuration of one worker or access point, complete, so that its image needs none.

    In its ads it says which order it came of (``DynamoToken``), its node group (``DynamoGroup``) and its offer
    (``DynamoOffer``). Where no job came to a worker for `Ticket.idle` seconds HTCondor ends, and the machine with it.
    Raises `UserError` where a name of it cannot stand there.
    """
    for text in (ticket.worker, ticket.order, ticket.group, ticket.offer):
        if not _TEXT.fullmatch(text):
            raise UserError(f"{text!r} of a worker cannot stand in HTCondor's configuration")
    host = (
        place.central_manager.rsplit(":", 1)[0] if _has_port(place.central_manager) else place.central_manager
    )
    collector = place.central_manager if _has_port(place.central_manager) else f"{host}:9618"
    lines = [
        f"# The {ticket.role} machine {ticket.worker}, written when it joined.",
        f"CONDOR_HOST = {host}",
        f"COLLECTOR_HOST = {collector}",
        f"UID_DOMAIN = {place.trust_domain}",
        f"TRUST_DOMAIN = {place.trust_domain}",
        "FILESYSTEM_DOMAIN = $(FULL_HOSTNAME)",
        f"DynamoToken = {json.dumps(ticket.order)}",
        f"DynamoGroup = {json.dumps(ticket.group)}",
        f"DynamoOffer = {json.dumps(ticket.offer)}",
        # Three of its updates: jobs are matched with a machine that is gone as long as the collector has its ads, and
        # wait for it. A collector of HTCondor's defaults looks each CLASSAD_LIFETIME, 15 minutes, for what is too old.
        f"ClassAdLifetime = {_REMEMBERED}",
        "MASTER_ATTRS = $(MASTER_ATTRS) DynamoToken ClassAdLifetime",
        *(_offers(ticket) if ticket.role == "worker" else _QUEUES),
    ]
    folder = files("dynamo.containers") / "pool" / "config.d"
    fragments = [(folder / name).read_text() for name in _FRAGMENTS[ticket.role]]
    return "\n".join([*lines, "", *fragments])


def _offers(ticket: Ticket) -> list[str]:
    """Return what a worker offers, and when it ends."""
    return [
        "STARTD_ATTRS = $(STARTD_ATTRS) DynamoToken DynamoGroup DynamoOffer ClassAdLifetime",
        f"STARTD_NOCLAIM_SHUTDOWN = {int(ticket.idle)}",
        # When it is told to end, it takes no new job, and those that run have this long.
        f"MAXJOBRETIREMENTTIME = {int(ticket.grace)}",
        *([f"NUM_CPUS = {ticket.cores}"] if ticket.cores else []),
        *([f"MEMORY = {ticket.memory // 2**20}"] if ticket.memory else []),
    ]


def _has_port(place: str) -> bool:
    return bool(re.search(r"(^[^:]+|\]):\d+$", place))
