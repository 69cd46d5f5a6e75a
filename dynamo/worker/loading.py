"""Find the function that ``module:function`` or ``path/to/file.py:function`` names."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterable
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

from dynamo.errors import Place, UserError, nearest

if TYPE_CHECKING:
    from importlib.abc import PathEntryFinder

__all__ = ["load_module", "load_object", "read_afresh", "split_call"]

#: Path as written to the file's state when it was loaded, and the module.
_loaded: dict[str, tuple[tuple[int, int, int, int], ModuleType]] = {}
#: Folders, each with a separator at its end, in which people work.
_fresh: set[str] = set()
_STANDARD = os.path.dirname(os.__file__) + os.sep


def split_call(call: str) -> tuple[str, str]:
    """Split ``where:name``; raise `UserError` where `call` has not that form."""
    where, colon, name = call.rpartition(":")
    if not (where and colon and name.replace(".", "_").isidentifier()):
        raise UserError(
            f"{call!r} does not name a function: write package.module:function or ./file.py:function"
        )
    return where, name


def load_object(call: str) -> Any:
    """Import what `call` names.

    A file is loaded once per process, with its own folder first on ``sys.path`` so that it may import its
    neighbours, and is reloaded when it changes. Raises `UserError` that says what is missing, with the nearest
    name, or where the user's file does not parse.
    """
    where, name = split_call(call)
    module = load_module(where)
    found: Any = module
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise UserError(f"{where} has no {name!r}{nearest(name, vars(module))}") from None
    return found


def load_module(where: str) -> ModuleType:
    """Import a module by name, or from a file where `where` ends in ``.py``; errors as `load_object`."""
    try:
        return _from_file(where) if where.endswith(".py") else importlib.import_module(where)
    except SyntaxError as error:
        place = Place(error.filename or where, error.lineno or 0, error.offset or 0)
        raise UserError(f"not valid Python: {error.msg}", place=place) from error
    except ModuleNotFoundError as error:
        missing = error.name or where
        hint = (
            f"no module {where!r} here; is it installed in this environment, or did you mean ./{where}.py?"
            if where.startswith(missing)
            else f"{where} imports {missing!r}, which is not installed in this environment"
        )
        raise UserError(hint) from error


def _from_file(where: str) -> ModuleType:
    try:
        state = os.stat(where)
    except OSError:
        raise UserError(f"no file {where}") from None
    version = (state.st_ino, state.st_mtime_ns, state.st_ctime_ns, state.st_size)
    known = _loaded.get(where)
    if known is None or known[0] != version:
        known = _loaded[where] = (version, _execute(Path(where).resolve()))
    return known[1]


def read_afresh(folders: Iterable[str]) -> None:
    """Import what lies in `folders`, at whatever depth, from its source and never from Python's cache.

    That cache goes by whole seconds: a file edited twice in one, to the same size, would run as it was before.
    What is installed there (``site-packages``), the standard library and dynamo go on using it.
    """
    new = {os.path.join(os.path.abspath(folder), "") for folder in folders} - _fresh
    if not new:
        return
    _fresh.update(new)
    if _finder not in sys.path_hooks:
        sys.path_hooks.insert(0, _finder)
    for folder in [known for known in sys.path_importer_cache if _is_fresh(known)]:
        del sys.path_importer_cache[folder]


class _Fresh(SourceFileLoader):
    """Compiles a file each time it is loaded."""

    def get_code(self, fullname: str) -> CodeType | None:
        if fullname.partition(".")[0] == "dynamo":
            return super().get_code(fullname)
        return self.source_to_code(self.get_data(self.path), self.path)


_find_in = FileFinder.path_hook(
    (ExtensionFileLoader, EXTENSION_SUFFIXES),
    (_Fresh, SOURCE_SUFFIXES),
    (SourcelessFileLoader, BYTECODE_SUFFIXES),
)


def _finder(path: str) -> PathEntryFinder:
    """Return what finds modules in a folder; `ImportError` leaves that to Python (see ``sys.path_hooks``)."""
    if not _is_fresh(path):
        raise ImportError(f"{path} is read as Python does")
    return _find_in(path)


def _is_fresh(path: str) -> bool:
    inner = os.path.join(os.path.abspath(path), "")
    installed = (
        inner.startswith(_STANDARD)
        or f"{os.sep}site-packages{os.sep}" in inner
        or f"{os.sep}dist-packages{os.sep}" in inner
    )
    return not installed and any(inner.startswith(folder) for folder in _fresh)


def _execute(path: Path) -> ModuleType:
    """Run a file as a module of its own."""
    name = f"{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    read_afresh([folder])
    spec = importlib.util.spec_from_file_location(name, path, loader=_Fresh(name, str(path)))
    if spec is None or spec.loader is None:
        raise UserError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    vars(module)["__dynamo_path__"] = str(path)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:  # also Ctrl-C and sys.exit: a module of which only a half ran is not found again
        del sys.modules[name]
        raise
    return module
