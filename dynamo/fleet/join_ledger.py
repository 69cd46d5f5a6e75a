"""Tickets in the journal: who was let join, who was let go, and who was refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from dynamo.fleet.join import Ticket
from dynamo.journal.database import Opened

__all__ = ["JoinLedger", "RefusedJoin"]

_COLUMNS = (
    "worker, token, node, offer, until, dies, digest, cores, memory, idle, grace, spent, nonce, revoked"
)
_ADD = f"INSERT INTO fleet_joins ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
_REFUSED = "INSERT INTO fleet_refusals (at, worker, why) VALUES (?, ?, ?)"
#: Refusals that are kept: who asks without end shall not fill the disk.
_KEPT = 1000
_SIGNS = 64


class RefusedJoin(NamedTuple):
    """Somebody who called himself `worker`, and was refused."""

    at: float
    worker: str
    why: str


class JoinLedger(Opened):
    """A `dynamo.fleet.join.JoinStore` in the journal of a workspace; an object serves one thread."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, (_ADD, _REFUSED))

    def add(self, ticket: Ticket) -> None:
        """Keep a ticket."""
        one = ticket
        self._db.write(
            _ADD,
            (
                one.worker, one.order, one.group, one.offer, one.until, one.dies, one.digest, one.cores, one.memory,
                one.idle, one.grace, one.spent, one.nonce, one.revoked,
            ),
        )  # fmt: skip

    def tickets(self, worker: str) -> Sequence[Ticket]:
        """Return the tickets of a worker."""
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM fleet_joins WHERE worker = ?", (worker,))  # noqa: S608
        return [Ticket(*row) for row in rows]

    def spend(self, ticket: Ticket, nonce: str, at: float) -> bool:
        """Mark as spent where no ticket of the worker is spent or revoked; one statement, so of two one succeeds."""
        done = self._db.execute(
            "UPDATE fleet_joins SET spent = ?, nonce = ? WHERE digest = ? AND NOT EXISTS (SELECT 1 FROM fleet_joins "
            "AS other WHERE other.worker = fleet_joins.worker "
            "AND (other.spent IS NOT NULL OR other.revoked IS NOT NULL))",
            (at, nonce, ticket.digest),
        )
        return done.rowcount == 1

    def revoke(self, worker: str, at: float) -> None:
        """Mark all tickets of a worker as revoked."""
        self._db.execute(
            "UPDATE fleet_joins SET revoked = ? WHERE worker = ? AND revoked IS NULL", (at, worker)
        )

    def revoked(self, now: float) -> Sequence[str]:
        """Return the workers that were let go, and joined before, and whose token of HTCondor may still be good."""
        return list(self.ends(now))

    def ends(self, now: float) -> dict[str, float]:
        """Return the same workers, and until when their tokens may be good (Unix seconds)."""
        rows = self._db.execute(
            "SELECT worker, max(dies + grace) FROM fleet_joins WHERE revoked IS NOT NULL AND spent IS NOT NULL "
            "AND dies + grace > ? GROUP BY worker ORDER BY worker",
            (now,),
        )
        return dict(rows)

    def refused(self, worker: str, why: str, at: float) -> None:
        """Write down who was refused; the last thousand are kept."""
        self._db.write(_REFUSED, (at, worker[:_SIGNS], why))
        self._db.execute(
            "DELETE FROM fleet_refusals WHERE id <= (SELECT max(id) FROM fleet_refusals) - ?", (_KEPT,)
        )

    def refusals(self, *, since: float = 0.0) -> list[RefusedJoin]:
        """Return who was refused since a time (Unix seconds), and why."""
        rows = self._db.execute(
            "SELECT at, worker, why FROM fleet_refusals WHERE at >= ? ORDER BY id", (since,)
        )
        return [RefusedJoin(*row) for row in rows]

    def forget(self, before: float) -> None:
        """Remove the tickets of workers whose tokens were good for nothing before a time (Unix seconds)."""
        self._db.execute("DELETE FROM fleet_joins WHERE dies + grace < ?", (before,))
