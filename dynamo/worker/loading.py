"""Find the function that ``module:function`` or ``path/to/file.py:function`` names, as a new process would find it.

Files in different folders may each have a ``helper.py`` beside them: of what people write, ``sys.modules`` holds
at any time what was imported for one folder only, its *home*.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
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

__all__ = ["load_module", "load_object", "look_first", "read_afresh", "split_call"]

#: Path as written to the file's state when it was loaded, the folder it lies in, and the module.
_loaded: dict[str, tuple[tuple[int, int, int, int], str, ModuleType]] = {}
#: Folders, each with a separator at its end, in which people work.
_fresh: set[str] = set()
_STANDARD = os.path.dirname(os.__file__) + os.sep


class _Homes:
    """Whose modules ``sys.modules`` holds, and those of the others meanwhile.

    ``named`` is the home of modules that are called by name: the folder in which they are sought first.
    """

    def __init__(self) -> None:
        self.named = ""
        self._now = ""
        self._inserted = False
        self._aside: dict[str, dict[str, ModuleType]] = {}

    def enter(self, folder: str) -> None:
        """Have what was imported for `folder` in ``sys.modules``, and `folder` first on ``sys.path``."""
        if folder == self._now:
            return
        foreign = self._foreign(folder)
        for name in foreign:
            del sys.modules[name]
        self._aside[self._now] = foreign
        sys.modules.update(self._aside.pop(folder, {}))
        if self._inserted:
            with suppress(ValueError):  # the user's code may have taken it away
                sys.path.remove(self._now)
            if self._now not in sys.path:  # its modules may yet be called by name
                sys.path.append(self._now)
        self._inserted = bool(folder) and sys.path[:1] != [folder]
        if self._inserted:
            sys.path.insert(0, folder)
        self._now = folder

    def _foreign(self, folder: str) -> dict[str, ModuleType]:
        """Return the modules that are not for `folder`: of the home that is left, or hiding what `folder` has."""
        left = os.path.join(self._now, "") if self._now else ""
        has = {name.partition(".")[0] for name in _listed(folder)}
        return {
            name: module
            for name, module in list(sys.modules.items())
            if (place := _place(name, module))
            and ((left and place.startswith(left)) or name.partition(".")[0] in has)
            and _is_fresh(os.path.dirname(place))
        }


_homes = _Homes()


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

    A file is loaded once per process, and is reloaded when it changes. Its own folder is the home from then on,
    first on ``sys.path``, so that it may import its neighbours. Raises `UserError` that says what is missing, with
    the nearest name, or where the user's file does not parse.
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
        if where.endswith(".py"):
            return _from_file(where)
        _homes.enter(_homes.named)
        return importlib.import_module(where)
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
        path = Path(where).resolve()
        folder = str(path.parent)
        _homes.enter(folder)
        read_afresh([folder])
        known = _loaded[where] = (version, folder, _execute(path))
    _homes.enter(known[1])
    return known[2]


def look_first(folders: Sequence[str]) -> None:
    """Seek modules that are called by name in `folders` first, and read those there afresh."""
    _homes.named = os.path.abspath(folders[0]) if folders else ""
    sys.path[:0] = [folder for folder in folders if folder not in sys.path]
    read_afresh(folders)


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


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder) if folder else []
    except OSError:  # not there, or not to be read: Python finds nothing there either
        return []


def _place(name: str, module: ModuleType) -> str:
    """Return where a module lies; empty for dynamo, and where no other can stand beside it under its name."""
    # Not by attribute: a module may import another as soon as it is asked for one that it has not.
    fields = getattr(module, "__dict__", {})
    if name.partition(".")[0] in {"dynamo", "__main__", "__mp_main__"} or "__dynamo_path__" in fields:
        return ""
    return str(fields.get("__file__") or next(iter(fields.get("__path__") or ()), ""))


def _execute(path: Path) -> ModuleType:
    """Run a file as a module of its own."""
    name = f"{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
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
