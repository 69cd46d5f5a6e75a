"""From arrivals to windows: which files run together, and when. Pure: the times are arguments.

Enter: arrivals, ticks of a clock, deletions. Leave: windows that are complete, or that waited long enough; what
became of each arrival; and when to look again. Each data time makes one window at most. Waiting goes by monotonic
seconds, all else by data times, so that a clock that is set loses and doubles nothing.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter

from dynamo.graph.units import format_count
from dynamo.triggers.arrival import Arrival, Outcome
from dynamo.triggers.history import History
from dynamo.triggers.rules import Backlog, Rules
from dynamo.triggers.span import Span

__all__ = ["WAITED", "Step", "Window", "Windows"]

#: Seconds that the clock of a radar may be ahead of ours; data from further ahead waits until our clock is there.
AHEAD = 600.0
#: How it is told that a window was passed over although it waited.
WAITED = " when the wait was over"
#: Seconds after which our clock is asked again, while data waits for it.
LOOK = 30.0


@dataclass(frozen=True, slots=True)
class Window:
    """The files that run together.

    Parameters
    ----------
    time
        Data time of the newest file of the window's own time (Unix seconds): its key.
    first
        Data time of the oldest such file.
    files
        Paths by input, in the order of time.
    complete
        Whether all was there.
    passed
        Why it is not to be run; empty where it is.
    data
        Data time of its newest file; None where it has none, as a clock's may.
    """

    time: float
    first: float
    files: Mapping[str, tuple[str, ...]]
    complete: bool = True
    passed: str = ""
    data: float | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What was decided: windows (the oldest first), outcomes, and the monotonic time at which to look again."""

    windows: tuple[Window, ...] = ()
    outcomes: tuple[tuple[Arrival, Outcome], ...] = ()
    due: float | None = None


_last = attrgetter("last")


