"""Ranges: many windows told as a few stretches of time. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

__all__ = ["Stretch", "at", "stretches", "told"]

#: Stretches that are told of one thing; `--json` has all.
_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Stretch:
    """So many windows one after another, by the times of the first and the last (Unix seconds)."""

    first: float
    last: float
    windows: int


def stretches(times: Collection[float], among: Sequence[float]) -> list[Stretch]:
    """Return these times as stretches of those that follow each other `among` all, which are sorted.

    >>> [(s.first, s.last, s.windows) for s in stretches({1, 2, 3, 7}, [0, 1, 2, 3, 5, 7])]
    [(1, 3, 3), (7, 7, 1)]
    """
    wanted, found, before = set(times), list[Stretch](), False
    for time in among:
        if time in wanted and before:
            found[-1] = Stretch(found[-1].first, time, found[-1].windows + 1)
        elif time in wanted:
            found.append(Stretch(time, time, 1))
        before = time in wanted
    return found


def at(time: float) -> str:
    """Return a time as it is told.

    >>> at(1490772820.0)
    '2017-03-29 07:33:40Z'
    """
    moment = datetime.fromtimestamp(time, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}" + (f".{moment:%f}".rstrip("0") if moment.microsecond else "") + "Z"


def told(found: Sequence[Stretch]) -> str:
    """Return stretches in words, the day once where it stays the same.

    >>> told([Stretch(1490772820.0, 1490772940.0, 3), Stretch(1490773000.0, 1490773000.0, 1)])
    '2017-03-29 07:33:40Z to 07:35:40Z, 07:36:40Z'
    """
    words, day = [], ""
    for one in found[:_SHOWN]:
        ends = [at(one.first)] if one.first == one.last else [at(one.first), at(one.last)]
        for n, end in enumerate(ends):
            ends[n] = end.removeprefix(f"{day} ") if day else end
            day = end[:10]
        words.append(" to ".join(ends))
    more = len(found) - _SHOWN
    return ", ".join(words) + (f" and {more:,} more" if more > 0 else "")
