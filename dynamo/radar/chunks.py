"""The chunks of a variable of a NetCDF-4 file: whole rows, deflated and inflated by ISA-L, past HDF5's own filter.

An h5py low-level dataset and an array enter. ISA-L is about four times as fast as the zlib that HDF5 uses, and
packs no worse. Only `dynamo.radar.netcdf` uses this. What is damaged or stored in another way is left to HDF5,
which then reads it or says what is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["read_chunks", "write_chunks"]

DEFLATE = 1  # HDF5's number for this filter


def write_chunks(dataset: Any, place: tuple[int, ...], array: NDArray[Any]) -> None:
    """Deflate and store ``(ny, nx)`` in chunks of whole rows; the last is padded, as HDF5 wants it."""
    from isal import isal_zlib

    rows = dataset.get_create_plist().get_chunk()[-2]
    for row in range(0, len(array), rows):
        block = np.ascontiguousarray(array[row : row + rows])
        if len(block) < rows:
            block = np.pad(block, ((0, rows - len(block)), (0, 0)))
        dataset.write_direct_chunk((*place, row, 0), isal_zlib.compress(block, 1))


def read_chunks(dataset: Any, array: NDArray[Any]) -> bool:
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
