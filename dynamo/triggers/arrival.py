"""A file that arrived, as the windows see it: which input, which source, and the time of its data."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

__all__ = ["Arrival", "Outcome", "Reading", "Seen"]

#: What became of an arrival: it waits in an open window, was used by one, is kept for the windows of others (an
#: input that drives none); or it made none, because it was there before the first start, came after its window,
#: is a second one of its time or was replaced by one, is from the future, from outside `from` and `to`, has
#: no time, belongs to a window that was passed over, or was deleted before its window was made.
Outcome = Literal[
    "waiting", "used", "kept", "backlog", "late", "duplicate", "replaced", "ahead", "outside", "timeless", "passed",
    "gone",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seen:
    """A whole file on disk: the input it matches, its path, bytes, and time of change in nanoseconds."""

    input: str
    path: str
    size: int
    mtime: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file of an input: `time` is that of its data (Unix seconds), `source` tells apart who made it."""

    input: str
    path: str
    size: int
    mtime: int
    time: float | None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the name of a file of one input says.

    Parameters
    ----------
    time
        Finds the time in a name.
    needs_time
        Whether a name without a time is refused; else the time of change stands in.
    source
        Finds the source in a name (a radar, say) with its first group, or the whole match where it has none. A
        name that does not match, or no pattern: one source without a name.
    """

    time: Callable[[str], datetime | None]
    needs_time: bool = False
    source: re.Pattern[str] | None = None

    def arrival(self, seen: Seen) -> Arrival:
        """Read the name of a file."""
        name = seen.path.rpartition("/")[2]  # pathlib takes longer than all else here
        moment = self.time(name)
        time = moment.timestamp() if moment else None if self.needs_time else seen.mtime / 1e9
        match = self.source.search(name) if self.source else None
        source = (match.group(1 if match.re.groups else 0) or "") if match else ""
        return Arrival(seen.input, seen.path, seen.size, seen.mtime, time, source)
