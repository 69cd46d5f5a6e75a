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

import ast
import hashlib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import orjson

from dynamo.errors import Place, UserError
from dynamo.worker.loading import split_call

__all__ = ["CodeVersions"]

_MARKS = frozenset({"task", "command", "workflow"})
_SCIENCE = "dynamo.radar"
_HOME = Path(__file__).resolve().parents[2]
_SCIENCE_FOLDER = str(_HOME / "dynamo" / "radar") + "/"
#: A statement that imports, in our own sources; a line of a docstring that looks like one does no harm.
_IMPORT = re.compile(r"^[ \t]*(?:from[ \t]+([.\w]+)[ \t]+)?import[ \t]+(\([^)]*\)|[^\n]+)", re.MULTILINE)
#: The parsed form of the same source differs between Python versions.
_PYTHON = sys.version_info[:2]

#: Inode, time of change (ns) and size of a file.
_State: TypeAlias = tuple[int, int, int]
#: A file and its name as a module; empty where it belongs to no package.
_Module: TypeAlias = tuple[Path, str]
#: Path to the file's state when it was parsed, and what was found: to parse all that a nowcast reaches takes
#: half a second, and an engine that stays runs one every minute.
_parsed: dict[Path, tuple[_State, _Source]] = {}


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of a file: the digest of its code, the modules it imports, and the names it uses."""

    digest: str
    imports: frozenset[str]
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Source:
    """A parsed file: its marked functions, the rest, and the names that each definition of the rest uses."""

    tasks: dict[str, _Piece]
    rest: _Piece
    whole: _Piece
    helpers: dict[str, frozenset[str]]


class Memory(Protocol):
    """Keeps what was found in a file, while that looks unchanged, for the next process."""

    def parsed(self, path: str, state: str) -> bytes | None:
        """Return what was kept for a file in this state."""

    def keep_parsed(self, path: str, state: str, found: bytes) -> None:
        """Keep what was found in a file in this state."""


class CodeVersions:
    """Computes code versions of files as they are when it is first asked for each."""

    def __init__(self, memory: Memory | None = None) -> None:
        self._memory = memory
        self._sources: dict[Path, _Source] = {}
        self._states: dict[Path, _State] = {}
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
            return all(_state(path) == self._states[path] for path in self._reach[call])
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
            self._science[full] = _find(full, _HOME)
        found = self._science[full]
        return (found, full) if found else None

    def _source(self, path: Path) -> _Source:
        known = self._sources.get(path)
        if known is None:
            self._states[path], known = _source(path, self._memory)
            self._sources[path] = known
        return known


def _state(path: Path) -> _State:
    """Return what changes when a file does: inode, time of change (ns), size."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


def _source(path: Path, memory: Memory | None) -> tuple[_State, _Source]:
    """Return the state of a file and what is in it, parsed before where it looks unchanged."""
    try:
        state = _state(path)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error}") from error
    known = _parsed.get(path)
    if known is None or known[0] != state:
        known = _parsed[path] = (state, _remembered(path, repr((*state, _PYTHON)), memory))
    return known


def _remembered(path: Path, state: str, memory: Memory | None) -> _Source:
    kept = memory.parsed(str(path), state) if memory is not None else None
    if kept is not None:
        tasks, rest, whole, helpers = orjson.loads(kept)
        return _Source(
            {name: _piece_of(p) for name, p in tasks.items()},
            _piece_of(rest),
            _piece_of(whole),
            {name: frozenset(used) for name, used in helpers.items()},
        )
    source = _parse(path)
    if memory is not None:
        memory.keep_parsed(
            str(path),
            state,
            orjson.dumps((source.tasks, source.rest, source.whole, source.helpers), default=sorted),
        )
    return source


def _piece_of(kept: dict[str, Any]) -> _Piece:
    return _Piece(kept["digest"], frozenset(kept["imports"]), frozenset(kept["names"]))


def _parse(path: Path) -> _Source:
    try:
        text = path.read_bytes()
        if str(path).startswith(_SCIENCE_FOLDER):
            return _as_it_is(text)
        tree = ast.parse(text, str(path))
    except SyntaxError as error:
        place = Place(str(path), error.lineno or 0, error.offset or 0)
        raise UserError(f"not valid Python: {error.msg}", place=place) from error
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {error}") from error
    marked = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef) and _is_marked(n)}
    rest = [n for n in tree.body if not (isinstance(n, ast.FunctionDef) and n.name in marked)]
    tasks = {name: _piece([*node.body, node.args, *_others(node)]) for name, node in marked.items()}
    others = _piece(rest)
    helpers = {name: _names(node) for node in rest for name in _defines(node)}
    return _Source(tasks, others, _joined(others, tasks) if tasks else others, helpers)


def _joined(rest: _Piece, tasks: Mapping[str, _Piece]) -> _Piece:
    """Return the piece that a whole file is."""
    parts = [rest, *tasks.values()]
    text = "".join(f"{name} {piece.digest}\n" for name, piece in zip(("", *tasks), parts, strict=True))
    return _Piece(
        hashlib.sha256(text.encode()).hexdigest(),
        frozenset[str]().union(*(p.imports for p in parts)),
        frozenset[str]().union(*(p.names for p in parts)),
    )


def _names(top: ast.AST) -> frozenset[str]:
    return frozenset(node.id for node in ast.walk(top) if isinstance(node, ast.Name))


def _as_it_is(text: bytes) -> _Source:
    """Take a file byte by byte; its imports may be more than there are, but never fewer."""
    imports: set[str] = set()
    for base, names in _IMPORT.findall(text.decode()):
        listed = re.sub(r"#[^\n]*|[()]", "", names).split(",")
        plain = [part.split()[0] for part in listed if part.strip()]
        imports.update([base, *(f"{base.rstrip('.')}.{name}" for name in plain)] if base else plain)
    piece = _Piece(hashlib.sha256(text).hexdigest(), frozenset(imports), frozenset())
    return _Source({}, piece, piece, {})


def _defines(node: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement at the top of a file gives a meaning."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name
    for target in ast.walk(node) if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)) else ():
        if isinstance(target, ast.Name) and isinstance(target.ctx, ast.Store):
            yield target.id


def _is_marked(node: ast.FunctionDef) -> bool:
    return len(_others(node)) < len(node.decorator_list)


def _others(node: ast.FunctionDef) -> list[ast.expr]:
    """The decorators that are not ours: they may change what the function does."""
    found = []
    for mark in node.decorator_list:
        target = mark.func if isinstance(mark, ast.Call) else mark
        name = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
        if name not in _MARKS:
            found.append(mark)
    return found


def _piece(nodes: Sequence[ast.AST]) -> _Piece:
    imports: set[str] = set()
    names: set[str] = set()
    digest = hashlib.sha256()
    for top in nodes:
        for node in ast.walk(top):
            _drop_docstring(node)
            if isinstance(node, ast.Import):
                imports.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = "." * node.level + (node.module or "")
                imports.add(base)
                imports.update(
                    f"{base.rstrip('.')}.{a.name}" if node.module else f"{base}{a.name}" for a in node.names
                )
            elif isinstance(node, ast.Name):
                names.add(node.id)
        if not _is_text(top):
            digest.update(ast.dump(top).encode())
    return _Piece(digest.hexdigest(), frozenset(imports), frozenset(names))


def _drop_docstring(node: ast.AST) -> None:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and _is_text(node.body[0]):
        node.body[:1] = [] if len(node.body) > 1 else [ast.Pass()]


def _is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _closure(source: _Source, name: str) -> Iterator[_Piece]:
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
