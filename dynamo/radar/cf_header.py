"""The CF-1.10 header of a product file: a whole NetCDF-4 file in memory that lacks only the numbers.

A geometry, a quantity, a number of steps and attributes enter; the bytes of an HDF5 file leave, made once for
each and remembered. Only `dynamo.radar.netcdf` uses this. Making a header costs 10-30 ms in any HDF5 binding,
which is why it is not made again for every grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from dynamo.radar.grid import Cell, Geometry
from dynamo.radar.quantities import QUANTITIES

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "FILL",
    "OFFSET",
    "SCALE",
    "TIMES",
    "Attributes",
    "Header",
    "header",
    "open_image",
    "set_attribute",
]

# Reflectivity is stored as one byte: -32 to 95 dBZ in steps of 0.5; 255 where there is no value.
SCALE, OFFSET, FILL = np.float32(0.5), np.float32(-32.0), np.uint8(255)

CHUNK_BYTES = 4_000_000

# HDF5 takes two files in memory for one where they have one name.
_NUMBERS = count()

#: The variables of one float64 a step.
TIMES = ("time", "forecast_reference_time", "lead_minutes")

#: Name, type and value of each; the type, because 1 and 1.0 are one key of a cache and two attributes of a file.
Attributes = tuple[tuple[str, type, str | float], ...]

# What pyproj says of EPSG:4326, without the 0.1 s that asking it costs a new process.
WGS84: Mapping[str, str | float] = {
    "grid_mapping_name": "latitude_longitude",
    "semi_major_axis": 6378137.0,
    "inverse_flattening": 298.257223563,
    "longitude_of_prime_meridian": 0.0,
    "crs_wkt": (
        'GEOGCRS["WGS 84",DATUM["World Geodetic System 1984",ELLIPSOID["WGS 84",6378137,298.257223563,'
        'LENGTHUNIT["metre",1]]],PRIMEM["Greenwich",0,ANGLEUNIT["degree",0.0174532925199433]],'
        'CS[ellipsoidal,2],AXIS["geodetic latitude (Lat)",north,ORDER[1],'
        'ANGLEUNIT["degree",0.0174532925199433]],AXIS["geodetic longitude (Lon)",east,ORDER[2],'
        'ANGLEUNIT["degree",0.0174532925199433]],ID["EPSG",4326]]'
    ),
}


@dataclass(frozen=True, slots=True)
class Header:
    """A file without its numbers: its bytes, and at which of them the numbers of each of `TIMES` stand."""

    image: bytes
    times: tuple[int, ...]


def header(geometry: Geometry, quantity: str, steps: int | None, attributes: Attributes) -> Header:
    """Return a complete file for `quantity` on `geometry` whose numbers are still to be filled in.

    Parameters
    ----------
    geometry
        Where the cells lie.
    quantity
        A name of `QUANTITIES`.
    steps
        Length of the ``time`` dimension; None for a single grid with a scalar time.
    attributes
        Of the whole file.
    """
    return _with_attributes(_header(geometry, quantity, steps), attributes)


@lru_cache(maxsize=16)
def _with_attributes(head: Header, attributes: Attributes) -> Header:
    """Add attributes of the whole file: apart from the rest, because they may differ from cycle to cycle."""
    from h5py import h5f

    file = open_image(head.image)
    for name, _, value in attributes:
        set_attribute(file, name, value)
    h5f.flush(file)
    return Header(bytes(file.get_file_image()), head.times)


@lru_cache(maxsize=16)
def _header(geometry: Geometry, quantity: str, steps: int | None) -> Header:
    import h5py

    with h5py.File(
        f"header {next(_NUMBERS)}",
        "w",
        driver="core",
        backing_store=False,
        libver=("v108", "v108"),
        track_order=True,
    ) as file:
        set_attribute(file.id, "Conventions", "CF-1.10")
        _add_times(file, steps)
        dimensions = _add_axes(file, geometry, steps)
        crs = file.create_dataset("crs", data=np.int32(0))
        # the steps themselves, because they cannot be had back to the last bit from the coordinates
        _describe(crs, _grid_mapping(geometry.crs) | {"steps": np.array([geometry.dx, geometry.dy])})
        times = "forecast_reference_time lead_minutes"
        common = {"grid_mapping": "crs", "coordinates": times if steps else f"time {times}"}
        _add_field(file, dimensions, quantity, _field_attributes(quantity) | common)
        flags = {
            "standard_name": "status_flag",
            "long_name": "what a cell is",
            "flag_values": np.array(list(Cell), dtype="u1"),
            "flag_meanings": " ".join(c.name.lower() for c in Cell),
        }
        _add_field(file, dimensions, "cell_status", flags | common)
        file.flush()
        return Header(bytes(file.id.get_file_image()), tuple(file[name].id.get_offset() for name in TIMES))


def open_image(image: bytes) -> Any:
    """Open the bytes of a file as an HDF5 file in memory (h5py's low-level `FileID`)."""
    from h5py import h5f, h5p

    access = h5p.create(h5p.FILE_ACCESS)
    access.set_fapl_core(1 << 16, False)
    access.set_file_image(image)
    return h5f.open(b"image %d" % next(_NUMBERS), h5f.ACC_RDWR, access)


def set_attribute(place: Any, name: str, value: Any) -> None:
    """Write one attribute at an h5py low-level `place`: a fixed-length string, a number or numbers.

    Fixed-length strings, because variable ones go through HDF5's global heap, which is slower and whose
    unused bytes need not be the same twice.
    """
    from h5py import h5a, h5s, h5t

    if isinstance(value, str):
        text = value.encode() or b"\0"
        kind, data = h5t.C_S1.copy(), np.array(text, dtype=f"S{len(text)}")
        kind.set_size(len(text))
        kind.set_cset(h5t.CSET_UTF8)
        shape = h5s.create(h5s.SCALAR)
    else:
        data = np.atleast_1d(np.asarray(value))
        kind, shape = h5t.py_create(data.dtype), h5s.create_simple(data.shape)
    h5a.create(place, name.encode(), kind, shape).write(data, mtype=kind)


def _describe(dataset: Any, attributes: Mapping[str, Any]) -> None:
    for name, value in attributes.items():
        set_attribute(dataset.id, name, value)


def _add_times(file: Any, steps: int | None) -> None:
    """Add the three times: scalars, or along a ``time`` dimension."""
    since = {"units": "seconds since 1970-01-01 00:00:00", "calendar": "standard"}
    described: tuple[dict[str, str], ...] = (
        {"standard_name": "time", "long_name": "valid time", **since},
        {"standard_name": "forecast_reference_time", **since},
        # "min", not "minutes": xarray would turn the latter into a time span
        {"standard_name": "forecast_period", "units": "min"},
    )
    for name, attributes in zip(TIMES, described, strict=True):
        dataset = file.create_dataset(name, data=np.zeros(() if steps is None else steps))
        _describe(dataset, attributes)
        if steps is not None and name == "time":
            set_attribute(dataset.id, "axis", "T")
            dataset.make_scale("time")
        elif steps is not None:
            dataset.dims[0].attach_scale(file["time"])


def _add_axes(file: Any, geometry: Geometry, steps: int | None) -> tuple[str, ...]:
    """Add the two coordinates and return the names of all dimensions, outermost first."""
    if geometry.is_geographic:
        names = ("lat", "lon")
        said = ("latitude", "longitude")
        units = ("degrees_north", "degrees_east")
    else:
        names = ("y", "x")
        said = ("projection_y_coordinate", "projection_x_coordinate")
        units = ("m", "m")
    centres = geometry.y, geometry.x
    for i, axis in enumerate("YX"):
        dataset = file.create_dataset(names[i], data=centres[i])
        _describe(dataset, {"standard_name": said[i], "units": units[i], "axis": axis})
        dataset.make_scale(names[i])
    return names if steps is None else ("time", *names)


def _grid_mapping(crs: str) -> dict[str, Any]:
    """Return the CF attributes of a CRS; ``proj_text`` is the text the geometry was made with."""
    if crs == "EPSG:4326":
        mapping: dict[str, Any] = dict(WGS84)
    else:
        import pyproj

        mapping = pyproj.CRS.from_user_input(crs).to_cf()
    return {k: v for k, v in mapping.items() if v not in ("", None)} | {"proj_text": crs}


def _field_attributes(quantity: str) -> dict[str, Any]:
    q = QUANTITIES[quantity]
    if quantity == "reflectivity":
        packing: dict[str, Any] = {"_FillValue": FILL, "scale_factor": SCALE, "add_offset": OFFSET}
    else:
        packing = {"_FillValue": np.float32(np.nan)}
    return packing | {
        **({"standard_name": q.standard_name} if q.standard_name else {}),
        "long_name": q.long_name,
        "units": q.units,
        "ancillary_variables": "cell_status",
    }


def _add_field(file: Any, dimensions: tuple[str, ...], name: str, attributes: Mapping[str, Any]) -> None:
    """Add a deflated variable in chunks of whole rows, up to `CHUNK_BYTES` each."""
    kind = np.dtype("u1" if name in {"reflectivity", "cell_status"} else "f4")
    shape = tuple(file[d].shape[0] for d in dimensions)
    ny, nx = shape[-2:]
    rows = min(ny, max(1, CHUNK_BYTES // (nx * kind.itemsize)))
    dataset = file.create_dataset(
        name,
        shape,
        kind,
        chunks=(*(1 for _ in shape[:-2]), rows, nx),
        compression="gzip",
        compression_opts=1,
        fillvalue=attributes.get("_FillValue"),
    )
    _describe(dataset, attributes)
    for i, dimension in enumerate(dimensions):
        dataset.dims[i].attach_scale(file[dimension])
