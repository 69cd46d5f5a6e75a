"""Failures: which channels fail, as the journal has them; they outlive the sender, and are there for all who look.

Enters: tries, as they are recorded. Leaves: who fails since when and why. Goes wrong: `WorkspaceError`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TypeAlias

from dynamo.delivery.failing import Failing, followed
from dynamo.delivery.records import Tried
from dynamo.delivery.statements import FAIL, FAILING, FAILS, WORKS
from dynamo.journal.database import Database

__all__ = ["Failures", "failing_channels"]

#: A channel before some tries and after them; None where it works.
Change: TypeAlias = "tuple[Failing | None, Failing | None]"


class Failures:
    """The channels that fail, in an open journal; its changes are made inside one of that."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def follow(self, tried: Iterable[Tried]) -> list[Change]:
        """Write how channels stand after tries, in the order in which these were made; return what changed.

        Where nothing failed before or fails now, as usual, that takes one look.
        """
        of: dict[str, list[Tried]] = {}
        for one in tried:
            of.setdefault(one.channel, []).append(one)
        some = self._db.execute("SELECT EXISTS (SELECT 1 FROM failing_channels)").fetchone()[0]
        changes: list[Change] = []
        for channel, its in of.items():
            before = self.of(channel) if some else None
            after = followed(before, its)
            if after is not None:
                self._db.write(FAIL, (after.channel, after.since, after.last, after.failures, after.reason))
            elif before is not None:
                self._db.write(WORKS, (channel,))
            if before is not after:
                changes.append((before, after))
        return changes

    def of(self, channel: str) -> Failing | None:
        """Return how a channel fails; None where it works."""
        row = self._db.execute(FAILING, (channel,)).fetchone()
        return None if row is None else Failing(*row)

    def forget(self, channels: Iterable[str]) -> None:
        """Forget that these fail: nothing is sent to them any more."""
        for channel in channels:
            self._db.write(WORKS, (channel,))

    def all(self, scope: str) -> list[Failing]:
        """Return the failing channels whose names begin with `scope`."""
        return [Failing(*row[:-1]) for row in self._db.execute(FAILS) if row[0].startswith(scope)]


def failing_channels(
    journal: Path, among: Collection[str] | None = None
) -> list[tuple[Failing, float | None]]:
    """Return the channels that fail, of these or all, by name; and since when what waits was tried in vain, if any.

    Raises `WorkspaceError` where the journal cannot be read.
    """
    database = Database(journal, ())
    try:
        rows = database.execute(FAILS).fetchall()
    finally:
        database.close()
    return [(Failing(*row[:-1]), row[-1]) for row in rows if among is None or row[0] in among]
