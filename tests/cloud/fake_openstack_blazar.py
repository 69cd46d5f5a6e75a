"""Blazar of the fake OpenStack: leases, whose status the test sets."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from tests.cloud.fake_openstack_parts import Answer, Failure, Request

_FORM = "%Y-%m-%d %H:%M"


def failure(code: int, message: str) -> Failure:
    """Return an error as Blazar writes it."""
    return Failure(code, {"error_code": code, "error_message": message, "error_name": code})


class Blazar:
    """Leases of hosts."""

    def __init__(self, project: str) -> None:
        self.project = project
        self.leases: dict[str, dict[str, Any]] = {}

    def lease(
        self, name: str, start: str, end: str, status: str = "ACTIVE", hosts: int = 2, **more: Any
    ) -> str:
        """Make a lease, and return its id; dates are as ``2026-01-01 00:00``."""
        id_, held = str(uuid.uuid4()), more.get("types", ["physical:host"])
        dates = [datetime.strptime(one, _FORM).isoformat() + ".000000" for one in (start, end)]  # noqa: DTZ007
        self.leases[id_] = {
            "id": id_, "name": name, "start_date": dates[0], "end_date": dates[1], "status": status, "degraded": False,
            "user_id": "u1", "project_id": self.project, "trust_id": "t1", "events": [],
            "created_at": "2025-12-01 00:00:00", "updated_at": None,
            "reservations": [
                {
                    "id": str(uuid.uuid4()), "lease_id": id_, "resource_id": str(n), "resource_type": kind,
                    "min": hosts, "max": hosts, "hypervisor_properties": "", "resource_properties": "",
                    "status": status.lower(), "before_end": "default", "missing_resources": False,
                    "resources_changed": False, "created_at": "2025-12-01 00:00:00", "updated_at": None,
                }
                for n, kind in enumerate(held)
            ],
        }  # fmt: skip
        return id_

    def reservation(self, id_: str) -> str:
        """Return the id of the first reservation of a lease."""
        return str(self.leases[id_]["reservations"][0]["id"])

    def active(self, reservation: str) -> bool:
        """Whether machines can be had of a reservation now."""
        held = {one["id"]: lease for lease in self.leases.values() for one in lease["reservations"]}
        return reservation in held and held[reservation]["status"] == "ACTIVE"

    def answer(self, request: Request) -> Answer:
        """Do what a request asks for."""
        if (request.method, request.path) == ("GET", "/v1/leases"):
            return Answer(200, {"leases": list(self.leases.values())})
        raise failure(404, "Object with {'lease_id': '...'} not found")
