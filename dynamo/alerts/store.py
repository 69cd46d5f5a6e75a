"""The alert store: judges cycles, each in one transaction with its outbox, and tells what was judged.

Enters: a cycle and its matches. Leaves: alerts, recorded with the states they come from and with one delivery for
each channel. After ``kill -9`` or a power cut a cycle is judged whole or not at all, and judging it again is safe.
Goes wrong: `WorkspaceError` where the journal cannot be used; then nothing of the cycle is recorded.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime
from hashlib import blake2b
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeAlias

import orjson

from dynamo.alerts import statements as sql
from dynamo.alerts.adopted import Way, apart, dealt, inherited
from dynamo.alerts.alert import Alert
from dynamo.alerts.asked import Asked, Looking, unknown
from dynamo.alerts.judged import Judged
from dynamo.alerts.lifecycle import Cycle, Judgement, decide, episode_id, exercise, is_less, judgement
from dynamo.alerts.match import Match
from dynamo.alerts.policy import Policy
from dynamo.alerts.queries import AlertQueries
from dynamo.alerts.state import State
from dynamo.errors import InternalError
from dynamo.graph.collection import uncollected
from dynamo.journal.database import Opened

__all__ = ["GONE", "NOT_READ", "AlertStore", "Asking"]

#: Returns what subscribers of some names ask for now.
Asking: TypeAlias = Callable[[Collection[str]], Mapping[Way, Asked]]

#: Why episodes end without an all clear: their kind of hazard was judged, was not spoken of, or may have been.
NOT_SEEN = "too little is known to say that it is over"
GONE = "no product speaks of it any more"
NOT_READ = "what may speak of it was not made, or cannot be read"
#: Bytes to which the write-ahead log is cut after a cycle that told very many.
LOG_BYTES = 64 << 20
_FACTS = tuple(field.name for field in fields(Alert))
_facts_of = attrgetter(*_FACTS)
_JSON = orjson.OPT_UTC_Z | orjson.OPT_SERIALIZE_NUMPY


class AlertStore(AlertQueries, Opened):
    """Alerts, their states and their deliveries in the journal of one workspace.

    A connection of its own, for one thread. What it has recorded also outlives a power cut. Raises
    `WorkspaceError` where the file cannot be used or was written by a newer version.
    """

    def __init__(self, path: Path) -> None:
        Opened.__init__(self, path, sql.WRITES)
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")

    def judge(
        self,
        cycle: Cycle,
        matches: Iterable[Match],
        policy: Policy | None = None,
        *,
        asking: Asking | None = None,
        looking: Looking | None = None,
    ) -> Judged:
        """Judge one cycle and record what is told of it.

        A run that was judged before gives nothing and changes nothing, unless too little was known then and no newer
        data was judged since: it may have been gone on with, and show more. Nobody is told twice, for nothing counted
        as clear, and what is told is more than was. One with older data than the newest judged is recorded as late and
        tells nothing.

        Parameters
        ----------
        matches
            All of the cycle's hazard, at most one for each way to a subscriber.
        asking
            Returns what subscribers of some names ask for now, by name and way. Of what nobody asks for nothing is
            known, so it is not told to be clear, and ends silently when its last alert expires. None for all.
        looking
            Says whether the hazard is still where it was near its subscriber, who is elsewhere now without having
            said so: his position lapsed, or the file was edited. As long as it is, nothing is over. None: it is.

        Raises
        ------
        InternalError
            A match is of another hazard, or a way to a subscriber has two.
        WorkspaceError
            The journal could not be written; nothing is recorded, and the cycle may be judged again.
        """
        policy = policy or Policy()
        with uncollected(), self._db.change():
            newest, before = self.newest(cycle.feed, cycle.hazard), self._outcome(cycle)
            if before and (before != "unknown" or (newest is not None and newest > cycle.issued)):
                return Judged(cycle, None, [])
            usual = self.usual_share(cycle.feed, cycle.hazard, cycle.issued, policy.usual_span)
            cycle = replace(cycle, usual_share=max(usual, cycle.usual_share))
            said = judgement(cycle, None if before else newest, policy)
            is_late = said == "late"
            told, unseen = ([], 0) if is_late else self._judge(cycle, matches, policy, asking, looking)
            self._add_cycle(cycle, said)
        less = said == "judged" and is_less(cycle, policy)
        return Judged(cycle, said, told, unseen, less)

    def lapse(
        self,
        feed: str,
        judged: Container[str],
        issued: datetime,
        now: datetime,
        reason: str = GONE,
        after: float = 0.0,
    ) -> None:
        """End what is under way of kinds of hazard that were not judged with data of `issued`, where it has expired.

        Nobody is told: nothing is known of it, for `reason`. Only what expired `after` seconds ago or before ends.
        """
        missing = [kind for of, kind in self.active() if of == feed and kind not in judged]
        with self._db.change():
            for hazard in missing:
                for way, state in self._states(feed, hazard).items():
                    if issued.timestamp() >= state.expires + after:
                        self._lapse((feed, hazard, *way), state, now, reason)

    def exercise(self, match: Match, feed: str, now: datetime, channels: Iterable[str]) -> Alert:
        """Enqueue a test of some channels with a pretended match, beside the life of any episode; return it."""
        alert = exercise(match, feed, now, secrets.token_hex(8), Policy())
        with self._db.change():
            self._add_alerts([(alert, channels)])
        return alert

    def _outcome(self, cycle: Cycle) -> str:
        """Return how a cycle was judged before; empty where it was not."""
        found = self._db.execute(
            "SELECT outcome FROM cycles WHERE run = ? AND hazard = ?", (cycle.run, cycle.hazard)
        ).fetchone()
        return "" if found is None else str(found[0])

    def _states(self, feed: str, hazard: str) -> dict[Way, State]:
        rows = self._db.execute(
            "SELECT subscriber, way, state FROM episodes WHERE feed = ? AND hazard = ?", (feed, hazard)
        )
        return {(subscriber, way): State.load(text) for subscriber, way, text in rows}

    def _judge(
        self,
        cycle: Cycle,
        found: Iterable[Match],
        policy: Policy,
        asking: Asking | None,
        looking: Looking | None,
    ) -> tuple[list[Alert], int]:
        """Decide for everybody for whom there is something or was; write what changes; count whom nobody saw."""
        key = (cycle.feed, cycle.hazard)
        recorded = self._states(*key)
        names = apart(recorded, cycle.channels)
        matches = dealt(
            _by_way(cycle, found), names, cycle.channels, lambda match, way: match._replace(way=way)
        )
        quiet = {name for name, way in recorded if (name, way) not in matches}
        asks = asking(quiet) if asking is not None and quiet else {}
        asked = dealt(asks, names, cycle.channels, lambda ask, _: ask)
        states = inherited(
            recorded,
            {**asked, **matches},
            lambda way: episode_id(cycle.feed, way[0], cycle.hazard, cycle.issued, way[1]),
        )
        for old in recorded.keys() - states.keys():
            self._db.write(sql.END_STATE, (*key, *old))
        silent = {way: state for way, state in states.items() if way not in matches}
        doubts = unknown(silent, asked, looking) if asking is not None else {}
        told: list[tuple[Alert, Sequence[str]]] = []
        unseen = 0
        for way in dict.fromkeys((*states, *matches)):
            before = states.get(way)
            if before is not None and (why := doubts.get(way)):
                self._wait((*key, *way), recorded.get(way), before, cycle, why)
                continue
            after, alert = decide(before, matches.get(way), cycle, policy, asked.get(way))
            if before is not None and after is None and alert is None:
                self._lapse((*key, *way), before, cycle.now, NOT_SEEN)
                continue
            unseen += way in silent and after is before  # what is seen to be clear is counted in the state
            self._set_state((*key, *way), recorded.get(way), after)
            if alert is not None and (last := after or before) is not None:
                told.append((alert, last.channels))
                if alert.kind == "cancelled":
                    self._clear(alert, last, cycle, asked.get(way))
        told.sort(key=lambda pair: _urgency(pair[0]))
        self._add_alerts(told)
        return [alert for alert, _ in told], unseen

    def _set_state(self, key: tuple[str, ...], before: State | None, after: State | None) -> None:
        if after is None:
            if before is not None:
                self._db.write(sql.END_STATE, key)
        elif after is not before:
            self._db.write(sql.SET_STATE, (*key, after.dump()))

    def _wait(
        self, key: tuple[str, ...], recorded: State | None, state: State, cycle: Cycle, why: str
    ) -> None:
        """Let an episode of which nothing is known go on until it expires; cycles that are clear count in a row."""
        if cycle.issued.timestamp() >= state.expires:
            self._lapse(key, state, cycle.now, why)
        else:
            self._set_state(key, recorded, state._replace(clear=()) if state.clear else state)

    def _lapse(self, key: tuple[str, ...], state: State, now: datetime, reason: str) -> None:
        """End an episode of which nothing is known any more; its last alert keeps why."""
        self._db.write(sql.END_STATE, key)
        last = state.alert_id(len(state.sent) - 1)
        self._db.write(sql.LAPSE, (now.timestamp(), reason, last))

    def _clear(self, alert: Alert, before: State, cycle: Cycle, ask: Asked | None) -> None:
        """Keep why it is over, for the audit."""
        level, lead = (ask.level, ask.lead_minutes) if ask else (alert.level, math.inf)
        times = orjson.dumps([*before.clear, cycle.issued.timestamp()]).decode()
        row = (len(before.clear) + 1, *(one if math.isfinite(one) else None for one in (level, lead)))
        self._db.write(sql.CLEAR, (alert.id, *row, times))

    def _add_cycle(self, cycle: Cycle, said: Judgement) -> None:
        self._db.write(sql.KEEP_CYCLE, (cycle.run, cycle.hazard))
        self._db.write(
            sql.ADD_CYCLE,
            (cycle.run, cycle.hazard, cycle.feed, cycle.issued.timestamp(), cycle.now.timestamp(), said,
             cycle.known_share),
        )  # fmt: skip

    def _add_alerts(self, told: Iterable[tuple[Alert, Iterable[str]]]) -> None:
        """Write alerts with a delivery for each of their channels, in this order."""
        drawn: dict[int, str] = {}
        outbox: list[tuple[str | float, ...]] = []
        for alert, channels in told:
            made, expires = alert.sent.timestamp(), alert.expires.timestamp()
            picture = None if alert.polygons is None else self._picture(alert.run, alert.polygons, drawn)
            facts = dict(zip(_FACTS, _facts_of(alert), strict=True))
            facts["polygons"] = None
            body = orjson.dumps(facts, option=_JSON).decode()  # as `Alert.to_json` has it, many times as fast
            self._db.write(
                sql.ADD_ALERT,
                (alert.id, alert.episode, alert.revision, alert.kind, alert.feed, alert.run, alert.subscriber,
                 alert.hazard, made, body, picture),
            )  # fmt: skip
            outbox += [(f"{alert.id}@{c}", alert.id, alert.episode, c, made, expires) for c in channels]
        if outbox:
            self._db.write(sql.ADD_DELIVERIES, (orjson.dumps(outbox).decode(),))

    def _picture(self, run: str, polygons: dict[str, Any], drawn: dict[int, str]) -> str:
        """Return the name of a picture; matches of one polygon share theirs, which is written once."""
        name = drawn.get(id(polygons))
        if name is None:
            body = orjson.dumps(polygons, option=_JSON)
            name = drawn[id(polygons)] = blake2b(body, digest_size=10).hexdigest()
            self._db.write(sql.ADD_PICTURE, (run, name, body.decode()))
        return name


def _by_way(cycle: Cycle, matches: Iterable[Match]) -> dict[Way, Match]:
    found: dict[Way, Match] = {}
    for match in matches:
        if match.hazard != cycle.hazard:
            raise InternalError(f"a match of {match.hazard} was given to a cycle of {cycle.hazard}")
        way = (match.subscriber, match.way)
        if way in found:
            raise InternalError(f"two matches of {match.hazard} for subscriber {match.subscriber!r}")
        found[way] = match
    return found


def _urgency(alert: Alert) -> tuple[datetime, float]:
    """Channels send one after another: first to those who are hit first, then hardest; the all clear last."""
    return alert.onset or datetime.max.replace(tzinfo=UTC), -alert.level
