"""What a reader of radar files must hold, and the grids that it returns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from dynamo.errors import DataError
from dynamo.radar.grid import Cell, Grid
from dynamo.radar.quantities import QUANTITIES
from dynamo.radar.readers import Reader
from dynamo.radar.readers.source import head

__all__ = ["check_grid", "check_reader"]

#: Where a file is cut to see whether the reader notices: parts of its length.
CUTS = (0.02, 0.3, 0.6)


def check_grid(grid: Grid) -> None:
    """Check that values and status of a grid tell the same, and that its time and place can be used."""
    floor = QUANTITIES[grid.quantity].floor
    echo, undetect = grid.status == Cell.ECHO, grid.status == Cell.UNDETECT
    assert set(np.unique(grid.status)) <= set(Cell), "status holds values that no `Cell` has"
    assert np.isfinite(grid.values[echo]).all(), "an echo has no value"
    assert (grid.values[undetect] == floor).all(), f"an undetected cell is not at the floor, {floor:g}"
    assert np.isnan(grid.values[~grid.known]).all(), "a missing or unobserved cell has a value"
    assert grid.values.dtype == np.float32, f"values are {grid.values.dtype}, not float32"
    assert grid.time.utcoffset() == timedelta(0), "the time is not UTC"
    lon, lat = grid.geometry.lonlat(np.array([0.0]), np.array([0.0]))
    assert -180 <= lon[0] <= 360, f"the north-west cell lies at longitude {lon[0]:g}"
    assert -90 <= lat[0] <= 90, f"the north-west cell lies at latitude {lat[0]:g}"


def check_reader(reader: Reader, good: Path, *, others: Sequence[Path] = ()) -> None:
    """Check that a reader knows its files, reads them alike each time, and names a damaged one.

    Parameters
    ----------
    reader
        The reader.
    good
        A file that it reads.
    others
        Files of other formats, which it must not take for its own.
    """
    assert reader.sniff(good, head(good)), f"{reader.name} does not know {good}"
    for other in others:
        assert not reader.sniff(other, head(other)), f"{reader.name} takes {other} for its own"
    grids, again = reader.read(good, None), reader.read(good, None)
    assert grids, f"{reader.name} finds no grid in {good}"
    for one, two in zip(grids, again, strict=True):
        check_grid(one)
        assert np.array_equal(one.values, two.values, equal_nan=True), "reading twice gives different values"
    data = good.read_bytes()
    with TemporaryDirectory() as folder:
        for cut in CUTS:
            broken = Path(folder) / good.name
            broken.write_bytes(data[: int(len(data) * cut)])
            try:
                reader.read(broken, None)
            except DataError:
                continue
            raise AssertionError(f"{reader.name} reads {cut:.0%} of {good.name} as if it were whole")
