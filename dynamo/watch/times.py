"""Times: of the files of a window, by their names, and whether what was made of them is of another time.

Windows go by the names of files, alerts by the times in products. Where these differ, nobody may be told in time.
Pure; nothing can go wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Literal

from dynamo.triggers.arrival import Reading
from dynamo.triggers.window import Window

__all__ = ["APART", "Off", "Times", "off", "times_of"]

#: Seconds by which the time of products may differ from that of the newest file.
APART = 600.0


@dataclass(frozen=True, slots=True)
class Times:
    """Of the files of a window: the time of the newest (Unix seconds), and seconds back to the oldest."""

    newest: float
    span: float = 0.0

    def __str__(self) -> str:
        return f"{datetime.fromtimestamp(self.newest, UTC):%Y-%m-%d %H:%M:%SZ}"


@dataclass(frozen=True, slots=True)
class Off:
    """That products are of another time than files: of an earlier or a later one, and that in words."""

    side: Literal["earlier", "later"]
    words: str


def times_of(window: Window, readings: Mapping[str, Reading]) -> Times | None:
    """Return the times of a window's files, whose names are read by input; None where it has no file."""
    if window.data is None:
        return None
    named = [
        reading.time(PurePath(path).name)
        for name, paths in window.files.items()
        if (reading := readings.get(name)) is not None  # the run file may have been edited since
        for path in paths
    ]
    oldest = min((time.timestamp() for time in named if time is not None), default=window.data)
    return Times(window.data, max(window.data - oldest, 0.0))


def off(times: Times, issued: Mapping[str, datetime]) -> Off | None:
    """Say that products are of another time than files, by more than `APART` and more than the files are apart.

    Parameters
    ----------
    times
        Of the files.
    issued
        Of the products, by kind of hazard; what is said is of the one that is furthest off.
    """
    hazard = max(issued, key=lambda kind: abs(issued[kind].timestamp() - times.newest))
    seconds = issued[hazard].timestamp() - times.newest
    if abs(seconds) <= max(APART, times.span):
        return None
    return Off(
        "earlier" if seconds < 0 else "later",
        f"{hazard}: products are of {issued[hazard]:%Y-%m-%d %H:%M:%SZ}, the newest of their files, by its name or else"
        f" its time of change, of {times}; alerts go by the time in products: which one is right?",
    )
