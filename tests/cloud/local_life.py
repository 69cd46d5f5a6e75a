"""Ends of workers on this machine, in a pool of an ordinary user's own: this runs in a container of the pool's image.

``python local_life.py FOLDER NAME``, with ``CONDOR_CONFIG`` of the pool, whose central manager is this machine.
"""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import htcondor2
from dynamo.provisioners import local, local_processes

from dynamo.fleet.certificate import join_certificate
from dynamo.fleet.join import JoinDesk, Ticket
from dynamo.fleet.join_ledger import JoinLedger
from dynamo.fleet.join_service import JoinService
from dynamo.fleet.machine import Machine, MachineSpec, Tags
from dynamo.fleet.provider import ProviderSettings
from dynamo.fleet.queue_key import QueueKeys
from dynamo.fleet.trust import LocalManager, Trust
from dynamo.fleet.userdata import WorkerStart, user_data
from dynamo.fleet.worker_config import PoolPlace

_PLACE = PoolPlace("127.0.0.1:9618", "laptop")
_MIB = 2**20


class Yard:
    """What a controller has: the pool, the provider, tickets and the join service."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trust = Trust(LocalManager(), _PLACE, "life")
        self.certificate = join_certificate(folder / "keys", ["127.0.0.1"])
        self.service: Any = None
        self.provider = local.connect(
            ProviderSettings("here", "local", options={"folder": str(folder / "yard")})
        )

    def order(self, idle: float = 600.0, **start: float) -> Machine:
        """Order a worker."""
        order = uuid.uuid4().hex
        name, now = f"w-{order[:8]}", time.time()
        ticket = Ticket(
            name,
            order,
            "workers",
            "o",
            now + 600,
            now + 3600,
            cores=1,
            memory=64 * _MIB,
            idle=idle,
            grace=5.0,
        )
        with JoinLedger(self.folder / "journal.db") as store:
            token = JoinDesk(store).issue(ticket)
        times = {"lifetime": 3600.0, "grace": 5.0, "check": 1.0, **start}
        told = WorkerStart(name, order, self.service.url(), self.certificate.text, token, **times)
        spec = MachineSpec(Tags("life", "workers", order), name, cores=1, memory=1, user_data=user_data(told))
        return self.provider.create(spec)

    def heard(self, worker: Machine) -> list[Any]:
        """Return what the pool has of a worker."""
        which = f'DynamoToken == "{worker.tags.token}"'
        return list(htcondor2.Collector(_PLACE.central_manager).query(htcondor2.AdType.Startd, which))

    def joined(self, worker: Machine) -> Machine:
        """Wait until the pool has heard of a worker."""
        awaited(lambda: bool(self.heard(worker)))
        return worker

    def words(self, worker: Machine) -> str:
        """Wait until a worker has ended by itself, with all its processes, and return what it said last."""
        awaited(lambda: self.provider.describe(worker.id).state == "gone")
        assert not local_processes.by_machine(self.folder / "yard")
        return self.provider.describe(worker.id).reason


def idle(yard: Yard) -> None:
    """One that has no job ends by itself, by HTCondor's own knob, and the pool hears no more of it."""
    one = yard.joined(yard.order(idle=15.0))
    assert "HTCondor has ended, as it does without a job" in yard.words(one)
    assert not yard.heard(one)


def old(yard: Yard) -> None:
    """One whose lifetime is over ends, and another that is not goes on."""
    one, other = yard.order(lifetime=45.0), yard.order()
    yard.joined(one)
    yard.joined(other)
    awaited(lambda: yard.provider.describe(one.id).state == "gone")
    assert "was to live 45 s" in yard.provider.describe(one.id).reason
    assert len(yard.heard(other)) == 1
    yard.provider.destroy(other.id)
    awaited(lambda: not yard.heard(other))


def silent(yard: Yard) -> None:
    """One that the pool does not know any more ends; the pool's own daemons are none of its business."""
    one = yard.joined(yard.order(silent=45.0))
    (ad,) = yard.heard(one)
    assert ad["AuthenticatedIdentity"] == _PLACE.identity(one.name)
    yard.trust.revoke([one.name])
    assert "no contact with the pool" in yard.words(one)
    assert subprocess.run(["condor_q"], check=False, capture_output=True).returncode == 0


def refused(yard: Yard) -> None:
    """One whose ticket is not good any more is off at once, and says why."""
    with JoinLedger(yard.folder / "journal.db") as store:
        issue, JoinDesk.issue = JoinDesk.issue, lambda self, ticket: issue(self, ticket)[::-1]  # type: ignore[method-assign]
        try:
            one = yard.order()
        finally:
            JoinDesk.issue = issue  # type: ignore[method-assign]
        assert store.tickets(one.name)
    assert "no join token of this worker" in yard.words(one)


ENDS: dict[str, Callable[[Yard], None]] = {"idle": idle, "old": old, "silent": silent, "refused": refused}


def awaited(is_so: Callable[[], bool]) -> None:
    """Wait until something is so, two minutes at most."""
    until = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < until, "it did not come to be so"
        time.sleep(0.2)


if __name__ == "__main__":
    made = Yard(Path(sys.argv[1]))
    keys = QueueKeys(made.folder, _PLACE.trust_domain)
    open_store = lambda: JoinLedger(made.folder / "journal.db")  # noqa: E731
    with JoinService(
        open_store, made.trust, _PLACE, made.certificate, keys, host="127.0.0.1"
    ) as made.service:
        try:
            ENDS[sys.argv[2]](made)
        except BaseException:
            for log in made.folder.glob("yard/*/root/log"):
                print(log.read_text())
            raise
        finally:
            for left in made.provider.list("life"):
                made.provider.destroy(left.id)
    assert not local_processes.by_machine(made.folder / "yard"), "processes are left"
    print(f"{sys.argv[2]} holds")
