"""What is missing in a range: times without data, sources, windows and files, each as a few stretches. Pure.

Enters: what was looked at, and how each window ended. Leaves: an `Account` of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median_low
from typing import TypeVar

from dynamo.archive.look import Looked
from dynamo.archive.ranges import Stretch, stretches
from dynamo.archive.work import Ended
from dynamo.triggers.arrival import Arrival
from dynamo.triggers.rules import Rules
from dynamo.triggers.window import Window

__all__ = ["Account", "Gap", "Group", "account"]

#: A time without data is longer than so many steps: sweeps at several elevations come in unequal ones.
_LONG = 1.75
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Gap:
    """A time without data of one source of an input: after `first` and before `last`, which have some or are the ends.

    `missing` files were to be expected, one each `step` seconds; None where that cannot be told.
    """

    input: str
    source: str
    first: float
    last: float
    missing: int | None
    step: float | None


@dataclass(frozen=True, slots=True)
class Group:
    """Windows of which the same is to be said; `example` is a run of one of them, `log` a file of it."""

    text: str
    windows: int
    stretches: tuple[Stretch, ...]
    example: str = ""
    log: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """A range in the end: how many windows ended how, and all that is missing.

    `files` are outcomes with the paths of the files that are in no window.
    """

    counts: Mapping[str, int]
    gaps: tuple[Gap, ...]
    missing: tuple[Group, ...]
    passed: tuple[Group, ...]
    failed: tuple[Group, ...]
    wrote: tuple[Group, ...]
    warnings: tuple[Group, ...]
    files: Mapping[str, tuple[str, ...]]
    machine: bool


def account(looked: Looked, ended: Sequence[Ended]) -> Account:
    """Say of a range what is missing, and how its windows ended; those that did not are `left`."""
    rules = looked.case.feed.rules
    among = [window.time for window in looked.windows]

    def grouped(said: Iterable[tuple[str, Ended]]) -> tuple[Group, ...]:
        return tuple(_grouped(said, among))

    failed = [one for one in ended if one.state == "failed"]
    counts = dict.fromkeys(("done", "reused", "failed", "passed"), 0)
    for one in ended:
        counts[one.state] += 1
    by_why = _by(looked.left_out, lambda pair: pair[1])
    files = {why: tuple(arrival.path for arrival, _ in left) for why, left in by_why.items()}
    if looked.scanned.unreadable:
        files["unreadable"] = tuple(f"{path}: {why}" for path, why in looked.scanned.unreadable.items())
    return Account(
        counts={**counts, "left": len(looked.windows) - len(ended)},
        gaps=tuple(_gaps(looked, rules)),
        missing=tuple(_missing(looked, rules, among)),
        passed=grouped((one.error, one) for one in ended if one.state == "passed"),
        failed=grouped((one.error, one) for one in failed),
        wrote=grouped((line, one) for one in ended for line in dict.fromkeys(one.wrote.splitlines())),
        warnings=tuple(_grouped(_alike((line, one) for one in ended for line in one.warnings), among)),
        files=files,
        machine=bool(failed) and all(one.machine for one in failed),
    )


def _grouped(said: Iterable[tuple[str, Ended]], among: Sequence[float]) -> Iterator[Group]:
    for text, alike in _by(said, lambda pair: pair[0]).items():
        times = [one.window.time for _, one in alike]
        example = alike[0][1]
        yield Group(text, len(times), tuple(stretches(times, among)), example.run, example.log)


def _alike(said: Iterable[tuple[str, Ended]]) -> Iterator[tuple[str, Ended]]:
    """Yield the first of those that say the same but for numbers, in the place of each; of a window once."""
    first: dict[str, str] = {}
    seen: set[tuple[str, float]] = set()
    for own, one in said:
        text = first.setdefault(re.sub(r"\d+", "#", own), own)
        if (text, one.window.time) not in seen:
            seen.add((text, one.window.time))
            yield text, one


def _by(items: Iterable[_T], key: Callable[[_T], str]) -> dict[str, list[_T]]:
    found: dict[str, list[_T]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return found


# Times without data


def _gaps(looked: Looked, rules: Rules) -> Iterator[Gap]:
    ticks = [] if any(i.drives for i in rules.inputs) else [window.time for window in looked.windows]
    needs = looked.case.feed.trigger.needs
    for rule in rules.inputs:
        sources = _sources(a for a in looked.arrivals if a.input == rule.name and a.time is not None)
        if sources and rule.name in needs and not needs[rule.name].starts:
            continue  # it serves until the next one comes, as a sounding does
        times = {
            source: sorted({a.time for a in arrivals if a.time is not None and a.time in looked.range})
            for source, arrivals in sorted(sources.items())
        }
        steps = {source: step for source, found in times.items() if (step := usual_step(found))}
        for source, found in times.items():
            # One that came once or twice is to come as often as others do.
            step = steps.get(source) or (median_low(steps.values()) if steps else None)
            step = None if step is None else max(step, usual_step(ticks) or 0.0)
            yield from _gaps_of(
                Gap(rule.name, source, looked.range.first, looked.range.last, None, step), found
            )
        if not sources:
            yield Gap(rule.name, "", looked.range.first, looked.range.last, None, None)


def _sources(arrivals: Iterable[Arrival]) -> dict[str, list[Arrival]]:
    """Return files by who made them; as of one where nobody came twice: names are told apart then, as by ``.+``."""
    sources = _by(arrivals, lambda one: one.source)
    if all(len({one.time for one in found}) == 1 for found in sources.values()):
        return {"": [one for found in sources.values() for one in found]} if sources else {}
    return sources


def _gaps_of(whole: Gap, times: Sequence[float]) -> Iterator[Gap]:
    """Yield the gaps between these times, and at the ends of `whole`, which is the gap where there are none."""
    first, last, step = whole.first, whole.last, whole.step
    name, source = whole.input, whole.source
    if not times:
        yield whole
        return
    if step is None:
        return
    for before, after in pairwise(times):
        if after - before > _LONG * step:
            yield Gap(name, source, before, after, max(round((after - before) / step) - 1, 1), step)
    # At the ends a whole step must be without any: where in it data would have come, nobody knows.
    if times[0] - first > _LONG * step:
        yield Gap(name, source, first, times[0], int((times[0] - first) / step), step)
    if last - times[-1] > _LONG * step:
        yield Gap(name, source, times[-1], last, int((last - times[-1]) / step), step)


def usual_step(times: Sequence[float]) -> float | None:
    """Return how far apart data usually are, seconds; None where that cannot be told.

    Half of the median time from one to the next but one: two elevations in turn come after unequal times.

    >>> usual_step([0, 24, 60, 84, 120, 144]), usual_step([0, 60, 120, 300])
    (30.0, 60.0)
    """
    if len(times) < 3:
        return None
    return median_low((after - before) / 2 for before, after in zip(times, times[2:], strict=False))


# Sources


def _missing(looked: Looked, rules: Rules, among: Sequence[float]) -> Iterator[Group]:
    """Yield which sources windows lack that are run all the same, or are passed over for it."""
    source_of = {(a.input, a.path): a.source for a in looked.arrivals}
    incomplete = [window for window in looked.windows if not window.complete]
    for rule in rules.inputs:
        if rule.sources < 2:
            continue
        everyone = {
            a.source
            for a in looked.arrivals
            if a.input == rule.name and a.time is not None and a.time in looked.range
        }
        lacking: dict[str, list[float]] = {}
        for window in incomplete:
            there = _there(window, rule.name, source_of)
            for source in everyone - there if len(there) < rule.sources else ():
                lacking.setdefault(source, []).append(window.time)
        for source, times in sorted(lacking.items()):
            yield Group(f"{rule.name}: {source or 'no name'}", len(times), tuple(stretches(times, among)))
        if len(everyone) < rule.sources:
            yield Group(
                f"{rule.name}: {len(everyone)} of {rule.sources} sources were ever there",
                len(incomplete),
                tuple(stretches([w.time for w in incomplete], among)),
            )


def _there(window: Window, name: str, source_of: Mapping[tuple[str, str], str]) -> set[str]:
    return {source_of[name, path] for path in window.files.get(name, ())}
