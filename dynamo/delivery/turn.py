"""A turn: which of the deliveries that wait in one channel can be sent now, and what becomes of the others.

Rows of the journal enter; what to send, what is over and what must wait leave. Pure. Goes wrong: an alert that cannot
be read, which is over.

A channel has a line, in the order of `seq`, and beside it what was set aside because it failed too often: whatever is
in the line goes ahead of that, unless it is of the same episode. That joins it there, where the order of the episode
is kept.

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

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import orjson

from dynamo.alerts.alert import Alert
from dynamo.delivery.records import Item
from dynamo.errors import InternalError

__all__ = ["EXPIRED", "Row", "Turn", "take"]

#: What became of the others of an episode. Of those before an all clear: none was reached.
NEITHER = 0
#: Of those after another: the most of it waits, was sent, or ended the episode.
WAITS, SENT, OVER = 1, 2, 3
#: Why a delivery is dropped whose alert should not be believed any more.
EXPIRED = "expired"


class Row(NamedTuple):
    """A delivery that waits, as `Item` and its table have it.

    `told` says what became of others of its episode in its channel: of those before it, where it is an all clear, and
    of those after it, else; None for nothing. `before` is the last one of these before it that waits as well.
    """

    seq: int
    id: str
    episode: str
    due: float
    expires: float
    tries: int
    begun: float | None
    kind: str
    body: str
    told: int | None
    before: int | None


@dataclass(frozen=True, slots=True)
class Turn:
    """What to send, in order; what is over: state, reason, seq; what waits for another: seqs of both."""

    items: list[Item] = field(default_factory=list)
    over: list[tuple[Literal["dropped", "dead"], str, int]] = field(default_factory=list)
    blocked: list[tuple[int, int]] = field(default_factory=list)


def take(rows: Iterable[Row], now: float, most: int, *, aside: bool) -> Turn:
    """Take the rows that can be sent one after another.

    Parameters
    ----------
    rows
        By `seq`: the first of the line, or those aside that are due.
    now
        Unix seconds.
    most
        To send.
    aside
        Which of both they are.
    """
    turn = Turn()
    gone: set[int] = set()
    under_way: set[str] = set()
    for row in rows:
        if row.due > now or len(turn.items) == most:
            break
        if row.before is not None and row.before not in gone:
            turn.blocked.append((row.seq, row.before))
            continue
        if row.kind == "cancelled" and row.episode in under_way:
            break  # whether there is anything to clear is known when these are settled
        gone.add(row.seq)
        why = _untrue(row) if row.expires >= now else EXPIRED
        if why:
            turn.over.append(("dropped", why, row.seq))
            continue
        try:
            alert = Alert.from_json(orjson.loads(row.body))
        except (InternalError, orjson.JSONDecodeError) as error:
            turn.over.append(("dead", f"cannot be read: {error}", row.seq))
            continue
        under_way.add(row.episode)
        turn.items.append(Item(row.seq, row.id, alert, row.expires, row.tries, row.begun, aside))
    return turn


def _untrue(row: Row) -> str:
    """Return why a delivery that did not expire is no longer true, or an empty text."""
    if row.kind == "cancelled":
        return "nothing of its episode reached this channel" if row.told == NEITHER else ""
    if row.told == OVER:
        return "superseded: its episode is over"
    if row.told == SENT or (row.told == WAITS and row.tries):
        return "superseded by a later alert of its episode"
    return ""
