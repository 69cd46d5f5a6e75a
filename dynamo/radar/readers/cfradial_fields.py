"""The fields of a CfRadial file: which there are, and their values for the rays of one sweep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dynamo.radar.readers.cfradial_rays import Rays
from dynamo.radar.readers.packed import is_code, unpack
from dynamo.radar.readers.source import text, wrong

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Fields", "decoded"]

TOWARDS = "radial_velocity_of_scatterers_toward_instrument"
RAYS = ("time", "azimuth", "n_points")


@dataclass(frozen=True, slots=True)
class Fields:
    """The variables that hold a value for each gate, and their standard names."""

    variables: Mapping[str, Any]
    standard: Mapping[str, str]

    @classmethod
    def of(cls, rays: Rays) -> Fields:
        """Return the fields of a sweep: a table of rays and gates, or the row ``n_points``."""
        variables = {
            name: variable
            for name, variable in rays.scope.variables.items()
            if variable.dtype != str and (variable.dimensions == ("n_points",) or _is_table(variable))
        }
        standard = {n: text(getattr(v, "standard_name", "")) for n, v in variables.items()}
        return cls(variables, standard)


def _is_table(variable: Any) -> bool:
    return variable.ndim == 2 and variable.dimensions[0] in RAYS and variable.dtype.kind in "uif"


def decoded(path: Path, rays: Rays, variable: Any) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the values of a field for the rays of a sweep, ``(nray, ngate)``, and where nothing was detected.

    Raises
    ------
    DataError
        The row of gates is shorter than its indices say.
    """
    said = {name: variable.getncattr(name) for name in variable.ncattrs()}
    fills = [float(f) for n in ("_FillValue", "missing_value") if n in said for f in np.ravel(said[n])]
    raw, beyond = _raw(path, rays, variable)
    nothing = [float(np.ravel(said["_Undetect"])[0])] if "_Undetect" in said else fills
    scale, offset = (float(np.ravel(said.get(n, d))[0]) for n, d in (("scale_factor", 1), ("add_offset", 0)))
    values = unpack(raw, scale, offset, [*fills, *nothing])
    if text(said.get("standard_name", "")) == TOWARDS:
        np.negative(values, out=values)
    undetect = np.zeros(raw.shape, bool)
    for code in nothing:
        undetect |= is_code(raw, code)
    if beyond is not None:
        values[beyond], undetect[beyond] = np.nan, False
    return values, undetect


def _raw(path: Path, rays: Rays, variable: Any) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """Return the stored values of a sweep as a table, and where that table is beyond the end of a ray."""
    if variable.dimensions != ("n_points",):
        return np.asarray(variable[rays.part]), None
    counts, starts = rays.per_ray("ray_n_gates"), rays.per_ray("ray_start_index")
    if counts is None or starts is None:
        raise wrong(
            path,
            f"variable {variable.name!r} has points, but there is no 'ray_n_gates' and 'ray_start_index'",
        )
    counts, starts = counts.astype("i8"), starts.astype("i8")
    ends = starts + counts
    if counts.min() < 0 or starts.min() < 0 or ends.max() > variable.size:
        raise wrong(
            path, f"variable {variable.name!r} has {variable.size} points, its rays end at {ends.max()}"
        )
    first, ngates = int(starts.min()), int(counts.max())
    row = np.asarray(variable[first : int(ends.max())])
    if (counts == ngates).all() and (np.diff(starts) == ngates).all():
        return row.reshape(-1, ngates), None
    gate = np.arange(ngates)
    beyond = gate >= counts[:, None]
    return row[np.where(beyond, 0, (starts - first)[:, None] + gate)], beyond
