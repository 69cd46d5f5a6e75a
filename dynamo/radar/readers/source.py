"""The bytes of a radar file, whether compressed or not, and errors that name the file.

Every reader goes through here, so that a directory, an empty file and a truncated archive are told apart
in the same words for all formats.
"""

from __future__ import annotations

import bz2
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dynamo.errors import DataError, UserError, nearest

if TYPE_CHECKING:
    import h5py
    import netCDF4
    from numpy.typing import NDArray

__all__ = [
    "HDF5",
    "attribute",
    "content",
    "hdf5",
    "hdf5_names",
    "head",
    "need",
    "netcdf",
    "numbers",
    "text",
    "wrong",
]

GZIP, BZIP2, HDF5 = b"\x1f\x8b", b"BZh", b"\x89HDF\r\n\x1a\n"
HEAD = 16384
BUFFER_LIMIT = 1 << 28  # what a damaged trailer can make us ask for


def wrong(path: Path, what: str) -> DataError:
    """Return a `DataError` that begins with the name of the file."""
    return DataError(f"{path}: {what}")


def need(extra: str, package: str, what: str) -> UserError:
    """Return the error for a format whose optional package is not installed."""
    return UserError(f"{what} needs the package {package}: pip install 'dynamo-weather[{extra}]'")


def head(path: Path) -> bytes:
    """Return the first 16 KiB of the file's content, decompressed.

    Raises
    ------
    DataError
        The file is missing, empty, a directory, unreadable, or a damaged archive.
    """
    try:
        with path.open("rb") as file:
            start = file.read(HEAD)
    except IsADirectoryError as error:
        raise wrong(path, "is a directory, expected a radar file; name the files in it (a glob)") from error
    except OSError as error:
        raise wrong(path, f"cannot be read: {error.strerror}") from error
    if not start:
        raise wrong(path, "is empty; was it still being written?")
    if not start.startswith((GZIP, BZIP2)):
        return start
    try:
        if start.startswith(GZIP):
            begun = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(start, HEAD)
        else:
            # a block may be 900 kB long before its first byte comes out
            begun = bz2.BZ2Decompressor().decompress(path.read_bytes(), HEAD)
    except (zlib.error, OSError) as error:
        raise wrong(path, f"is a damaged archive: {error}") from error
    if not begun:
        raise wrong(path, "is a truncated archive; was it still being written?")
    return begun


def content(path: Path) -> bytes:
    """Return the whole content of the file, decompressed (gzip by ISA-L, bzip2).

    Raises
    ------
    DataError
        The file is unreadable, or a damaged or truncated archive.
    """
    head(path)
    raw = path.read_bytes()
    try:
        if raw.startswith(GZIP):
            return _gunzip(raw)
        if raw.startswith(BZIP2):
            return bz2.decompress(raw)
    except EOFError as error:
        raise wrong(path, "is a truncated archive; was it still being written?") from error
    except (ValueError, OSError, zlib.error) as error:
        raise wrong(path, f"is a truncated or damaged archive: {error}") from error
    return raw


def _gunzip(raw: bytes) -> bytes:
    """Decompress with the size that the trailer promises, which is twice as fast as growing a buffer."""
    from isal import igzip, isal_zlib

    size = int.from_bytes(raw[-4:], "little")
    try:
        data: bytes = isal_zlib.decompress(raw, 31, min(size + 64, BUFFER_LIMIT))
        # a file may be several archives in a row, of which the above gives the first
        return data if len(data) == size else igzip.decompress(raw)  # type: ignore[no-untyped-call]
    except isal_zlib.error as error:  # type: ignore[misc]  # the stub gives an instance
        raise zlib.error(str(error)) from error


@contextmanager
def netcdf(path: Path) -> Iterator[netCDF4.Dataset]:
    """Open NetCDF of any kind, also compressed, with raw values (no masking, no scaling).

    Raises
    ------
    DataError
        The file is not NetCDF, damaged or truncated; also where that shows up while it is read.
    """
    import netCDF4

    try:
        with netCDF4.Dataset(path.name, memory=content(path)) as dataset:
            dataset.set_auto_maskandscale(False)
            yield dataset
    except (OSError, RuntimeError) as error:
        raise wrong(path, f"is not readable as NetCDF, probably truncated or damaged: {error}") from error


@contextmanager
def hdf5(path: Path) -> Iterator[h5py.File]:
    """Open HDF5, also compressed.

    Raises
    ------
    DataError
        The file is not HDF5, damaged or truncated; also where that shows up while it is read.
    """
    import io

    import h5py

    try:
        with path.open("rb") as file:
            plain = file.read(8) == HDF5
        with h5py.File(path if plain else io.BytesIO(content(path)), "r") as file:
            yield file
    except (OSError, RuntimeError) as error:
        raise wrong(path, f"is not readable as HDF5, probably truncated or damaged: {error}") from error


def hdf5_names(path: Path) -> frozenset[str]:
    """Return the names of the groups, variables and attributes at the root of an HDF5 file; none if damaged.

    For sniffing: one look serves all readers, as long as the file stays as it is. What ODIM says of itself is among
    them, as in "what/object=PVOL".
    """
    seen = path.stat()
    return _names(path, seen.st_mtime_ns, seen.st_size)


@lru_cache(maxsize=8)
def _names(path: Path, _changed: int, _size: int) -> frozenset[str]:
    try:
        with hdf5(path) as file:
            kind = file["what"].attrs.get("object") if "what" in file else None
            said = [] if kind is None else [f"what/object={text(kind)}"]
            return frozenset([*file, *file.attrs, *said])
    except (DataError, KeyError):  # the latter where an object that is listed is damaged
        return frozenset()


def text(value: Any) -> str:
    """Return a string attribute as text, whichever of the many ways it is stored."""
    if isinstance(value, np.ndarray):
        value = value.ravel()[0] if value.size else b""
    return value.decode(errors="replace").strip("\0 ") if isinstance(value, bytes) else str(value).strip()


def attribute(path: Path, place: str, attributes: Mapping[str, Any], name: str) -> Any:
    """Return an attribute, or raise a `DataError` that names file, place and the nearest known name."""
    try:
        return attributes[name]
    except KeyError:
        hint = nearest(name, map(str, attributes))
        raise wrong(path, f"{place} has no attribute {name!r}{hint}") from None


def numbers(path: Path, dataset: netCDF4.Dataset, name: str) -> NDArray[Any]:
    """Return a NetCDF variable as it is stored, or raise a `DataError` that lists what there is."""
    if name not in dataset.variables:
        known = ", ".join(dataset.variables) or "none"
        raise wrong(path, f"no variable {name!r}{nearest(name, dataset.variables)}; there are: {known}")
    return np.asarray(dataset.variables[name][...])
