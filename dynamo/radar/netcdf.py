"""Our own product files: NetCDF-4 after CF-1.10, one grid or a sequence on one geometry.

A `Grid` enters, a file leaves, and the other way round; equal grids give equal bytes, so that a file's
digest is stable. What can go wrong when reading is a `DataError` that names the file and the variable.

Speed matters here: a nowcast cycle writes 31 grids and reads 62. The header is made once per geometry and
only the numbers are filled in; chunks are deflated by ISA-L, about four times as fast as zlib and no larger.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from dynamo.errors import DataError
from dynamo.radar.cf_header import FILL, OFFSET, SCALE, header, set_attribute
from dynamo.radar.grid import QUANTITIES, Cell, Geometry, Grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["read_frames", "read_grid", "write_frames", "write_grid"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DEFLATE = 1  # HDF5's number for this filter
RESERVED = {"Conventions", "source"}
DECODE = (np.arange(256, dtype="f4") * SCALE + OFFSET).astype("f4")
DECODE[FILL] = np.nan


def write_grid(path: str | Path, grid: Grid) -> None:
    """Write one grid.

    Reflectivity is packed to one byte: rounded to 0.5 dB, clipped to -32..94.5 dBZ. Rain rate stays float32.
    Equal grids give equal bytes. The file does not appear atomically; that is the caller's business.

    Raises
    ------
    DataError
        An attribute of the grid has a name that the file format needs for itself.
    """
    Path(path).write_bytes(_encode([grid], steps=None))


def write_frames(path: str | Path, grids: Sequence[Grid]) -> None:
    """Write grids of one quantity and one geometry along a ``time`` dimension.

    `source` is taken from the first grid; attributes are kept where all grids agree on them.

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
    Path(path).write_bytes(_encode(grids, steps=len(grids)))


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


def _encode(grids: Sequence[Grid], steps: int | None) -> bytes:
    """Fill the numbers of `grids` into the header for their geometry."""
    from h5py import h5d, h5f, h5p

    first = grids[0]
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_fapl_core(1 << 16, False)
    access.set_file_image(header(first.geometry, first.quantity, steps))
    file = h5f.open(b"grid", h5f.ACC_RDWR, access)
    stamps = np.array([(g.time - EPOCH).total_seconds() for g in grids])
    leads = np.array([g.lead_minutes for g in grids], dtype="f8")
    _write_numbers(file, "time", stamps)
    _write_numbers(file, "forecast_reference_time", np.round(stamps - 60 * leads, 6))
    _write_numbers(file, "lead_minutes", leads)
    for key, value in _attributes(grids).items():
        set_attribute(file, key, value)
    values = h5d.open(file, first.quantity.encode())
    status = h5d.open(file, b"cell_status")
    for step, grid in enumerate(grids):
        place = () if steps is None else (step,)
        _write_chunks(values, place, _pack(grid) if first.quantity == "reflectivity" else grid.values)
        _write_chunks(status, place, grid.status)
    h5f.flush(file)
    return bytes(file.get_file_image())


def _attributes(grids: Sequence[Grid]) -> dict[str, str | float]:
    """Return the attributes on which all grids agree, in a fixed order, and the source."""
    shared = dict(sorted(grids[0].attributes.items()))
    for grid in grids[1:]:
        shared = {k: v for k, v in shared.items() if grid.attributes.get(k) == v}
    if taken := RESERVED & set(shared):
        raise DataError(f"a grid's attributes may not be called {', '.join(sorted(taken))}")
    return shared | ({"source": grids[0].source} if grids[0].source else {})


def _pack(grid: Grid) -> NDArray[np.uint8]:
    """Return reflectivity as bytes; 255 where the status says that there is no value."""
    scaled = (grid.values - OFFSET) / SCALE
    np.rint(scaled, out=scaled)
    np.clip(scaled, 0, FILL - 1, out=scaled)
    scaled[grid.status >= Cell.MISSING] = FILL
    return scaled.astype("u1")


def _write_numbers(file: Any, name: str, numbers: NDArray[np.float64]) -> None:
    from h5py import h5d, h5s

    dataset = h5d.open(file, name.encode())
    dataset.write(h5s.ALL, h5s.ALL, numbers.reshape(dataset.shape))


def _write_chunks(dataset: Any, place: tuple[int, ...], array: NDArray[Any]) -> None:
    """Deflate and store ``(ny, nx)`` in chunks of whole rows; the last is padded, as HDF5 wants it."""
    from isal import isal_zlib

    rows = dataset.get_create_plist().get_chunk()[-2]
    for row in range(0, len(array), rows):
        block = np.ascontiguousarray(array[row : row + rows])
        if len(block) < rows:
            block = np.pad(block, ((0, rows - len(block)), (0, 0)))
        dataset.write_direct_chunk((*place, row, 0), isal_zlib.compress(block, 1))


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
    if values.dtype == np.uint8:
        values = cv2.LUT(values.reshape(-1, values.shape[-1]), DECODE).reshape(values.shape)
    stamps, leads = (np.atleast_1d(_read(file, n, path)) for n in ("time", "lead_minutes"))
    layers = values.reshape(-1, *values.shape[-2:])
    if not len(stamps) == len(leads) == len(layers):
        raise DataError(f"{path}: {len(layers)} fields, {len(stamps)} in 'time', {len(leads)} leads")
    geometry = _read_geometry(file, path)
    attributes = _read_attributes(file)
    attributes.pop("Conventions", None)
    source = str(attributes.pop("source", ""))
    return [
        Grid(
            layer, flags, geometry, EPOCH + timedelta(seconds=float(stamp)), quantity, float(lead),
            source, attributes,
        )
        for layer, flags, stamp, lead in zip(
            layers, status.reshape(layers.shape), stamps, leads, strict=True
        )
    ]  # fmt: skip


def _read(file: Any, name: str, path: str) -> NDArray[Any]:
    from h5py import h5d, h5s

    try:
        dataset = h5d.open(file, name.encode())
        array = np.empty(dataset.shape, dataset.dtype)
        if not (len(dataset.shape) >= 2 and _read_chunks(dataset, array)):
            dataset.read(h5s.ALL, h5s.ALL, array)
    except KeyError as error:
        raise DataError(f"{path}: holds no variable {name!r}; dynamo's own grid files do") from error
    except OSError as error:
        raise DataError(f"{path}: variable {name!r} is damaged: {error}") from error
    return array


def _read_chunks(dataset: Any, array: NDArray[Any]) -> bool:
    """Inflate chunks of whole rows with ISA-L into `array`; False where they are not as we write them."""
    from isal import isal_zlib

    plan = dataset.get_create_plist()
    chunk: tuple[int, ...] = (0,)
    if plan.get_nfilters() == 1 and plan.get_filter(0)[0] == DEFLATE:
        chunk = plan.get_chunk()
    if chunk[-1] != array.shape[-1] or chunk[:-2] not in ((), (1,)):
        return False
    layers = array.reshape(-1, *array.shape[-2:])
    for step, layer in enumerate(layers):
        for row in range(0, len(layer), chunk[-2]):
            place = (step, row, 0)[-array.ndim :]
            try:
                raw = isal_zlib.decompress(dataset.read_direct_chunk(place)[1])
            except (OSError, RuntimeError, isal_zlib.error):  # type: ignore[misc]  # stub: an instance
                return False  # HDF5 itself then says what is wrong
            block = np.frombuffer(raw, array.dtype)
            if block.size != chunk[-2] * chunk[-1]:
                return False
            rows = layer[row : row + chunk[-2]]
            rows[...] = block.reshape(chunk[-2:])[: len(rows)]
    return True


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
