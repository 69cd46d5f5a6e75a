"""What the alert store writes, in SQL. Nothing can go wrong."""

from __future__ import annotations

__all__ = [
    "ADD_ALERT",
    "ADD_CYCLE",
    "ADD_DELIVERIES",
    "ADD_PICTURE",
    "CLEAR",
    "END_STATE",
    "KEEP_CYCLE",
    "LAPSE",
    "SET_STATE",
    "WRITES",
]

KEEP_CYCLE = (
    "INSERT OR REPLACE INTO earlier_cycles (run, hazard, feed, issued, judged, outcome, known)"
    " SELECT run, hazard, feed, issued, judged, outcome, known FROM cycles WHERE run = ? AND hazard = ?"
)
ADD_CYCLE = (
    "INSERT OR REPLACE INTO cycles (run, hazard, feed, issued, judged, outcome, known)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
SET_STATE = "INSERT OR REPLACE INTO episodes (feed, hazard, subscriber, way, state) VALUES (?, ?, ?, ?, ?)"
END_STATE = "DELETE FROM episodes WHERE feed = ? AND hazard = ? AND subscriber = ? AND way = ?"
LAPSE = "INSERT OR IGNORE INTO lapsed (alert, at, reason) SELECT id, ?, ? FROM alerts WHERE id = ?"
ADD_ALERT = (
    "INSERT INTO alerts (id, episode, revision, kind, feed, run, subscriber, hazard, made, body, picture)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
CLEAR = "INSERT INTO cleared (alert, cycles, level, lead, times) VALUES (?, ?, ?, ?, ?)"
ADD_PICTURE = "INSERT OR IGNORE INTO pictures (run, id, body) VALUES (?, ?, ?)"
#: All in one statement: one by one SQLite would make ready to undo each, because of the trigger.
ADD_DELIVERIES = """
    INSERT INTO deliveries (id, alert, episode, channel, state, due, expires)
    SELECT value->>0, value->>1, value->>2, value->>3, 'waiting', value->>4, value->>5 FROM json_each(?)"""
#: In the order in which they are applied: a row after those that it refers to.
WRITES = (
    KEEP_CYCLE,
    ADD_CYCLE,
    SET_STATE,
    END_STATE,
    ADD_PICTURE,
    ADD_ALERT,
    CLEAR,
    LAPSE,
    ADD_DELIVERIES,
)
