"""The alert store: judges cycles, each in one transaction with its outbox, and tells what was judged.

Enters: a cycle and its matches. Leaves: alerts, recorded with the states they come from and with one delivery for
each channel. After ``kill -9`` or a power cut a cycle is judged whole or not at all, and judging it again is safe.
Goes wrong: `WorkspaceError` where the journal cannot be used; then nothing of the cycle is recorded.
"""

from __future__ import annotations

import secrets
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import orjson

from dynamo.alerts.alert import Alert
from dynamo.alerts.lifecycle import Cycle, Judgement, Policy, decide, exercise, judgement
from dynamo.alerts.match import Match
from dynamo.alerts.queries import AlertQueries
from dynamo.alerts.state import State
from dynamo.errors import InternalError
from dynamo.graph.collection import uncollected
from dynamo.journal.database import Database

__all__ = ["AlertStore", "Judged"]

#: Bytes to which the write-ahead log is cut after a cycle that told very many.
LOG_BYTES = 64 << 20
_ADD_CYCLE = (
    "INSERT INTO cycles (run, hazard, feed, issued, judged, outcome, known) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_SET_STATE = "INSERT OR REPLACE INTO episodes (feed, hazard, subscriber, state) VALUES (?, ?, ?, ?)"
_END_STATE = "DELETE FROM episodes WHERE feed = ? AND hazard = ? AND subscriber = ?"
_ADD_ALERT = (
    "INSERT INTO alerts (id, episode, revision, kind, feed, run, subscriber, hazard, made, body)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_ADD_DELIVERY = (
    "INSERT INTO deliveries (id, alert, episode, channel, state, due, expires)"
    " VALUES (?, ?, ?, ?, 'waiting', ?, ?)"
)
#: In the order in which they are applied: a row after those that it refers to.
_WRITES = (_ADD_CYCLE, _SET_STATE, _END_STATE, _ADD_ALERT, _ADD_DELIVERY)
_JSON = orjson.OPT_UTC_Z | orjson.OPT_SERIALIZE_NUMPY


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of a cycle.

    Parameters
    ----------
    cycle
        With the share of its field that was usual lately.
    outcome
        None where it was judged before.
    alerts
        What is told, the most urgent first.
    """

    cycle: Cycle
    outcome: Judgement | None
    alerts: list[Alert]


class AlertStore(AlertQueries):
    """Alerts, their states and their deliveries in the journal of one workspace.

    A connection of its own, for one thread. What it has recorded also outlives a power cut. Raises
    `WorkspaceError` where the file cannot be used or was written by a newer version.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(Database(path, _WRITES))
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def judge(
        self,
        cycle: Cycle,
        matches: Iterable[Match],
        policy: Policy | None = None,
        *,
        watched: Container[str] | None = None,
    ) -> Judged:
        """Judge one cycle and record what is told of it.

        A run that was judged before gives nothing and changes nothing. One with older data than the newest judged
        is recorded as late and tells nothing.

        Parameters
        ----------
        matches
            All of the cycle's hazard, at most one for a subscriber.
        watched
            Who was looked at; of anybody else nothing is known, so nobody else is told that all is clear. None for all.

        Raises
        ------
        InternalError
            A match is of another hazard, or a subscriber has two.
        WorkspaceError
            The journal could not be written; nothing is recorded, and the cycle may be judged again.
        """
        policy = policy or Policy()
        with uncollected(), self._db.change():
            if self._is_judged(cycle):
                return Judged(cycle, None, [])
            usual = self.usual_share(cycle.feed, cycle.hazard, cycle.issued, policy.usual_span)
            cycle = replace(cycle, usual_share=max(usual, cycle.usual_share))
            said = judgement(cycle, self.newest(cycle.feed, cycle.hazard), policy)
            told = (
                [] if said == "late" else self._judge(cycle, _by_subscriber(cycle, matches), policy, watched)
            )
            self._add_cycle(cycle, said)
        return Judged(cycle, said, told)

    def exercise(self, match: Match, feed: str, now: datetime, policy: Policy | None = None) -> Alert:
        """Enqueue a test for the channels of a pretended match, beside the life of any episode; return it."""
        alert = exercise(match, feed, now, secrets.token_hex(8), policy or Policy())
        with self._db.change():
            self._add_alert(alert, match.channels)
        return alert

    def _is_judged(self, cycle: Cycle) -> bool:
        found = self._db.execute(
            "SELECT 1 FROM cycles WHERE run = ? AND hazard = ?", (cycle.run, cycle.hazard)
        )
        return found.fetchone() is not None

    def _judge(
        self, cycle: Cycle, matches: dict[str, Match], policy: Policy, watched: Container[str] | None
    ) -> list[Alert]:
        """Decide for everybody for whom there is something or was; write what changes."""
        key = (cycle.feed, cycle.hazard)
        rows = self._db.execute(
            "SELECT subscriber, state FROM episodes WHERE feed = ? AND hazard = ?", key
        ).fetchall()
        told: list[tuple[Alert, Sequence[str]]] = []
        before: dict[str, State] = {subscriber: State.load(text) for subscriber, text in rows}
        for subscriber in dict.fromkeys((*before, *matches)):
            if watched is not None and subscriber not in watched:
                continue
            state = before.get(subscriber)
            after, alert = decide(state, matches.get(subscriber), cycle, policy)
            if after is None:
                if state is not None:
                    self._db.write(_END_STATE, (*key, subscriber))
            elif after is not state:
                self._db.write(_SET_STATE, (*key, subscriber, after.dump()))
            last = after or state
            if alert is not None and last is not None:
                told.append((alert, last.channels))
        told.sort(key=lambda pair: _urgency(pair[0]))
        for alert, channels in told:
            self._add_alert(alert, channels)
        return [alert for alert, _ in told]

    def _add_cycle(self, cycle: Cycle, said: Judgement) -> None:
        self._db.write(
            _ADD_CYCLE,
            (cycle.run, cycle.hazard, cycle.feed, cycle.issued.timestamp(), cycle.now.timestamp(), said,
             cycle.known_share),
        )  # fmt: skip

    def _add_alert(self, alert: Alert, channels: Iterable[str]) -> None:
        made = alert.sent.timestamp()
        body = orjson.dumps(alert, option=_JSON).decode()  # as `Alert.to_json` has it, many times as fast
        self._db.write(
            _ADD_ALERT,
            (alert.id, alert.episode, alert.revision, alert.kind, alert.feed, alert.run, alert.subscriber,
             alert.hazard, made, body),
        )  # fmt: skip
        expires = alert.expires.timestamp()
        for channel in channels:
            delivery = f"{alert.id}@{channel}"
            self._db.write(_ADD_DELIVERY, (delivery, alert.id, alert.episode, channel, made, expires))


def _by_subscriber(cycle: Cycle, matches: Iterable[Match]) -> dict[str, Match]:
    found: dict[str, Match] = {}
    for match in matches:
        if match.hazard != cycle.hazard:
            raise InternalError(f"a match of {match.hazard} was given to a cycle of {cycle.hazard}")
        if match.subscriber in found:
            raise InternalError(f"two matches of {match.hazard} for subscriber {match.subscriber!r}")
        found[match.subscriber] = match
    return found


def _urgency(alert: Alert) -> tuple[datetime, float]:
    """Channels send one after another: first to those who are hit first, then hardest; the all clear last."""
    return alert.onset or datetime.max.replace(tzinfo=UTC), -alert.level
