"""The version of a task's code: a digest over all code that its outcome can depend on, rather too much than too little.

That is the task function itself, without comments, layout, docstrings and the decorators of dynamo; the other
tasks of its file that it can reach; the rest of the file; and every file that these lead to through imports, at
whatever depth: beside the file, in the run file's folder, elsewhere on the module path, the packages they lie
in included. Where one leads back to the task's file, or looks names up by their text, the whole file counts.

What lies in the standard library or in ``site-packages`` does not count, except the rest of the package that a
task itself was installed with: run with ``--force`` after upgrading one that matters. Neither does dynamo,
except `dynamo.workflows`, and `dynamo.radar`, of which all files count together, byte by byte, with the readers
of other packages, where one of them is reached. What is imported by its name as text is not seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from dynamo.errors import UserError
from dynamo.planning.science import RADAR, science_in
from dynamo.planning.search import Search
from dynamo.planning.source import ANY, Memory, Piece, Source, State, source_in, state_of
from dynamo.worker.address import address_in
from dynamo.worker.loading import split_call

__all__ = ["CodeVersions"]

_SCIENCE = "dynamo.radar"
_READERS = "dynamo.readers"
#: Stands for any package in the place of one.
_ALL = "*"


class _Module(NamedTuple):
    """A module, its file (for `dynamo.radar` the folder), and whether who imports it can get at what is in it."""

    name: str
    path: Path
    bound: bool = True


class CodeVersions:
    """Computes code versions of files as they are when it is first asked for each.

    Parameters
    ----------
    memory
        Keeps what was found in unchanged files for the next process.
    modules
        The folders that come first on the module path of those who run the tasks; ``sys.path`` comes after.
    """

    def __init__(self, memory: Memory | None = None, modules: Iterable[str] = ()) -> None:
        self._memory = memory
        self._modules = tuple(modules)
        self._searches: dict[str, Search] = {}
        self._sources: dict[Path, Source] = {}
        self._states: dict[Path, State] = {}
        self._science: tuple[Path, ...] = ()
        self._versions: dict[str, str] = {}
        self._reach: dict[str, tuple[Path, ...]] = {}
        self._leads: dict[tuple[Search, str, Path], list[_Module]] = {}
        self._chains: dict[tuple[Search, str, str], tuple[_Module, ...]] = {}

    def of(self, call: str) -> str:
        """Return the version of what `call` names; raises `UserError` where its source is not found."""
        known = self._versions.get(call)
        if known is None:
            known = self._versions[call] = self._version(call)
        return known

    def unchanged(self, call: str) -> bool:
        """Whether every file that the version of `call` rests on is still as it was when it was read."""
        try:
            return all(state_of(path) == self._states[path] for path in self._reach[call])
        except OSError:
            return False

    def states(self) -> Mapping[Path, State]:
        """Return every file that the versions told so far rest on, with its state when it was read."""
        return dict(self._states)

    def _version(self, call: str) -> str:
        where, name = split_call(call)
        start, search = self._start(where)
        source = self._source(start.path)
        pieces = [source.rest, *_closure(source, name)] if name in source.tasks else [source.whole]
        reached, back = self._reached(start, frozenset().union(*(p.imports for p in pieces)), search)
        if pieces[0] is not source.whole and (back or any(ANY in p.names for p in pieces)):
            pieces = [source.whole]
            reached, _ = self._reached(start, source.whole.imports, search)
        found = hashlib.sha256()
        for piece in pieces:
            found.update(f"{piece.digest}\n".encode())
        for module, path in sorted(reached.items()):
            found.update(f"{module} {self._source(path).whole.digest}\n".encode())
        files = [start.path, *(path for path in reached.values() if path != RADAR)]
        self._reach[call] = (*dict.fromkeys(files), *(self._science if _SCIENCE in reached else ()))
        return found.hexdigest()[:32]

    def _start(self, where: str) -> tuple[_Module, Search]:
        """Return the module that a call names, and where its imports are looked for."""
        if where.endswith(".py"):
            address = address_in(where)
            return _Module(address.name, Path(address.path).resolve()), self._search(address.home)
        search = self._search("")
        found = search.find(where)
        if found is None or found.file is None or found.file.suffix != ".py":
            raise UserError(f"cannot find the source of {where}, so its version cannot be told")
        return _Module(where, found.file), search

    def _search(self, first: str) -> Search:
        if first not in self._searches:
            self._searches[first] = Search(first, self._modules)
        return self._searches[first]

    def _reached(
        self, start: _Module, imports: Iterable[str], search: Search
    ) -> tuple[dict[str, Path], bool]:
        """Return all modules that the imports of `start` lead to, and whether one leads back to what is in it."""
        queue = self._targets(start, imports, search)
        back = any(module.path == start.path and module.bound for module in queue)
        if start.name:
            queue.extend(self._targets(start, [start.name], search))  # the packages it lies in
        found: dict[str, Path] = {}
        bound: set[str] = set()
        for module in queue:  # grows while it is read
            if module.path == start.path or module.name in (bound if module.bound else found):
                continue
            leads = self._leads_of(module, search)
            if module.name not in found:
                found[module.name] = module.path
                queue.extend(leads)
            if module.bound:
                bound.add(module.name)
                back = back or any(lead.path == start.path and lead.bound for lead in leads)
        return found, back

    def _leads_of(self, module: _Module, search: Search) -> list[_Module]:
        key = (search, module.name, module.path)
        if key not in self._leads:
            self._leads[key] = self._targets(module, self._source(module.path).whole.imports, search)
        return self._leads[key]

    def _targets(self, module: _Module, imports: Iterable[str], search: Search) -> list[_Module]:
        own = module.name.partition(".")[0] if module.path != RADAR else _ALL
        names = sorted({_absolute(name, module) for name in imports} - {""})
        return list(dict.fromkeys(m for name in names for m in self._chain(name, own, search)))

    def _chain(self, name: str, own: str, search: Search) -> tuple[_Module, ...]:
        """Return those modules that count of what importing `name` loads: it, and the packages it lies in."""
        key = (search, name, own)
        if key not in self._chains:
            self._chains[key] = tuple(_loaded(name, own, search))
        return self._chains[key]

    def _source(self, path: Path) -> Source:
        known = self._sources.get(path)
        if known is None:
            if path == RADAR:
                known = self._read_science()
            else:
                self._states[path], known = source_in(path, self._memory)
            self._sources[path] = known
        return known

    def _read_science(self) -> Source:
        """Return `dynamo.radar` as one file, which imports the readers of all packages."""
        states, digest = science_in(self._memory)
        self._states.update(states)
        self._science = tuple(states)
        readers = self._search("").entry_points(_READERS)
        found = hashlib.sha256(f"{digest} {readers}".encode()).hexdigest()
        piece = Piece(found, frozenset(module for _, module in readers), frozenset())
        return Source({}, piece, piece, {})


def _closure(source: Source, name: str) -> Iterator[Piece]:
    """Yield the task's own piece and those of the tasks that it, or the file when it is loaded, may name."""
    queue = [name, *sorted(source.rest.names - {name})]
    for n in queue:  # grows while it is read
        if n in source.tasks:
            yield source.tasks[n]
            used = source.tasks[n].names
        else:
            used = source.helpers.get(n, frozenset())
        queue.extend(m for m in sorted(used) if m not in queue and (m in source.tasks or m in source.helpers))


