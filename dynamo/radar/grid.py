"""The one internal form of gridded radar data: values, what each cell is, where it lies, when it was.

Three kinds of "no number" are kept apart, because they mean different things to the people below them:

* ``UNDETECT``: the radar looked and found nothing above its threshold (it does not rain);
* ``MISSING``: inside the range of a radar, but no usable value (blocked, rejected, lost);
* ``OUT_OF_RANGE``: no radar looks there.

`Grid` is plain NumPy, so that a worker need not import xarray (0.5 s) to read a frame; `Grid.to_xarray` and
`Grid.from_xarray` exchange it as a CF dataset.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import IntEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from dynamo.errors import DataError
from dynamo.radar.quantities import QUANTITIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyproj
    import xarray as xr
    from numpy.typing import NDArray

__all__ = ["Cell", "Geometry", "Grid", "projection"]


class Cell(IntEnum):
    """What a cell is; the values of the CF flag variable ``cell_status``."""

    ECHO = 0
    UNDETECT = 1
    MISSING = 2
    OUT_OF_RANGE = 3


@lru_cache(maxsize=64)
def projection(text: str) -> pyproj.CRS:
    """Return the coordinate reference system of this name, PROJ string or WKT."""
    import pyproj

    return pyproj.CRS.from_user_input(text)


@lru_cache(maxsize=64)
def _to_wgs84(text: str) -> pyproj.Transformer:
    import pyproj

    return pyproj.Transformer.from_crs(projection(text), "EPSG:4326", always_xy=True)


@dataclass(frozen=True, slots=True)
class Geometry:
    """A regular grid: row 0 is the northernmost, column 0 the westernmost.

    Parameters
    ----------
    x0, y0
        Centre of the north-west cell, in degrees (east, north) or metres of `crs`.
    dx, dy
        Steps to the next column and row; ``dx > 0`` and ``dy < 0``.
    nx, ny
        Number of columns and rows.
    crs
        ``"EPSG:4326"`` for longitude/latitude, or anything that PROJ reads.
    """

    x0: float
    y0: float
    dx: float
    dy: float
    nx: int
    ny: int
    crs: str = "EPSG:4326"

    def __post_init__(self) -> None:
        # What is equal is stored in equal bytes: 1000 as 1000.0, and -0.0 as 0.0.
        for name in ("x0", "y0", "dx", "dy"):
            object.__setattr__(self, name, float(getattr(self, name)) + 0.0)
        if not (self.dx > 0 and self.dy < 0 and self.nx > 0 and self.ny > 0):
            msg = f"not a north-up grid: dx={self.dx}, dy={self.dy}, nx={self.nx}, ny={self.ny}"
            raise DataError(msg)

    @classmethod
    def from_coordinates(
        cls, x: NDArray[np.floating[Any]], y: NDArray[np.floating[Any]], crs: str = "EPSG:4326"
    ) -> Geometry:
        """Make a geometry from cell-centre coordinates ``x (nx,)`` rising and ``y (ny,)`` falling.

        Raises `DataError` where they are not regular within a hundredth of a cell.
        """
        x, y = np.asarray(x, dtype="f8"), np.asarray(y, dtype="f8")
        if x.size < 2 or y.size < 2:
            raise DataError(f"a grid needs at least 2 x 2 cells, not {y.size} x {x.size}")
        dx, dy = float(x[-1] - x[0]) / (x.size - 1), float(y[-1] - y[0]) / (y.size - 1)
        for name, axis, step in (("x", x, dx), ("y", y, dy)):
            off = np.abs(axis - (axis[0] + step * np.arange(axis.size))).max()
            if not off <= 0.01 * abs(step):
                raise DataError(f"the {name} coordinates are not evenly spaced (off by up to {off:g})")
        return cls(float(x[0]), float(y[0]), dx, dy, int(x.size), int(y.size), crs)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, ``(ny, nx)``."""
        return self.ny, self.nx

    @property
    def is_geographic(self) -> bool:
        """Whether `x` and `y` are degrees of longitude and latitude."""
        return self.crs == "EPSG:4326" or bool(projection(self.crs).is_geographic)

    @property
    def x(self) -> NDArray[np.float64]:
        """Cell-centre x, ``(nx,)``, degrees east or metres, rising."""
        return self.x0 + self.dx * np.arange(self.nx, dtype="f8")

    @property
    def y(self) -> NDArray[np.float64]:
        """Cell-centre y, ``(ny,)``, degrees north or metres, falling."""
        return self.y0 + self.dy * np.arange(self.ny, dtype="f8")

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Outer cell edges in the grid's own coordinates: ``(west, south, east, north)``."""
        north = self.y0 - self.dy / 2
        west = self.x0 - self.dx / 2
        return west, north + self.dy * self.ny, west + self.dx * self.nx, north

    def lonlat(
        self, column: NDArray[np.floating[Any]], row: NDArray[np.floating[Any]]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Longitude and latitude (WGS 84 degrees) of fractional cell indices; cell centres are whole."""
        x = self.x0 + self.dx * np.asarray(column, dtype="f8")
        y = self.y0 + self.dy * np.asarray(row, dtype="f8")
        if self.is_geographic:
            return x, y
        lon, lat = _to_wgs84(self.crs).transform(x, y)
        return np.asarray(lon), np.asarray(lat)

    def indices(
        self, lon: NDArray[np.floating[Any]], lat: NDArray[np.floating[Any]]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Fractional ``(column, row)`` of WGS 84 points; outside the grid they lie outside ``0..n-1``."""
        if self.is_geographic:
            x, y = np.asarray(lon, dtype="f8"), np.asarray(lat, dtype="f8")
        else:
            east, north = _to_wgs84(self.crs).transform(lon, lat, direction="INVERSE")
            x, y = np.asarray(east), np.asarray(north)
        return (x - self.x0) / self.dx, (y - self.y0) / self.dy

    def cell_size_km(self) -> tuple[float, float]:
        """Width and height of the middle cell in km (spherical earth, 6371 km, for degrees)."""
        if not self.is_geographic:
            return self.dx / 1000, -self.dy / 1000
        per_degree = np.pi * 6371.0 / 180
        middle = self.y0 + self.dy * (self.ny - 1) / 2
        return float(self.dx * per_degree * np.cos(np.radians(middle))), float(-self.dy * per_degree)

    def difference(self, other: Geometry) -> str:
        """Say in words how `other` differs from this geometry; empty where they are the same grid."""
        if self.shape != other.shape:
            return f"{other.ny} x {other.nx} cells instead of {self.ny} x {self.nx}"
        if self.crs != other.crs:
            return f"CRS {other.crs!r} instead of {self.crs!r}"
        apart = max(
            abs(a - b) / abs(step)
            for a, b, step in zip(other.extent, self.extent, (self.dx, self.dy) * 2, strict=True)
        )
        return "" if apart <= 0.05 else f"shifted or stretched by up to {apart:.2g} cells"


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """One field at one time.

    Parameters
    ----------
    values
        ``(ny, nx)`` float32: the value where `status` is ``ECHO``, the quantity's floor where it is
        ``UNDETECT``, NaN elsewhere.
    status
        ``(ny, nx)`` uint8 of `Cell`.
    geometry
        Where the cells lie.
    time
        Valid time, aware, UTC.
    quantity
        A name of `dynamo.radar.quantities.QUANTITIES`.
    lead_minutes
        Minutes from the analysis to `time`; 0 for an observation.
    source
        Who or what made it, for people.
    """

    values: NDArray[np.float32]
    status: NDArray[np.uint8]
    geometry: Geometry
    time: datetime
    quantity: str = "reflectivity"
    lead_minutes: float = 0.0
    source: str = ""
    attributes: Mapping[str, str | float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.values.shape != self.geometry.shape or self.status.shape != self.geometry.shape:
            raise DataError(
                f"values {self.values.shape} and status {self.status.shape} do not fit a grid of "
                f"{self.geometry.shape}"
            )
        if self.quantity not in QUANTITIES:
            raise DataError(f"unknown quantity {self.quantity!r}; known are {', '.join(QUANTITIES)}")
        if self.time.tzinfo is None:
            raise DataError("a grid's time must be aware (UTC)")

    @classmethod
    def from_values(
        cls,
        values: NDArray[np.floating[Any]],
        geometry: Geometry,
        time: datetime,
        *,
        undetect: NDArray[np.bool_] | None = None,
        out_of_range: NDArray[np.bool_] | None = None,
        quantity: str = "reflectivity",
        **more: Any,
    ) -> Grid:
        """Make a grid from an array with NaN where there is no value, and masks that say why.

        NaN cells (also infinite ones) are ``MISSING`` unless a mask says otherwise; ``out_of_range`` wins.
        """
        values = np.array(values, dtype="f4")
        # Plain bytes: with members of an enumeration NumPy works on 64-bit integers, ten times as long.
        echo, nothing, missing = (np.uint8(c) for c in (Cell.ECHO, Cell.UNDETECT, Cell.MISSING))
        status = np.where(np.isfinite(values), echo, missing)
        if undetect is not None:
            status[undetect] = nothing
        if out_of_range is not None:
            status[out_of_range] = Cell.OUT_OF_RANGE
        np.copyto(values, np.float32(QUANTITIES[quantity].floor), where=status == nothing)
        np.copyto(values, np.float32(np.nan), where=status >= missing)
        return cls(values, status, geometry, time, quantity, **more)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Where something was observed: an echo, or surely none."""
        return self.status <= np.uint8(Cell.UNDETECT)

    def with_time(self, time: datetime) -> Grid:
        """Return the same field at another time."""
        return replace(self, time=time)

    def to_xarray(self) -> xr.Dataset:
        """Return a CF-1.10 dataset with the field, ``cell_status``, the coordinates and the CRS."""
        from dynamo.radar.cf_dataset import to_dataset

        return to_dataset(self)

    @classmethod
    def from_xarray(cls, dataset: xr.Dataset) -> Grid:
        """Read back what `to_xarray` made (or a dataset of the same names); raises `DataError`."""
        from dynamo.radar.cf_dataset import from_dataset

        return from_dataset(dataset)
