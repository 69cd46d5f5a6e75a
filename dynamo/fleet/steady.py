"""The time that a fleet goes by: evenly on, whatever somebody sets the machine's clock to, also over a restart."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

__all__ = ["Moment", "Uptime", "steady_clock", "uptime"]

#: Which start of the machine this is, and the seconds since then; an empty name where nobody tells.
Uptime = Callable[[], tuple[str, float]]

_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_BOOT = Path("/proc/sys/kernel/random/boot_id")
#: Seconds by which a clock may be off unnoticed.
_SLIGHT = 1.0


class Moment(NamedTuple):
    """A time.

    Parameters
    ----------
    at
        By the clock of the fleet, in Unix seconds.
    boot, up
        As of `Uptime`.
    """

    at: float
    boot: str = ""
    up: float = 0.0

    def set_by(self, later: Moment) -> float:
        """Return by how many seconds the clock was set on from here to a later moment; less than 0 for back.

        Where the machine was started anew meanwhile nobody knows how long that took: a clock that is behind was put
        back, and one that is ahead is believed.

        >>> Moment(1000.0, "a", 10.0).set_by(Moment(5000.0, "a", 30.0))
        3980.0
        >>> Moment(1000.0, "a", 10.0).set_by(Moment(400.0, "b", 5.0))
        -600.0
        >>> Moment(1000.0, "a", 10.0).set_by(Moment(5000.0, "b", 5.0))
        0.0
        """
        passed = later.at - self.at
        known = self.boot and self.boot == later.boot
        seconds = passed - (later.up - self.up) if known else min(passed, 0.0)
        return seconds if abs(seconds) > _SLIGHT else 0.0


def steady_clock() -> Callable[[], float]:
    """Return a clock of Unix seconds that goes on evenly from now, whatever somebody sets the machine's clock to.

    It goes on too while the machine sleeps, where its system tells for how long.
    """
    begin, ticks = time.time(), time.clock_gettime(_STEADY)
    return lambda: begin + time.clock_gettime(_STEADY) - ticks


def uptime() -> tuple[str, float]:
    """Return which start of the machine this is, and the seconds since then."""
    try:
        boot = _BOOT.read_text().strip()
    except OSError:  # no Linux
        boot = ""
    return boot, time.clock_gettime(_STEADY)
