"""The outbox: which deliveries a sender may try now, and what became of them, durably.

Rows that wait enter, written with the change of the alert; leases of channels leave, and results come back. A
channel, not a row, is leased: whoever has it sends its deliveries one after another, and nobody else does until the
lease is given back or runs out. Its line and what was set aside have their turns alternately (`dynamo.delivery.turn`);
after a failure it is left alone for a while. Goes wrong: `WorkspaceError`; a delivery to replay that is no dead letter
(`UserError`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple, Self

from dynamo.delivery import statements as sql
from dynamo.delivery.dead import reopen, replay
from dynamo.delivery.failing import tell_change
from dynamo.delivery.failures import Failures
from dynamo.delivery.lost import Losses, tell_given_up
from dynamo.delivery.records import Batch, Tried
from dynamo.delivery.turn import Row, take
from dynamo.journal.database import Database

__all__ = ["Outbox"]

#: Deliveries leased at a time: of all channels together, of one at most and at least.
ROWS, MOST, LEAST = 1000, 200, 4
#: Of a channel that fails one is leased, the first of so many that is still true.
PROBE = 20
#: What a receiver said that closed its channel without a word.
GONE = "410 Gone"
#: Seconds for which a result is kept when the disk is full.
PATIENCE = 10.0


class _Queue(NamedTuple):
    """A channel that has its turn: why it is closed if it is, and whom it serves next."""

    channel: str
    closed: str | None
    failures: int
    last: int
    aside: int

    def order(self) -> list[bool]:
        """Whether what is aside has the turn, and then whether it has where that gives nothing."""
        return [not self.last, bool(self.last)] if self.aside else [False]


class Outbox:
    """The deliveries of one journal, as one sender sees them. For one thread.

    Parameters
    ----------
    path
        The journal's file.
    sender
        Who leases; the same for no other sender.
    lease
        Seconds for which a channel is leased; `renew` prolongs it.
    scope
        What the names of its channels begin with; those of others are left alone.
    """

    def __init__(self, path: Path, sender: str = "", lease: float = 5.0, scope: str = "") -> None:
        self.sender = sender
        self.lease = lease
        self.scope = scope
        self._db = Database(path, sql.WRITES)
        self._failures, self._losses = Failures(self._db), Losses()

    def close(self) -> None:
        """Close the file, with all losses told; leases run out by themselves."""
        self._losses.tell(lambda _: "")
        self._db.close()

    def waiting(self) -> int:
        """Return how many deliveries wait."""
        row = self._db.execute(
            "SELECT count(*) FROM deliveries WHERE state = 'waiting' AND instr(channel, ?) = 1", (self.scope,)
        ).fetchone()
        return int(row[0])

    def leased(self) -> list[str]:
        """Return the channels that this sender has leased."""
        rows = self._db.execute("SELECT channel FROM queues WHERE sender = ?", (self.sender,))
        return [row[0] for row in rows]

    def ready(self, *, failing: bool) -> float | None:
        """Return when the first channel has its turn, of those whose last try failed, or of the others."""
        row = self._db.execute(sql.READY, (failing, self.scope)).fetchone()
        return None if row is None else float(row[0])

    def claim(self, now: float, *, healthy: int, failing: int = 0, busy: Collection[str] = ()) -> list[Batch]:
        """Lease channels whose turn it is.

        Parameters
        ----------
        now
            Unix seconds.
        healthy, failing
            At most so many channels whose last try did not fail, and whose did.
        busy
            Channels that this sender has in hand; they are left alone even when their lease ran out.
        """
        if self._losses.is_due(now):
            self._losses.tell(lambda channel: self._ailing(channel, now))
        wanted = [(fails, most) for fails, most in ((False, healthy), (True, failing)) if most > 0]
        if not any(self._turns(fails, now, 1) for fails, _ in wanted):
            return []
        with self._db.change():
            turns = [turn for fails, most in wanted for turn in self._turns(fails, now, most)]
            turns = [turn for turn in turns if turn.channel not in busy]
            rows = max(LEAST, min(MOST, ROWS // max(1, len(turns))))
            found, lost = [], list[tuple[str, str]]()
            for turn in turns:
                if turn.closed is not None:
                    self._bury(turn.channel, f"the channel is closed: {turn.closed}", now)
                else:
                    found.append(self._lease(turn, now, rows, lost))
        for channel, reason in lost:
            self._losses.note(channel, reason, now)
        return [batch for batch in found if batch.items]

    def _turns(self, failing: bool, now: float, most: int) -> list[_Queue]:
        return [_Queue(*row) for row in self._db.execute(sql.TURN, (now, failing, self.scope, most))]

    def _ailing(self, channel: str, now: float) -> str:
        failing = self._failures.of(channel)
        return "" if failing is None else failing.words(now)

    def _lease(self, queue: _Queue, now: float, most: int, lost: list[tuple[str, str]]) -> Batch:
        """Lease one channel; where nothing of it can be sent now, let it go; add what is dropped to `lost`."""
        look, most = (PROBE, 1) if queue.failures else (most, most)
        for aside in queue.order():
            found, more = (sql.OF_ASIDE, (now,)) if aside else (sql.OF_LINE, ())
            rows = sorted(map(Row._make, self._db.execute(found, (queue.channel, look, *more))))
            turn = take(rows, now, most, aside=aside)
            for state, reason, seq in turn.over:
                self._db.write(sql.END, (state, now, reason, seq))
                lost += [(queue.channel, reason)] * (state == "dropped")
            for seq, before in turn.blocked:
                if aside:
                    self._db.write(sql.LATER, (now + 1, seq))
                else:
                    self._db.write(sql.JOIN, (seq,))
                    self._db.write(sql.HURRY, (now, before))
            if turn.items:
                break
        self._db.write(sql.LEASE, (now + self.lease, self.sender, aside, queue.channel))
        if not turn.items:
            self._release(queue.channel)
        return Batch(queue.channel, tuple(turn.items), queue.failures)

    def renew(self, now: float) -> None:
        """Prolong all leases of this sender."""
        self._db.execute("UPDATE queues SET ready = ? WHERE sender = ?", (now + self.lease, self.sender))

    def take_over(self, kind: str, now: float) -> None:
        """End the leases of all whose name begins with `kind`, but of this sender: they are known to be dead."""
        self._db.execute(
            "UPDATE queues SET ready = max(pause, ?1), sender = ''"
            " WHERE instr(sender, ?2) = 1 AND sender <> ?3 AND instr(channel, ?4) = 1",
            (now, kind, self.sender, self.scope),
        )

    def set_back(self, now: float, most: float) -> None:
        """Let nothing wait for more than `most` seconds: what was to wait longer goes by a clock that was set back."""
        with self._db.change():
            self._db.execute(
                "UPDATE deliveries SET due = ?1 WHERE state = 'waiting' AND due > ?1 + ?2 AND instr(channel, ?3) = 1",
                (now, most, self.scope),
            )
            # Who lives prolongs its lease by the new clock before this one is over.
            self._db.execute(
                "UPDATE queues SET pause = min(pause, ?1), ready = iif(sender = '', ?1, min(ready, ?1 + ?4))"
                " WHERE max(ready, pause) > ?1 + ?2 AND instr(channel, ?3) = 1",
                (now, most, self.scope, self.lease),
            )

    def record(self, tried: Iterable[Tried], released: Iterable[str], now: float) -> None:
        """Write how tries ended, and give channels back, in one transaction.

        Parameters
        ----------
        tried
            In the order in which they were made.
        released
            Channels of which this sender has nothing in hand any more.
        now
            Unix seconds.
        """
        tried = list(tried)
        with self._db.change(PATIENCE):
            changes = self._failures.follow(tried)
            health: dict[str, tuple[int, float, bool]] = {}
            for one in tried:
                end, said = one.verdict, one.outcome
                ended = None if end.state == "waiting" else one.at + one.seconds
                answer = (said.said, said.status, said.response)
                self._db.write(sql.TRY, (one.at, one.seconds, *answer, one.seq))
                settled = (one.at, end.state, end.due, ended, end.reason, end.aside, one.seq, end.state)
                self._db.write(sql.SETTLE, settled)
                health[one.channel] = (end.failures, end.pause, end.served)
                if said.close:
                    self._db.write(sql.CLOSE, (one.channel, now, said.response or GONE))
            for channel, state in health.items():
                self._db.write(sql.HEALTH, (*state, channel, self.sender))
            for channel in released:
                self._release(channel)
        closed = {one.channel for one in tried if one.outcome.close}
        for before, after in changes:
            if after is not None or (before is not None and before.channel not in closed):
                tell_change(before, after, now)

    def _release(self, channel: str) -> None:
        self._db.write(sql.EMPTY, (channel,))
        self._db.write(sql.RELEASE, (channel, self.sender))

    def bury(self, channel: str, reason: str, now: float) -> None:
        """Make dead letters of all that waits in a channel."""
        with self._db.change():
            self._bury(channel, reason, now)

    def _bury(self, channel: str, reason: str, now: float) -> None:
        found = self._db.execute(
            "UPDATE deliveries SET state = 'dead', ended = ?, reason = ? WHERE channel = ? AND state = 'waiting'",
            (now, reason, channel),
        )
        if found.rowcount > 0:
            tell_given_up(channel, found.rowcount, reason)
        self._db.execute("DELETE FROM queues WHERE channel = ?", (channel,))
        self._failures.forget([channel])

    def keep(self, channels: Collection[str]) -> None:
        """Forget that channels fail that are not among these: there is no such channel any more."""
        others = [one.channel for one in self._failures.all(self.scope) if one.channel not in channels]
        if others:
            with self._db.change():
                self._failures.forget(others)

    def tell_failing(self, now: float) -> None:
        """Say in the log which channels are down, for whoever begins to look after them only now."""
        for failing in self._failures.all(self.scope):
            tell_change(None, failing, now)

    def replay(self, which: str | None, now: float) -> int:
        """Let dead letters wait again, in their old order; return how many; see `dynamo.delivery.dead.replay`."""
        with self._db.change():
            return replay(self._db, which, now)

    def open(self, channel: str, now: float) -> int:
        """Open a channel, if it is closed, and let all its dead letters wait again as `replay`; return how many."""
        with self._db.change():
            return reopen(self._db, channel, now)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
