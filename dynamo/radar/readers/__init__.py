"""Readers: a file of any known format in, grids out.

`read` finds the reader that knows a file by its content, not by its name; gzip and bzip2 are seen through.
Grids are sorted by time, and keep apart what is missing, out of range and below the threshold. A file that
fits no reader, or is damaged, is a `DataError` that names the file, the variable, and what was tried.

`read_sweeps` gives the sweeps of a radar's file as they were measured, with all their moments: for products that need
more than a picture of reflectivity.

A reader of your own is a `Reader` named in the entry points group ``dynamo.readers``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from dynamo.errors import DataError, UserError, nearest
from dynamo.radar.readers.source import head

if TYPE_CHECKING:
    from dynamo.radar.grid import Geometry, Grid
    from dynamo.radar.polar import Sweep

__all__ = ["Reader", "find", "names", "read", "read_all", "read_sweeps"]

# Those that come with dynamo, the most particular first; looked up without the 0.1 s that a search for
# entry points costs a new process. The search is made when none of these knows a file.
BUILT_IN = ("mrms", "nexrad", "knmi", "odim", "odimpolar", "cfradial", "casa", "cf")
GROUP = "dynamo.readers"


@dataclass(frozen=True, slots=True)
class Reader:
    """What knows one kind of file.

    Parameters
    ----------
    name
        One word, as in ``read(path, format=name)``.
    description
        A few words for people.
    sniff
        Given the path and the first 16 KiB of the decompressed content: is it this kind of file? Must be
        quick and must not raise.
    read
        Given the path and the wanted geometry, or None for the file's own: all grids of the file.
    sweeps
        For files of a single radar: its sweeps, so that several radars can share one geometry.
    moments
        For files of a single radar, given the path and the names of the moments that are wanted, or None for all:
        every sweep of the file with those of them that it holds, as measured.
    low
        As `moments`, given also degrees: without the sweeps above that elevation, of which nothing is decoded. Where it
        is None `moments` is asked, and they are left out afterwards.
    """

    name: str
    description: str
    sniff: Callable[[Path, bytes], bool]
    read: Callable[[Path, Geometry | None], list[Grid]]
    sweeps: Callable[[Path], list[Sweep]] | None = None
    moments: Callable[[Path, tuple[str, ...] | None], list[Sweep]] | None = None
    low: Callable[[Path, tuple[str, ...] | None, float], list[Sweep]] | None = None


def read(path: str | Path, *, format: str | None = None, geometry: Geometry | None = None) -> list[Grid]:  # noqa: A002 - the word users know from every such function
    """Read all grids of one file, sorted by valid time.

    Parameters
    ----------
    path
        The file; gzip and bzip2 are decompressed.
    format
        Name of a reader; by default the content decides.
    geometry
        Where the cells should lie. Sweeps are put there straight away; grids are resampled by nearest
        neighbour. By default a grid stays as it is, and a sweep gets a grid of 0.5 km that covers its range.

    Returns
    -------
    list of Grid
        One for each time; steps of a forecast carry their `lead_minutes`.

    Raises
    ------
    DataError
        The file is missing, damaged, of no known format, or lacks something; the message says which.
    UserError
        There is no reader called `format`, or it needs a package that is not installed.
    """
    from dynamo.radar.readers.regrid import regrid

    path = Path(path)
    reader = find(path, format=format)
    with _naming(path, reader):
        grids = reader.read(path, geometry)
    if geometry is not None:
        grids = [regrid(grid, geometry) for grid in grids]
    return sorted(grids, key=_order)


def read_all(
    paths: Iterable[str | Path],
    *,
    format: str | None = None,  # noqa: A002
    geometry: Geometry | None = None,
    left_out: Callable[[Path, DataError], bool] | None = None,
) -> list[Grid]:
    """Read all grids of several files, sorted by valid time.

    Without a `geometry`, sweeps of several radars are put on one grid that covers all of them, so that
    `dynamo.radar.composite.composites` can join them. Of a file that cannot be read, `left_out` is asked whether to
    go on without it. Otherwise as `read`.
    """
    from dynamo.radar.polar import default_geometry, to_grid

    grids: list[Grid] = []
    sweeps: list[Sweep] = []
    for path in map(Path, paths):
        try:
            reader = find(path, format=format)
            if reader.sweeps is not None and geometry is None:
                with _naming(path, reader):
                    sweeps += reader.sweeps(path)
            else:
                grids += read(path, format=reader.name, geometry=geometry)
        except DataError as error:
            if left_out is None or not left_out(path, error):
                raise
    if sweeps:
        common = default_geometry(sweeps)
        grids += [to_grid(sweep, common) for sweep in sweeps]
    return sorted(grids, key=_order)


def read_sweeps(
    path: str | Path,
    *,
    format: str | None = None,  # noqa: A002
    moments: Iterable[str] | None = None,
    highest: float = math.inf,
) -> list[Sweep]:
    """Read every sweep of one radar's file as it was measured, sorted by time and elevation.

    Nothing is corrected and no gate is rejected: calibration and quality control come later. A gate where the file says
    that there is no value is NaN.

    Parameters
    ----------
    path
        The file; gzip and bzip2 are decompressed.
    format
        Name of a reader; by default the content decides.
    moments
        Names as in `dynamo.radar.moments`; nothing else is decoded, and sweeps that have none of them are left out.
        By default all that are known. Where reflectivity is not among them, `Sweep.undetect` is false everywhere.
    highest
        Degrees: leave out sweeps above that elevation, which are not decoded where the format allows it. Then there may
        be none left.

    Raises
    ------
    DataError
        The file is missing, damaged, of no known format, holds no sweeps of a radar, or none of the moments.
    UserError
        There is no such moment or reader, or the reader needs a package that is not installed.
    """
    from dynamo.radar.readers.moment_names import checked

    path, wanted = Path(path), checked(moments)
    reader = find(path, format=format)
    if reader.moments is None:
        read(path, format=reader.name)  # of a damaged file that is the fault
        raise DataError(f"{path}: holds no sweeps of a radar, for it is a {reader.description}")
    with _naming(path, reader):
        if reader.low is None or highest == math.inf:
            found = reader.moments(path, wanted)
        else:
            found = reader.low(path, wanted, highest)
        held = [sweep for sweep in found if sweep.moments and sweep.elevation <= highest]
        if not held and highest == math.inf:
            raise DataError(f"holds no sweep with {' or '.join(wanted) if wanted else 'any known moment'}")
    return sorted(held, key=lambda sweep: (sweep.time, sweep.elevation))


def names() -> list[str]:
    """Return the names of all readers, those that come with dynamo first."""
    return [*BUILT_IN, *(n for n in _entry_points() if n not in BUILT_IN)]


def find(path: str | Path, *, format: str | None = None) -> Reader:  # noqa: A002
    """Return the reader for a file: the one called `format`, or the first that knows the content.

    Raises
    ------
    DataError
        The file cannot be opened, or no reader knows it.
    UserError
        There is no reader called `format`.
    """
    path = Path(path)
    start = head(path)
    if format is not None:
        if format not in BUILT_IN and format not in _entry_points():
            known = names()
            raise UserError(f"no reader {format!r}{nearest(format, known)}; there are: {', '.join(known)}")
        return _load(format)
    tried = []
    for reader in _readers():
        if reader.sniff(path, start):
            return reader
        tried.append(f"{reader.name} ({reader.description})")
    raise DataError(
        f"{path}: no reader knows this file; it begins with {start[:8]!r}. Tried: {'; '.join(tried)}. "
        "Is it complete? For another format, install or write a reader (entry point group 'dynamo.readers')."
    )


@contextmanager
def _naming(path: Path, reader: Reader) -> Iterator[None]:
    """Let every fault of a file's content become a `DataError` that names the file.

    A file may break its format in more ways than a reader can foresee: a text where a number should be, a
    group that is a variable. The cause stays attached for those who look for a fault in the reader.
    """
    try:
        yield
    except DataError as error:
        if str(path) in str(error):
            raise
        raise DataError(f"{path}: {error}") from error
    except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise DataError(
            f"{path}: does not follow its format, {reader.description}: {type(error).__name__}: {error}"
        ) from error


def _readers() -> Iterator[Reader]:
    """Load one reader after the other, and the plug-ins only when they are reached."""
    for name in BUILT_IN:
        yield _load(name)
    for name in _entry_points():
        if name not in BUILT_IN:
            yield _load(name)


@lru_cache(maxsize=1)
def _entry_points() -> tuple[str, ...]:
    from importlib.metadata import entry_points

    return tuple(sorted(entry_points(group=GROUP).names))


@lru_cache(maxsize=64)
def _load(name: str) -> Reader:
    if name in BUILT_IN:
        loaded: object = import_module(f"dynamo.radar.readers.{name}").reader
    else:
        from importlib.metadata import entry_points

        loaded = entry_points(group=GROUP)[name].load()
    if not isinstance(loaded, Reader):
        raise UserError(f"entry point {name!r} of {GROUP!r} is {type(loaded).__name__}, expected a Reader")
    return loaded


def _order(grid: Grid) -> tuple[object, float, str, str]:
    """Sort by time, and where times are equal in an order that does not depend on the files' order."""
    return grid.time, grid.lead_minutes, grid.source, str(sorted(grid.attributes.items()))
