"""What time it is for a composite: given when it is described, so that what it makes follows from what it is given.

Enters: files, by their names. Leaves: the time now, or none where all times that they can tell of have come.
Nothing can go wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath

from dynamo.graph import Input

__all__ = ["moment", "time_for"]

#: How old files are, by their names, of which nobody asks any more whether a clock was ahead.
PAST = timedelta(hours=1)

#: Later than any sweep.
EVER = datetime(9999, 1, 1, tzinfo=UTC)


def time_for(files: Sequence[Input], now: datetime | None = None) -> str | None:
    """Return the time now (ISO 8601); None where all files are of hours past, by their names.

    So what is made of those is the same, and reused, whenever it is made. A name without a time may be of now.
    """
    from dynamo.runfile.times import find_time

    now = now or datetime.now(UTC)
    times = [find_time(PurePosixPath(file.name).name) for file in files]
    if all(time is not None and time < now - PAST for time in times):
        return None
    return now.isoformat(timespec="seconds")


def moment(now: str | None) -> datetime:
    """Return the time that `time_for` gave, after which a sweep is ahead."""
    return datetime.fromisoformat(now) if now else EVER
