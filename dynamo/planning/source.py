"""What one source file holds: the digests of its task functions and of the rest, and what they import and name.

Enters: the path of a file. Leaves: a `Source`, parsed anew only when the file has changed.
Goes wrong: `UserError` where it cannot be read, or at the line where it does not parse.
"""

from __future__ import annotations

import ast
import hashlib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import orjson

from dynamo.errors import Place, UserError

__all__ = ["HOME", "Memory", "Piece", "Source", "State", "source_in", "state_of"]

#: The folder in which the package `dynamo` lies.
HOME = Path(__file__).resolve().parents[2]
_SCIENCE = str(HOME / "dynamo" / "radar") + "/"
_MARKS = frozenset({"task", "command", "workflow"})
#: A statement that imports, in our own sources; a line of a docstring that looks like one does no harm.
_IMPORT = re.compile(r"^[ \t]*(?:from[ \t]+([.\w]+)[ \t]+)?import[ \t]+(\([^)]*\)|[^\n]+)", re.MULTILINE)
#: The parsed form of the same source differs between Python versions.
_PYTHON = sys.version_info[:2]

#: Inode, time of change (ns) and size of a file.
State: TypeAlias = tuple[int, int, int]
#: Path to the file's state when it was parsed, and what was found: an engine that stays asks every minute.
_parsed: dict[Path, tuple[State, Source]] = {}


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a file: the digest of its code, the modules it imports, and the names it uses."""

    digest: str
    imports: frozenset[str]
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed file: its marked functions, the rest, and the names that each definition of the rest uses."""

    tasks: dict[str, Piece]
    rest: Piece
    whole: Piece
    helpers: dict[str, frozenset[str]]


class Memory(Protocol):
    """Keeps what was found in a file, while that looks unchanged, for the next process."""

    def parsed(self, path: str, state: str) -> bytes | None:
        """Return what was kept for a file in this state."""

    def keep_parsed(self, path: str, state: str, found: bytes) -> None:
        """Keep what was found in a file in this state."""


def state_of(path: Path) -> State:
    """Return what changes when a file does: inode, time of change (ns), size."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


def source_in(path: Path, memory: Memory | None) -> tuple[State, Source]:
    """Return the state of a file and what is in it, parsed before where it looks unchanged."""
    try:
        state = state_of(path)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error}") from error
    known = _parsed.get(path)
    if known is None or known[0] != state:
        known = _parsed[path] = (state, _remembered(path, repr((*state, _PYTHON)), memory))
    return known


def _remembered(path: Path, state: str, memory: Memory | None) -> Source:
    kept = memory.parsed(str(path), state) if memory is not None else None
    if kept is not None:
        tasks, rest, whole, helpers = orjson.loads(kept)
        return Source(
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


def _piece_of(kept: dict[str, Any]) -> Piece:
    return Piece(kept["digest"], frozenset(kept["imports"]), frozenset(kept["names"]))


def _parse(path: Path) -> Source:
    try:
        text = path.read_bytes()
        if str(path).startswith(_SCIENCE):
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
    return Source(tasks, others, _joined(others, tasks) if tasks else others, helpers)


def _joined(rest: Piece, tasks: Mapping[str, Piece]) -> Piece:
    """Return the piece that a whole file is."""
    parts = [rest, *tasks.values()]
    text = "".join(f"{name} {piece.digest}\n" for name, piece in zip(("", *tasks), parts, strict=True))
    return Piece(
        hashlib.sha256(text.encode()).hexdigest(),
        frozenset[str]().union(*(p.imports for p in parts)),
        frozenset[str]().union(*(p.names for p in parts)),
    )


def _names(top: ast.AST) -> frozenset[str]:
    return frozenset(node.id for node in ast.walk(top) if isinstance(node, ast.Name))


def _as_it_is(text: bytes) -> Source:
    """Take a file byte by byte; its imports may be more than there are, but never fewer."""
    imports: set[str] = set()
    for base, names in _IMPORT.findall(text.decode()):
        listed = re.sub(r"#[^\n]*|[()]", "", names).split(",")
        plain = [part.split()[0] for part in listed if part.strip()]
        imports.update([base, *(f"{base.rstrip('.')}.{name}" for name in plain)] if base else plain)
    piece = Piece(hashlib.sha256(text).hexdigest(), frozenset(imports), frozenset())
    return Source({}, piece, piece, {})


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


def _piece(nodes: Sequence[ast.AST]) -> Piece:
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
    return Piece(digest.hexdigest(), frozenset(imports), frozenset(names))


def _drop_docstring(node: ast.AST) -> None:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and _is_text(node.body[0]):
        node.body[:1] = [] if len(node.body) > 1 else [ast.Pass()]


def _is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
