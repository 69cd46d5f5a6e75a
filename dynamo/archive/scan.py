"""All files of an archive, looked at once: each folder that a glob leads to, each file in it, whatever their number.

Enters: globs by input, read as a watch reads them. Leaves: the files, and what could not be looked at. Goes wrong:
nothing; what cannot be read is among what leaves.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dynamo.triggers.arrival import Seen
from dynamo.triggers.disk import entries, is_folder
from dynamo.triggers.tree import Glob, Place, entry
from dynamo.triggers.whole import TEMPORARY, temporary

__all__ = ["Scanned", "scan"]


@dataclass(frozen=True, slots=True)
class Scanned:
    """Files, those that are empty (which no watch takes), inodes by path, and what could not be looked at, with why."""

    files: tuple[Seen, ...]
    empty: tuple[Seen, ...]
    inodes: Mapping[str, int]
    unreadable: Mapping[str, str]


def scan(globs: Mapping[str, Sequence[str]]) -> Scanned:
    """Return all files that some globs match.

    Parameters
    ----------
    globs
        Patterns by input, relative ones starting at the working directory, ``~`` the home.
    """
    look = _Look()
    for name, patterns in globs.items():
        for pattern in patterns:
            glob = Glob.parse(name, os.path.abspath(os.path.expanduser(pattern)))  # noqa: PTH100, PTH111 - no links
            look.enter(os.path.realpath(glob.base), {Place(glob)})
    files = tuple(look.files.values())
    empty = tuple(file for file in files if not file.size)
    return Scanned(tuple(f for f in files if f.size) if empty else files, empty, look.inodes, look.unreadable)


class _Look:
    def __init__(self) -> None:
        self.files: dict[tuple[str, str], Seen] = {}
        self.inodes: dict[str, int] = {}
        self.unreadable: dict[str, str] = {}
        self._skip = temporary(TEMPORARY)
        self._places: dict[str, set[Place]] = {}

    def enter(self, folder: str, places: set[Place]) -> None:
        """Take what a folder and those below it have; a place is gone to once, also where links lead in circles."""
        todo = [(folder, places)]
        while todo:
            folder, places = todo.pop()
            known = self._places.setdefault(folder, set())
            new = places - known
            known |= new
            if not new:
                continue
            try:
                for item in entries(folder):
                    todo += self._item(item, new)
            except (FileNotFoundError, NotADirectoryError):
                continue  # where a glob finds nothing, that is told
            except OSError as error:
                self.unreadable[folder] = error.strerror or str(error)

    def _item(self, item: os.DirEntry[str], places: Iterable[Place]) -> Iterator[tuple[str, set[Place]]]:
        inputs, below = entry(places, item.name)
        if below and is_folder(item):
            if not item.is_symlink():
                yield item.path, below
            elif named := {p for p in below if p.used and p.glob.parts[p.used - 1] != "**"}:
                yield os.path.realpath(item.path), named
        elif inputs and not self._skip.match(item.name):
            self._file(item, inputs)

    def _file(self, item: os.DirEntry[str], inputs: Iterable[str]) -> None:
        try:
            item.path.encode()
            state = item.stat()
        except UnicodeEncodeError:
            self.unreadable[ascii(item.path)[1:-1]] = "its name is not UTF-8"
            return
        except OSError as error:  # a link to what is no more
            self.unreadable[item.path] = error.strerror or str(error)
            return
        if not stat.S_ISREG(state.st_mode):
            return
        self.inodes[item.path] = state.st_ino
        for name in inputs:
            self.files[name, item.path] = Seen(name, item.path, state.st_size, state.st_mtime_ns)
