"""What a watch has done and how it lags, for those who look: `/metrics`, `/healthz`, a line a minute."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dynamo.triggers.store import Ended, Past

if TYPE_CHECKING:
    from dynamo.watch.judge import Verdict
    from dynamo.watch.standing import Standing

__all__ = ["TROUBLES", "Counts", "Mood"]

#: What a feed can have trouble with: its disk, judging, files from the future or without a time in their names, folders
#: that cannot be looked into, products of another time than the files, all of its work, what it is told, or what it is
#: to hear of another feed.
TROUBLES = (
    "disk",
    "judging",
    "ahead",
    "files",
    "folders",
    "times",
    "feed",
    "run file",
    "subscribers",
    "when",
)


@dataclass(frozen=True, slots=True)
class Mood:
    """Whether a feed that waits for weather is awake, that in words, and the square kilometres that were seen last."""

    awake: bool
    said: str
    area: float | None


@dataclass(slots=True)
class Counts:
    """Numbers since the watch began; times are Unix seconds.

    Parameters
    ----------
    since
        When it began.
    arrivals, passed, superseded, asleep
        Files; windows without enough of them; windows given up for newer ones; windows that came in fair weather.
    runs, alerts, cycles
        How many ended how; how many were told, by kind; how many were judged how.
    last_arrival, last_end
        When a file was last seen, and when a run last ended well; also before the watch began.
    behind
        Since when windows wait, or run, or fail, and no run has ended well; None where nothing is to be done.
    data_time
        Of the newest data that was judged; where nothing is judged, that a run that ended well was given; or that was
        let be in fair weather. Also before the watch began.
    waited
        Seconds from the window's being ready to its run's being asked for, of the last one.
    standings
        How each kind of hazard stands.
    troubles
        What is wrong now, in words, by what it is with: one of `TROUBLES`.
    awaits
        Whether there are files that it looks for.
    mood
        Whether it is awake, where it waits for weather.
    """

    since: float = field(default_factory=time.time)
    arrivals: int = 0
    passed: int = 0
    superseded: int = 0
    asleep: int = 0
    runs: Counter[str] = field(default_factory=Counter)
    alerts: Counter[str] = field(default_factory=Counter)
    cycles: Counter[str] = field(default_factory=Counter)
    last_arrival: float | None = None
    last_end: float | None = None
    behind: float | None = None
    data_time: float | None = None
    waited: float = 0.0
    standings: Mapping[str, Standing] = field(default_factory=dict)
    troubles: dict[str, str] = field(default_factory=dict)
    awaits: bool = True
    mood: Mood | None = None

    def remember(self, past: Past) -> None:
        """Take from the journal what was last before now."""
        self.last_arrival = self.last_arrival or past.arrival
        self.last_end = self.last_end or past.done
        self.data_time = past.data  # what is held may be of runs that were not judged

    def data_age(self, now: float) -> float | None:
        """Return how old the newest data is, in seconds; 0 where it is ahead of the Unix time `now`.

        As long as no data was run, how long it is awaited, so that an alarm on the age hears also of a feed that never
        gets any; None where no files are looked for.
        """
        if self.data_time is None and not self.awaits:
            return None
        return max(now - (self.since if self.data_time is None else self.data_time), 0.0)

    def arrived(self, files: int, wall: float) -> None:
        """Count files."""
        if files:
            self.arrivals += files
            self.last_arrival = wall

    def trouble(self, what: str, said: str) -> bool:
        """Note what is wrong, or with nothing said that it is over; return whether that is new."""
        before = self.troubles.pop(what, "")
        if said:
            self.troubles[what] = said
        return said != before

    def waits(self, queued: float) -> None:
        """Note that a window is to be run."""
        if self.behind is None:
            self.behind = max(queued, self.since)

    def began(self, queued: float) -> None:
        """Note how long a window waited."""
        self.waited = max(time.time() - queued, 0.0)

    def ended(self, state: Ended, data_time: float | None, wall: float) -> None:
        """Count a run, and note the time of its newest data, if any, where nothing is judged."""
        self.runs[state] += 1
        if state == "done":
            self.last_end, self.behind = wall, None
            self._take(data_time)

    def slept(self, data_time: float | None) -> None:
        """Note that data was let be: it is not late, as nothing is to be done with it."""
        self._take(data_time)

    def judged(self, verdict: Verdict) -> None:
        """Count alerts and how cycles were judged; note how kinds of hazard stand."""
        self.alerts.update(alert.kind for alert in verdict.alerts)
        self.cycles.update(one.outcome for one in verdict.cycles if one.outcome is not None)
        self.standings = verdict.standings
        for one in verdict.cycles:
            self._take(one.cycle.issued.timestamp())

    def _take(self, data_time: float | None) -> None:
        if data_time is not None:
            self.data_time = max(self.data_time or data_time, data_time)
