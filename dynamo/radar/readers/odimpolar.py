"""ODIM HDF5 sweeps and volumes of one radar (objects SCAN, AZIM, PVOL and CVOL), as many weather services send them.

Format: Michelson et al., EUMETNET OPERA weather radar information model for implementation with the HDF5 file
format, versions 2.0 to 2.4. The first gate begins at ``where/rstart``, which is in km up to version 2.3 and in m
from 2.4 on; which of the two was read is in the attribute ``rstart`` of each sweep (docs/decisions/0029). Ray ``i``
of ``n`` is centred on ``how/astart + (i + 0.5) 360/n`` degrees, ``astart`` being 0 where it is not said; in the
middle between ``how/startazA`` and ``how/stopazA``; or, of a sector, evenly from ``where/startaz`` to
``where/stopaz``, clockwise. Rays are stored from north on: ``where/a1gate`` tells which was measured first, and moves
none. The Nyquist velocity is ``how/NI``. Scans through the vertical (ELEV, or ``how/elangles`` that rise) are left out.

``undetect`` is where the radar looked and found nothing, ``nodata`` is a gate without a value. Where one code
stands for both, it is nothing detected: a radar looks at every gate of its own sweep, unlike a composite.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dynamo.radar.grid import Geometry, Grid
from dynamo.radar.polar import Sweep, default_geometry, to_grid
from dynamo.radar.readers import Reader
from dynamo.radar.readers.moment_names import chosen
from dynamo.radar.readers.packed import is_code, unpack
from dynamo.radar.readers.polarfile import VERTICAL, is_around, lowest, table, usual, wavelength_of
from dynamo.radar.readers.source import HDF5, attribute, hdf5, hdf5_names, text, wrong

if TYPE_CHECKING:
    import h5py
    from numpy.typing import NDArray

__all__ = ["reader"]

POLAR = ("SCAN", "PVOL", "CVOL", "AZIM", "ELEV")
PARTS = ("where", "how", "what")
FURTHEST_START = 30_000.0  # m: no radar is blind that far


def _sniff(path: Path, head: bytes) -> bool:
    return head.startswith(HDF5) and not {f"what/object={kind}" for kind in POLAR}.isdisjoint(
        hdf5_names(path)
    )


def _moments(path: Path, names: tuple[str, ...] | None, highest: float = math.inf) -> list[Sweep]:
    with hdf5(path) as file:
        kind = text(_attributes(file, "what").get("object", ""))
        if kind not in POLAR:
            raise wrong(
                path, f"what/object is {kind!r}; only sweeps and volumes ({', '.join(POLAR)}) are read"
            )
        datasets = sorted((n for n in file if re.fullmatch(r"dataset\d+", n)), key=lambda n: int(n[7:]))
        if not datasets:
            raise wrong(path, "holds no group 'dataset1'")
        common = {part: _attributes(file, part) for part in PARTS}
        around = [name for name in datasets if kind != "ELEV" and _is_around(file[name], common["how"])]
        if not around:
            raise wrong(path, VERTICAL)
        found = (_sweep(path, file[name], common, _version(file), names, highest) for name in around)
        return [sweep for sweep in found if sweep is not None]


def _is_around(group: h5py.Group, common: dict[str, Any]) -> bool:
    """Return whether a sweep goes around the radar, as far as its rays tell their elevations."""
    angles = np.ravel((common | _attributes(group, "how")).get("elangles", ()))
    return angles.dtype.kind not in "uif" or angles.size < 2 or is_around(angles)


def _sweep(
    path: Path,
    group: h5py.Group,
    common: Mapping[str, dict[str, Any]],
    version: tuple[int, int],
    names: tuple[str, ...] | None,
    highest: float,
) -> Sweep | None:
    """Return one sweep with the moments that it has of those named; None where it is too high, or of too few gates."""
    dataset = group.name[1:]
    where, how, what = (common[part] | _attributes(group, part) for part in PARTS)
    elevation = _number(path, f"{dataset}/where", where, "elangle")
    if elevation > highest:
        return None
    fields = _fields(group, names, what)
    read = {moment: _decoded(path, data, what) for moment, data in fields.items()}
    nrays, ngates = _shape(path, dataset, where, [values.shape for values, _ in read.values()])
    if nrays < 2 or ngates < 2:
        return None
    nothing = read["reflectivity"][1] if "reflectivity" in read else np.zeros((nrays, 0), bool)
    how |= _attributes(fields.get("velocity", next(iter(fields.values()))), "how")
    keep, azimuths = _azimuths(where, how, nrays)
    ranges, rstart = _ranges(path, dataset, where, version, ngates)
    return Sweep(
        azimuths=azimuths[keep],
        ranges=ranges,
        elevation=elevation,
        moments={moment: table(values, keep, ngates, np.nan) for moment, (values, _) in read.items()},
        undetect=table(nothing, keep, ngates, beyond=False),
        latitude=_number(path, "where", where, "lat"),
        longitude=_number(path, "where", where, "lon"),
        altitude=usual(where.get("height", 0.0), positive=False) or 0.0,
        time=_time(path, dataset, what),
        radar=_name(text(what.get("source", ""))),
        attributes={"rstart": rstart},
        nyquist=usual(how.get("NI")),
        wavelength=_wavelength(how),
    )


def _shape(
    path: Path, dataset: str, where: Mapping[str, Any], shapes: Sequence[tuple[int, ...]]
) -> tuple[int, int]:
    """Return how many rays and gates a sweep has; moments may have fewer gates, but not fewer rays."""
    if not shapes:
        return 0, 0
    nrays = int(usual(where.get("nrays"), positive=False) or shapes[0][0])
    if {shape[0] for shape in shapes} != {nrays}:
        found = ", ".join(map(str, sorted(set(shapes))))
        raise wrong(path, f"{dataset} holds arrays of {found}, expected {nrays} rays as 'where' says")
    return nrays, max(shape[1] for shape in shapes)


def _ranges(
    path: Path, dataset: str, where: Mapping[str, Any], version: tuple[int, int], ngates: int
) -> tuple[NDArray[np.float64], str]:
    """Return the ranges of the gates' centres in m, and in words how ``rstart`` was read."""
    step = _number(path, f"{dataset}/where", where, "rscale")
    if not step > 0:
        raise wrong(path, f"{dataset}/where: 'rscale' is {step:g}, expected metres above 0")
    start, reading = _start(usual(where.get("rstart", 0.0), positive=False) or 0.0, version)
    ranges: NDArray[np.float64] = start + step * (np.arange(ngates, dtype="f8") + 0.5)
    return ranges, reading


