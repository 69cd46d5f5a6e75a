"""Find the function that ``module:function`` or ``path/to/file.py:function`` names, as a new process would find it.

Files in different folders may each have a ``helper.py`` beside them: of what people write, ``sys.modules`` holds
at any time what was imported for one folder only, its *home*. A task is called by the `Address` of its file where
dynamo put that folder on the module path, since others may not have it there.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from dynamo.errors import Place, UserError, nearest
from dynamo.worker.address import Address, address_in
from dynamo.worker.fresh import Fresh, State, is_edited, is_fresh, read_afresh, state_in, state_of

__all__ = [
    "forget_edited",
    "load_module",
    "load_object",
    "look_first",
    "module_path",
    "split_call",
]

#: Path as written to the file's state when it was loaded, its home, and the module.
_loaded: dict[str, tuple[State, str, ModuleType]] = {}


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
        sys.path[:] = self.path()
        self._inserted = bool(folder) and sys.path[:1] != [folder]
        if self._inserted:
            sys.path.insert(0, folder)
        self._now = folder

    def all(self) -> list[dict[str, ModuleType]]:
        """Return ``sys.modules`` and what is put aside of it."""
        return [sys.modules, *self._aside.values()]

    def path(self) -> list[str]:
        """Return ``sys.path`` without the home."""
        path = list(sys.path)
        if self._inserted:
            with suppress(ValueError):  # the user's code may have taken it away
                path.remove(self._now)
        return path

    def _foreign(self, folder: str) -> dict[str, ModuleType]:
        """Return the modules that are not for `folder`: of the home that is left, or hiding what `folder` has."""
        left = os.path.join(self._now, "") if self._now else ""
        has = {name.partition(".")[0] for name in _listed(folder)}
        return {
            name: module
            for name, module in list(sys.modules.items())
            if (place := _place(name, module))
            and ((left and place.startswith(left)) or name.partition(".")[0] in has)
            and is_fresh(os.path.dirname(place))
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


def forget_edited() -> None:
    """Have all that people write imported anew, when it is asked for, once any of it was edited."""
    written = [
        (modules, name, module)
        for modules in _homes.all()
        for name, module in list(modules.items())
        if state_in(module) is not None or _is_bare(module)
    ]
    if any(is_edited(module) for _, _, module in written):
        gone = {id(module) for _, _, module in written}
        for modules, name, module in written:
            package, _, last = name.rpartition(".")
            holder = modules.get(package)
            modules.pop(name, None)
            # A package that stays would go on giving it to ``from package import module``.
            if holder is not None and id(holder) not in gone and vars(holder).get(last) is module:
                delattr(holder, last)
        _loaded.clear()


def _is_bare(module: ModuleType) -> bool:
    """Whether a module is a folder of what people write that has no ``__init__.py``."""
    fields = getattr(module, "__dict__", {})
    folders = [] if fields.get("__file__") else list(fields.get("__path__") or ())
    return bool(folders) and all(map(is_fresh, folders))


def load_module(where: str) -> ModuleType:
    """Import a module by name, or from a file where `where` ends in ``.py``; errors as `load_object`."""
    try:
        if where.endswith(".py"):
            return _from_file(where)
        _homes.enter(_homes.named)
        if where not in sys.modules and not where.startswith("dynamo."):
            _read_around(where)
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


def _read_around(name: str) -> None:
    """Read afresh what lies where a module that is called by name is found, as that may be edited like a file."""
    with suppress(ValueError):  # a module that was made by hand
        spec = importlib.util.find_spec(name.partition(".")[0])
        places = (spec.submodule_search_locations or [spec.origin or ""]) if spec else []
        read_afresh([os.path.dirname(place) for place in places if os.path.isabs(place)], named=True)


def _from_file(where: str) -> ModuleType:
    try:
        state = state_of(where)
    except OSError:
        raise UserError(f"no file {where}") from None
    known = _loaded.get(where)
    if known is None or known[0] != state:
        address = address_in(where)
        _homes.enter(address.home)
        read_afresh([address.home])
        known = _loaded[where] = (state, address.home, _at(address, state))
    _homes.enter(known[1])
    return known[2]


def _at(address: Address, state: State) -> ModuleType:
    """Import a file as its neighbours would, or as a module of its own where its name stands for another."""
    if not (address.name and _is_at(address)):
        return _execute(address)
    if state_in(sys.modules.get(address.name)) not in {None, state}:  # edited
        del sys.modules[address.name]
    module = importlib.import_module(address.name)
    getattr(module, "__dict__", {}).setdefault("__dynamo_path__", str(address))
    return module


def _is_at(address: Address) -> bool:
    """Whether importing the name in its home finds the file."""
    try:
        spec = importlib.util.find_spec(address.name)
    except ValueError:  # a module that was made by hand
        return False
    return spec is not None and os.path.realpath(spec.origin or "") == os.path.realpath(address.path)


def module_path() -> list[str]:
    """Return ``sys.path`` without the folder that is first there only for what was loaded last."""
    return _homes.path()


def look_first(folders: Sequence[str]) -> None:
    """Seek modules that are called by name in `folders` first, and read those there afresh."""
    _homes.named = os.path.realpath(folders[0]) if folders else ""
    sys.path[:0] = [folder for folder in folders if folder not in sys.path]
    read_afresh(folders)


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder) if folder else []
    except OSError:  # not there, or not to be read: Python finds nothing there either
        return []


def _place(name: str, module: ModuleType) -> str:
    """Return where a module lies; empty for those that are never set aside."""
    if name.partition(".")[0] in {"dynamo", "__main__", "__mp_main__"}:
        return ""
    # Not by attribute: a module may import another as soon as it is asked for one that it has not.
    fields = getattr(module, "__dict__", {})
    return str(fields.get("__file__") or next(iter(fields.get("__path__") or ()), ""))


def _execute(address: Address) -> ModuleType:
    """Run a file as a module of its own."""
    path = address.path
    name = f"{Path(path).stem}_{hashlib.sha256(path.encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path, loader=Fresh(name, path))
    if spec is None or spec.loader is None:
        raise UserError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    vars(module)["__dynamo_path__"] = str(address)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:  # also Ctrl-C and sys.exit: a module of which only a half ran is not found again
        del sys.modules[name]
        raise
    return module
