"""Wakefulness: whether a feed that waits for weather is awake, by what another one's products showed. Pure.

Enter: sightings, one of each run of the other, in any order. Leaves: awake or asleep, and why. All goes by the times
of data, so that a restart, a clock that is set and data that come late or out of order change nothing; only how long
nothing was heard is also counted on a clock that nobody sets. What is not known wakes: nothing sleeps because those
who were to wake it are ill. Nothing can go wrong.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal, TypeAlias

__all__ = ["AHEAD", "USUAL", "Cause", "Sighting", "Wakefulness", "wakefulness"]

#: Seconds by which data may be ahead of our clock; what is further ahead is not believed until then.
AHEAD = 600.0
#: A field counts as clear where at least this share of it was seen, and this part of the share that was seen within
#: `USUAL` seconds before: as for alerts (`dynamo.alerts.policy.Policy`).
LEAST_KNOWN, LEAST_USUAL, USUAL = 0.05, 0.9, 3600.0

#: ``held``: what was waited for was there, no longer ago than the hold. ``clear``: it was not, for longer. ``silent``:
#: for longer than the hold nothing certain was heard. ``new``: nothing ever was.
Cause: TypeAlias = Literal["held", "clear", "silent", "new"]


@dataclass(frozen=True, slots=True)
class Sighting:
    """What the products of one run of the other feed showed.

    Parameters
    ----------
    time
        Of its data (Unix seconds).
    area
        Square kilometres over which it showed what is waited for.
    known
        Share of the field that was seen, 0 to 1.
    held
        Whether that is enough to be awake.
    wrong
        Why it could not be read, and says nothing; else empty.
    """

    time: float
    area: float = 0.0
    known: float = 1.0
    held: bool = False
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class Wakefulness:
    """Whether a feed is awake, and why; the newest sightings that it was there, and that were certain."""

    awake: bool
    cause: Cause
    held: Sighting | None = None
    heard: Sighting | None = None


def wakefulness(
    sightings: Iterable[Sighting], hold: float, newest: float | None, quiet: float, wall: float
) -> Wakefulness:
    """Decide.

    Parameters
    ----------
    sightings
        All, or those no more than twice the hold and `USUAL` older than the newest of them.
    hold
        Seconds of data time for which it goes on being awake.
    newest
        Data time of its own newest window, if any.
    quiet
        Monotonic seconds since a newer certain sighting was heard last.
    wall
        Unix seconds; sightings further than `AHEAD` after it are not believed.
    """
    known = sorted((one for one in sightings if one.time <= wall + AHEAD), key=_rank)
    believed = [one for one in known if not one.wrong]
    newest_first = range(len(believed) - 1, -1, -1)
    heard = next((believed[n] for n in newest_first if _is_certain(believed, n)), None)
    if heard is None:
        return Wakefulness(awake=True, cause="new" if not known and quiet <= hold else "silent")
    held = next((believed[n] for n in newest_first if believed[n].held), None)
    if held is not None and heard.time - held.time > hold:
        held = None
    now = max(known[-1].time, -math.inf if newest is None else newest)
    if now - heard.time > hold or quiet > hold:
        return Wakefulness(awake=True, cause="silent", held=held, heard=heard)
    return Wakefulness(held is not None, "clear" if held is None else "held", held, heard)


def _is_certain(believed: Sequence[Sighting], n: int) -> bool:
    """Whether it is there, or enough of the field was seen to say that it is not."""
    one = believed[n]
    lately = believed[
        bisect_left(believed, one.time - USUAL, key=_time) : bisect_right(believed, one.time, key=_time)
    ]
    return one.held or one.known >= max(LEAST_KNOWN, LEAST_USUAL * max(other.known for other in lately))


_time = attrgetter("time")


def _rank(one: Sighting) -> tuple[float, bool, float, float]:
    """Of two of one time that counts which shows more, whichever was heard first."""
    return one.time, one.held, one.area, one.known
