"""Which names and modules some code uses, and whether it does more than to define some names.

Enters: parsed Python. Leaves: names, with `ANY` among them where the code may reach others by their text, and
modules as they are imported, relative ones with their dots.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

__all__ = ["ANY", "is_plain", "used_by"]

#: Stands for all names of a file.
ANY = "*"
#: By these a module can be searched for what lies in it.
_BY_TEXT = frozenset({"__name__", "globals", "locals", "vars", "eval", "exec", "modules", "getmodule"})
_BY_ATTRIBUTE = frozenset({"modules", "getmodule", "__globals__"})
#: Values that are made without calling anything.
_VALUES = (
    ast.Attribute, ast.Constant, ast.Dict, ast.List, ast.Name, ast.Set, ast.Starred, ast.Tuple, ast.expr_context,
)  # fmt: skip


def used_by(nodes: Iterable[ast.AST]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names that `nodes` use, and the modules that they import, or might: ``b`` of ``a`` may be one."""
    names: set[str] = set()
    imports: set[str] = set()
    queue = list(nodes)
    for node in queue:  # grows while it is read
        if isinstance(node, ast.Name):
            names.add(ANY if node.id in _BY_TEXT else node.id)
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            imports.update(_imported(node))
            if any(alias.name in _BY_ATTRIBUTE for alias in node.names):
                names.add(ANY)
        elif isinstance(node, ast.Attribute) and node.attr in _BY_ATTRIBUTE:
            names.add(ANY)
        if not _is_harmless(node):
            queue.extend(_children(node))
        elif isinstance(node, ast.If):
            imports |= used_by(node.body)[1]
    return frozenset(names), frozenset(imports)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    for field in node._fields:
        inner = getattr(node, field, None)
        if isinstance(inner, list):
            yield from (i for i in inner if isinstance(i, ast.AST))
        elif isinstance(inner, ast.AST) and field != "ctx":
            yield inner


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.ImportFrom):
        base = "." * node.level + (node.module or "")
        yield base
        yield from (f"{base}.{a.name}" if node.module else f"{base}{a.name}" for a in node.names)
        return
    for alias in node.names:
        name = alias.name
        while name:  # ``import a.b`` gives access to ``a`` too
            yield name
            name = name.rpartition(".")[0]


def is_plain(node: ast.stmt) -> bool:
    """Whether a statement only gives names a meaning, so that it matters only where one of them is used.

    Whatever calls, decorates, inherits or writes into something may make known what it names under other names.
    """
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            defaults = (*node.args.defaults, *(d for d in node.args.kw_defaults if d is not None))
            return not node.decorator_list and _are_values(defaults)
        case ast.ClassDef():
            return not (node.decorator_list or node.bases or node.keywords) and all(map(is_plain, node.body))
        case ast.Assign():
            return _are_values((node.value,)) and all(isinstance(t, ast.Name) for t in node.targets)
        case ast.AnnAssign():
            return isinstance(node.target, ast.Name) and _are_values((node.value,) if node.value else ())
        case ast.Expr():
            return isinstance(node.value, ast.Constant)
    return isinstance(node, ast.Pass)


def _are_values(nodes: Iterable[ast.expr]) -> bool:
    return all(isinstance(inner, _VALUES) for node in nodes for inner in ast.walk(node))


def _is_harmless(node: ast.AST) -> bool:
    """Whether code has a module's own name in its usual uses, which reach nothing.

    These are ``getLogger(__name__)``, and ``if __name__ == "__main__":``, false wherever a task runs.
    """
    match node:
        case ast.Call(
            func=ast.Attribute(attr="getLogger") | ast.Name(id="getLogger"), args=[ast.Name(id="__name__")]
        ):
            return True
        case ast.If(
            test=ast.Compare(
                left=ast.Name(id="__name__"), ops=[ast.Eq()], comparators=[ast.Constant(value="__main__")]
            ),
            orelse=[],
        ):
            return True
    return False
