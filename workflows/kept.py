"""What one process keeps between the tasks of a chain, so that none reads again the grid that the one before it had.

A file is known by its device, inode, size and time of change, which stay when the worker moves it into the store. What
is kept is equal to what would be read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dynamo.graph import Input

if TYPE_CHECKING:
    from dynamo.radar.grid import Grid

__all__ = ["Identity", "field_of", "keep"]


@dataclass(frozen=True, slots=True)
class Identity:
    """A file by what it is: two paths to one file, unchanged since, are equal."""

    identity: tuple[int | str, ...]
    path: str = field(compare=False)

    @classmethod
    def at(cls, path: Input) -> Identity:
        """Return what the file at `path` is now."""
        try:
            there = Path(path).stat()
        except OSError:
            return cls((str(path),), str(path))  # whoever reads it will say what is wrong
        return cls((there.st_dev, there.st_ino, there.st_size, there.st_mtime_ns), str(path))


#: The grid that this process wrote or read last: the tasks of one lead time follow each other on one.
_LAST: dict[Identity, Grid] = {}


def keep(file: Identity, grid: Grid) -> Grid:
    """Remember what `file` holds; nobody may change it."""
    grid.values.flags.writeable = grid.status.flags.writeable = False
    _LAST.clear()
    _LAST[file] = grid
    return grid


def field_of(path: Input) -> Grid:
    """Return the grid of a file, which need not be read if it was here last."""
    from dynamo.radar.netcdf import read_grid

    file = Identity.at(path)
    return _LAST.get(file) or keep(file, read_grid(path))
