"""Questions to the journal about alerts: for the command line, the audit and the metrics."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal

import orjson

from dynamo.alerts.alert import Alert
from dynamo.alerts.records import Clearing, CycleRecord, Delivery, DeliveryState, Lapse, Queue, Try
from dynamo.errors import UserError
from dynamo.journal.database import Database

__all__ = ["AlertQueries"]

#: The last alert of each episode that is not over, see `State`.
_ACTIVE = """
    (SELECT *, json_array_length(state, '$[1]') - 1 AS last FROM episodes) e JOIN messages a ON a.id = CASE
        WHEN json_extract(state, '$[18]') <> '' AND last >= json_extract(state, '$[19]')
        THEN json_extract(state, '$[18]') ELSE json_extract(state, '$[0]') END || '-' || last"""
#: What an alert led to that ended without an all clear, by channel. Channels that were told together may go on each by
#: itself: a channel ended with the alert that lapsed if it was told no later one and has none under way.
_LAPSED = """
SELECT l.at, l.reason, d.channel
FROM alerts a JOIN lapsed l ON l.alert = a.id LEFT JOIN deliveries d ON d.alert = a.id
WHERE a.episode = ?1 AND a.revision >= ?2 AND (d.channel IS NULL OR (
    EXISTS (SELECT 1 FROM deliveries o WHERE o.alert = ?3 AND o.channel = d.channel)
    AND NOT EXISTS (
        SELECT 1 FROM deliveries n WHERE n.episode = a.episode AND n.channel = d.channel AND n.seq > d.seq)
    AND NOT EXISTS (
        SELECT 1 FROM episodes e, json_each(e.state, '$[3]') c
        WHERE (e.feed, e.hazard, e.subscriber) = (a.feed, a.hazard, a.subscriber)
            AND json_extract(e.state, '$[0]') = a.episode AND c.value = d.channel)))
