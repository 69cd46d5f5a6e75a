"""The version of a task's code: a digest over what its outcome can depend on.

That is, in order: the task function itself, without comments, layout, docstrings and decorators; the other
tasks of the file that it names; the rest of its file; and, through their imports, the files of the same
package or folder and of `dynamo.radar`. A change to one task of a file does not touch the others; a change to
a helper touches all that can reach it. Other installed packages do not count: run with ``--force`` after
upgrading one.

The files of `dynamo.radar` count byte by byte: nobody edits them between two runs, and to parse them would take
half a second of the first run in a workspace.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import TypeAlias

from dynamo.errors import UserError
from dynamo.planning.source import HOME, Memory, Piece, Source, State, source_in, state_of
from dynamo.worker.loading import split_call

__all__ = ["CodeVersions"]

_SCIENCE = "dynamo.radar"
#: A file and its name as a module; empty where it belongs to no package.
_Module: TypeAlias = tuple[Path, str]


class CodeVersions:
    """Computes code versions of files as they are when it is first asked for each."""

    def __init__(self, memory: Memory | None = None) -> None:
        self._memory = memory
        self._sources: dict[Path, Source] = {}
        self._states: dict[Path, State] = {}
        self._versions: dict[str, str] = {}
        self._reach: dict[str, tuple[Path, ...]] = {}
        self._science: dict[str, Path | None] = {}
        self._leads: dict[Path, list[_Module]] = {}

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

    def _version(self, call: str) -> str:
        where, name = split_call(call)
        path = Path(where).resolve() if where.endswith(".py") else _find(where, None)
        if path is None:
            raise UserError(f"cannot find the source of {where}, so its version cannot be told")
        module = "" if where.endswith(".py") else where
        source = self._source(path)
        pieces = [source.rest, *_closure(source, name)] if name in source.tasks else [source.whole]
        found = hashlib.sha256()
        for piece in pieces:
            found.update(piece.digest.encode())
        reached = self._reached(path, module, {i for piece in pieces for i in piece.imports})
        self._reach[call] = tuple(reached)
        for digest in sorted(d for d in reached.values() if d):
            found.update(digest.encode())
        return found.hexdigest()[:32]

    def _reached(self, path: Path, module: str, imports: Iterable[str]) -> dict[Path, str]:
        """All files of the code base that the imports lead to, with their digests (empty for `path` itself)."""
        seen = {path: ""}
        queue = self._targets((path, module), imports)
        for target in queue:  # grows while it is read
            file = target[0]
            if file in seen:
                continue
            whole = self._source(file).whole
            seen[file] = whole.digest
            if file not in self._leads:
                self._leads[file] = self._targets(target, whole.imports)
            queue.extend(self._leads[file])
        return seen

    def _targets(self, start: _Module, imports: Iterable[str]) -> list[_Module]:
        found = (self._target(name, *start) for name in sorted(imports))
        return list(dict.fromkeys(target for target in found if target is not None))

    def _target(self, name: str, path: Path, module: str) -> _Module | None:
        full = _absolute(name, path, module)
        if full != _SCIENCE and not full.startswith(f"{_SCIENCE}."):
            return _resolve(full, path, module)
        if full not in self._science:
            self._science[full] = _find(full, HOME)
        found = self._science[full]
        return (found, full) if found else None

    def _source(self, path: Path) -> Source:
        known = self._sources.get(path)
        if known is None:
            self._states[path], known = source_in(path, self._memory)
            self._sources[path] = known
        return known


def _closure(source: Source, name: str) -> Iterator[Piece]:
    """Yield the task's own piece and those of the tasks it names, itself or through helpers of the file."""
    queue = [name]
    for n in queue:  # grows while it is read
        if n in source.tasks:
            yield source.tasks[n]
            used = source.tasks[n].names
        else:
            used = source.helpers[n]
        queue.extend(m for m in sorted(used) if m not in queue and (m in source.tasks or m in source.helpers))


def _absolute(name: str, path: Path, module: str) -> str:
    """Return the full name of what a module imports; empty for a relative import in no package."""
    if not name.startswith("."):
        return name
    if not module:
        return ""
    level = len(name) - len(name.lstrip("."))
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    return ".".join([*package[: len(package) - level + 1], name.lstrip(".")]).rstrip(".")


def _resolve(name: str, path: Path, module: str) -> _Module | None:
    """Return file and module name of what `module` imports, where it belongs to the same package or folder."""
    if not name:
        return None
    if not module:
        found = _find(name, path.parent)
        return (found, "") if found else None
    if name.partition(".")[0] != module.partition(".")[0] or _is_own(name):
        return None
    found = _find(name, None)
    return (found, name) if found else None


def _is_own(name: str) -> bool:
    """Whether an import leads to dynamo itself, which computes no product outside `dynamo.radar`."""
    return name == "dynamo" or (name.startswith("dynamo.") and not name.startswith("dynamo.workflows"))


def _find(name: str, folder: Path | None) -> Path | None:
    """Return the source file of a module, looked for in `folder` only where one is given."""
    if folder is not None:
        parts = name.split(".")
        for candidate in (folder.joinpath(*parts).with_suffix(".py"), folder.joinpath(*parts, "__init__.py")):
            if candidate.is_file():
                return candidate.resolve()
        return None
    spec = _spec(name)
    origin = spec.origin if spec else None
    return Path(origin).resolve() if origin and origin.endswith(".py") else None


def _spec(name: str) -> ModuleSpec | None:
    """Find a module without importing the packages it lies in, as `importlib.util.find_spec` would."""
    parent = name.rpartition(".")[0]
    path = None
    if parent:
        above = _spec(parent)
        if above is None or above.submodule_search_locations is None:
            return None
        path = list(above.submodule_search_locations)
    for finder in sys.meta_path:
        spec = finder.find_spec(name, path) if hasattr(finder, "find_spec") else None
        if spec is not None:
            return spec
    return None
