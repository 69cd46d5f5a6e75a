"""NetCDF grids after the CF conventions, and dynamo's own product files.

Taken is the first variable with a known standard name, or with a known name; coordinates may run either way;
a projection must be named by ``grid_mapping``. A fill value or NaN is "missing"; where the long name or the
comment says that the fill means "no echo", it is "nothing detected". A rain rate of 0 is "nothing detected".

CF has no word for the end of the range: without ``cell_status`` no cell is out of range, and what a radar
cannot see is what the fill is. A variable ``cell_status`` with dynamo's flags tells all kinds and overrides
the above.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dynamo.radar.grid import Cell, Geometry, Grid
from dynamo.radar.readers import Reader
from dynamo.radar.readers.source import HDF5, hdf5_names, netcdf, numbers, wrong

if TYPE_CHECKING:
    import netCDF4
    from numpy.typing import NDArray

__all__ = ["reader"]

# Unit, in lower case without spaces, to the quantity and the factor to its own unit
UNITS = {
    "dbz": ("reflectivity", 1.0),
    "dbze": ("reflectivity", 1.0),
    "mmh-1": ("rain_rate", 1.0),
    "mm/h": ("rain_rate", 1.0),
    "mm/hr": ("rain_rate", 1.0),
    "mmhr-1": ("rain_rate", 1.0),
    "kgm-2s-1": ("rain_rate", 3600.0),
    "mms-1": ("rain_rate", 3600.0),
    "ms-1": ("rain_rate", 3.6e6),
}
STANDARD_NAMES = {
    "equivalent_reflectivity_factor",
    "lwe_precipitation_rate",
    "rainfall_rate",
    "rainfall_flux",
    "precipitation_flux",
}
NAMES = ("reflectivity", "dbz", "dbzh", "rain_rate", "rainrate", "rainfall_rate", "precipitation_rate")
UNWRITTEN = 1e30  # NetCDF's own fill for floats that were never written is 9.97e36
NO_ECHO = re.compile(r"fill\w*\s*=\s*no echo", re.IGNORECASE)

# The European composite, of which crops without a projection are passed around
OPERA = "+proj=laea +lat_0=55.0 +lon_0=10.0 +x_0=1950000.0 +y_0=-2100000.0 +units=m +ellps=WGS84"
OPERA_CROP = re.compile(r"crop rows (\d+):\d+ cols (\d+):")


def _sniff(_path: Path, head: bytes) -> bool:
    return head.startswith((b"CDF\x01", b"CDF\x02", b"CDF\x05", HDF5))


def _read(path: Path, _geometry: Geometry | None) -> list[Grid]:
    with path.open("rb") as file:
        plain = file.read(8) == HDF5
    if plain and {"forecast_reference_time", "cell_status", "crs"} <= hdf5_names(path):
        from dynamo.radar.netcdf import read_frames

        return read_frames(path)
    with netcdf(path) as dataset:
        return _grids(path, dataset)


def _grids(path: Path, dataset: netCDF4.Dataset) -> list[Grid]:
    field, quantity, factor = _field(path, dataset)
    stored = numbers(path, dataset, field.name)
    if stored.ndim < 2 or stored.size == 0:
        raise wrong(
            path, f"variable {field.name!r} is {stored.shape}, expected (time, lat, lon) or (lat, lon)"
        )
    geometry, flip = _place(path, dataset, field)
    steps = stored.reshape(-1, *stored.shape[-2:])[(slice(None), *flip)]
    times, leads = _times(path, dataset, field, len(steps))
    flags = None
    if "cell_status" in dataset.variables:
        flags = numbers(path, dataset, "cell_status").reshape(stored.shape)
        flags = flags.reshape(-1, *stored.shape[-2:])[(slice(None), *flip)]
    source = str(getattr(dataset, "source", ""))
    grids = []
    for i, layer in enumerate(steps):
        values, undetect = _values(layer, field, quantity, factor)
        outside = None
        if flags is not None:
            undetect, outside = flags[i] == Cell.UNDETECT, flags[i] == Cell.OUT_OF_RANGE
            values[flags[i] == Cell.MISSING] = np.nan
        grids.append(
            Grid.from_values(
                values, geometry, times[i], undetect=undetect, out_of_range=outside, quantity=quantity,
                lead_minutes=leads[i], source=source,
            )
        )  # fmt: skip
    return grids


def _field(path: Path, dataset: netCDF4.Dataset) -> tuple[Any, str, float]:
    """Return the variable to read, the quantity that it is, and the factor to that quantity's unit."""
    gridded = {n: v for n, v in dataset.variables.items() if v.ndim >= 2}
    named = [v for v in gridded.values() if getattr(v, "standard_name", "") in STANDARD_NAMES]
    named += [gridded[n] for n in sorted(gridded, key=str.lower) if n.lower() in NAMES]
    if not named:
        known = ", ".join(gridded) or ", ".join(dataset.variables) or "none"
        raise wrong(
            path,
            f"no variable 'reflectivity' or 'rain_rate', by name or CF standard name; there are: {known}",
        )
    field = named[0]
    units = str(getattr(field, "units", ""))
    key = re.sub(r"[\s*.^]", "", units.lower())
    if key not in UNITS:
        expected = "dBZ, mm h-1, kg m-2 s-1 or m s-1"
        raise wrong(path, f"variable {field.name!r} is in {units!r}, expected {expected}")
    return field, *UNITS[key]


