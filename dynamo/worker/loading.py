"""Find the function that ``module:function`` or ``path/to/file.py:function`` names."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from dynamo.errors import Place, UserError, nearest

__all__ = ["load_module", "load_object", "split_call"]

#: Path as written to the file's state when it was loaded, and the module.
_loaded: dict[str, tuple[tuple[int, int, int], ModuleType]] = {}


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
    version = (state.st_ino, state.st_mtime_ns, state.st_size)
    known = _loaded.get(where)
    if known is None or known[0] != version:
        known = _loaded[where] = (version, _execute(Path(where).resolve()))
    return known[1]


class _Fresh(SourceFileLoader):
    """Compiles the file each time: Python's cache goes by whole seconds, and would run what a file was before."""

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - the face of a loader
        return self.source_to_code(self.get_data(self.path), self.path)


def _execute(path: Path) -> ModuleType:
    """Run a file as a module of its own."""
    name = f"{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
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
