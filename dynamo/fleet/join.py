"""How a worker joins: a one-use token for one machine, exchanged for what HTCondor needs to offer its slots.

Nothing that waits or calls: who asks is judged here, the rest is `dynamo.fleet.join_service`. Of a token only its
digest is kept, so who reads the journal cannot use it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from dynamo.errors import InfrastructureError
from dynamo.fleet.slice import Role

__all__ = [
    "TOKEN_LIFETIME",
    "JoinDesk",
    "JoinRefusedError",
    "JoinRequest",
    "JoinStore",
    "Ticket",
    "digest",
]

#: Seconds in which a machine must boot and ask.
TOKEN_LIFETIME = 1800.0
#: Seconds by which a token of HTCondor outlives its machine's lifetime, where no ticket says it: as long as any has.
_GRACE = 3600.0


@dataclass(frozen=True, slots=True)
class Ticket:
    """A join token that was given out, and the worker that it is for.

    Parameters
    ----------
    worker, order, group, offer
        The worker's name, the token of its order (not the join token), its node group and the offer it was bought by.
    until
        When the join token is not good any more, in Unix seconds.
    dies
        When the machine's lifetime is over, and with it the token of HTCondor that it gets.
    digest
        Of the join token.
    cores, memory
        What it offers, in cores and bytes; 0 for what HTCondor finds there.
    idle, grace
        Seconds without a job after which HTCondor ends there, 0 for an access point, which takes jobs in and runs none;
        and that jobs have to end when it is told to.
    spent
        When it was exchanged; None where it was not.
    nonce
        Digest of the number that it was exchanged with.
    revoked
        When the worker was let go; None where it was not.
    """

    worker: str
    order: str
    group: str
    offer: str
    until: float
    dies: float
    digest: str = ""
    cores: int = 0
    memory: int = 0
    idle: float = 600.0
    grace: float = 300.0
    spent: float | None = None
    nonce: str = ""
    revoked: float | None = None

    @property
    def role(self) -> Role:
        """What the machine is to the pool."""
        return "worker" if self.idle else "submit"


class JoinStore(Protocol):
    """Keeps tickets over a restart; `dynamo.fleet.join_ledger` does in the journal. An object serves one thread."""

    def add(self, ticket: Ticket) -> None:
        """Keep a ticket; a worker may have several, of which one can be spent."""

    def tickets(self, worker: str) -> Sequence[Ticket]:
        """Return the tickets of a worker, also those that are spent or revoked."""

    def spend(self, ticket: Ticket, nonce: str, at: float) -> bool:
        """Mark as spent, durably; false where any ticket of the worker is spent or revoked: of two, one succeeds."""

    def revoke(self, worker: str, at: float) -> None:
        """Mark all tickets of a worker as revoked."""

    def revoked(self, now: float) -> Sequence[str]:
        """Return the workers that were let go before their lifetime was over, which is still to come."""

    def refused(self, worker: str, why: str, at: float) -> None:
        """Write down that somebody was refused who called himself `worker`."""


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """What a machine sends: who it is, its join token, and a number that it made up and keeps to itself.

    `public` is the public key of its tunnel; empty where it needs none.
    """

    worker: str
    order: str
    token: str = field(repr=False)
    nonce: str = field(repr=False)
    public: str = ""


class JoinRefusedError(InfrastructureError):
    """A machine may not join; the message is for its log, and says nothing to who has no token.

    Parameters
    ----------
    message
        Why.
    status
        Of HTTP, in these words.
    """

    def __init__(self, message: str, status: int = 403) -> None:
        super().__init__(message)
        self.status = status


class JoinDesk:
    """Gives out join tokens, and judges who comes with one.

    Parameters
    ----------
    store
        Where tickets are kept.
    """

    def __init__(self, store: JoinStore) -> None:
        self._store = store

    def issue(self, ticket: Ticket) -> str:
        """Return a new join token for the user data of the worker that `ticket` names; its digest is set here.

        An order that is given again gets another; both are good, and of both one can be spent.
        """
        token = secrets.token_urlsafe(32)
        self._store.add(replace(ticket, digest=digest(token)))
        return token

    def admit(self, request: JoinRequest, now: float) -> Ticket:
        """Return the ticket of who asks; raises `JoinRefusedError`, which is written down."""
        try:
            return self._judge(request, now)
        except JoinRefusedError as error:
            self._store.refused(request.worker, error.message, now)
            raise

    def spend(self, ticket: Ticket, request: JoinRequest, now: float) -> None:
        """Spend a ticket that was admitted; raises `JoinRefusedError` where somebody else did so meanwhile."""
        if ticket.spent is not None:  # it asks again, and may
            return
        if not self._store.spend(ticket, digest(request.nonce), now):
            # The same machine, that asked twice at once, may; everybody else is refused.
            self.admit(request, now)

    def revoke(self, worker: str, now: float, dies: float = 0.0) -> None:
        """Let a worker go: none of its tokens is good any more.

        One that has joined and has no ticket here, as a journal was lost, may have a token until `dies` (Unix seconds).
        """
        if dies and not self._store.tickets(worker):
            secret = digest(secrets.token_urlsafe(32))
            self._store.add(Ticket(worker, "", "", "", now, dies, digest=secret, grace=_GRACE, spent=now))
        self._store.revoke(worker, now)

    def _judge(self, request: JoinRequest, now: float) -> Ticket:
        offered = digest(request.token)
        tickets = self._store.tickets(request.worker)
        # Each is compared, and in the same time whatever is in it.
        mine = [one for one in tickets if hmac.compare_digest(one.digest, offered)]
        if not mine:
            raise JoinRefusedError("this is no join token of this worker")
        ticket = mine[0]
        if not hmac.compare_digest(ticket.order.encode(), request.order.encode()):
            raise JoinRefusedError("this join token is of another order")
        if any(one.revoked is not None for one in tickets):
            raise JoinRefusedError("this worker was let go: its join token is not good any more")
        spent = next((one for one in tickets if one.spent is not None), None)
        if spent is not None:
            return self._again(spent, ticket, request, now)
        if now >= ticket.until:
            raise JoinRefusedError("this join token has expired: the machine took too long to start")
        if now >= ticket.dies:
            raise JoinRefusedError("the lifetime of this worker is over")
        return ticket

    @staticmethod
    def _again(spent: Ticket, ticket: Ticket, request: JoinRequest, now: float) -> Ticket:
        """Admit who has joined and lost the answer, while his token is good; a number that is empty is nobody's."""
        same = hmac.compare_digest(spent.nonce, digest(request.nonce)) and bool(request.nonce)
        if spent.digest == ticket.digest and same and now < spent.until:
            return spent
        raise JoinRefusedError("this join token was used already")


def digest(secret: str) -> str:
    """Return what is kept of a secret that is long and random: its SHA-256."""
    return hashlib.sha256(secret.encode()).hexdigest()