class Windows:
    """The state of one feed.

    Parameters
    ----------
    rules
        How to join.
    frames
        Files that earlier windows knew, for those to come.
    made
        First and last data time of each window that was made or passed over, from `low` on.
    low
        No file of this data time or before makes a window.
    """

    def __init__(
        self,
        rules: Rules,
        *,
        frames: Iterable[Arrival] = (),
        made: Iterable[tuple[float, float]] = (),
        low: float = -math.inf,
    ) -> None:
        self.rules = rules
        self.low = low
        self._inputs = {i.name: History(i) for i in rules.inputs}
        self._open: list[Span] = []  # by their times; no two overlap
        self._made = [Span(first, last) for first, last in made]
        self._ahead: dict[tuple[str, str], Arrival] = {}
        self._outcomes: list[tuple[Arrival, Outcome]] = []
        for frame in frames:
            self._keep(frame)

    def step(self, arrivals: Iterable[Arrival], now: float, wall: float, ticks: Iterable[float] = ()) -> Step:
        """Take what arrived, and decide.

        Parameters
        ----------
        arrivals
            In any order; those that came together are taken by their data times.
        now
            Monotonic seconds.
        wall
            Unix seconds, to hold back what is from the future.
        ticks
            Times (Unix seconds) at which a clock asks for a window; for feeds whose inputs drive none.
        """
        released = [a for a in self._ahead.values() if not self._is_ahead(a, wall)]
        for arrival in released:
            del self._ahead[arrival.input, arrival.path]
        for arrival in sorted([*released, *arrivals], key=lambda a: (a.time or 0.0, a.path, a.mtime)):
            self._arrive(arrival, now, wall)
        for tick in ticks:
            if tick not in {span.last for span in (*self._made, *self._open)}:
                insort(self._open, Span(tick, tick, now), key=_last)
        windows = self._settle(now)
        outcomes, self._outcomes = self._outcomes, []
        return Step(tuple(windows), tuple(outcomes), self._due(now, wall))

    def begin(self, arrivals: Iterable[Arrival], backlog: Backlog, now: float, wall: float) -> Step:
        """Take what was there before the first start: all of it, the latest window's, or none."""
        arrivals = list(arrivals)
        if backlog == "all":
            return self.step(arrivals, now, wall)
        drives = {i.name for i in self.rules.inputs if i.drives}
        times = [
            a.time
            for a in arrivals
            if a.time is not None and a.input in drives and not self._is_refused(a, wall)
        ]
        newest = max(times, default=-math.inf)
        if backlog == "latest":
            times = [t for t in times if t < newest - self.rules.tolerance]
        self.low = max(times, default=-math.inf)
        step = self.step(arrivals, now, wall)
        outcomes: list[tuple[Arrival, Outcome]] = [
            (a, "backlog" if outcome == "late" else outcome) for a, outcome in step.outcomes
        ]
        return Step(step.windows, tuple(outcomes), step.due)

    def remove(self, path: str) -> bool:
        """Note that a file was deleted, and return whether a window could have used it; call `step` afterwards."""
        is_known = False
        for key in [key for key, a in self._ahead.items() if a.path == path]:
            self._say(self._ahead.pop(key), "gone")
        for history in self._inputs.values():
            frame = history.at(path)
            if frame is not None:
                is_known = True
                history.remove(frame)
                if self._opened(frame) is not None:
                    self._say(frame, "gone")
        return is_known

    # One arrival

    def _arrive(self, arrival: Arrival, now: float, wall: float) -> None:
        refused = self._is_refused(arrival, wall)
        if refused:
            if refused == "ahead":
                self._ahead[arrival.input, arrival.path] = arrival
            self._say(arrival, refused)
            return
        if not self._keep(arrival):
            return
        assert arrival.time is not None
        if not self._inputs[arrival.input].rules.drives:
            self._say(arrival, "kept")
        elif self._is_made(arrival.time) or arrival.time <= self.low:
            self._say(arrival, "late")
        else:
            self._join(arrival.time, now)
            self._say(arrival, "waiting")

    def _is_refused(self, arrival: Arrival, wall: float) -> Outcome | None:
        rules = self._inputs[arrival.input].rules
        if arrival.time is None:
            return "timeless"
        if not rules.from_ <= arrival.time <= rules.to:
            return "outside"
        return "ahead" if self._is_ahead(arrival, wall) else None

    def _is_ahead(self, arrival: Arrival, wall: float) -> bool:
        # Where an end is given, times are meant as they are: as for `dynamo run`.
        end = self._inputs[arrival.input].rules.to
        return end == math.inf and arrival.time is not None and arrival.time > wall + AHEAD

    def _keep(self, arrival: Arrival) -> bool:
        """Add a frame to what windows may use; return False where it is known, or another has its place."""
        history = self._inputs[arrival.input]
        before = history.at(arrival.path)
        if before == arrival:
            return False
        twin = None if self.rules.same == "all" else history.same(arrival)
        if twin not in {None, before} and self.rules.same == "first":
            self._say(arrival, "duplicate")
            return False
        if before is not None:  # its content is gone, whatever the rule says
            history.remove(before)
        if twin is not None and twin != before:
            history.remove(twin)
            self._say(twin, "replaced")
        history.add(arrival)
        return True

    def _join(self, time: float, now: float) -> None:
        tolerance = self.rules.tolerance
        near = self._open[bisect_left(self._open, time - tolerance, key=_last) :][:2]
        near = [span for span in near if span.spread(time) <= tolerance]
        if near:
            span = min(near, key=lambda span: span.spread(time) - (span.last - span.first))
            span.first, span.last = min(span.first, time), max(span.last, time)
        else:
            insort(self._open, Span(time, time, now), key=_last)

    def _opened(self, frame: Arrival) -> Span | None:
        assert frame.time is not None
        drives = self._inputs[frame.input].rules.drives
        return next((s for s in self._open if drives and s.first <= frame.time <= s.last), None)

    def _is_made(self, time: float) -> bool:
        return any(span.spread(time) <= self.rules.tolerance for span in self._made)

    def _say(self, arrival: Arrival, outcome: Outcome) -> None:
        self._outcomes.append((arrival, outcome))

    # Windows

    def _settle(self, now: float) -> list[Window]:
        """Make the windows that are complete, that waited long enough, or that newer ones overtook."""
        self._open = [span for span in self._open if not self._is_empty(span)]  # files deleted or overwritten
        ready = {s.last for s in self._open if self._is_complete(s) or now >= s.since + self.rules.wait}
        if not ready:
            return []
        ready |= {s.last for s in self._open if s.last < max(ready) - self.rules.lateness}
        due = [span for span in self._open if span.last in ready]
        windows = [self._make(span) for span in due]
        self._open = [span for span in self._open if span.last not in ready]
        self._made += due
        self._forget(due[-1].last)
        return windows

    def _make(self, span: Span) -> Window:
        files = {name: history.window(span.first, span.last) for name, history in self._inputs.items()}
        complete, passed = self._is_complete(span), ""
        for name, history in self._inputs.items():
            rules, there = history.rules, len(history.sources(span.first, span.last))
            if there < rules.quorum:
                lacks = (
                    f"{there} of {format_count(rules.quorum, 'source')}" if rules.quorum > 1 else "no file"
                )
                passed = f"{name}: {lacks}{WAITED}"
            elif there and len(files[name]) < rules.fewest:
                passed = f"{name}: {len(files[name])} of {format_count(rules.fewest, 'file')}"
        outcome: Outcome = "passed" if passed else "used"
        for history in self._inputs.values():
            if history.rules.drives:
                for frame in history.of(span.first, span.last):
                    self._say(frame, outcome)
        paths = {name: tuple(frame.path for frame in frames) for name, frames in files.items()}
        newest = max((frame.time or 0.0 for frames in files.values() for frame in frames), default=None)
        return Window(span.last, span.first, paths, complete, passed, newest)

    def _is_complete(self, span: Span) -> bool:
        return all(
            len(history.sources(span.first, span.last)) >= history.rules.sources
            for history in self._inputs.values()
        )

    def _is_empty(self, span: Span) -> bool:
        driving = [h for h in self._inputs.values() if h.rules.drives]
        return bool(driving) and not any(h.of(span.first, span.last) for h in driving)

    def _forget(self, newest: float) -> None:
        self.low = max(self.low, newest - self.rules.lateness)
        tolerance = self.rules.tolerance
        self._made = [span for span in self._made if span.last >= self.low - tolerance]
        oldest = min([self.low, *(span.first for span in self._open)])
        for history in self._inputs.values():
            history.prune(oldest, tolerance)

    def _due(self, now: float, wall: float) -> float | None:
        times = [span.since + self.rules.wait for span in self._open]
        times += [now + min(LOOK, max(0.0, (a.time or 0.0) - AHEAD - wall)) for a in self._ahead.values()]
        return min(times, default=None)
