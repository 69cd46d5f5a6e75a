"""Files of the CASA network: polar NetCDF sweeps of one X-band radar, and WDSS-II latitude/longitude grids.

A sweep is recognised by its dimensions Radial and Gate, a grid by its spacing attributes (see `latlongrid`).

In a sweep ranges are in the unit that their attribute names (millimetres, in all that were seen), rays are
in any order, one whose azimuth is a fill or NaN is left out, and a gate without a usable signal has -99900 or -9999,
or at one radar a reflectivity below -30 dBZ. The files do not tell why there is no signal: it is taken as "nothing
detected", which at X band it also looks like behind a storm so strong that it swallows the beam. Before the first
gate and beyond the last it is out of range; between rays that lie apart, or where a value is NaN, it is missing.

Quality control: a gate with rho_hv of 0.75 or less is not weather alone. The power of weather and of clutter
add up, so the weather in such a gate is not stronger than what was measured: below 10 dBZ (a tenth of a
millimetre per hour) the gate becomes "nothing detected"; from there on weather may hide in it, and it becomes
"missing". In a composite another radar that sees the place then decides. `read_sweeps` rejects no gate by rho_hv
(see `casa_moments`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dynamo.radar.grid import Geometry, Grid
from dynamo.radar.polar import Sweep, default_geometry, to_grid
from dynamo.radar.readers import Reader
from dynamo.radar.readers.casa_moments import measured, nyquist
from dynamo.radar.readers.latlongrid import is_latlongrid, read_latlongrid
from dynamo.radar.readers.polarfile import VERTICAL, is_around, table, wavelength_of
from dynamo.radar.readers.source import HDF5, attribute, hdf5_names, netcdf, numbers, wrong

if TYPE_CHECKING:
    import netCDF4
    from numpy.typing import NDArray

__all__ = ["reader"]

NO_SIGNAL = -30.0  # dBZ
MIN_RHO_HV = 0.75
NEGLIGIBLE = 10.0  # dBZ
FULL_TURN = 360.0
METRES = {"millimeters": 1e-3, "meters": 1.0, "kilometers": 1e3}


def _sniff(path: Path, head: bytes) -> bool:
    if head.startswith(b"CDF"):
        # the header of NetCDF-3 comes first: names of dimensions, then global attributes
        return (b"Radial" in head and b"Gate" in head) or is_latlongrid(head)
    return head.startswith(HDF5) and bool({"Gate", "LatGridSpacing"} & hdf5_names(path))


def _read(path: Path, geometry: Geometry | None) -> list[Grid]:
    with netcdf(path) as dataset:
        if "LatGridSpacing" in dataset.ncattrs():
            return read_latlongrid(path, dataset)
        sweep = _sweep(path, dataset)
    return [to_grid(sweep, geometry or default_geometry([sweep]))]


def _sweeps(path: Path) -> list[Sweep]:
    with netcdf(path) as dataset:
        return [_sweep(path, dataset)]


def _moments(path: Path, names: tuple[str, ...] | None) -> list[Sweep]:
    with netcdf(path) as dataset:
        if "LatGridSpacing" in dataset.ncattrs():
            raise wrong(path, "is a WDSS-II grid and holds no sweeps of a radar")
        reflectivity = _reflectivity(path, dataset)
        moments = measured(path, dataset, reflectivity, names)
        undetect = reflectivity < NO_SIGNAL
        if names is not None and "reflectivity" not in names:
            undetect = np.zeros_like(undetect)
        return [_placed(path, dataset, moments, undetect)]


def _sweep(path: Path, dataset: netCDF4.Dataset) -> Sweep:
    """Return the sweep of a file after quality control."""
    reflectivity = _reflectivity(path, dataset)
    undetect = reflectivity < NO_SIGNAL
    if "CrossPolCorrelation" in dataset.variables:
        rejected = ~undetect & ~(numbers(path, dataset, "CrossPolCorrelation") > MIN_RHO_HV)
        undetect |= rejected & (reflectivity < NEGLIGIBLE)
        reflectivity[rejected] = np.nan
    reflectivity[undetect] = np.nan
    return _placed(path, dataset, {"reflectivity": reflectivity}, undetect)


def _reflectivity(path: Path, dataset: netCDF4.Dataset) -> NDArray[np.float32]:
    """Return reflectivity as it is stored, in dBZ."""
    reflectivity = numbers(path, dataset, "Reflectivity")
    units = str(getattr(dataset["Reflectivity"], "Units", "dBZ"))
    if units.lower() != "dbz":
        raise wrong(path, f"variable 'Reflectivity' is in {units!r}, expected dBZ")
    return reflectivity.astype("f4")


def _placed(
    path: Path,
    dataset: netCDF4.Dataset,
    moments: Mapping[str, NDArray[np.float32]],
    undetect: NDArray[np.bool_],
) -> Sweep:
    """Return the sweep of these moments, with when and where the file says it was measured."""
    about = {name: dataset.getncattr(name) for name in dataset.ncattrs()}
    azimuths = numbers(path, dataset, "Azimuth")
    keep = np.abs(azimuths) <= FULL_TURN  # not a fill, nor NaN
    if not keep.any():
        raise wrong(path, "variable 'Azimuth' holds no angle")
    elevations = numbers(path, dataset, "Elevation")[keep]
    if not is_around(elevations):
        raise wrong(path, VERTICAL)
    width, start = (_range(path, dataset, name, keep) for name in ("GateWidth", "StartRange"))
    times = numbers(path, dataset, "Time")[keep]
    if times.size == 0 or times.max() <= 0:
        raise wrong(path, "variable 'Time' holds no time; expected seconds since 1970")
    frequency = dataset["TxFrequency"][...] if "TxFrequency" in dataset.variables else None
    return Sweep(
        azimuths=azimuths[keep],
        ranges=start + width * (np.arange(undetect.shape[-1]) + 0.5),
        elevation=float(np.median(elevations)),
        moments={name: table(values, keep, values.shape[-1], np.nan) for name, values in moments.items()},
        undetect=table(undetect, keep, undetect.shape[-1], beyond=False),
        latitude=float(attribute(path, "the file", about, "Latitude")),
        longitude=float(attribute(path, "the file", about, "Longitude")),
        altitude=float(about.get("Height", 0.0)),
        time=datetime.fromtimestamp(float(times.max()), UTC),
        radar=str(attribute(path, "the file", about, "RadarName")),
        nyquist=nyquist(dataset, about),
        wavelength=wavelength_of(frequency),
    )


def _range(path: Path, dataset: netCDF4.Dataset, name: str, keep: NDArray[np.bool_]) -> float:
    """Return a range in m that must be the same for all rays to `keep`."""
    values: NDArray[np.float64] = numbers(path, dataset, name)[keep]
    units = str(getattr(dataset[name], "Units", "Millimeters"))
    if units.lower() not in METRES:
        raise wrong(path, f"variable {name!r} is in {units!r}, expected {', '.join(METRES)}")
    if values.size == 0 or not np.ptp(values) <= 1e-6 * abs(values[0]):
        raise wrong(path, f"variable {name!r} is not the same for all rays")
    return float(values[0]) * METRES[units.lower()]


reader = Reader("casa", "CASA sweep or WDSS-II LatLonGrid", _sniff, _read, _sweeps, _moments)
