"""The rules by which arrivals become windows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

__all__ = ["Backlog", "InputRules", "Rules"]

Backlog = Literal["all", "latest", "none"]


@dataclass(frozen=True, slots=True)
class InputRules:
    """What of one input goes into a window.

    Parameters
    ----------
    name
        Of the workflow's input.
    last
        How many frames of each source at most. With neither `last` nor `within`: those of the window's time alone.
    within
        How many seconds of data time before the window's time they may be.
    from_, to
        Data from outside these times (Unix seconds) is not taken.
    drives
        Whether a file makes a window of its time. One that does not is taken as it is known at that time.
    sources
        From how many sources there must be data of the window's time for it to be complete.
    quorum
        From how many at least when `Rules.wait` is over; 0: the workflow can do without this input.
    fewest
        How many frames at least, where there is any source.
    """

    name: str
    last: int | None = None
    within: float | None = None
    from_: float = -math.inf
    to: float = math.inf
    drives: bool = True
    sources: int = 1
    quorum: int = 1
    fewest: int = 1


@dataclass(frozen=True, slots=True)
class Rules:
    """How the inputs of one feed are joined; all times in seconds.

    Parameters
    ----------
    inputs
        One of each input that is watched.
    tolerance
        Data times that lie so far apart at most are of one window. Windows must be further apart than that.
    wait
        How long a window that is not complete waits, from its first file.
    lateness
        How much older than the newest window a file may be and still make its own.
    same
        Which of two files of one input, source and time is taken: the last, only while its window is open; or all.
    """

    inputs: tuple[InputRules, ...]
    tolerance: float = 0.0
    wait: float = 20.0
    lateness: float = 0.0
    same: Literal["first", "last", "all"] = "first"
