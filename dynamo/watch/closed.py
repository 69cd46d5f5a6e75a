"""Channels that deliver nothing, as the journal has them: closed by their receivers (HTTP 410), or failing.

Enters: a journal. Leaves: which channels these are, since when and why. Goes wrong: `WorkspaceError`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dynamo.delivery.failing import Failing
from dynamo.delivery.failures import failing_channels
from dynamo.delivery.lost import opening
from dynamo.journal.database import Database

__all__ = ["Channels", "Closed", "channels_of", "closed_channels"]

#: Channels in trouble that are named; more are counted.
NAMED = 20


@dataclass(frozen=True, slots=True)
class Closed:
    """A channel, by its address in the journal; since when it is closed, and what its receiver said."""

    channel: str
    at: datetime
    reason: str

    def __str__(self) -> str:
        said = f" ({self.reason})" if self.reason else ""
        return (
            f"channel {self.channel!r} is closed since {self.at:%Y-%m-%d %H:%M:%SZ}: its receiver wants nothing any "
            f"more{said}; what is for it is given up until `{opening(self.channel)}`"
        )


@dataclass(frozen=True, slots=True)
class Channels:
    """The channels of a feed, by their addresses in the journal.

    Parameters
    ----------
    names
        All of them.
    closed
        Those that are closed.
    failing
        Those whose last try failed or was refused; and since when what waits for each was tried in vain, if anything
        was, Unix seconds.
    """

    names: Collection[str] = ()
    closed: Collection[Closed] = ()
    failing: Collection[tuple[Failing, float | None]] = ()

    def trouble(self, now: float) -> str:
        """Return which are closed or down, since when and why, at Unix time `now`; an empty text where none is."""
        said = [*map(str, self.closed)]
        said += [f"{one.channel} {one.words(now)}" for one, _ in self.failing if one.is_down]
        more = [f"and {len(said) - NAMED:,} more"] if len(said) > NAMED else []
        return "; ".join([*said[:NAMED], *more])

    def silent_since(self) -> float | None:
        """Return since when alerts wait and reach nobody (Unix seconds); None where a channel works, or nothing waits.

        A channel that failed last and for which nothing waits may work by now; one that refuses is reached. So what
        failed before the oldest that waits does not count.
        """
        down = {
            one.channel: max(one.since, waits)
            for one, waits in self.failing
            if one.is_down and waits is not None
        }
        if not down or down.keys() | {one.channel for one in self.closed} < set(self.names):
            return None
        return max(down.values())


def channels_of(journal: Path, names: Iterable[str]) -> Channels:
    """Return how these channels stand."""
    names = tuple(names)
    return Channels(names, closed_channels(journal, names), failing_channels(journal, names))


def closed_channels(journal: Path, among: Collection[str] | None = None) -> list[Closed]:
    """Return the channels that are closed, in the order of their addresses: of these, or all."""
    database = Database(journal, ())
    try:
        rows = database.execute("SELECT channel, at, reason FROM closed_channels ORDER BY channel").fetchall()
    finally:
        database.close()
    return [
        Closed(channel, datetime.fromtimestamp(at, UTC), " ".join(reason.split()))
        for channel, at, reason in rows
        if among is None or channel in among
    ]
