"""What the journal keeps of a fleet: orders, workers, events, decisions, and what was learned."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from dynamo.fleet.record import WorkerRecord
from dynamo.journal.database import Opened

__all__ = ["DecisionRow", "Event", "Ledger"]

_PUT = (
    "INSERT OR REPLACE INTO fleet_workers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_EVENT = "INSERT INTO fleet_events (slice, token, at, what, why) VALUES (?, ?, ?, ?, ?)"
_DECIDED = "INSERT INTO fleet_decisions (slice, at, policy, view, decision) VALUES (?, ?, ?, ?, ?)"
_LEARNED = "INSERT OR REPLACE INTO fleet_memory (slice, name, data) VALUES (?, ?, ?)"
_STANDS = "INSERT INTO fleet_standing (slice, at, data) VALUES (?, ?, ?)"
_MOVE = (
    "UPDATE fleet_workers SET since = since + ?, ordered = ordered + ?, joined = joined + ?, ended = ended + ?, "
    "dies = dies + ? WHERE slice = ?"
)
_UNDECIDED = (
    "DELETE FROM fleet_decisions WHERE id = (SELECT max(id) FROM fleet_decisions WHERE slice = ?) "
    "AND json_array_length(decision, '$.buys') + json_array_length(decision, '$.releases') = 0"
)
_THIN = (
    "UPDATE fleet_decisions SET view = '', decision = json_remove(decision, '$.history') "
    "WHERE slice = ? AND at >= ? AND at < ? AND view != ''"
)
_WRITES = (_PUT, _EVENT, _DECIDED, _LEARNED, _STANDS)


#: Under which it is kept what was noticed at machines, and when that was.
_NOTICED = "noticed"
#: Seconds for which nobody may look, as while a controller is started anew, and what was so is believed to be so still.
_UNSEEN = 60.0


class Event(NamedTuple):
    """Something that became of a worker, or of the slice where `token` is empty."""

    at: float
    token: str
    what: str
    why: str


class DecisionRow(NamedTuple):
    """A decision of a policy, and what it was decided from, as JSON values, see `dynamo.fleet.view_json`."""

    at: float
    policy: str
    view: Mapping[str, Any]
    decision: Mapping[str, Any]


class Ledger(Opened):
    """The record of one slice's fleet, in the journal of a workspace."""

    def __init__(self, path: Path, slice_: str) -> None:
        super().__init__(path, _WRITES)
        self.slice = slice_
        self._thinned = 0.0

    def put(self, worker: WorkerRecord) -> None:
        """Write down how a worker stands."""
        one = worker
        self._db.write(
            _PUT,
            (
                one.token, one.slice, one.group, one.provider, one.offer, one.name, one.machine, one.stage, one.since,
                one.ordered, one.joined, one.ended, int(one.failed), one.why, one.cores, one.memory,
                one.usd_per_hour, one.quantum, one.minimum, one.dies,
            ),
        )  # fmt: skip
        self.tell(one.since, one.stage, one.why, one.token)

    def tell(self, at: float, what: str, why: str, token: str = "") -> None:
        """Write down an event."""
        self._db.write(_EVENT, (self.slice, token, at, what, why))

    def decided(self, at: float, policy: str, view: Mapping[str, Any], decision: Mapping[str, Any]) -> None:
        """Write down a decision, with what it was decided from, in the place of a last one that did nothing."""
        self._db.execute(_UNDECIDED, (self.slice,))
        self._db.write(_DECIDED, (self.slice, at, policy, _packed(view), _text(decision)))

    def learn(self, name: str, data: Any) -> None:
        """Keep something that was learned, in the place of what stood there."""
        self._db.write(_LEARNED, (self.slice, name, _text(data)))

    def notice(self, now: float, noticed: Mapping[str, float]) -> None:
        """Keep what was noticed at machines, and since when."""
        self.learn(_NOTICED, [now, dict(noticed)])

    def noticed(self, now: float) -> dict[str, float]:
        """Return what was noticed, as if time had not passed in which nobody looked for long."""
        at, noticed = self.learned(_NOTICED) or (now, {})
        unseen = 0.0 if 0 <= now - at <= _UNSEEN else now - at
        return {what: since + unseen for what, since in noticed.items()}

    def learned(self, name: str) -> Any:
        """Return what was kept under a name; None where nothing was."""
        row = self._db.execute(
            "SELECT data FROM fleet_memory WHERE slice = ? AND name = ?", (self.slice, name)
        ).fetchone()
        return orjson.loads(row[0]) if row else None

    def keep_in_mind(self, policy: str, history: Mapping[str, Any]) -> None:
        """Keep what a policy has in mind for its next decision."""
        self.learn(_mind_of(policy), history)

    def in_mind(self, policy: str) -> Mapping[str, Any]:
        """Return what a policy had in mind when it last decided, with whatever settings; empty where it never did."""
        return self.learned(_mind_of(policy)) or {}

    def workers(self, *, ended_after: float = float("inf")) -> list[WorkerRecord]:
        """Return those that may cost money, and those that ended later than a time (Unix seconds), the oldest first."""
        rows = self._db.execute(
            "SELECT * FROM fleet_workers WHERE slice = ? AND (stage != 'gone' OR ended > ?) "
            "ORDER BY ordered, token",
            (self.slice, ended_after),
        )
        return [_record(row) for row in rows]

    def worker(self, token: str) -> WorkerRecord | None:
        """Return the worker of an order, also one that is gone; None where there was no such order."""
        row = self._db.execute(
            "SELECT * FROM fleet_workers WHERE slice = ? AND token = ?", (self.slice, token)
        ).fetchone()
        return _record(row) if row else None

    def events(self, *, since: float = 0.0, token: str | None = None) -> list[Event]:
        """Return what happened since a time, in order; of one worker or of all."""
        rows = self._db.execute(
            "SELECT at, token, what, why FROM fleet_events WHERE slice = ? AND at >= ? AND (? IS NULL OR token = ?) "
            "ORDER BY id",
            (self.slice, since, token, token),
        )
        return [Event(*row) for row in rows]

    def decisions(self, *, last: int = 1) -> Sequence[DecisionRow]:
        """Return the last decisions, the latest first; the views of those of more than a day ago are empty."""
        rows = self._db.execute(
            "SELECT at, policy, view, decision FROM fleet_decisions WHERE slice = ? ORDER BY id DESC LIMIT ?",
            (self.slice, last),
        )
        return [DecisionRow(at, policy, _unpacked(v), orjson.loads(d)) for at, policy, v, d in rows]

    def history(self, *, last: int = 360, since: float = 0.0) -> list[Mapping[str, Any]]:
        """Return how the fleet stood in its last turns since a time (Unix seconds), the oldest first."""
        rows = self._db.execute(
            "SELECT data FROM fleet_standing WHERE slice = ? AND at >= ? ORDER BY id DESC LIMIT ?",
            (self.slice, since, last),
        ).fetchall()
        return [orjson.loads(data) for (data,) in reversed(rows)]

    def stands(self, at: float, data: Mapping[str, Any]) -> None:
        """Write down how the fleet stands."""
        self._db.write(_STANDS, (self.slice, at, _text(data)))

    def move(self, seconds: float) -> None:
        """Have all that is known of workers be so many seconds later, or earlier where that is less than 0."""
        self._db.execute(_MOVE, (*[seconds] * 5, self.slice))

    def save(self, path: Path) -> None:
        """Write the whole journal to another file, which is not there."""
        self._db.execute("VACUUM INTO ?", (str(path),))

    def forget(self, before: float, *, views: float = 0.0) -> None:
        """Remove decisions, events and workers that ended, from before a time (Unix seconds).

        Of decisions from before `views` it is removed what they were made from: what was done, and why, stays.
        """
        for sql in (
            "DELETE FROM fleet_decisions WHERE slice = ? AND at < ?",
            "DELETE FROM fleet_events WHERE slice = ? AND at < ?",
            "DELETE FROM fleet_standing WHERE slice = ? AND at < ?",
            "DELETE FROM fleet_workers WHERE slice = ? AND stage = 'gone' AND ended < ?",
        ):
            self._db.execute(sql, (self.slice, before))
        self._db.execute(_THIN, (self.slice, self._thinned, views))
        self._thinned = views


def _mind_of(policy: str) -> str:
    return f"policy/{policy.partition(':')[0]}"


def _text(data: Any) -> str:
    return orjson.dumps(data).decode()


def _packed(view: Mapping[str, Any]) -> str:
    """Return a view as text that is a tenth as long."""
    return base64.b85encode(zlib.compress(orjson.dumps(view), 1)).decode()


def _unpacked(text: str) -> Mapping[str, Any]:
    """Return a view; an empty one where it was removed."""
    if not text or text.startswith("{"):  # of an older dynamo
        return orjson.loads(text or "{}")  # type: ignore[no-any-return]
    view: Mapping[str, Any] = orjson.loads(zlib.decompress(base64.b85decode(text)))
    return view


def _record(row: Sequence[Any]) -> WorkerRecord:
    token, slice_, node, provider, offer, name, machine, stage, since, ordered, *rest = row
    joined, ended, failed, why, cores, memory, usd, quantum, minimum, dies = rest
    return WorkerRecord(
        token, slice_, node, provider, offer, name, stage, since, ordered, cores, memory, usd, quantum, minimum,
        machine, joined, ended, dies, bool(failed), why,
    )  # fmt: skip
