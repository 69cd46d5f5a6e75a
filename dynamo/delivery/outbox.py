"""The outbox: which deliveries a sender may try now, and what became of them, durably.

Rows that wait enter, written with the change of the alert; leases of channels leave, and results come back. A
channel, not a row, is leased: whoever has it sends its deliveries one after another in the order of `seq`, and
nobody else does until the lease is given back or runs out. Goes wrong: `WorkspaceError`; a delivery to replay that
is no dead letter (`UserError`).

A delivery that is no longer true when its turn comes is dropped, with the reason:

* it expired;
* a later one of its episode was sent in this channel already (after a replay), or waits, and this one has failed at
  least once: the later one says more. A first try is never spared, so that nothing is skipped that could be told;
* it is an update of an episode whose all clear was settled already;
* it is an all clear, and nothing of its episode reached this channel. *Reached* is whatever was sent, and whatever
  was tried without a clear no: after a time-out or a lost connection nobody knows, and an all clear too many harms
  less than one that is missing. An all clear is never dropped for anything else but its own expiry.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, Self

import orjson

from dynamo.alerts.alert import Alert
from dynamo.delivery.records import Batch, Item, Tried
from dynamo.errors import InternalError, UserError
from dynamo.journal.database import Database

__all__ = ["Outbox"]

#: Deliveries leased at a time: of all channels together, of one at most and at least, and of one that fails.
ROWS, MOST, LEAST, PROBE = 1000, 200, 4, 4
#: Seconds for which a result is kept when the disk is full.
PATIENCE = 10.0

_FIRST = "FROM deliveries WHERE channel = queues.channel AND state = 'waiting' ORDER BY seq LIMIT 1"
_TRY = """
    INSERT INTO tries (delivery, n, at, seconds, outcome, status, response)
    SELECT id, (SELECT coalesce(max(n), 0) + 1 FROM tries WHERE delivery = id), ?, ?, ?, ?, ?
    FROM deliveries WHERE seq = ?"""
# A result of a sender that lost its lease meanwhile changes nothing, but that it arrived.
_SETTLE = """
    UPDATE deliveries SET tries = tries + 1, begun = coalesce(begun, ?), state = ?, due = max(due, ?), ended = ?,
    reason = ? WHERE seq = ? AND (state = 'waiting' OR ? = 'sent')"""
_CLOSE = "INSERT OR IGNORE INTO closed_channels (channel, at, reason) VALUES (?, ?, ?)"
_END = "UPDATE deliveries SET state = ?, ended = ?, reason = ? WHERE seq = ? AND state = 'waiting'"
_EMPTY = f"DELETE FROM queues WHERE channel = ? AND NOT EXISTS (SELECT 1 {_FIRST})"  # noqa: S608 - constants
_RELEASE = f"""
    UPDATE queues SET sender = '', (ready, failing) = (SELECT due, tries > 0 {_FIRST})
    WHERE channel = ? AND sender = ?"""  # noqa: S608 - constants

_LEASE = "UPDATE queues SET ready = ?, sender = ? WHERE channel = ?"

_TURN = """
    SELECT q.channel, c.reason FROM queues q LEFT JOIN closed_channels c USING (channel)
    WHERE q.failing = ? AND q.ready <= ? AND instr(q.channel, ?) = 1 ORDER BY q.ready LIMIT ?"""
_READY = "SELECT ready FROM queues WHERE failing = ? AND instr(channel, ?) = 1 ORDER BY ready LIMIT 1"
# With each row what was reached before it and what came after it, of its episode in its channel. Of HTTP, 425, 429
# and 503 say that nothing was done; any other failure without a refusal may have come too late.
_ROWS = """
    SELECT d.seq, d.id, d.episode, d.due, d.expires, d.tries, d.begun, a.kind, a.body,
    CASE WHEN a.kind = 'cancelled' THEN (
        SELECT max(e.state = 'sent' OR EXISTS (
            SELECT 1 FROM tries t WHERE t.delivery = e.id AND t.outcome = 'again'
            AND (t.status IS NULL OR t.status NOT IN (425, 429, 503))))
        FROM deliveries e WHERE e.episode = d.episode AND e.channel = d.channel AND e.seq < d.seq)
    ELSE (
        SELECT max(CASE WHEN l.state = 'sent' THEN 2 WHEN l.state = 'waiting' THEN 1
            WHEN l.state = 'dropped' AND (SELECT kind FROM alerts WHERE id = l.alert) = 'cancelled' THEN 3 END)
        FROM deliveries l WHERE l.episode = d.episode AND l.channel = d.channel AND l.seq > d.seq)
    END
    FROM deliveries d JOIN alerts a ON a.id = d.alert
    WHERE d.channel = ? AND d.state = 'waiting' ORDER BY d.seq LIMIT ?"""
_WAITS, _SENT, _OVER = 1, 2, 3


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
        self._db = Database(path, (_TRY, _SETTLE, _CLOSE, _END, _LEASE, _EMPTY, _RELEASE))

    def close(self) -> None:
        """Close the file; leases run out by themselves."""
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
        """Return when the first channel has its turn, of those whose first delivery has failed before, or has not."""
        row = self._db.execute(_READY, (failing, self.scope)).fetchone()
        return None if row is None else float(row[0])

    def claim(self, now: float, *, healthy: int, failing: int = 0, busy: Collection[str] = ()) -> list[Batch]:
        """Lease channels whose turn it is.

        Parameters
        ----------
        now
            Unix seconds.
        healthy, failing
            At most so many channels whose first delivery has not failed before, and whose has.
        busy
            Channels that this sender has in hand; they are left alone even when their lease ran out.
        """
        wanted = [(fails, most) for fails, most in ((False, healthy), (True, failing)) if most > 0]
        if not any(self._turns(fails, now, 1) for fails, _ in wanted):
            return []
        with self._db.change():
            turns = [(*turn, fails) for fails, most in wanted for turn in self._turns(fails, now, most)]
            turns = [turn for turn in turns if turn[0] not in busy]
            rows = max(LEAST, min(MOST, ROWS // max(1, len(turns))))
            found = []
            for channel, closed, fails in turns:
                if closed is not None:
                    self._bury(channel, f"the channel is closed: {closed}", now)
                else:
                    found.append(self._lease(channel, now, PROBE if fails else rows, failing=fails))
        return [batch for batch in found if batch.items]

    def _turns(self, failing: bool, now: float, most: int) -> list[tuple[str, str | None]]:
        return self._db.execute(_TURN, (failing, now, self.scope, most)).fetchall()

    def _lease(self, channel: str, now: float, most: int, *, failing: bool) -> Batch:
        """Lease one channel; where nothing of it can be sent now, let it go."""
        rows = self._db.execute(_ROWS, (channel, most)).fetchall()
        items = tuple(self._items(rows, now))
        self._db.write(_LEASE, (now + self.lease, self.sender, channel))
        if not items:
            self._release(channel)
        return Batch(channel, items, failing)

    def _items(self, rows: Iterable[tuple[Any, ...]], now: float) -> Iterator[Item]:
        """Give the rows that can be sent one after another now; drop those that are no longer true."""
        under_way = set()
        for seq, name, episode, due, expires, tries, begun, kind, body, told in rows:
            if due > now:
                return
            if kind == "cancelled" and episode in under_way:
                return  # whether there is anything to clear is known when these are settled
            why = _untrue(kind, tries, told) if expires >= now else "expired"
            if why:
                self._db.write(_END, ("dropped", now, why, seq))
                continue
            try:
                alert = Alert.from_json(orjson.loads(body))
            except (InternalError, orjson.JSONDecodeError) as error:
                self._db.write(_END, ("dead", now, f"cannot be read: {error}", seq))
                continue
            under_way.add(episode)
            yield Item(seq, name, alert, expires, tries, begun)

    def renew(self, now: float) -> None:
        """Prolong all leases of this sender."""
        self._db.execute(
            "UPDATE queues SET ready = ? WHERE sender = ? AND ready < ?",
            (now + self.lease, self.sender, now + self.lease),
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
        with self._db.change(PATIENCE):
            for one in tried:
                end, said = one.verdict, one.outcome
                ended = None if end.state == "waiting" else one.at + one.seconds
                answer = (said.said, said.status, said.response)
                self._db.write(_TRY, (one.at, one.seconds, *answer, one.seq))
                settled = (one.at, end.state, end.due, ended, end.reason, one.seq, end.state)
                self._db.write(_SETTLE, settled)
                if said.close:
                    self._db.write(_CLOSE, (one.channel, now, said.response))
            for channel in released:
                self._release(channel)

    def _release(self, channel: str) -> None:
        self._db.write(_EMPTY, (channel,))
        self._db.write(_RELEASE, (channel, self.sender))

    def bury(self, channel: str, reason: str, now: float) -> None:
        """Make dead letters of all that waits in a channel."""
        with self._db.change():
            self._bury(channel, reason, now)

    def _bury(self, channel: str, reason: str, now: float) -> None:
        self._db.execute(
            "UPDATE deliveries SET state = 'dead', ended = ?, reason = ? WHERE channel = ? AND state = 'waiting'",
            (now, reason, channel),
        )
        self._db.execute("DELETE FROM queues WHERE channel = ?", (channel,))

    def replay(self, which: str | None, now: float) -> int:
        """Let dead letters wait again, in their old order; return how many.

        A closed channel of one of them is opened again. What expired meanwhile is dropped when its turn comes.

        Parameters
        ----------
        which
            Id of a delivery, or of an alert (then all its dead letters); None for all.
        now
            Unix seconds.

        Raises
        ------
        UserError
            There is no such dead letter.
        """
        chosen = "state = 'dead' AND (?1 IS NULL OR id = ?1 OR alert = ?1)"
        with self._db.change():
            found = self._db.execute(
                f"SELECT count(*), channel FROM deliveries WHERE {chosen} GROUP BY channel",  # noqa: S608 - constant
                (which,),
            ).fetchall()
            if which is not None and not found:
                raise UserError(self._not_dead(which))
            self._db.execute(
                "UPDATE deliveries SET state = 'waiting', due = ?2, tries = 0, begun = NULL, ended = NULL,"  # noqa: S608
                f" reason = '' WHERE {chosen}",
                (which, now),
            )
            for _, channel in found:
                self._db.execute("DELETE FROM closed_channels WHERE channel = ?", (channel,))
                self._db.execute(
                    "INSERT INTO queues (channel, ready, failing) VALUES (?, ?, 0) ON CONFLICT (channel) DO UPDATE"
                    " SET ready = excluded.ready, failing = 0 WHERE sender = ''",
                    (channel, now),
                )
        return sum(count for count, _ in found)

    def _not_dead(self, which: str) -> str:
        row = self._db.execute(
            "SELECT id, state FROM deliveries WHERE id = ?1 OR alert = ?1 LIMIT 1", (which,)
        ).fetchone()
        if row is None:
            return f"there is no delivery and no alert {which!r}; `dynamo alerts deadletter` lists what was given up"
        return f"{which} is no dead letter: it is {row[1]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _untrue(kind: str, tries: int, told: int | None) -> str:
    """Return why a delivery that did not expire is no longer true, or an empty text.

    `told` is, of an all clear, whether anything before it was reached (None: there is nothing before it); of others
    the most that became of those after it.
    """
    if kind == "cancelled":
        return "nothing of its episode reached this channel" if told == 0 else ""
    if told == _OVER:
        return "superseded: its episode is over"
    return "superseded by a later alert of its episode" if told == _SENT or (told == _WAITS and tries) else ""
