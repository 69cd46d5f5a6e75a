"""Look at a range before anything runs: its files, its windows, and which of these are done already.

Enters: a case, and from when to when. Leaves: what is to be run, and what is known. Goes wrong: no data in the range,
or products of all windows in one folder (`UserError`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

from dynamo.archive.case import Case
from dynamo.archive.index import Entry, Index, States
from dynamo.archive.ranges import at
from dynamo.archive.replay import Range, replay
from dynamo.archive.scan import Scanned, scan
from dynamo.archive.work import Ended, Todo
from dynamo.errors import UserError
from dynamo.graph.units import format_count
from dynamo.runfile.inputs import beside
from dynamo.triggers.arrival import Arrival
from dynamo.triggers.window import WAITED, Window
from dynamo.watch.feed import starting_inputs

__all__ = ["Looked", "look", "sort_out"]


@dataclass(frozen=True, slots=True)
class Looked:
    """The windows of a range, the files it is made of, and those that are in none.

    `case` is as it holds for them, with inputs without times the same in all; `passed` are windows that are not run,
    each with why; `arrivals` all files that were found, `scanned` also those that could not be looked at.
    """

    case: Case
    range: Range
    windows: tuple[Window, ...]
    passed: Mapping[float, str]
    arrivals: tuple[Arrival, ...]
    left_out: tuple[tuple[Arrival, str], ...]
    scanned: Scanned


def look(case: Case, first: float | None, last: float | None, wall: float) -> Looked:
    """Find the windows from `first` to `last` (Unix seconds), or as far as there are data where one is None.

    Raises `UserError` where there is no file of what makes windows, no window of that time, or their products would
    all go into one folder.
    """
    scanned = scan(case.feed.globs)
    arrivals = tuple(case.feed.readings[seen.input].arrival(seen) for seen in scanned.files)
    case = case.same_in_all(_untimed(case, arrivals))
    feed = case.feed
    arrivals = tuple(a for a in arrivals if a.input in feed.globs)
    driving = starting_inputs(feed.trigger, feed.globs) or list(feed.globs)
    times = [a.time for a in arrivals if a.time is not None and a.input in driving]
    _check_files(case, arrivals, driving)
    range_ = Range(
        min(times, default=math.inf) if first is None else first,
        max(times, default=-math.inf) if last is None else last,
    )
    if math.inf in (range_.first, -range_.last):
        raise UserError("give --from and --to: there are no files by whose times a range could begin or end")
    found = replay(feed.rules, feed.schedule, arrivals, range_, wall) if range_.first <= range_.last else None
    is_empty = times and not any(t in range_ for t in times)  # then a clock passes all over, one by one
    if found is None or not found.windows or (is_empty and all(w.passed for w in found.windows)):
        raise UserError(_nothing(times, first, last, driving))
    # Nothing was waited for: it is an archive.
    passed = {window.time: window.passed.removesuffix(WAITED) for window in found.windows if window.passed}
    passed |= _overwritten(case, [window for window in found.windows if not window.passed])
    empty = [feed.readings[seen.input].arrival(seen) for seen in scanned.empty]
    left_out = (*found.left_out, *((a, "empty") for a in empty if a.time is None or a.time in range_))
    return Looked(case, range_, found.windows, passed, arrivals, left_out, scanned)


def sort_out(looked: Looked, index: Index) -> Iterator[Ended | Todo]:
    """Yield each window, the oldest first: as it ended already, or as it is to be run."""
    case, digest, states = looked.case, Digests(looked.case, looked.scanned), States()
    known = index.entries(looked.range.first, looked.range.last)
    for window in looked.windows:
        if window.time in looked.passed:
            yield Ended(window, "passed", error=looked.passed[window.time])
            continue
        asked, before = digest.of(window), known.get(window.time)
        if before is not None and not digest.forced and _is_done(before, asked, states):
            yield Ended(window, "reused", before.run, wrote=before.wrote)
        else:
            yield Todo(window, asked, None if case.selection.force else before)


class Digests:
    """What each window is asked to be, as a digest. `forced` is whether all go to the engine in any case.

    That is so for what runs in containers too: which images these are by now, Docker says to the engine.
    """

    def __init__(self, case: Case, scanned: Scanned) -> None:
        self.forced = bool(case.selection.force or case.feed.runfile.engine.container)
        self._looks = {f.path: f"{f.size} {f.mtime} {scanned.inodes.get(f.path, 0)}" for f in scanned.files}
        same = sorted(
            f"{f.input} {f.path} {self._looks[f.path]}"
            for f in scanned.files
            if f.input not in case.feed.globs
        )
        self._head = f"{case.digest()} {case.static(States())} {same}"

    def of(self, window: Window) -> str:
        """Return the digest of a window."""
        said = [self._head]
        for name, paths in sorted(window.files.items()):
            said += [name, *(f"{path} {self._looks[path]}" for path in paths)]
        return blake2b("\n".join(said).encode(), digest_size=16).hexdigest()


def _is_done(before: Entry, asked: str, states: States) -> bool:
    return before.done and before.asked == asked and before.stamp == states.stamp(before.paths()) != ""


def _untimed(case: Case, arrivals: Sequence[Arrival]) -> set[str]:
    """Return the inputs that start no windows and of which no file has a time in its name, as of a few soundings.

    All of their files are in each window: which of them holds when is for the workflow to say.
    """
    starting = {i.name for i in case.feed.rules.inputs if i.drives}
    timed = {a.input for a in arrivals if a.time is not None}
    return {a.input for a in arrivals} - timed - starting if timed else set()


def _check_files(case: Case, arrivals: Sequence[Arrival], driving: Sequence[str]) -> None:
    """Refuse where what makes windows has no file at all, or none with a time."""
    there, timed = {a.input for a in arrivals}, {a.input for a in arrivals if a.time is not None}
    needed = {i.name for i in case.feed.rules.inputs if i.quorum}
    for name in driving:
        if name in (there & needed) - timed:
            example = Path(next(a.path for a in arrivals if a.input == name)).name
            raise UserError(
                f"{name}: no file has a time in its name, as {example!r}; say with `time:` where it stands"
            )
    if driving and not case.feed.schedule and not there & set(driving):
        name, pattern = next((name, case.feed.globs[name][0]) for name in driving)
        raise UserError(f"{name}: no file matches {pattern!r}{beside(Path(pattern))}")


def _nothing(times: Sequence[float], first: float | None, last: float | None, driving: Sequence[str]) -> str:
    ends = [f"from {at(first)}" if first is not None else "", f"to {at(last)}" if last is not None else ""]
    asked = " ".join(filter(None, ends))
    if not times:
        return f"no window {asked}: there are no data"
    files = format_count(len(times), "file")
    return f"no window {asked}: the {files} of {', '.join(driving)} are from {at(min(times))} to {at(max(times))}"


def _overwritten(case: Case, windows: Sequence[Window]) -> dict[float, str]:
    """Return the windows whose products later ones would replace, each with why it is not run.

    Raises `UserError` where the products of all windows would go into one folder.
    """
    template = case.feed.runfile.products.to
    if "{run}" in template or len(windows) < 2:
        return {}
    if "{time}" not in template:
        raise UserError(
            f"products: {template!r} is one folder, in which the products of {format_count(len(windows), 'window')} "
            "would replace each other; name it by their time, like 'products/{time}'"
        )
    by_time: dict[str, list[Window]] = {}
    named = _Named(case)
    for window in windows:
        by_time.setdefault(named.by(window), []).append(window)
    if len(by_time) == 1:
        raise UserError(
            f"products: {template!r} is one folder for all {len(windows):,} windows, for the newest of their files is "
            f"always of {next(iter(by_time)) or 'no time'}; add {{run}}"
        )
    return {
        window.time: f"its products go into the same folder as those of {at(alike[-1].time)}; name it by {{run}}"
        for alike in by_time.values()
        for window in alike[:-1]
    }


class _Named:
    """The time by which ``{time}`` names the folder of a window, as `dynamo.runfile.products.Products` says."""

    def __init__(self, case: Case) -> None:
        self._readings, self._known = case.feed.readings, dict[tuple[str, str], datetime | None]()
        self._clock, needs = case.feed.schedule, case.feed.trigger.needs
        self._others = {name for name, need in needs.items() if not need.starts}
        same = [f.time for found in case.parts.found.values() for f in found if f.time]
        self._same = max(same, default=datetime.min.replace(tzinfo=UTC))

    def by(self, window: Window) -> str:
        """Return it as it stands in the name of the folder."""
        if self._clock:
            return f"{datetime.fromtimestamp(window.time, UTC):%Y%m%dT%H%M%SZ}"
        newest = self._same
        for name, paths in window.files.items():
            if name in self._others:
                continue
            for path in paths[-1:]:  # they are in the order of time
                key = (name, path)
                if key not in self._known:
                    self._known[key] = self._readings[name].time(Path(path).name)
                newest = max(newest, self._known[key] or newest)
        return "" if newest.year == 1 else f"{newest:%Y%m%dT%H%M%SZ}"
