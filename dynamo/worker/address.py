"""The address of a module in a folder where people work: whoever has it finds the same file, under the same name.

``/home/file.py`` is the module ``file`` of the folder ``/home``; ``/home/./package/file.py`` is ``package.file`` of
it, as are files that are links. Links to the folder itself are followed.
"""

from __future__ import annotations

import os
from typing import NamedTuple

__all__ = ["Address", "address_in", "address_of"]

#: Parts the folder from the module where that is not the last part of the path: no other path is written so.
_MARK = f"{os.sep}.{os.sep}"


class Address(NamedTuple):
    """A module of a folder, and its file; the name is empty where an import statement could not say it."""

    home: str
    name: str
    path: str

    def __str__(self) -> str:
        plain = "." not in self.name and os.path.realpath(self.path) == self.path
        if plain and os.path.dirname(self.path) == self.home:
            return self.path
        return f"{self.home.rstrip(os.sep)}{_MARK}{os.path.relpath(self.path, self.home)}"


def address_in(where: str) -> Address:
    """Read an address, or a path as people write it: the folder is where the file lies, links followed."""
    home, mark, inner = where.partition(_MARK)
    home = home or os.sep
    if not (mark and os.path.isabs(where)):
        home, inner = os.path.split(os.path.realpath(where))
    elif inner.endswith(f"{os.sep}__init__.py"):
        return Address(home, _name(os.path.dirname(inner)), os.path.join(home, inner))
    return Address(home, _name(inner.removesuffix(".py")), os.path.join(home, inner))


def address_of(name: str, file: str) -> Address | None:
    """Return the address of the module `name`; None where `file` does not lie as the name says."""
    inner = name.replace(".", os.sep)
    for end in (f"{inner}.py", os.path.join(inner, "__init__.py")):
        if file.endswith(f"{os.sep}{end}"):
            home = os.path.realpath(file.removesuffix(end))
            return Address(home, name, os.path.join(home, end))
    return None


def _name(inner: str) -> str:
    words = inner.split(os.sep)
    return ".".join(words) if words[-1] != "__init__" and all(map(str.isidentifier, words)) else ""
