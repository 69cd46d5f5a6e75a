"""Statements: what the outbox asks of the journal, and what it writes; each goes by an index.

A channel's line is in the order of `seq`, what is aside in that of `due`; `queues` has one row for each channel.
"""

from __future__ import annotations

__all__ = [
    "CLOSE",
    "EMPTY",
    "END",
    "FAIL",
    "FAILING",
    "FAILS",
    "HEALTH",
    "HURRY",
    "JOIN",
    "LATER",
    "LEASE",
    "OF_ASIDE",
    "OF_LINE",
    "READY",
    "RELEASE",
    "SETTLE",
    "TRY",
    "TURN",
    "WORKS",
    "WRITES",
]

_LINE = (
    "FROM deliveries WHERE channel = queues.channel AND state = 'waiting' AND aside = 0 ORDER BY seq LIMIT 1"
)
_ASIDE = (
    "FROM deliveries WHERE channel = queues.channel AND state = 'waiting' AND aside = 1 ORDER BY due LIMIT 1"
)
TRY = """
    INSERT INTO tries (delivery, n, at, seconds, outcome, status, response)
    SELECT id, (SELECT coalesce(max(n), 0) + 1 FROM tries WHERE delivery = id), ?, ?, ?, ?, ?
    FROM deliveries WHERE seq = ?"""
# A result of a sender that lost its lease meanwhile changes nothing, but that it arrived.
SETTLE = """
    UPDATE deliveries SET tries = tries + 1, begun = coalesce(begun, ?), state = ?, due = max(due, ?), ended = ?,
    reason = ?, aside = max(aside, ?) WHERE seq = ? AND (state = 'waiting' OR ? = 'sent')"""
HEALTH = """
    UPDATE queues SET failures = ?1, pause = ?2, last = max(last, ?3)
    WHERE channel = ?4 AND sender = ?5 AND (failures > 0 OR ?1 > 0)"""
CLOSE = "INSERT OR IGNORE INTO closed_channels (channel, at, reason) VALUES (?, ?, ?)"
FAIL = (
    "INSERT OR REPLACE INTO failing_channels (channel, since, last, failures, reason) VALUES (?, ?, ?, ?, ?)"
)
WORKS = "DELETE FROM failing_channels WHERE channel = ?"
END = "UPDATE deliveries SET state = ?, ended = ?, reason = ? WHERE seq = ? AND state = 'waiting'"
EMPTY = """
    DELETE FROM queues WHERE channel = ?
    AND NOT EXISTS (SELECT 1 FROM deliveries WHERE channel = queues.channel AND state = 'waiting')"""
RELEASE = f"""
    UPDATE queues SET sender = '', failing = failures > 0,
    ready = max(pause, min(coalesce((SELECT due {_LINE}), 9e99), coalesce((SELECT due {_ASIDE}), 9e99)))
    WHERE channel = ? AND sender = ?"""  # noqa: S608 - constants

LEASE = "UPDATE queues SET ready = ?, sender = ?, last = ? WHERE channel = ?"
# What its episode waits for is aside: it goes there too, and that is looked at anew, since this says more.
JOIN = "UPDATE deliveries SET aside = 1 WHERE seq = ?"
HURRY = "UPDATE deliveries SET due = min(due, ?) WHERE seq = ?"
LATER = "UPDATE deliveries SET due = ? WHERE seq = ?"

TURN = """
    SELECT q.channel, c.reason, q.failures, q.last, EXISTS (
        SELECT 1 FROM deliveries WHERE channel = q.channel AND state = 'waiting' AND aside = 1 AND due <= ?1)
    FROM queues q LEFT JOIN closed_channels c USING (channel)
    WHERE q.failing = ?2 AND q.ready <= ?1 AND instr(q.channel, ?3) = 1 ORDER BY q.ready LIMIT ?4"""
READY = "SELECT ready FROM queues WHERE failing = ? AND instr(channel, ?) = 1 ORDER BY ready LIMIT 1"
FAILING = "SELECT channel, since, last, failures, reason FROM failing_channels WHERE channel = ?"
# A queue is there as long as anything waits; its failures are those after which something is tried again, so that what
# is on its way to a channel that refuses all does not count. What waits is told in vain since the first try of what it
# superseded, after the last of its episode that was answered: else each update would begin anew.
FAILS = """
    SELECT channel, since, last, failures, reason, (
        SELECT min(e.begun) FROM queues q
        JOIN deliveries w ON w.channel = q.channel AND w.state = 'waiting'
        JOIN deliveries e ON e.episode = w.episode AND e.channel = w.channel
        WHERE q.channel = f.channel AND q.failures > 0
        AND (e.state = 'waiting' OR e.state = 'dropped' AND e.seq > (
            SELECT coalesce(max(a.seq), 0) FROM deliveries a
            WHERE a.episode = w.episode AND a.channel = w.channel AND a.state IN ('sent', 'dead'))))
    FROM failing_channels f ORDER BY channel"""
# With each row what was reached before it and what came after it, of its episode in its channel; and which of these
# still waits before it. Of HTTP, 425, 429 and 503 say that nothing was done; any other failure without a refusal may
# have come too late.
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
    END,
    (SELECT max(p.seq) FROM deliveries p
        WHERE p.episode = d.episode AND p.channel = d.channel AND p.seq < d.seq AND p.state = 'waiting')
    FROM deliveries d JOIN messages a ON a.id = d.alert
    WHERE d.channel = ?1 AND d.state = 'waiting' AND"""
OF_LINE = f"{_ROWS} d.aside = 0 ORDER BY d.seq LIMIT ?2"
OF_ASIDE = f"{_ROWS} d.aside = 1 AND d.due <= ?3 ORDER BY d.due LIMIT ?2"
#: Those that are written, in the order in which that is done within one transaction.
WRITES = (TRY, SETTLE, HEALTH, FAIL, WORKS, CLOSE, END, JOIN, HURRY, LATER, LEASE, EMPTY, RELEASE)
