"""What people write is imported afresh: from its source, never from Python's cache, and marked with its state.

Enters: folders in which people work. Leaves: modules of theirs that know the address their tasks are called by
(``__dynamo_path__``), and the state that their file had (``__dynamo_state__``), by which it is seen that it was edited.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, TypeAlias

from dynamo.worker.address import address_of

if TYPE_CHECKING:
    from importlib.abc import PathEntryFinder

__all__ = ["Fresh", "State", "is_edited", "is_fresh", "read_afresh", "state_in", "state_of"]

#: Inode, times of change (ns) and size of a file.
State: TypeAlias = tuple[int, int, int, int]
#: Folders, each with a separator at its end, in which people work; and where these are, links followed.
_fresh: set[str] = set()
_addressed: set[str] = set()
_STANDARD = os.path.dirname(os.__file__) + os.sep


def state_in(module: ModuleType | None) -> State | None:
    """Return the state that the file of a module had when it was imported; None for what people do not write."""
    found: State | None = getattr(module, "__dict__", {}).get("__dynamo_state__")
    return found


def is_edited(module: ModuleType) -> bool:
    """Whether the file of a module is another than when it was imported."""
    known = state_in(module)
    try:
        return known is not None and known != state_of(str(module.__file__))
    except OSError:  # it is being replaced, or gone
        return True


def state_of(path: str) -> State:
    """Return the state that a file has now; raises `OSError` where there is none."""
    found = os.stat(path)
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size


def read_afresh(folders: Collection[str], *, named: bool = False) -> None:
    """Import what lies in `folders`, at whatever depth, from its source and never from Python's cache.

    That cache goes by whole seconds: a file edited twice in one, to the same size, would run as it was before.
    What is installed there (``site-packages``), the standard library and dynamo go on using it. Tasks there are
    called by the address of their file, or, as others find the folder too, where they are `named` by their module.
    """
    if not named:
        _addressed.update(map(os.path.realpath, folders))
    new = {os.path.join(os.path.abspath(folder), "") for folder in folders} - _fresh
    if not new:
        return
    _fresh.update(new)
    if _finder not in sys.path_hooks:
        sys.path_hooks.insert(0, _finder)
    for folder in [known for known in sys.path_importer_cache if is_fresh(known)]:
        del sys.path_importer_cache[folder]


class Fresh(SourceFileLoader):
    """Compiles a file each time it is loaded, and marks the module with where it is found again; but not dynamo."""

    def get_code(self, fullname: str) -> CodeType | None:
        """Return the code of the file as it is now."""
        if fullname.partition(".")[0] == "dynamo":
            return super().get_code(fullname)
        return self.source_to_code(self.get_data(self.path), self.path)

    def exec_module(self, module: ModuleType) -> None:
        """Run the file, which then knows the address that its tasks are called by, and its state."""
        if module.__name__.partition(".")[0] != "dynamo":
            vars(module)["__dynamo_state__"] = state_of(self.path)
            address = address_of(module.__name__, self.path)
            if address is not None and address.home in _addressed:
                vars(module)["__dynamo_path__"] = str(address)
        super().exec_module(module)


_find_in = FileFinder.path_hook(
    (ExtensionFileLoader, EXTENSION_SUFFIXES),
    (Fresh, SOURCE_SUFFIXES),
    (SourcelessFileLoader, BYTECODE_SUFFIXES),
)


def _finder(path: str) -> PathEntryFinder:
    """Return what finds modules in a folder; `ImportError` leaves that to Python (see ``sys.path_hooks``)."""
    if not is_fresh(path):
        raise ImportError(f"{path} is read as Python does")
    return _find_in(path)


def is_fresh(path: str) -> bool:
    """Whether people write what lies in a folder: it is below one of theirs, and not installed there."""
    inner = os.path.join(os.path.abspath(path), "")
    installed = (
        inner.startswith(_STANDARD)
        or f"{os.sep}site-packages{os.sep}" in inner
        or f"{os.sep}dist-packages{os.sep}" in inner
    )
    return not installed and any(inner.startswith(folder) for folder in _fresh)