ORDER BY l.at, d.channel"""
_DELIVERIES = "SELECT id, alert, channel, state, due, expires, ended, reason FROM deliveries"


class AlertQueries:
    """The reading half of the alert store."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # Alerts

    def alerts(
        self,
        *,
        active: bool = False,
        subscriber: str | None = None,
        hazard: str | None = None,
        channel: str | None = None,
        since: datetime | None = None,
        limit: int = -1,
    ) -> list[Alert]:
        """Return alerts, the latest first.

        Parameters
        ----------
        active
            Only the last alert of each episode that is not over.
        subscriber, hazard, channel, since
            Only of these, to be sent to this channel, and made at or after `since`.
        limit
            At most so many; negative for all.
        """
        conditions = {
            "a.subscriber = ?": subscriber,
            "a.hazard = ?": hazard,
            "EXISTS (SELECT 1 FROM deliveries WHERE alert = a.id AND channel = ?)": channel,
            "a.made >= ?": since and since.timestamp(),
        }
        given = {sql: value for sql, value in conditions.items() if value is not None}
        source = _ACTIVE if active else "messages a"
        where = " AND ".join(given) or "1"
        # Of the texts below, none comes from outside.
        rows = self._db.execute(
            f"SELECT a.body FROM {source} WHERE {where} ORDER BY a.made DESC, a.number DESC LIMIT ?",  # noqa: S608
            (*given.values(), limit),
        )
        return [_alert(body) for (body,) in rows]

    def lapsed(self, alert: Alert) -> list[Lapse]:
        """Return how it ended, for those of the alert's channels for which it did without an all clear."""
        found: dict[tuple[float, str], list[str]] = defaultdict(list)
        for at, reason, channel in self._db.execute(_LAPSED, (alert.episode, alert.revision, alert.id)):
            found[at, reason] += [] if channel is None else [channel]
        return [Lapse(_time(at), reason, tuple(channels)) for (at, reason), channels in found.items()]

    def clearing(self, alert: Alert) -> Clearing | None:
        """Return why an all clear was given; None of another alert, and of one that was made by an older version."""
        row = self._db.execute(
            "SELECT cycles, level, lead, times FROM cleared WHERE alert = ?", (alert.id,)
        ).fetchone()
        if row is None:
            return None
        count, level, lead, times = row
        at = orjson.loads(times)  # none in a journal of an older version: then the last that were judged
        these = f" AND issued IN ({', '.join('?' * len(at))})" if at else ""
        found = self._cycles(
            f"WHERE feed = ? AND hazard = ? AND issued <= ? AND outcome = 'judged'{these} ORDER BY issued DESC LIMIT ?",
            (alert.feed, alert.hazard, alert.issued.timestamp(), *at, count),
        )
        return Clearing(count, level, lead, tuple(reversed(found)))

    def known(self, what: Literal["subscriber", "hazard", "channel"]) -> list[str]:
        """Return who was ever told, of what kinds, or on which channels; looks at each alert or delivery."""
        # Of a channel that is closed all deliveries may have been cleaned away.
        channels = "SELECT channel FROM deliveries UNION SELECT channel FROM closed_channels ORDER BY 1"
        told = f"SELECT DISTINCT {what} FROM alerts ORDER BY 1"  # noqa: S608 - one of two
        rows = self._db.execute(channels if what == "channel" else told)
        return [name for (name,) in rows]

    def alert(self, name: str) -> Alert:
        """Return one alert by its id or the beginning of it, of an episode named so its last.

        Raises
        ------
        UserError
            There is none, or it may be any of several.
        """
        rows = self._db.execute("SELECT body FROM messages WHERE id = ?", (name,)).fetchall()
        if rows:
            return _alert(rows[0][0])
        rows = self._db.execute(
            "SELECT episode, id FROM alerts WHERE id >= ?1 AND id < ?1 || '~'"
            " ORDER BY id LIMIT 1000",
            (name,),
        ).fetchall() if name else []  # fmt: skip
        episodes = dict(rows)
        if not episodes:
            raise UserError(f"no alert {name!r}; `dynamo alerts list` names them")
        if len(episodes) > 1:
            raise UserError(f"{name!r} may be any of {', '.join(list(episodes.values())[:5])}")
        return self.episode(next(iter(episodes)))[-1]

    def episode(self, episode: str) -> list[Alert]:
        """Return all alerts of an episode, the first first."""
        rows = self._db.execute("SELECT body FROM messages WHERE episode = ? ORDER BY revision", (episode,))
        return [_alert(body) for (body,) in rows]

    # Deliveries

    def ways(self, alerts: Iterable[Alert]) -> dict[str, dict[str, DeliveryState]]:
        """Return by the id of each alert the channels to which it was, or is, to be sent, and how that stands."""
        ids = orjson.dumps([alert.id for alert in alerts]).decode()
        found: dict[str, dict[str, DeliveryState]] = defaultdict(dict)
        for alert, channel, state in self._db.execute(
            "SELECT alert, channel, state FROM deliveries WHERE alert IN (SELECT value FROM json_each(?))"
            " ORDER BY alert, channel",
            (ids,),
        ):
            found[alert][channel] = state
        return found

    def expired(self, channel: str | None = None) -> int:
        """Return how many deliveries, of one channel or of all, were dropped since they had expired."""
        row = self._db.execute(
            "SELECT count(*) FROM deliveries WHERE state = 'dropped' AND reason = 'expired'"
            " AND (?1 IS NULL OR channel = ?1)",
            (channel,),
        ).fetchone()
        return int(row[0])

    def deliveries(self, alert: str) -> list[Delivery]:
        """Return how each delivery of an alert stands, with its tries."""
        return self._deliveries("WHERE alert = ? ORDER BY seq", (alert,))

    def dead_letters(self, channel: str | None = None) -> list[Delivery]:
        """Return the deliveries that were given up, of one channel or of all, the first first."""
        chosen = "WHERE state = 'dead' AND (?1 IS NULL OR channel = ?1) ORDER BY seq"
        return self._deliveries(chosen, (channel,))

    def given_up(self) -> dict[str, int]:
        """Return by channel how many deliveries were given up, of those that have any."""
        counted = (
            "SELECT channel, count(*) FROM deliveries WHERE state = 'dead' GROUP BY channel ORDER BY channel"
        )
        return dict(self._db.execute(counted))

    def _deliveries(self, chosen: str, parameters: tuple[str | None, ...]) -> list[Delivery]:
        rows = self._db.execute(f"{_DELIVERIES} {chosen}", parameters).fetchall()
        tried: dict[str, list[Try]] = defaultdict(list)
        found = self._db.execute(
            "SELECT delivery, n, at, seconds, outcome, status, response FROM tries"  # noqa: S608
            f" WHERE delivery IN (SELECT id FROM deliveries {chosen}) ORDER BY delivery, n",
            parameters,
        )
        for delivery, n, at, *rest in found:
            tried[delivery].append(Try(n, _time(at), *rest))
        return [
            Delivery(i, alert, channel, state, _time(due), _time(expires), None if ended is None else _time(ended),
                     reason, tuple(tried[i]))
            for i, alert, channel, state, due, expires, ended, reason in rows
        ]  # fmt: skip

    # Cycles and counts

    def newest(self, feed: str, hazard: str) -> datetime | None:
        """Return the analysis time of the newest judged cycle of a feed and hazard."""
        (issued,) = self._db.execute(
            "SELECT max(issued) FROM cycles WHERE feed = ? AND hazard = ?", (feed, hazard)
        ).fetchone()
        return None if issued is None else _time(issued)

    def usual_share(self, feed: str, hazard: str, until: datetime, span: float) -> float:
        """Return the most that was known of the field in the cycles of `span` seconds of data time before `until`."""
        at = until.timestamp()
        (share,) = self._db.execute(
            "SELECT max(known) FROM cycles WHERE feed = ? AND hazard = ? AND issued >= ? AND issued < ?",
            (feed, hazard, at - span, at),
        ).fetchone()
        return 0.0 if share is None else float(share)

    def cycles(self, run: str) -> list[CycleRecord]:
        """Return how a run was judged, for each kind of hazard; of one that was judged again each time, in order."""
        both = "(SELECT * FROM cycles WHERE run = ?1 UNION ALL SELECT * FROM earlier_cycles WHERE run = ?1)"
        return self._cycles("ORDER BY hazard, judged", (run,), both)

    def newest_cycles(self) -> list[CycleRecord]:
        """Return the newest judged cycle of each feed and hazard."""
        return self._cycles(
            "WHERE outcome <> 'late' AND issued = (SELECT max(c.issued) FROM cycles c"
            " WHERE c.feed = cycles.feed AND c.hazard = cycles.hazard) ORDER BY feed, hazard"
        )

    def _cycles(
        self, chosen: str, parameters: tuple[str | float, ...] = (), source: str = "cycles"
    ) -> list[CycleRecord]:
        rows = self._db.execute(
            f"SELECT run, hazard, feed, issued, judged, outcome, known FROM {source} {chosen}",  # noqa: S608
            parameters,
        )
        return [
            CycleRecord(run, hazard, feed, _time(issued), _time(judged), outcome, known)
            for run, hazard, feed, issued, judged, outcome, known in rows
        ]

    def kinds(self, feed: str) -> set[str]:
        """Return the kinds of hazard that products of a feed ever spoke of."""
        return {
            kind for (kind,) in self._db.execute("SELECT DISTINCT hazard FROM cycles WHERE feed = ?", (feed,))
        }

    def active(self) -> dict[tuple[str, str], int]:
        """Return how many episodes are not over, by feed and hazard."""
        rows = self._db.execute("SELECT feed, hazard, count(*) FROM episodes GROUP BY feed, hazard")
        return {(feed, hazard): n for feed, hazard, n in rows}

    def queues(self) -> list[Queue]:
        """Return what waits for each channel; cheap, however much was sent."""
        rows = self._db.execute(
            "SELECT q.channel, q.n, a.made FROM (SELECT channel, count(*) AS n, min(seq) AS seq FROM deliveries"
            " WHERE state = 'waiting' GROUP BY channel) q JOIN deliveries d ON d.seq = q.seq"
            " JOIN alerts a ON a.id = d.alert ORDER BY q.channel"
        )
        return [Queue(channel, n, _time(made)) for channel, n, made in rows]


def _alert(body: str) -> Alert:
    return Alert.from_json(orjson.loads(body))


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
