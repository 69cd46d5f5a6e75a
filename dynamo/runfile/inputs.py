"""Find the files that the rules of a run file mean.

Enters: an `InputRule`, the folder it is relative to, and the time now. Leaves: paths and their times, sorted.
Goes wrong: `NotFoundError` in plain words, which the caller puts at its place in the run file.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from dynamo.errors import nearest
from dynamo.graph.units import format_count
from dynamo.runfile.model import InputRule
from dynamo.runfile.paths import under
from dynamo.runfile.times import find_time, reader_of

__all__ = ["Found", "NotFoundError", "beside", "find"]

#: Names of files that somebody is still writing.
PARTIAL = (".tmp", ".part", ".partial", ".filepart", ".crdownload")
#: How far ahead of this clock the clock of a radar may be.
AHEAD = timedelta(minutes=10)


class NotFoundError(ValueError):
    """No file is there for pattern number `index` of `files`; None is a fault of the rule as a whole.

    `may_come` says that nothing else is wrong: that a file may yet come into a folder that is there.
    """

    def __init__(self, message: str, index: int | None = None, *, may_come: bool = False) -> None:
        super().__init__(message)
        self.index = index
        self.may_come = may_come


@dataclass(frozen=True, slots=True)
class Found:
    """A file, and the time of its data where its name says it."""

    path: Path
    time: datetime | None


def find(rule: InputRule, base: Path, now: datetime) -> list[Found]:
    """Return the files that `rule` means, relative paths starting at `base`.

    They are in the order of their times, then of their names, where all have a time; else in the order in
    which `files` names them, the matches of one glob by name. A file that is named twice comes once. Names
    that start with a dot or end as a partial download does are matched by no glob.

    Raises `NotFoundError` where a path or glob finds nothing, a path is no file, a name has no time but the
    rule needs one, a time is more than 10 minutes after `now` (unless the rule has a `to`), or the rule
    leaves no file.
    """
    paths: dict[Path, None] = {}
    for index, pattern in enumerate(rule.files):
        try:
            paths.update(dict.fromkeys(_expand(pattern, base, index)))
        except OSError as error:
            raise NotFoundError(f"cannot look for {pattern!r}: {error.strerror}", index) from None
    read = reader_of(rule.time) if rule.time else find_time
    found = [Found(path, read(path.name)) for path in paths]
    timeless = [f for f in found if f.time is None]
    if timeless and (rule.needs_time or (rule.last and len(timeless) < len(found))):
        raise NotFoundError(_no_time(timeless[0].path, rule))
    if not timeless:
        found.sort(key=lambda f: (f.time, f.path.name))
        _check_clock(found, rule, now)
    return _kept(found, rule, now)


def _expand(pattern: str, base: Path, index: int) -> list[Path]:
    # A name may hold [ or * itself, so what is there as it stands is taken as it stands.
    literal = under(base, pattern)
    # os.path, for pathlib raises where a name is too long to be one.
    if os.path.isdir(literal) and not _is_glob(pattern):  # noqa: PTH112
        raise NotFoundError(
            f"{pattern!r} is a folder, not a file; for the files in it write {pattern.rstrip('/')}/*", index
        )
    if os.path.exists(literal):  # noqa: PTH110
        return [_real(literal.parent) / literal.name]
    if not _is_glob(pattern):
        raise NotFoundError(f"no file {pattern!r}{beside(literal)}", index)
    # Unlike Path.glob, glob.glob leaves hidden files out; root_dir may have a [ in its name.
    names = glob.glob(os.path.expanduser(pattern), root_dir=base, recursive=True)  # noqa: PTH207, PTH111
    matches = []
    folders: dict[str, Path] = {}
    for name in sorted(names):
        if not name.endswith(PARTIAL) and os.path.isfile(os.path.join(base, name)):  # noqa: PTH113, PTH118 - 10,000 files
            folder, file = os.path.split(name)
            if folder not in folders:
                folders[folder] = _real(base / folder)
            matches.append(folders[folder] / file)
    if not matches:
        # A folder whose name is a pattern itself may come as well.
        above = next(one for one in literal.parents if one.exists() or not _is_glob(str(one)))
        said = f"no file matches {pattern!r}{beside(literal)}"
        raise NotFoundError(said, index, may_come=above.is_dir())
    return matches


def _real(folder: Path) -> Path:
    """Return a folder without links and dots. Only folders: the name of a link may be all that says the time."""
    return Path(os.path.realpath(folder))


def _is_glob(pattern: str) -> bool:
    return glob.has_magic(pattern)


def beside(path: Path) -> str:
    """Say of a path that is not there which folder was looked in, and what is there."""
    folder = path.parent
    while _is_glob(str(folder)) and not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        there = next(p for p in folder.parents if p.is_dir())
        near = nearest(folder.relative_to(there).parts[0], [p.name for p in there.iterdir()])
        return f": there is no folder {folder}{near}"
    names = sorted(
        p.name + ("/" if p.is_dir() else "") for p in folder.iterdir() if not p.name.startswith(".")
    )
    if not names:
        return f" in {folder}, which is empty"
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return f" in {folder}{nearest(path.name, names)}; there: {shown}"


def _no_time(path: Path, rule: InputRule) -> str:
    if rule.time:
        return f"the name {path.name!r} has no time as {rule.time!r} describes it"
    asks = next((k for k in ("from_", "to", "within") if getattr(rule, k) is not None), "last").rstrip("_")
    return f"the name {path.name!r} has no time, which '{asks}' goes by; say with `time:` where it stands"


def _check_clock(found: Sequence[Found], rule: InputRule, now: datetime) -> None:
    newest = found[-1]
    if rule.to is None and newest.time and newest.time > now + AHEAD:
        raise NotFoundError(
            f"{newest.path.name!r} is from the future ({newest.time:%Y-%m-%d %H:%M:%S} UTC; it is now "
            f"{now:%Y-%m-%d %H:%M:%S} UTC); if that is right, say with `to:` up to when data is wanted"
        )


def _kept(found: Sequence[Found], rule: InputRule, now: datetime) -> list[Found]:
    kept = [f for f in found if f.time is None or _in_window(f.time, rule)]
    if not kept:
        first, last = found[0].time, found[-1].time
        raise NotFoundError(
            f"none of {format_count(len(found), 'file')} is from the time that 'from' and 'to' say; "
            f"they are from {first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC",
            may_come=rule.to is None or rule.to > now,
        )
    if rule.within is not None and kept[-1].time:
        newest = kept[-1].time  # ages, for the time that long ago may be before the year 1
        kept = [f for f in kept if f.time and (newest - f.time).total_seconds() <= rule.within]
    return kept[-rule.last :] if rule.last else kept


def _in_window(time: datetime, rule: InputRule) -> bool:
    return (rule.from_ is None or time >= rule.from_) and (rule.to is None or time <= rule.to)
