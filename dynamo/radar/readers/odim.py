"""ODIM HDF5 composites (OPERA and many weather services): reflectivity in dBZ or rain rate in mm h-1.

Format: Michelson et al., EUMETNET OPERA weather radar information model for implementation with the HDF5 file
format, version 2.4 (2021): ``nodata`` is where no radar looked (out of range), ``undetect`` where nothing was
detected; row 0 is north; the corner positions are the outer corners of the image.

The format has no code for a value that was lost within the range, so no cell is "missing" but one that is NaN
in a file of floats. Where one code stands for both "nodata" and "undetect", it is taken as out of range: that
it does not rain is not said where it cannot be known. A rain rate of 0 is "nothing detected".
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dynamo.radar.grid import Geometry, Grid
from dynamo.radar.readers import Reader
from dynamo.radar.readers.odimpolar import POLAR
from dynamo.radar.readers.source import HDF5, attribute, hdf5, hdf5_names, text, wrong

if TYPE_CHECKING:
    import h5py
    from numpy.typing import NDArray

__all__ = ["reader"]

# ODIM's names, the preferred one first
REFLECTIVITY = ("DBZH", "DBZV", "TH", "TV", "DBZ")
RAIN_RATE = ("RATE",)


def _sniff(path: Path, head: bytes) -> bool:
    if not head.startswith(HDF5):
        return False
    names = hdf5_names(path)
    return {"what", "where", "dataset1"} <= names and not {f"what/object={kind}" for kind in POLAR} & names


def _read(path: Path, _geometry: Geometry | None) -> list[Grid]:
    with hdf5(path) as file:
        what = _group(path, file, "what")
        kind = text(attribute(path, "what", what, "object"))
        if kind not in ("COMP", "IMAGE"):
            raise wrong(
                path,
                f"what/object is {kind!r}; only composites (COMP, IMAGE) are read here"
                + (", such a file by format='odimpolar'" if kind in POLAR else ""),
            )
        geometry = _place(path, _group(path, file, "where"))
        datasets = sorted((n for n in file if re.fullmatch(r"dataset\d+", n)), key=lambda n: int(n[7:]))
        grids = [grid for name in datasets for grid in _field(path, file, name, geometry)]
    if not grids:
        raise wrong(
            path, f"holds no quantity {' or '.join(REFLECTIVITY + RAIN_RATE)} in {', '.join(datasets)}"
        )
    return grids


def _group(path: Path, file: h5py.File, name: str) -> dict[str, Any]:
    if name not in file:
        raise wrong(path, f"holds no group {name!r}; there are: {', '.join(file)}")
    return dict(file[name].attrs)


def _field(path: Path, file: h5py.File, dataset: str, geometry: Geometry) -> list[Grid]:
    """Return the grid of one dataset, or nothing where it has no known quantity."""
    group = file[dataset]
    outer = dict(group["what"].attrs) if "what" in group else {}
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for name in group:
        if re.fullmatch(r"data\d+", name):
            what = outer | (dict(group[name]["what"].attrs) if "what" in group[name] else {})
            found.setdefault(text(what.get("quantity", "")), (f"{dataset}/{name}", what))
    quantity = next((q for q in REFLECTIVITY + RAIN_RATE if q in found), None)
    if quantity is None:
        return []
    place, what = found[quantity]
    if f"{place}/data" not in file:
        raise wrong(path, f"holds no {place}/data")
    raw = file[f"{place}/data"][...]
    if raw.shape != geometry.shape:
        raise wrong(path, f"{place}/data is {raw.shape}, 'where' describes {geometry.shape}")
    said = {
        n: float(attribute(path, f"{place}/what", what, n)) for n in ("gain", "offset", "nodata", "undetect")
    }
    values = raw.astype("f4")
    values *= np.float32(said["gain"])
    values += np.float32(said["offset"])
    undetect = _is(raw, said["undetect"])
    if quantity in RAIN_RATE:
        undetect |= values == 0
    return [
        Grid.from_values(
            values,
            geometry,
            _time(path, dict(file["what"].attrs), outer),
            undetect=undetect,
            out_of_range=_is(raw, said["nodata"]),
            quantity="rain_rate" if quantity in RAIN_RATE else "reflectivity",
            source=text(file["what"].attrs.get("source", "")),
            attributes={"product": text(outer["product"])} if "product" in outer else {},
        )
    ]


def _is(raw: NDArray[Any], code: float) -> NDArray[np.bool_]:
    """Return where the stored value is a code, which in a file of floats may be NaN."""
    return np.asarray(np.isnan(raw) if np.isnan(code) else raw == code)


def _time(path: Path, what: dict[str, Any], dataset: dict[str, Any]) -> datetime:
    """Return the nominal time of the file, which for a composite is that of all its radars."""
    day, hour = ("enddate", "endtime") if "endtime" in dataset and "date" not in what else ("date", "time")
    source = dataset if day == "enddate" else what
    stamp = text(attribute(path, "what", source, day)) + text(attribute(path, "what", source, hour))
    try:
        return datetime.strptime(stamp, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError as error:
        raise wrong(path, f"what: {day} and {hour} are {stamp!r}, expected YYYYMMDD and hhmmss") from error


def _place(path: Path, where: dict[str, Any]) -> Geometry:
    """Return the geometry, the corner in the north-west brought to a whole hundredth of a cell."""
    import pyproj

    dx, dy, lon, lat = (
        float(attribute(path, "where", where, n)) for n in ("xscale", "yscale", "UL_lon", "UL_lat")
    )
    columns, rows = (int(attribute(path, "where", where, n)) for n in ("xsize", "ysize"))
    projection = text(attribute(path, "where", where, "projdef"))
    try:
        crs = pyproj.CRS.from_user_input(projection)
        if crs.is_geographic:
            projection, x, y = "EPSG:4326", lon, lat
        else:
            x, y = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(lon, lat)
    except pyproj.exceptions.ProjError as error:
        raise wrong(path, f"where/projdef {projection!r} is not a projection: {error}") from error
    # corner positions are rounded degrees; the cells themselves lie on a whole raster
    x, y = round(x / dx, 2) * dx, round(y / dy, 2) * dy
    return Geometry(x + dx / 2, y - dy / 2, dx, -dy, columns, rows, projection)


reader = Reader("odim", "ODIM HDF5 composite", _sniff, _read)
