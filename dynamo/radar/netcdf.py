"""Our own product files: NetCDF-4 after CF-1.10, one grid or a sequence on one geometry.

A `Grid` enters, a file leaves, and the other way round. On one kind of processor equal grids give equal bytes, so
that a file's digest is stable; on another ISA-L may pack the same otherwise, which costs a run of what comes after.
What can go wrong when reading is a `DataError` that names the file and the variable.

Speed matters here: a nowcast cycle writes 31 grids. The header is made once per geometry and only the numbers
are filled in; chunks are deflated by ISA-L, about four times as fast as zlib and no larger. Whoever has written
a grid and goes on with what the file holds need not read it: `write_grid` returns it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from dynamo.errors import DataError
from dynamo.radar.cf_header import FILL, OFFSET, SCALE, Attributes, Header, header, open_image
from dynamo.radar.chunks import read_chunks, write_chunks
from dynamo.radar.grid import Cell, Geometry, Grid
from dynamo.radar.quantities import QUANTITIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["read_frames", "read_grid", "write_frames", "write_grid"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
RESERVED = {"Conventions", "source"}
DECODE = (np.arange(256, dtype="f4") * SCALE + OFFSET).astype("f4")
DECODE[FILL] = np.nan


def write_grid(path: str | Path, grid: Grid) -> Grid:
    """Write one grid and return it as the file holds it: as `read_grid` would.

    Reflectivity is packed to one byte: rounded to 0.5 dB, clipped to -32..94.5 dBZ. All else stays float32.
    Equal grids give equal bytes on one kind of processor. The file does not appear atomically; that is the
    caller's business.

    Raises
    ------
    DataError
        An attribute of the grid has a name that the file format needs for itself.
    """
    values, times = _stored(grid), _times([grid])
    head = header(grid.geometry, grid.quantity, None, _attributes([grid]))
    Path(path).write_bytes(_encode(head, grid.quantity, times, [(values, grid.status)]))
    (back,) = _grids(grid.quantity, times, values[None], grid.status[None], *_described(head))
    return back


def write_frames(path: str | Path, grids: Sequence[Grid]) -> None:
    """Write grids of one quantity and one geometry along a ``time`` dimension.

    The file's `source` names those of all grids; attributes are kept where all grids agree on them.

    Raises
    ------
    DataError
        There is no grid, or the grids differ in quantity or geometry.
    """
    if not grids:
        raise DataError(f"{path}: no grids to write")
    first = grids[0]
    for number, grid in enumerate(grids):
        if grid.quantity != first.quantity:
            raise DataError(f"{path}: grid {number} is {grid.quantity}, the first is {first.quantity}")
        if apart := first.geometry.difference(grid.geometry):
            raise DataError(f"{path}: grid {number} does not lie on the first one's cells: {apart}")
    head = header(first.geometry, first.quantity, len(grids), _attributes(grids))
    layers = ((_stored(grid), grid.status) for grid in grids)
    Path(path).write_bytes(_encode(head, first.quantity, _times(grids), layers))


def read_grid(path: str | Path) -> Grid:
    """Read a file that holds one grid, as `write_grid` makes it.

    Raises
    ------
    DataError
        The file is missing, damaged, lacks a variable, or holds several times.
    """
    grids = read_frames(path)
    if len(grids) != 1:
        raise DataError(f"{path}: variable 'time' has {len(grids)} steps, expected one; use read_frames")
    return grids[0]


def read_frames(path: str | Path) -> list[Grid]:
    """Read all grids of a file that `write_grid` or `write_frames` made, in the order of the file.

    Raises
    ------
    DataError
        The file is missing, damaged, or lacks a variable.
    """
    from h5py import h5f

    try:
        file = h5f.open(str(path).encode(), h5f.ACC_RDONLY)
    except OSError as error:
        raise DataError(f"{path}: cannot be read as NetCDF-4: {error}") from error
    return _decode(file, str(path))


def _encode(
    head: Header, quantity: str, times: NDArray[np.float64], layers: Iterable[tuple[NDArray[Any], ...]]
) -> bytes:
    """Fill times ``(3, steps)`` and layers, values as they are stored and status, into a header."""
    from h5py import h5d, h5f

    image = bytearray(head.image)
    for begin, row in zip(head.times, times.astype("<f8"), strict=True):
        image[begin : begin + row.nbytes] = row.tobytes()
    file = open_image(bytes(image))
    fields = [h5d.open(file, name.encode()) for name in (quantity, "cell_status")]
    for step, layer in enumerate(layers):
        for field, array in zip(fields, layer, strict=True):
            write_chunks(field, (step,)[: field.rank - 2], array)
    h5f.flush(file)
    return bytes(file.get_file_image())


@lru_cache(maxsize=16)
def _described(head: Header) -> tuple[Geometry, dict[str, str | float]]:
    """Return what a reader makes of a header."""
    file = open_image(head.image)
    return _read_geometry(file, "header"), _read_attributes(file)


def _times(grids: Sequence[Grid]) -> NDArray[np.float64]:
    """Return the three times of each grid, ``(3, steps)``."""
    stamps = np.array([(g.time - EPOCH).total_seconds() for g in grids])
    leads = np.array([g.lead_minutes for g in grids], dtype="f8")
    return np.stack((stamps, np.round(stamps - 60 * leads, 6), leads))


def _attributes(grids: Sequence[Grid]) -> Attributes:
    """Return the attributes on which all grids agree, in a fixed order, and the sources of all."""
    shared = dict(sorted(grids[0].attributes.items()))
    for grid in grids[1:]:
        shared = {k: v for k, v in shared.items() if grid.attributes.get(k) == v}
    if taken := RESERVED & set(shared):
        raise DataError(f"a grid's attributes may not be called {', '.join(sorted(taken))}")
    # A composite's source is a list of its radars: each stands once, whichever frames it is in.
    sources = dict.fromkeys(name for grid in grids for name in grid.source.split(", ") if name)
    shared |= {"source": ", ".join(sources)} if sources else {}
    # -0.0 and 0.0 are one key of the headers that are remembered, so they are one in the file
    return tuple((k, type(v), v + 0.0 if isinstance(v, float) else v) for k, v in shared.items())


def _stored(grid: Grid) -> NDArray[Any]:
    return _pack(grid) if grid.quantity == "reflectivity" else grid.values


def _pack(grid: Grid) -> NDArray[np.uint8]:
    """Return reflectivity as bytes; 255 where the status says that there is no value."""
    within = np.clip(grid.values, OFFSET, OFFSET + SCALE * np.float32(FILL - 1))
    # Rounds to even as NumPy does, in one pass; what it makes of NaN is replaced.
    packed = np.asarray(
        cv2.convertScaleAbs(within, alpha=float(1 / SCALE), beta=float(-OFFSET / SCALE)), dtype="u1"
    )
    # A plain number: compared with a member of an enumeration NumPy takes ten times as long.
    np.copyto(packed, FILL, where=grid.status >= np.uint8(Cell.MISSING))
    return packed


def _decode(file: Any, path: str) -> list[Grid]:
    quantity = next((q for q in QUANTITIES if q.encode() in file), None)
    if quantity is None:
        raise DataError(f"{path}: holds no variable {' or '.join(map(repr, QUANTITIES))}")
    status = _read(file, "cell_status", path)
    values = _read(file, quantity, path)
    if values.shape != status.shape or values.ndim not in (2, 3):
        raise DataError(f"{path}: {quantity!r} is {values.shape}, 'cell_status' is {status.shape}")
    if status.size and status.max() > max(Cell):
        raise DataError(f"{path}: 'cell_status' holds {status.max()}, expected 0..{max(Cell):d}")
    stamps, leads = (np.atleast_1d(_read(file, n, path)) for n in ("time", "lead_minutes"))
    layers = values.reshape(-1, *values.shape[-2:])
    if not len(stamps) == len(leads) == len(layers):
        raise DataError(f"{path}: {len(layers)} fields, {len(stamps)} in 'time', {len(leads)} leads")
    times = np.stack((stamps, stamps, leads))
    geometry, attributes = _read_geometry(file, path), _read_attributes(file)
    return _grids(quantity, times, layers, status.reshape(layers.shape), geometry, attributes)


def _grids(
    quantity: str,
    times: NDArray[np.float64],
    layers: NDArray[Any],
    status: NDArray[np.uint8],
    geometry: Geometry,
    attributes: Mapping[str, str | float],
) -> list[Grid]:
    """Make grids of what a file holds; the layers ``(steps, ny, nx)`` may still be packed."""
    if layers.dtype == np.uint8:
        layers = cv2.LUT(layers.reshape(-1, layers.shape[-1]), DECODE).reshape(layers.shape)
    own = {name: value for name, value in attributes.items() if name not in RESERVED}
    source = str(attributes.get("source", ""))
    return [
        Grid(
            layer, flags, geometry, EPOCH + timedelta(seconds=float(stamp)), quantity, float(lead), source, own
        )
        for layer, flags, stamp, lead in zip(layers, status, times[0], times[2], strict=True)
    ]  # fmt: skip


def _read(file: Any, name: str, path: str) -> NDArray[Any]:
    from h5py import h5d, h5s

    try:
        dataset = h5d.open(file, name.encode())
        array = np.empty(dataset.shape, dataset.dtype)
        if not (len(dataset.shape) >= 2 and read_chunks(dataset, array)):
            dataset.read(h5s.ALL, h5s.ALL, array)
    except KeyError as error:
        raise DataError(f"{path}: holds no variable {name!r}; dynamo's own grid files do") from error
    except OSError as error:
        raise DataError(f"{path}: variable {name!r} is damaged: {error}") from error
    return array


def _read_attributes(file: Any) -> dict[str, str | float]:
    """Return the single strings and numbers among the attributes of the whole file."""
    from h5py import h5a

    found: dict[str, str | float] = {}
    for number in range(h5a.get_num_attrs(file)):
        attribute = h5a.open(file, index=number)
        data = _attribute(attribute)
        if data.dtype.kind in "Sfiu" and data.size == 1:
            found[attribute.name.decode()] = _plain(data.item())
    return found


def _attribute(attribute: Any) -> NDArray[Any]:
    data = np.empty(attribute.shape, attribute.dtype)
    attribute.read(data)
    return data


def _plain(value: Any) -> str | float:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _read_geometry(file: Any, path: str) -> Geometry:
    from h5py import h5a, h5d

    y, x = (_read(file, n, path) for n in (("lat", "lon") if b"lat" in file else ("y", "x")))
    try:
        crs = h5d.open(file, b"crs")
    except KeyError as error:
        raise DataError(f"{path}: holds no variable 'crs'; dynamo's own grid files do") from error
    try:
        dx, dy = _attribute(h5a.open(crs, b"steps")).tolist()
        text = _plain(_attribute(h5a.open(crs, b"proj_text")).item())
        return _geometry(y.tobytes(), x.tobytes(), dy, dx, str(text))
    except KeyError as error:
        raise DataError(
            f"{path}: variable 'crs' lacks an attribute of dynamo's own grid files: {error}"
        ) from error
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


@lru_cache(maxsize=64)
def _geometry(y_bytes: bytes, x_bytes: bytes, dy: float, dx: float, crs: str) -> Geometry:
    """Return the geometry to the last bit where the recorded steps still fit, else from the coordinates.

    They do not fit where another program has cut or thinned the file.
    """
    y, x = np.frombuffer(y_bytes), np.frombuffer(x_bytes)
    if dx > 0 > dy and y.size and x.size:
        exact = Geometry(float(x[0]), float(y[0]), dx, dy, x.size, y.size, crs)
        if np.array_equal(exact.x, x) and np.array_equal(exact.y, y):
            return exact
    return Geometry.from_coordinates(x, y, crs)
