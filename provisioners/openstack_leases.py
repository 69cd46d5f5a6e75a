"""Leases of Blazar: what was reserved before, as the bare metal of Chameleon is.

A lease holds reservations, each of some hosts from a start to an end. An order names the reservation as a hint to
Nova's scheduler. Blazar's times are UTC and say so nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dynamo.provisioners.openstack_calls import Calls

from dynamo.errors import nearest
from dynamo.fleet.refusals import BadRequestError, NoCapacityError

__all__ = ["PREFIX", "Lease", "find_lease"]

PREFIX = "blazar:"
_HOSTS = "physical:host"
#: Of a lease that is neither to come nor there any more: Blazar changes a lease that is in use by these, too.
_OVER = frozenset({"TERMINATED", "DELETED", "DELETING", "ERROR"})
_MINUTES = "%Y-%m-%d %H:%M"


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease, and the reservation of hosts in it.

    Parameters
    ----------
    id, name
        As Blazar knows it.
    reservation
        Id of its reservation of hosts, that Nova is told.
    hosts
        How many hosts are reserved at most.
    start, end
        Unix seconds.
    status
        As Blazar says it, in capitals.
    """

    id: str
    name: str
    reservation: str
    hosts: int
    start: float
    end: float
    status: str

    def check(self, now: float) -> None:
        """Raise `NoCapacityError` where the lease is still to come, `BadRequestError` where it is over."""
        if now >= self.end or self.status in _OVER:
            said = f"its status is {self.status}" if now < self.end else f"it ended at {_said(self.end)}"
            raise BadRequestError(
                f"the lease {self.name} is over: {said}; make a new one, and name it in the slice"
            )
        if now < self.start or self.status in {"PENDING", "CREATING", "STARTING"}:
            raise NoCapacityError(
                f"the lease {self.name} is pending: nothing can be had of it before {_said(self.start)}"
            )


def find_lease(calls: Calls, named: str) -> Lease:
    """Return a lease by its name, its id, or the id of a reservation in it, with or without ``blazar:`` before it.

    Raises `BadRequestError` where there is none, or several of that name.
    """
    wanted = named.removeprefix(PREFIX)
    if not calls.has("reservation"):
        raise BadRequestError(
            f"{calls.reach.name}: the lease {wanted} cannot be asked for: this cloud has no Blazar"
        )
    listed = _leases(calls)
    ids = [one for one in listed if wanted in {one.get("id"), *_reservations(one)}]
    found = ids or [one for one in listed if one.get("name") == wanted]
    # A name may have been used before: what is over does not stand in the way of what is not.
    found = [one for one in found if str(one.get("status")).upper() not in _OVER] or found[-1:]
    if not found:
        names = sorted(str(one.get("name")) for one in listed)
        raise BadRequestError(
            f"{calls.reach.name}: there is no lease {wanted!r}{nearest(wanted, names)}; make it first, or name "
            "another one in the slice"
        )
    if len(found) > 1:
        raise BadRequestError(
            f"{calls.reach.name}: {len(found)} leases are named {wanted!r}: name one by its id, of "
            f"{', '.join(sorted(str(one['id']) for one in found))}"
        )
    return _read(found[0], wanted)


def _leases(calls: Calls) -> list[dict[str, Any]]:
    """Return all leases; Blazar gives them in one page."""
    return [one for one in calls.get("reservation", "/leases").get("leases") or () if isinstance(one, dict)]


def _reservations(lease: Mapping[str, Any]) -> list[str]:
    return [str(one.get("id")) for one in lease.get("reservations") or ()]


def _read(lease: Mapping[str, Any], wanted: str) -> Lease:
    held: Sequence[Mapping[str, Any]] = lease.get("reservations") or ()
    hosts = [one for one in held if one.get("resource_type") == _HOSTS]
    named = [one for one in hosts if one.get("id") == wanted]
    name = str(lease.get("name"))
    if not hosts:
        kinds = ", ".join(sorted({str(one.get("resource_type")) for one in held})) or "nothing"
        raise BadRequestError(f"the lease {name} reserves {kinds} and no hosts ({_HOSTS}); name another one")
    if len(hosts) > 1 and not named:
        ids = ", ".join(str(one.get("id")) for one in hosts)
        raise BadRequestError(f"the lease {name} reserves hosts {len(hosts)} times: name one of {ids}")
    chosen = (named or hosts)[0]
    return Lease(
        id=str(lease["id"]),
        name=name,
        reservation=str(chosen["id"]),
        hosts=int(chosen.get("max") or chosen.get("min") or 0),
        start=_time(lease["start_date"]),
        end=_time(lease["end_date"]),
        status=str(lease.get("status") or "").upper(),
    )


def _time(written: str) -> float:
    found = datetime.fromisoformat(written)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _said(time: float) -> str:
    return f"{datetime.fromtimestamp(time, UTC).strftime(_MINUTES)} UTC"
