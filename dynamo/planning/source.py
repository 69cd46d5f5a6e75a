"""What one source file holds: the digests of its task functions and of the rest, and what they import and name.

Enters: the path of a file. Leaves: a `Source`, parsed anew only when the file has changed.
Goes wrong: `UserError` where it cannot be read, or at the line where it does not parse.
"""

from __future__ import annotations

import ast
import hashlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import orjson

from dynamo.errors import Place, UserError
from dynamo.planning.uses import ANY, is_plain, used_by

__all__ = ["ANY", "FORMAT", "Memory", "Piece", "Source", "State", "source_in", "state_of"]

_MARKS = frozenset({"task", "command", "workflow"})
#: To be raised with every change to what is kept of a file, or to how it is told.
FORMAT = 3
#: The parsed form of the same source differs between Python versions.
_PYTHON = sys.version_info[:2]

#: Inode, times of change of content and of the inode (ns), and size of a file.
State: TypeAlias = tuple[int, int, int, int]
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
    """A parsed file: its marked functions, the rest, and the names that each plain definition of the rest uses.

    The names of `rest` are those that its other statements use: these are carried out when the file is loaded,
    so what they name may be reached by any task.
    """

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


def state_of(path: str | Path) -> State:
    """Return what changes when a file does: inode, times of change (ns), size."""
    found = os.stat(path)  # noqa: PTH116 - asked for every file after every task
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size


def source_in(path: Path, memory: Memory | None) -> tuple[State, Source]:
    """Return the state of a file and what is in it, parsed before where it looks unchanged."""
    try:
        state = state_of(path)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error}") from error
    known = _parsed.get(path)
    if known is None or known[0] != state:
        known = _parsed[path] = (state, _remembered(path, repr((FORMAT, *state, _PYTHON)), memory))
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
        if path.suffix != ".py":
            return _as_it_is(text)
        tree = ast.parse(text, str(path))
    except SyntaxError as error:
        place = Place(str(path), error.lineno or 0, error.offset or 0)
        raise UserError(f"not valid Python: {error.msg}", place=place) from error
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {error}") from error
    _drop_docstrings(tree)
    taken = _taken(tree.body)
    marked = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef) and _is_marked(n, taken)}
    rest = [n for n in tree.body if not (isinstance(n, ast.FunctionDef) and marked.get(n.name) is n)]
    tasks = {name: _piece([*node.body, node.args, *_others(node, taken)]) for name, node in marked.items()}
    # What is handed to other decorators these may keep.
    handed = {name for name, node in marked.items() if _others(node, taken)}
    others, helpers = _rest(rest, handed)
    return Source(tasks, others, _joined(others, tasks) if tasks else others, helpers)


def _rest(nodes: Sequence[ast.stmt], always: set[str]) -> tuple[Piece, dict[str, frozenset[str]]]:
    """Return what is left of a file without its tasks, and the names that each of its plain definitions uses."""
    helpers: dict[str, frozenset[str]] = {}
    imports: set[str] = set()
    for node in nodes:
        names, imported = used_by([node])
        imports |= imported
        for name in _defines(node):
            helpers[name] = helpers.get(name, frozenset()) | names
        if not is_plain(node):
            always |= names
    return Piece(_digest(nodes), frozenset(imports), frozenset(always)), helpers


def _joined(rest: Piece, tasks: Mapping[str, Piece]) -> Piece:
    """Return the piece that a whole file is."""
    parts = [rest, *tasks.values()]
    text = "".join(f"{name} {piece.digest}\n" for name, piece in zip(("", *tasks), parts, strict=True))
    return Piece(
        hashlib.sha256(text.encode()).hexdigest(),
        frozenset[str]().union(*(p.imports for p in parts)),
        frozenset[str]().union(*(p.names for p in parts)),
    )


def _as_it_is(text: bytes) -> Source:
    """Take a file that is no Python source, such as an extension module, as one piece."""
    piece = Piece(hashlib.sha256(text).hexdigest(), frozenset(), frozenset())
    return Source({}, piece, piece, {})


def _defines(node: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement at the top of a file gives a meaning."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name
        return
    for target in ast.walk(node):
        if isinstance(target, ast.Name) and isinstance(target.ctx, ast.Store):
            yield target.id


def _taken(nodes: Iterable[ast.stmt]) -> frozenset[str]:
    """Return the names to which the file itself gives a meaning other than dynamo's."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names = {(a.asname or a.name).partition(".")[0]: a.name for a in node.names}
            found.update(name for name, module in names.items() if module.partition(".")[0] != "dynamo")
        elif isinstance(node, ast.ImportFrom):
            if node.level or (node.module or "").partition(".")[0] != "dynamo":
                found.update(a.asname or a.name for a in node.names)
        else:
            found.update(_defines(node))
    return frozenset(found)


def _is_marked(node: ast.FunctionDef, taken: frozenset[str]) -> bool:
    return len(_others(node, taken)) < len(node.decorator_list)


def _others(node: ast.FunctionDef, taken: frozenset[str]) -> list[ast.expr]:
    """Return the decorators that are not ours: they may change what the function does."""
    found = []
    for mark in node.decorator_list:
        target = mark.func if isinstance(mark, ast.Call) else mark
        inner = target.value if isinstance(target, ast.Attribute) else target
        name = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
        if name not in _MARKS or getattr(inner, "id", "") in taken:
            found.append(mark)
    return found


def _piece(nodes: Sequence[ast.AST]) -> Piece:
    names, imports = used_by(nodes)
    return Piece(_digest(nodes), imports, names)


def _digest(nodes: Iterable[ast.AST]) -> str:
    found = hashlib.sha256()
    for node in nodes:
        if not _is_text(node):
            found.update(f"{ast.dump(node)}\n".encode())
    return found.hexdigest()


def _drop_docstrings(tree: ast.Module) -> None:
    queue: list[ast.AST] = [*tree.body]
    for node in queue:  # grows while it is read
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and _is_text(node.body[0]):
            node.body[:1] = [] if len(node.body) > 1 else [ast.Pass()]
        for field in ("body", "orelse", "handlers", "finalbody", "cases"):
            queue.extend(getattr(node, field, ()))


def _is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
