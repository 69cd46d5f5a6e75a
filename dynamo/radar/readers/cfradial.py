"""CfRadial: sweeps of one radar in NetCDF, versions 1.x (one dimension of rays) and 2 (a group a sweep).

Format: Dixon et al., CfRadial data file format, NCAR, versions 1.3 to 1.5 and 2.0. Sweeps are the rays from
``sweep_start_ray_index`` to ``sweep_end_ray_index``; gates lie in a table of ``(time, range)`` or, where rays are
of different lengths, in a row of ``n_points`` with ``ray_n_gates`` and ``ray_start_index``. A range is that of a
gate's centre.

A fill is nothing detected, for the format has no other word for it: a radar looks at every gate of its own sweep.
What was never written, NetCDF's own fill where a field names none, is a gate without a value.
Where a field has ``_Undetect``, that is nothing detected and the fill a gate without a value. NaN is a gate without
a value, unless it is itself the fill. A moment other than reflectivity of which a sweep has no value, while another
sweep of the file has, was not measured in that sweep: a table of all sweeps has a place for it all the same. Rays
that were measured while the antenna moved on, and scans through the vertical (RHI), for which `Sweep` has no place,
are left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dynamo.radar.grid import Geometry, Grid
from dynamo.radar.polar import Sweep, default_geometry, to_grid
from dynamo.radar.readers import Reader
from dynamo.radar.readers.cfradial_fields import Field, fields_of
from dynamo.radar.readers.cfradial_rays import Rays, rays_of
from dynamo.radar.readers.polarfile import VERTICAL, lowest, table
from dynamo.radar.readers.source import HDF5, hdf5_names, netcdf, wrong

__all__ = ["reader"]


def _sniff(path: Path, head: bytes) -> bool:
    if head.startswith(b"CDF"):
        return (
            b"sweep_start_ray_index" in head or b"cf/radial" in head.lower() or b"cf-radial" in head.lower()
        )
    if not head.startswith(HDF5):
        return False
    names = hdf5_names(path)
    return {"azimuth", "elevation", "time", "range"} <= names or "sweep_group_name" in names


def _moments(path: Path, names: tuple[str, ...] | None, highest: float = math.inf) -> list[Sweep]:
    with netcdf(path) as dataset:
        parts = rays_of(path, dataset)
        if not parts:
            raise wrong(path, VERTICAL)
        low = [rays for rays in parts if rays.elevation <= highest]
        fields = fields_of(path, low, names, others=[rays for rays in parts if rays not in low])
        sweeps = (_sweep(path, rays, moments) for rays, moments in zip(low, fields, strict=True))
        return [sweep for sweep in sweeps if sweep is not None]


def _sweep(path: Path, rays: Rays, fields: Mapping[str, Field]) -> Sweep | None:
    """Return one sweep of these moments, or None where it has none of them, or too few rays or gates."""
    ngates = max((field.values.shape[1] for field in fields.values()), default=0)
    if ngates < 2:
        return None
    undetect = (
        fields["reflectivity"].undetect if "reflectivity" in fields else np.zeros((rays.count, 0), bool)
    )
    return Sweep(
        azimuths=rays.azimuths[rays.keep],
        ranges=rays.ranges(path, ngates),
        elevation=rays.elevation,
        moments={name: table(field.values, rays.keep, ngates, np.nan) for name, field in fields.items()},
        undetect=table(undetect, rays.keep, ngates, beyond=False),
        latitude=rays.place(path, "latitude"),
        longitude=rays.place(path, "longitude"),
        altitude=rays.altitude,
        time=rays.time(path),
        radar=rays.radar,
        nyquist=rays.nyquist,
        wavelength=rays.wavelength,
    )


def _sweeps(path: Path) -> list[Sweep]:
    sweeps = _moments(path, ("reflectivity",))
    if not sweeps:
        raise wrong(path, "holds no sweep with reflectivity")
    return [lowest(sweeps)]


def _read(path: Path, geometry: Geometry | None) -> list[Grid]:
    (sweep,) = _sweeps(path)
    return [to_grid(sweep, geometry or default_geometry([sweep]))]


reader = Reader("cfradial", "CfRadial sweeps", _sniff, _read, _sweeps, _moments, _moments)