def _values(
    layer: NDArray[Any], field: Any, quantity: str, factor: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the numbers of one step in the quantity's unit, and where the file says "nothing detected"."""
    fills = [getattr(field, n) for n in ("_FillValue", "missing_value") if n in field.ncattrs()]
    empty = np.zeros(layer.shape, bool)
    for fill in fills:
        empty |= np.isin(layer, fill)
        if np.asarray(fill).dtype.kind == "f" and np.isnan(fill).any():
            empty |= np.isnan(layer)
    scale, offset = getattr(field, "scale_factor", 1.0), getattr(field, "add_offset", 0.0)
    values = (layer * np.float32(scale * factor) + np.float32(offset * factor)).astype("f4")
    values[empty | (np.abs(values) > UNWRITTEN)] = np.nan
    undetect = values == 0 if quantity == "rain_rate" else np.zeros(layer.shape, bool)
    if NO_ECHO.search(f"{getattr(field, 'long_name', '')} {getattr(field, 'comment', '')}"):
        undetect |= empty
    return values, undetect


def _place(path: Path, dataset: netCDF4.Dataset, field: Any) -> tuple[Geometry, tuple[slice, slice]]:
    """Return the geometry, and the slices that bring rows north to south and columns west to east."""
    if field.dimensions[-1] in {"range", "gate"}:
        raise wrong(path, f"variable {field.name!r} is a polar sweep (CfRadial?), expected a grid")
    axes, units = [], []
    for dimension in field.dimensions[-2:]:
        axis = numbers(path, dataset, dimension).astype("f8")
        axes.append(axis)
        units.append(str(getattr(dataset[dimension], "units", "")).lower())
    y, x = axes
    if units[1].startswith("degree"):
        x = (x + 180) % 360 - 180 if x.size and x[0] > 180 else x
    backwards = slice(None, None, -1)
    flips = (
        backwards if y.size > 1 and y[0] < y[-1] else slice(None),
        backwards if x.size > 1 and x[0] > x[-1] else slice(None),
    )
    y, x = y[flips[0]], x[flips[1]]
    metres = 1000.0 if units[1] in ("km", "kilometers", "kilometres") else 1.0
    crs, shift = _crs(path, dataset, field, units[1])
    geometry = Geometry.from_coordinates(x * metres + shift[0], y * metres + shift[1], crs)
    return geometry, flips


def _crs(path: Path, dataset: netCDF4.Dataset, field: Any, units: str) -> tuple[str, tuple[float, float]]:
    """Return the CRS, and what is to be added to x and y (for crops of the European composite only)."""
    name = str(getattr(field, "grid_mapping", ""))
    if units.startswith("degree"):
        return "EPSG:4326", (0.0, 0.0)
    source = str(getattr(dataset, "source", ""))
    if name in dataset.variables:
        import pyproj

        mapping = dataset[name]
        attributes = {n: mapping.getncattr(n) for n in mapping.ncattrs()}
        if text := attributes.get("proj_text") or attributes.get("crs_wkt"):
            return str(text), (0.0, 0.0)
        try:
            return pyproj.CRS.from_cf(attributes).to_wkt(), (0.0, 0.0)
        except (pyproj.exceptions.CRSError, KeyError) as error:
            raise wrong(path, f"grid_mapping {name!r} is not understood: {error}") from error
    if "OPERA" in source:
        crop = OPERA_CROP.search(source)
        row, column = (int(crop[1]), int(crop[2])) if crop else (0, 0)
        return OPERA, ((column + 0.5) * 1000.0, -(row + 0.5) * 1000.0) if crop else (0.0, 0.0)
    raise wrong(
        path,
        f"variable {field.name!r} lies on projected coordinates ({units or 'no unit'}) but names no "
        "'grid_mapping'; add one with the attribute 'crs_wkt'",
    )


def _times(
    path: Path, dataset: netCDF4.Dataset, field: Any, steps: int
) -> tuple[list[datetime], list[float]]:
    """Return the valid times and, where the file knows a reference time, the lead times in minutes."""
    valid = _stamps(path, dataset, "time")
    if len(valid) != steps:
        raise wrong(path, f"variable {field.name!r} has {steps} steps, 'time' has {len(valid)}")
    if "forecast_reference_time" not in dataset.variables:
        return valid, [0.0] * steps
    start = _stamps(path, dataset, "forecast_reference_time")
    starts = start * steps if len(start) == 1 else start
    return valid, [(t - s).total_seconds() / 60 for t, s in zip(valid, starts, strict=True)]


def _stamps(path: Path, dataset: netCDF4.Dataset, name: str) -> list[datetime]:
    import netCDF4

    values = np.atleast_1d(numbers(path, dataset, name))
    units = str(getattr(dataset[name], "units", ""))
    calendar = str(getattr(dataset[name], "calendar", "standard"))
    try:
        dates = netCDF4.num2date(
            values, units, calendar, only_use_cftime_datetimes=False, only_use_python_datetimes=True
        )
    except (ValueError, TypeError, OverflowError) as error:
        raise wrong(path, f"variable {name!r} in {units!r} is not a time: {error}") from error
    return [date.replace(tzinfo=UTC) for date in np.ravel(np.asarray(dates))]


reader = Reader("cf", "CF NetCDF grid", _sniff, _read)
