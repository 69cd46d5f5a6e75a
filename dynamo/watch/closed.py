"""Closed channels: those whose receiver asked to be sent nothing any more (HTTP 410), as the journal has them.

Enters: a journal. Leaves: which channels are closed, since when and why. Goes wrong: `WorkspaceError`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dynamo.delivery.lost import opening
from dynamo.journal.database import Database

__all__ = ["Closed", "closed_channels"]


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
