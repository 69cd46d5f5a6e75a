"""Globs as a tree of folders: which entries of a folder are files of an input, and which folders to look into.

A place is a pattern and how much of it the path of a folder has used up; a folder may be at several places at once.
Pure, and the same words as `glob.glob`: ``*`` matches no name with a dot in front, ``**`` any folders.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import translate
from functools import lru_cache
from glob import has_magic
from pathlib import PurePath

__all__ = ["Glob", "Place", "entry"]


@dataclass(frozen=True, slots=True)
class Glob:
    """One pattern of an input: the folder in front of the first part with ``*``, ``?`` or ``[``, and the parts."""

    input: str
    base: str
    parts: tuple[str, ...] = field(default=())

    @classmethod
    def parse(cls, name: str, pattern: str) -> Glob:
        """Split an absolute pattern."""
        path = PurePath(pattern)
        parts = path.parts[1:]
        n = next((i for i, part in enumerate(parts) if has_magic(part)), len(parts) - 1)
        return cls(name, str(PurePath(path.anchor, *parts[:n])), parts[n:])


@dataclass(frozen=True, slots=True)
class Place:
    """A glob, of which the first `used` parts are behind."""

    glob: Glob
    used: int = 0


@lru_cache(maxsize=1024)
def _matcher(part: str) -> re.Pattern[str]:
    return re.compile(translate(part))


def _matches(part: str, name: str) -> bool:
    hidden = name.startswith(".") and not part.startswith(".")
    return not hidden and (name == part or _matcher(part).match(name) is not None)


def entry(places: Iterable[Place], name: str) -> tuple[set[str], set[Place]]:
    """Return the inputs of which a file of this name is one, and the places of a folder of this name."""
    inputs: set[str] = set()
    below: set[Place] = set()
    todo = list(places)
    while todo:
        place = todo.pop()
        part, is_last = place.glob.parts[place.used], place.used == len(place.glob.parts) - 1
        if part == "**":
            if not name.startswith("."):
                below.add(place)
                if is_last:
                    inputs.add(place.glob.input)
            if not is_last:  # it may stand for no folder
                todo.append(Place(place.glob, place.used + 1))
        elif _matches(part, name):
            if is_last:
                inputs.add(place.glob.input)
            else:
                below.add(Place(place.glob, place.used + 1))
    return inputs, below
