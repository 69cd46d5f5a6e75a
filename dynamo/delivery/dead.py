"""Dead letters: what was given up waits again.

Enters: a name, and an open journal inside a change. Leaves: deliveries that wait. Goes wrong: a name of nothing that
was given up, or of several (`UserError`); the journal (`WorkspaceError`).
"""

from __future__ import annotations

from dynamo.errors import UserError
from dynamo.journal.database import Database

__all__ = ["reopen", "replay"]

#: Dead letters that are told at most, where a name may be that of any of them.
MANY = 20


def replay(database: Database, which: str | None, now: float) -> int:
    """Let dead letters wait again, in their old order; return how many.

    A closed channel of one of them is opened again. What expired meanwhile is dropped when its turn comes.

    Parameters
    ----------
    database
        The journal.
    which
        Id of a delivery, or of an alert (then all its dead letters), or the beginning of it; None for all.
    now
        Unix seconds.

    Raises
    ------
    UserError
        There is no such dead letter, or it may be any of several.
    """
    if which is None:
        return _revive(database, "?1 IS NULL", None, now)
    column, name = _dead(database, which)
    return _revive(database, f"{column} = ?1", name, now)


def reopen(database: Database, channel: str, now: float) -> int:
    """Open a channel, if it is closed, and let all its dead letters wait again; return how many."""
    database.execute("DELETE FROM closed_channels WHERE channel = ?", (channel,))
    return _revive(database, "channel = ?1", channel, now)


def _revive(database: Database, chosen: str, name: str | None, now: float) -> int:
    """Let those dead letters wait again that are `chosen` by an expression, in which ``?1`` is a name."""
    chosen = f"state = 'dead' AND {chosen}"
    found = database.execute(
        f"SELECT count(*), channel FROM deliveries WHERE {chosen} GROUP BY channel",  # noqa: S608 - constants
        (name,),
    ).fetchall()
    database.execute(
        "UPDATE deliveries SET state = 'waiting', aside = 0, due = ?2, tries = 0, begun = NULL,"  # noqa: S608
        f" ended = NULL, reason = '' WHERE {chosen}",
        (name, now),
    )
    for _, channel in found:
        database.execute("DELETE FROM closed_channels WHERE channel = ?", (channel,))
        database.execute(
            "INSERT INTO queues (channel, ready, failing) VALUES (?, ?, 0) ON CONFLICT (channel) DO UPDATE"
            " SET ready = max(pause, excluded.ready) WHERE sender = ''",
            (channel, now),
        )
    return sum(count for count, _ in found)


def _dead(database: Database, which: str) -> tuple[str, str]:
    """Return whether dead letters are named by ``id`` or ``alert``, and the whole of that."""
    rows = database.execute(
        "SELECT id, state FROM deliveries WHERE id = ?1 OR alert = ?1", (which,)
    ).fetchall()
    if rows:
        if all(state != "dead" for _, state in rows):
            raise UserError(f"{which} is no dead letter: it is {rows[0][1]}")
        return "id" if rows[0][0] == which else "alert", which
    for column in ("alert", "id") if which else ():
        begin = f"SELECT DISTINCT {column} FROM deliveries WHERE state = 'dead' AND instr({column}, ?) = 1"  # noqa: S608
        names = [name for (name,) in database.execute(f"{begin} ORDER BY 1", (which,))]
        if len(names) > 1:
            more = f" and {len(names) - MANY} more" if len(names) > MANY else ""
            raise UserError(f"{which!r} may be any of {', '.join(names[:MANY])}{more}")
        if names:
            return column, names[0]
    raise UserError(
        f"nothing that was given up is named {which!r}; `dynamo alerts deadletter` lists what was given up"
    )
