"""Where a module's source lies, found as Python's import would find it, but running no code of anybody.

Enters: the full name of a module, and the folders to look in. Leaves: its file and where its submodules lie.
Goes wrong: nothing; what is not found is None.
"""
# Some hundred names are looked up before a run starts; a pathlib object for each costs more than the look.
# ruff: noqa: PTH100, PTH112, PTH114, PTH118, PTH120, PTH123, PTH208

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    BuiltinImporter,
    FrozenImporter,
    PathFinder,
)
from pathlib import Path

from dynamo.worker.loading import module_path

__all__ = ["Found", "Search"]

#: In the order in which Python's `FileFinder` tries them.
_SUFFIXES = (*EXTENSION_SUFFIXES, *SOURCE_SUFFIXES, *BYTECODE_SUFFIXES)
_STANDARD = os.path.dirname(os.__file__) + os.sep
#: What `Search` itself does, or what has no source.
_PYTHONS_OWN = (BuiltinImporter, FrozenImporter, PathFinder)


@dataclass(frozen=True, slots=True)
class Found:
    """A module's file (None for a namespace package), the folders of its submodules, and whether it was installed."""

    file: Path | None
    folders: tuple[str, ...]
    installed: bool


class Search:
    """Finds modules in `first` (the folder of a workflow file, or empty), in `modules`, and on ``sys.path``.

    Looks at each folder once. What lies in the standard library, in ``site-packages`` or in ``dist-packages``
    counts as installed, unless `first` is that folder itself.
    """

    def __init__(self, first: str = "", modules: Iterable[str] = ()) -> None:
        places = [os.path.abspath(p) for p in (*modules, *module_path())]
        self._first = first
        self._folders = tuple(dict.fromkeys([first, *places] if first else places))
        self._names: dict[str, frozenset[str]] = {}
        self._found: dict[str, Found | None] = {}

    def find(self, name: str) -> Found | None:
        """Return where the module `name` lies."""
        if name not in self._found:
            self._found[name] = self._look(name)
        return self._found[name]

    def inside(self, name: str) -> Iterator[str]:
        """Yield the modules that lie in the package `name`, packages in it included."""
        above = self.find(name)
        for folder in above.folders if above else ():
            for there in sorted(self._listed(folder)):
                word = there.partition(".")[0]
                if word.isidentifier() and self.find(f"{name}.{word}") is not None:
                    yield f"{name}.{word}"

    def entry_points(self, group: str) -> list[tuple[str, str]]:
        """Return name and module of each entry point of a group, without the 0.1 s of `importlib.metadata`."""
        found: set[tuple[str, str]] = set()
        for folder in self._folders:
            for there in self._listed(folder):
                if there.endswith((".dist-info", ".egg-info")):
                    found.update(_entries(os.path.join(folder, there, "entry_points.txt"), group))
        return sorted(found)

    def _look(self, name: str) -> Found | None:
        parent, _, last = name.rpartition(".")
        above = self.find(parent) if parent else None
        if parent and (above is None or not above.folders):
            return None
        folders = above.folders if above else self._folders
        spaces: list[str] = []
        for folder in folders:
            there = self._listed(folder)
            if last in there:
                place = _real(os.path.join(folder, last))
                file = self._file(place, "__init__")
                if file is not None:
                    return Found(file, (place,), self._is_installed(place, folder, above))
                if os.path.isdir(place):
                    spaces.append(place)
            file = self._file(folder, last)
            if file is not None:
                return Found(file, (), self._is_installed(folder, folder, above))
        elsewhere = _by_finder(name, above.folders if above else None)
        if elsewhere is None and spaces:
            return Found(None, tuple(spaces), installed=False)
        return elsewhere

    def _file(self, folder: str, word: str) -> Path | None:
        there = self._listed(folder)
        for suffix in _SUFFIXES:
            if word + suffix in there:
                path = Path(folder, word + suffix).resolve()
                if path.is_file():
                    return path
        return None

    def _is_installed(self, place: str, folder: str, above: Found | None) -> bool:
        if above is not None and above.file is not None:
            return above.installed
        return folder != self._first and _is_foreign(place)

    def _listed(self, folder: str) -> frozenset[str]:
        known = self._names.get(folder)
        if known is None:
            try:
                known = frozenset(os.listdir(folder))
            except OSError:  # not there, not a folder, or not to be read: Python finds nothing there either
                known = frozenset()
            self._names[folder] = known
        return known


def _is_foreign(place: str) -> bool:
    inner = place + os.sep
    return (
        inner.startswith(_STANDARD)
        or f"{os.sep}site-packages{os.sep}" in inner
        or f"{os.sep}dist-packages{os.sep}" in inner
    )


def _real(place: str) -> str:
    """Follow a linked folder: an editable install may be a link from ``site-packages`` to where one works."""
    return os.path.realpath(place) if os.path.islink(place) else place


def _by_finder(name: str, folders: Sequence[str] | None) -> Found | None:
    """Ask those who find modules in ways of their own, as editable installs do."""
    if name in sys.stdlib_module_names:
        return None
    for finder in sys.meta_path:
        if finder in _PYTHONS_OWN or not hasattr(finder, "find_spec"):
            continue
        spec = finder.find_spec(name, folders)
        if spec is not None:
            file = Path(spec.origin).resolve() if spec.origin and spec.has_location else None
            inner = tuple(map(str, spec.submodule_search_locations or ()))
            return Found(file, inner, file is not None and _is_foreign(str(file)))
    return None


def _entries(path: str, group: str) -> Iterator[tuple[str, str]]:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError):  # most packages have none
        return
    section = ""
    for line in map(str.strip, text.splitlines() if group in text else ()):
        if line.startswith("["):
            section = line.strip("[] ")
        elif section == group and "=" in line:
            name, _, value = line.partition("=")
            yield name.strip(), value.partition(":")[0].partition("[")[0].strip()