def _attributes(group: Any, name: str) -> dict[str, Any]:
    """Return the attributes of a group below, none where it is not there."""
    return dict(group[name].attrs) if name in group else {}


def _fields(group: h5py.Group, names: tuple[str, ...] | None, what: dict[str, Any]) -> dict[str, h5py.Group]:
    """Return the groups of the moments that a sweep has of those named."""
    held: dict[str, h5py.Group] = {}
    for name in sorted((n for n in group if re.fullmatch(r"data\d+", n)), key=lambda n: int(n[4:])):
        inner = group[name]["what"].attrs if "what" in group[name] else {}
        held.setdefault(text(inner.get("quantity", what.get("quantity", ""))), group[name])
    return {moment: held[quantity] for moment, quantity in chosen(held, names).items()}


def _decoded(
    path: Path, data: h5py.Group, outer: dict[str, Any]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the numbers of one quantity, and where nothing was detected."""
    if "data" not in data:
        raise wrong(path, f"holds no {data.name[1:]}/data")
    what = outer | _attributes(data, "what")
    raw = data["data"][...]
    if raw.ndim != 2 or raw.dtype.kind not in "uif":
        raise wrong(
            path, f"{data.name[1:]}/data is {raw.shape} of {raw.dtype}, expected numbers of rays and gates"
        )
    said = {n: float(np.ravel(what.get(n, default))[0]) for n, default in (("gain", 1.0), ("offset", 0.0))}
    codes = {n: float(np.ravel(what[n])[0]) for n in ("nodata", "undetect") if n in what}
    values = unpack(raw, said["gain"], said["offset"], codes.values())
    nothing = is_code(raw, codes["undetect"]) if "undetect" in codes else np.zeros(raw.shape, bool)
    return values, nothing


def _number(path: Path, place: str, attributes: Mapping[str, Any], name: str) -> float:
    value = usual(attribute(path, place, attributes, name), positive=False)
    if value is None:
        raise wrong(path, f"{place}: {name!r} is {text(attributes[name])!r}, expected a number")
    return value


def _version(file: h5py.File) -> tuple[int, int]:
    """Return the version of ODIM that a file follows; (2, 0) where it does not say."""
    for said in (_attributes(file, "what").get("version"), file.attrs.get("Conventions")):
        if said is not None and (found := re.search(r"(\d+)[._](\d+)", text(said))):
            return int(found[1]), int(found[2])
    return 2, 0


def _start(rstart: float, version: tuple[int, int]) -> tuple[float, str]:
    """Return where the first gate begins in m, and in words how ``rstart`` was read.

    Up to version 2.3 it is in km, from 2.4 on in m. A start of more than 30 km cannot be meant in km: then the writer
    has put metres.
    """
    said = f"ODIM {version[0]}.{version[1]}"
    if version >= (2, 4):
        return rstart, f"{rstart:g} m, as {said} has it"
    if rstart * 1000 > FURTHEST_START:
        return rstart, f"{rstart:g} m, for in km, as {said} has it, it cannot be"
    return rstart * 1000, f"{rstart:g} km, as {said} has it"


def _azimuths(
    where: Mapping[str, Any], how: Mapping[str, Any], nrays: int
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return which rays have an azimuth, and the azimuths of the middle of all, degrees."""
    first, last = (np.ravel(how.get(name, ())) for name in ("startazA", "stopazA"))
    if first.size == last.size == nrays and first.dtype.kind in "uif":
        # rays turn by less than half a circle, clockwise or not
        turned = (last.astype("f8") - first + 180) % 360 - 180
        middle = (first + turned / 2) % 360
        return np.isfinite(middle), middle
    begin, end = (usual(where.get(name), positive=False) for name in ("startaz", "stopaz"))
    if begin is None or end is None:
        begin = end = usual(how.get("astart"), positive=False) or 0.0
    width = (end - begin) % 360 or 360
    centred = (begin + (np.arange(nrays) + 0.5) * width / nrays) % 360
    return np.ones(nrays, bool), centred


def _time(path: Path, dataset: str, what: dict[str, Any]) -> datetime:
    """Return the end of a sweep, else its start, else the nominal time of the file."""
    said = ""
    for day, hour in (("enddate", "endtime"), ("startdate", "starttime"), ("date", "time")):
        if day in what and hour in what:
            stamp = text(what[day]) + text(what[hour])
            try:
                return datetime.strptime(stamp, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
            except ValueError:
                said = said or stamp
    raise wrong(path, f"{dataset}/what: the time is {said!r}, expected YYYYMMDD and hhmmss")


def _name(source: str) -> str:
    """Return the name of a radar: of ``what/source`` the node, else the place, else what there is."""
    said = dict(part.split(":", 1) for part in source.split(",") if ":" in part)
    return next((said[key].strip() for key in ("NOD", "PLC", "RAD", "WMO", "WIGOS") if said.get(key)), source)


def _wavelength(how: dict[str, Any]) -> float | None:
    """Return the wavelength in m from ``how/wavelength`` in cm, or ``how/frequency`` in Hz (2.4)."""
    if centimetres := usual(how.get("wavelength")):
        return centimetres / 100
    return wavelength_of(how.get("frequency"))


def _sweeps(path: Path) -> list[Sweep]:
    sweeps = _moments(path, ("reflectivity",))
    if not sweeps:
        raise wrong(path, "holds no sweep with reflectivity (DBZH, TH)")
    return [lowest(sweeps)]


def _read(path: Path, geometry: Geometry | None) -> list[Grid]:
    (sweep,) = _sweeps(path)
    return [to_grid(sweep, geometry or default_geometry([sweep]))]


reader = Reader("odimpolar", "ODIM HDF5 sweep or volume", _sniff, _read, _sweeps, _moments, _moments)
