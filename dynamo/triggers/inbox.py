"""One feed: what is seen goes in, windows to run come out, and all of it is in the journal before it is told.

After ``kill -9`` at any moment, a new `Inbox` on the same store goes on: files that arrived meanwhile are in the first
`seen`, windows that were queued or running are in `pending`. One process at a time takes a feed: whoever makes an
inbox sees to that. Where the disk is full, what was decided is kept and written by a later call; nothing of it is
told before. Goes wrong: `WorkspaceError`; the store, this object and its `Watcher` may then differ, so make new ones.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial

from dynamo.errors import InternalError
from dynamo.journal.database import DiskFullError
from dynamo.triggers.arrival import Arrival, Reading, Seen
from dynamo.triggers.disk import is_gone
from dynamo.triggers.rules import Backlog, Rules
from dynamo.triggers.store import Ended, Feed, Queued, Store
from dynamo.triggers.untimed import Untimed
from dynamo.triggers.window import Step, Window, Windows

__all__ = ["Inbox"]


class Inbox:
    """The arrivals and windows of one feed.

    Parameters
    ----------
    store
        The journal; several feeds may share it, in one thread.
    feed
        The feed's name, the same at each start.
    rules
        How inputs are joined.
    readings
        How names are read, by input.
    backlog
        What the first `seen` of the very first start does with what is there.

    Attributes
    ----------
    due
        The monotonic time at which to call `tick`, if any.
    arrived
        How many files came since it was made, without those that were there when the feed first began.
    full
        Whether the disk had no room for what was last to be written.
    untimed
        Of the files that were seen, also before it was made, those without a time.
    """

    def __init__(
        self,
        store: Store,
        feed: str,
        rules: Rules,
        readings: Mapping[str, Reading],
        *,
        backlog: Backlog = "latest",
    ) -> None:
        missing = {i.name for i in rules.inputs} ^ set(readings)
        if missing:
            raise InternalError(f"rules and readings differ in the inputs {', '.join(sorted(missing))}")
        self.feed = feed
        self.due: float | None = None
        self.arrived = 0
        self.full = False
        self.untimed = Untimed()
        self._late: deque[tuple[Callable[[], None], list[Queued]]] = deque()  # to be written, and told then
        self._made: list[Queued] = []
        self._store, self._rules, self._readings, self._backlog = store, rules, readings, backlog
        self._state = store.feed(feed)
        self._ticks: set[float] = set()  # those whose windows wait
        self._again: list[Arrival] = []
        self._lost: list[Arrival] = []
        self._ahead: dict[tuple[str, str], Arrival] = {}
        # A disk may be away for a while; its files are frames again when it is back.
        self._missing: set[str] = set()
        self._windows = self._restore()

    def _restore(self) -> Windows:
        """Take up what an earlier process knew; what waited for its window waits anew."""
        if self._state is None:
            return Windows(self._rules)
        store, low = self._store, self._state.low
        waiting = [a for a in store.undecided(self.feed) if a.input in self._readings]
        for arrival in waiting:
            (self._lost if is_gone(arrival.path) else self._again).append(arrival)
        known = {
            frame: None
            for name in self._readings
            for frame in store.frames(self.feed, name)
            if not is_gone(frame.path)
        }
        frames = [frame for frame in known if frame not in set(waiting)]
        made = store.spans(self.feed, low - self._rules.tolerance)
        return Windows(self._rules, frames=frames, made=made, low=low)

    @property
    def asked(self) -> float:
        """Data time up to which windows were asked for as a backlog."""
        return self._state.backlog if self._state else -math.inf

    @property
    def last_tick(self) -> float | None:
        """The last tick of the feed's clock that was taken, or when the feed began; None before it did."""
        return max(self._ticks, default=self._state.tick if self._state else None)

    @property
    def ahead(self) -> Arrival | None:
        """Of the files from the future that wait for their time, the one from furthest ahead; None without any."""
        return max(self._ahead.values(), key=lambda one: one.time or 0.0, default=None)

    def seen(
        self, files: Iterable[Seen], now: float, wall: float, *, gone: Iterable[str] = ()
    ) -> list[Queued]:
        """Take files that are whole, and paths that are no more; return the windows that came of it.

        The first call of a process comes before all others, with all that is on disk. `now` is monotonic, `wall`
        Unix seconds. A window that is passed over is among the returned, in that state.
        """
        arrivals = [self._readings[f.input].arrival(f) for f in files]
        self.untimed.take(arrivals)
        self._missing |= {path for path in gone if self._windows.remove(path)}
        fresh = [a for a in arrivals if a.path in self._missing or not self._store.is_known(self.feed, a)]
        self._missing -= {a.path for a in fresh}
        again, self._again = self._again, []
        if self._state is None:
            step = self._windows.begin(fresh, self._backlog, now, wall)
            asked = _asked(step) if self._backlog == "all" else -math.inf
            self._state = Feed(-math.inf, wall, wall, asked)
            return self._record(step, fresh, wall, begins=True)
        self.arrived += len(fresh)
        step = self._windows.step([*again, *fresh], now, wall)
        return self._record(step, fresh, wall)

    def tick(self, now: float, wall: float, tick: float | None = None) -> list[Queued]:
        """Let time pass, and take a tick of the feed's clock, if any; return the windows that came of it."""
        if self._state is None:
            raise InternalError("an inbox is first told what is there")
        known = tick is not None and self._store.window(self.feed, tick) is not None
        if tick is not None:
            self._ticks.add(tick)
        step = self._windows.step((), now, wall, self._ticks if not known else ())
        return self._record(step, (), wall, tick if known else None)

    def _record(
        self,
        step: Step,
        fresh: Iterable[Arrival],
        wall: float,
        known: float | None = None,
        *,
        begins: bool = False,
    ) -> list[Queued]:
        """Write what was decided, in one transaction, and return the windows that are recorded by now."""
        before = self._state
        assert before is not None
        for arrival, outcome in step.outcomes:
            self._ahead.pop((arrival.input, arrival.path), None)
            if outcome == "ahead":
                self._ahead[arrival.input, arrival.path] = arrival
        taken = [w.time for w in step.windows if w.time in self._ticks] + ([] if known is None else [known])
        after = replace(before, low=self._windows.low, tick=max(taken, default=before.tick))
        self._ticks -= set(taken)
        self.due = step.due
        if begins or step.windows or step.outcomes or self._lost or after != before:
            windows = [_recorded(self.feed, window, wall) for window in step.windows]
            write = partial(self._write, step, set(fresh), self._lost, after, wall)
            self._late.append((write, windows))
        self._state, self._lost = after, []
        self._flush()
        made, self._made = self._made, []
        return made

    def _write(self, step: Step, fresh: set[Arrival], lost: list[Arrival], after: Feed, wall: float) -> None:
        new = set(fresh)  # a copy: it may be written in vain, and again
        for arrival, outcome in step.outcomes:
            if arrival in new:
                self._store.add_arrival(self.feed, arrival, wall, outcome)
                new.discard(arrival)  # what comes after changes what was added
            else:
                self._store.set_outcome(self.feed, arrival, outcome)
        for arrival in lost:
            self._store.set_outcome(self.feed, arrival, "gone")
        for window in step.windows:
            self._store.add_window(self.feed, window, wall)
        self._store.set_feed(self.feed, after)

    def _flush(self) -> None:
        """Write what was decided, as far as the disk has room."""
        while self._late:
            write, windows = self._late[0]
            if not self._try(write):
                return
            self._late.popleft()
            self._made += windows

    def _try(self, write: Callable[[], None]) -> bool:
        """Write something whole, or nothing where the disk is full."""
        try:
            with self._store.change():
                write()
        except DiskFullError:
            self.full = True
        else:
            self.full = False
        return not self.full

    # What becomes of windows

    def pending(self) -> list[Queued]:
        """Return the windows that are queued, and those that are running with the id of their run; oldest first."""
        return self._store.pending(self.feed)

    def taken(self, time: float, run: str, wall: float) -> bool:
        """Record that the window of this data time is run as `run`, before that begins.

        False where the disk is full: nothing is recorded then, and it must not begin.
        """
        return not self._late and self._try(partial(self._store.start, self.feed, time, run, wall))

    def woken(self, time: float, wall: float) -> bool:
        """Record that the window of this data time, which was asleep, is to be run; False where the disk is full."""
        return not self._late and self._try(partial(self._store.wake, self.feed, time, wall))

    def finished(self, time: float, state: Ended, wall: float, reason: str = "") -> None:
        """Record how a window ended: done, failed, superseded, asleep. One that ended already stays as it is."""
        self._late.append((partial(self._store.end, self.feed, time, state, reason, wall), []))
        self._flush()


def _recorded(feed: str, window: Window, wall: float) -> Queued:
    if window.passed:
        return Queued(feed, window, "passed", window.passed, "", wall, None, wall)
    return Queued(feed, window, "queued", "", "", wall, None, None)


def _asked(step: Step) -> float:
    """Return the time of the newest file that was there at the beginning."""
    refused = {"ahead", "outside", "timeless"}
    return max(
        (a.time for a, why in step.outcomes if a.time is not None and why not in refused), default=-math.inf
    )