def _loaded(name: str, own: str, search: Search) -> Iterator[_Module]:
    """Yield what importing `name` loads, installed packages left out unless they are `own`."""
    parts = name.split(".")
    if parts[:2] == ["dynamo", "radar"]:
        yield _Module(_SCIENCE, RADAR)
        return
    if parts[0] == "dynamo" and parts[1:2] != ["workflows"]:
        return
    for n in range(2 if parts[0] == "dynamo" else 1, len(parts) + 1):
        if parts[n - 1] == "*":
            for inner in search.inside(".".join(parts[:-1])):
                yield from _loaded(inner, own, search)
            return
        found = search.find(".".join(parts[:n]))
        if found is None or (found.installed and own not in {_ALL, parts[0]}):
            return
        if found.file is not None:
            yield _Module(".".join(parts[:n]), found.file, n == len(parts))


def _absolute(name: str, module: _Module) -> str:
    """Return the full name of what a module imports; empty for a relative import in no package."""
    if not name.startswith("."):
        return name
    level = len(name) - len(name.lstrip("."))
    package = module.name.split(".") if module.path.stem == "__init__" else module.name.split(".")[:-1]
    if level > len(package):
        return ""
    return ".".join([*package[: len(package) - level + 1], name.lstrip(".")]).rstrip(".")
