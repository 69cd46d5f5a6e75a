"""WDSS-II latitude/longitude grids, dense and sparse, and CASA's forecasts, which hold all their steps.

Dimensions are Lat, Lon, and for a forecast Steps (one a minute from the time of the file); a sparse grid has
runs of equal values instead. Global attributes say where and when: Latitude and Longitude of the north-west
corner (the outer corner of its cell), LatGridSpacing, LonGridSpacing, Time in seconds since 1970.

Codes: MissingData (-99900) is "nothing above the threshold", -99901 range-folded (missing), -99903 no
coverage (out of range), as in the tables by which NSSL turns WDSS-II grids into MRMS ones (w2Missing,
w2NoCoverage).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dynamo.radar.grid import Geometry, Grid
from dynamo.radar.readers.source import attribute, numbers, wrong

if TYPE_CHECKING:
    import netCDF4
    from numpy.typing import NDArray

__all__ = ["is_latlongrid", "read_latlongrid"]

NO_COVERAGE = -99903.0
NO_CODE = -900.0  # no reflectivity is lower, all codes are
FORECAST = "PredictedReflectivity"


def is_latlongrid(head: bytes) -> bool:
    """Say whether the header of a NetCDF-3 file is that of such a grid."""
    return b"LatGridSpacing" in head and b"LonGridSpacing" in head


def read_latlongrid(path: Path, dataset: netCDF4.Dataset) -> list[Grid]:
    """Return all grids of an open file.

    Raises
    ------
    DataError
        An attribute or variable is missing, or the reflectivity is not in dBZ.
    """
    about = {name: dataset.getncattr(name) for name in dataset.ncattrs()}
    name = _variable(path, dataset, about)
    geometry, start = _place(path, dataset, about)
    missing = float(about.get("MissingData", -99900.0))
    forecast = name == FORECAST or "Steps" in dataset.dimensions
    grids = []
    for step, layer in enumerate(_layers(path, dataset, name, geometry, missing)):
        values, undetect, outside = _masks(layer.astype("f4"), missing)
        lead = float(step) if forecast else 0.0
        grids.append(
            Grid.from_values(
                values,
                geometry,
                start + timedelta(minutes=lead),
                undetect=undetect,
                out_of_range=outside,
                lead_minutes=lead,
                source=name,
            )
        )
    return grids


def _variable(path: Path, dataset: netCDF4.Dataset, about: dict[str, Any]) -> str:
    """Return the name of the field: the forecast, the one the file says it is, or one in dBZ."""
    named = [FORECAST, str(about.get("TypeName", ""))]
    in_dbz = [n for n, v in dataset.variables.items() if _units(v) == "dbz"]
    name = next((n for n in (*named, *in_dbz) if n in dataset.variables), None)
    if name is None:
        raise wrong(
            path,
            f"no variable {FORECAST!r} nor another in dBZ; "
            f"there are: {', '.join(dataset.variables) or 'none'}",
        )
    if _units(dataset[name]) not in ("", "dbz"):
        raise wrong(path, f"variable {name!r} is in {_units(dataset[name])!r}, expected dBZ")
    for dimension in ("Lat", "Lon"):
        if dimension not in dataset.dimensions:
            raise wrong(path, f"no dimension {dimension!r}; there are: {', '.join(dataset.dimensions)}")
    return name


def _place(path: Path, dataset: netCDF4.Dataset, about: dict[str, Any]) -> tuple[Geometry, datetime]:
    """Return where the cells lie, and the time of the file."""

    def number(name: str) -> float:
        return float(attribute(path, "the file", about, name))

    ny, nx = (len(dataset.dimensions[d]) for d in ("Lat", "Lon"))
    dy, dx = number("LatGridSpacing"), number("LonGridSpacing")
    geometry = Geometry(number("Longitude") + dx / 2, number("Latitude") - dy / 2, dx, -dy, nx, ny)
    fraction = timedelta(seconds=float(about.get("FractionalTime", 0)))
    return geometry, datetime.fromtimestamp(number("Time"), UTC) + fraction


def _layers(
    path: Path, dataset: netCDF4.Dataset, name: str, geometry: Geometry, missing: float
) -> NDArray[Any]:
    """Return the field as it is stored, ``(steps, ny, nx)``."""
    if "pixel" in dataset.dimensions:
        return _unfold(path, dataset, name, geometry, missing)[np.newaxis]
    stored = numbers(path, dataset, name)
    if stored.shape[-2:] != geometry.shape or stored.ndim > 3:
        raise wrong(path, f"variable {name!r} is {stored.shape}, expected (Steps, Lat, Lon) or (Lat, Lon)")
    return stored.reshape(-1, *geometry.shape)


def _units(variable: Any) -> str:
    return str(getattr(variable, "units", getattr(variable, "Units", ""))).lower()


def _unfold(
    path: Path, dataset: netCDF4.Dataset, name: str, geometry: Geometry, missing: float
) -> NDArray[np.float32]:
    """Return a sparse grid in full: each run starts at (pixel_x row, pixel_y column) and goes on eastwards.

    Raises
    ------
    DataError
        A run lies outside the grid.
    """
    field = dataset[name]
    background = float(getattr(field, "BackgroundValue", missing))
    values = np.full(geometry.ny * geometry.nx, background, dtype="f4")
    rows, columns = (numbers(path, dataset, n).astype(np.intp) for n in ("pixel_x", "pixel_y"))
    counts = numbers(path, dataset, "pixel_count").astype(np.intp)
    runs = numbers(path, dataset, name).astype("f4")
    start = rows * geometry.nx + columns
    if runs.size and (
        min(rows.min(), columns.min(), counts.min()) < 0 or (start + counts).max() > values.size
    ):
        raise wrong(path, f"variable {name!r}: a run of 'pixel_x', 'pixel_y', 'pixel_count' leaves the grid")
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    values[np.repeat(start, counts) + within] = np.repeat(runs, counts)
    return values.reshape(geometry.shape)


def _masks(
    values: NDArray[np.float32], missing: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the values without codes, where nothing was detected, and what is out of range."""
    undetect, outside = (np.isclose(values, code, rtol=0, atol=0.1) for code in (missing, NO_COVERAGE))
    return np.where(values < NO_CODE, np.float32(np.nan), values), undetect, outside
