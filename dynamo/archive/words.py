"""The account of a range in words, for people, and as JSON, for programs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dynamo.archive.gaps import Account, Gap, Group
from dynamo.archive.ranges import Stretch, at, told
from dynamo.archive.replay import Range
from dynamo.graph.units import format_count, format_seconds

__all__ = ["as_json", "in_words"]

#: Lines that are told of one kind of thing; `--json` has all.
_SHOWN = 12
_STATES = {
    "done": "done",
    "reused": "done before",
    "failed": "failed",
    "passed": "passed over",
    "left": "not run",
}
#: Why files are left out: of one, and of several.
_WHY = {
    "late": ("came later than its window was made: `join` is too short for it",
             "came later than their window was made: `join` is too short for them"),
    "duplicate": ("is a second one of its time and source", "are a second one of their time and source"),
    "replaced": ("was replaced by another of its time and source", "were replaced by another of their time and source"),
    "outside": ("is from outside `from` and `to` of its input", "are from outside `from` and `to` of their input"),
    "timeless": ("has no time in its name", "have no time in their names"),
    "ahead": ("is from the future", "are from the future"),
    "empty": ("is empty", "are empty"),
    "unreadable": ("could not be read", "could not be read"),
}  # fmt: skip


def in_words(found: Account, range_: Range, seconds: float) -> str:
    """Return the account as lines: what is missing first, and how many windows ended how."""
    lines = [
        *_some([line for group in found.failed for line in _failed(group)], "failed"),
        *_some([f"passed over: {_of(group)}" for group in found.passed], "passed over"),
        *_some([_gap(gap) for gap in found.gaps], "no data"),
        *_some([f"source missing: {_of(group)}" for group in found.missing], "source missing"),
        *(_files(why, paths) for why, paths in found.files.items()),
        *_some([f"tasks wrote: {_of(group)}" for group in found.wrote], "tasks wrote"),
        *_some([f"warning: {_of(group)}" for group in found.warnings], "warning"),
    ]
    return "\n".join([*lines, _total(found.counts, range_, seconds)])


def _total(counts: Mapping[str, int], range_: Range, seconds: float) -> str:
    whole = sum(counts.values())
    ended = ", ".join(f"{count:,} {_STATES[state]}" for state, count in counts.items() if count)
    ran = counts["done"] + counts["failed"]
    rate = f" ({ran / seconds * 60:.3g} a minute)" if ran and seconds > 0 else ""
    head = f"{_between(range_.first, range_.last)}: {format_count(whole, 'window')}"
    return f"{head}: {ended}, in {format_seconds(seconds)}{rate}"


def _of(group: Group) -> str:
    return f"{group.text} ({format_count(group.windows, 'window')}: {told(group.stretches)})"


def _failed(group: Group) -> Iterator[str]:
    yield f"failed: {_of(group)}"
    if group.log:
        yield f"  full log: {group.log}"
    elif group.example:
        yield f"  see dynamo status {group.example}"


def _gap(gap: Gap) -> str:
    who = f"{gap.input} of {gap.source}" if gap.source else gap.input
    missing = ""
    if gap.missing is not None and gap.step is not None:
        missing = f" ({gap.missing:,} missing, one each {format_seconds(gap.step)})"
    return f"no data: {who}: {_between(gap.first, gap.last)}{missing}"


def _between(first: float, last: float) -> str:
    return told([Stretch(first, last, 0)])


def _files(why: str, paths: Sequence[str]) -> str:
    named = ", ".join(Path(path).name for path in paths[:3]) + (", ..." if len(paths) > 3 else "")
    why_left = _WHY.get(why, (why, why))[len(paths) > 1]
    return f"left out: {format_count(len(paths), 'file')} that {why_left}: {named}"


def _some(lines: Sequence[str], what: str) -> list[str]:
    more = len(lines) - _SHOWN
    rest = [f"{what}: {more:,} more lines; `--json` has all"] if more > 0 else []
    return [*lines[:_SHOWN], *rest]


def as_json(found: Account, range_: Range, seconds: float) -> dict[str, Any]:
    """Return the account as plain values; times are ISO 8601 in UTC."""

    def iso(time: float) -> str:
        return at(time).replace(" ", "T")

    def grouped(groups: Sequence[Group]) -> list[dict[str, Any]]:
        return [
            {
                "text": group.text,
                "windows": group.windows,
                "times": [
                    {"from": iso(one.first), "to": iso(one.last), "windows": one.windows}
                    for one in group.stretches
                ],
                **({"run": group.example} if group.example else {}),
                **({"log": group.log} if group.log else {}),
            }
            for group in groups
        ]

    counts = dict(found.counts)
    return {
        "from": iso(range_.first),
        "to": iso(range_.last),
        "ok": not (counts["failed"] or counts["left"]),
        "seconds": round(seconds, 3),
        "windows": {"total": sum(counts.values()), **counts},
        "gaps": [{**asdict(gap), "first": iso(gap.first), "last": iso(gap.last)} for gap in found.gaps],
        "missing": grouped(found.missing),
        "passed": grouped(found.passed),
        "failed": grouped(found.failed),
        "wrote": grouped(found.wrote),
        "warnings": grouped(found.warnings),
        "files": {why: list(paths) for why, paths in found.files.items()},
    }
