"""The files of one input that windows still to come may use, by source and data time: pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator

from dynamo.triggers.arrival import Arrival
from dynamo.triggers.rules import InputRules

__all__ = ["History"]

#: Frames of one source that are kept while nothing is made of them: an input that drives nothing, beside one
#: that is silent.
MOST = 4096


def _time(arrival: Arrival) -> float:
    assert arrival.time is not None
    return arrival.time


class History:
    """Frames by source and time: of each one, but where all of one source and time count (`Rules.same`)."""

    def __init__(self, rules: InputRules) -> None:
        self.rules = rules
        self._frames: dict[str, list[Arrival]] = {}
        self._by_path: dict[str, Arrival] = {}

    def at(self, path: str) -> Arrival | None:
        """Return the frame in this file."""
        return self._by_path.get(path)

    def same(self, arrival: Arrival) -> Arrival | None:
        """Return the frame of the same source and time."""
        frames = self._frames.get(arrival.source, [])
        i = bisect_left(frames, _time(arrival), key=_time)
        return frames[i] if i < len(frames) and frames[i].time == arrival.time else None

    def add(self, arrival: Arrival) -> None:
        """Add a frame; there is none in the same file."""
        frames = self._frames.setdefault(arrival.source, [])
        insort(frames, arrival, key=_time)
        self._by_path[arrival.path] = arrival
        if len(frames) > MOST:
            del self._by_path[frames.pop(0).path]

    def remove(self, arrival: Arrival) -> None:
        """Remove a frame."""
        del self._by_path[arrival.path]
        frames = self._frames[arrival.source]
        frames.remove(arrival)
        if not frames:
            del self._frames[arrival.source]

    def of(self, first: float, last: float) -> list[Arrival]:
        """Return the frames from `first` to `last`."""
        return [frame for frames in self._frames.values() for frame in _slice(frames, first, last)]

    def sources(self, first: float, last: float) -> set[str]:
        """Return the sources that a window of these times has."""
        if not self.rules.drives:
            return {frame.source for frame in self.window(first, last)}
        return {source for source, frames in self._frames.items() if next(_slice(frames, first, last), None)}

    def window(self, first: float, last: float) -> list[Arrival]:
        """Return the frames that go into a window of these times, by time and name.

        Those of a source without data of the window's time are left out, where the input drives.
        """
        rules, found = self.rules, []
        begin = first if rules.last is None and rules.drives else float("-inf")
        if rules.within is not None:
            begin = last - rules.within
        for frames in self._frames.values():
            if not rules.drives or next(_slice(frames, first, last), None):
                kept = list(_slice(frames, begin, last))
                most = rules.last or (1 if rules.within is None and not rules.drives else len(kept))
                found += kept[len(kept) - min(most, len(kept)) :]
        return sorted(found, key=lambda a: (_time(a), a.path.rpartition("/")[2]))

    def prune(self, low: float, tolerance: float) -> None:
        """Forget what no window from `low` on can use."""
        rules = self.rules
        for source, frames in list(self._frames.items()):
            keep = bisect_right(frames, low, key=_time) - (rules.last or 1)
            if rules.within is not None:
                begin = bisect_left(frames, low - rules.within - tolerance, key=_time)
                keep = begin if rules.last is None else max(keep, begin)
            keep = min(keep, bisect_left(frames, low - tolerance, key=_time))
            if keep > 0:
                for frame in frames[:keep]:
                    del self._by_path[frame.path]
                del frames[:keep]
            if not frames:
                del self._frames[source]


def _slice(frames: list[Arrival], first: float, last: float) -> Iterator[Arrival]:
    for i in range(bisect_left(frames, first, key=_time), bisect_right(frames, last, key=_time)):
        yield frames[i]
