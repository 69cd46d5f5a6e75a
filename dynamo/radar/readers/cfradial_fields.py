"""The fields of a CfRadial file: which there are, and their values for the rays of one sweep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dynamo.radar.moments import MOMENTS
from dynamo.radar.readers.cfradial_rays import Rays
from dynamo.radar.readers.moment_names import chosen
from dynamo.radar.readers.packed import is_code, unpack
from dynamo.radar.readers.source import text, wrong

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Field", "fields_of"]

TOWARDS = "radial_velocity_of_scatterers_toward_instrument"
RAYS = ("time", "azimuth", "n_points")


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """A moment of one sweep: its values, and where nothing was detected, both ``(nray, ngate)``."""

    values: NDArray[np.float32]
    undetect: NDArray[np.bool_]

    @property
    def has_values(self) -> bool:
        """Whether any gate has a value."""
        return bool(np.isfinite(self.values).any())


def fields_of(
    path: Path, parts: Sequence[Rays], names: tuple[str, ...] | None, *, others: Sequence[Rays] = ()
) -> list[dict[str, Field]]:
    """Return for each sweep the moments that it has of those named, or of all.

    A variable of all sweeps is read once, for it may be compressed as a whole. Of `others`, the further sweeps of the
    file, nothing is decoded unless it says whether a moment was measured at all.
    """
    tables = {rays: _tables(rays) for rays in (*parts, *others)}
    which = {rays: chosen(table, names, _standard(table)) for rays, table in tables.items()}
    found: dict[Rays, dict[str, Field]] = {rays: {} for rays in parts}
    for moment in MOMENTS:
        stored: dict[int, NDArray[Any]] = {}
        having = {rays: tables[rays][called[moment]] for rays, called in which.items() if moment in called}
        for rays in parts:
            if rays in having:
                found[rays][moment] = _decoded(path, rays, having[rays], stored)
        if moment != "reflectivity":
            elsewhere = (_decoded(path, rays, having[rays], stored) for rays in others if rays in having)
            _drop_unmeasured(moment, list(found.values()), elsewhere)
    return list(found.values())


def _drop_unmeasured(moment: str, found: Sequence[dict[str, Field]], elsewhere: Iterable[Field]) -> None:
    """Leave out a moment where a sweep has no value of it, if another sweep has."""
    held = [fields[moment].has_values for fields in found if moment in fields]
    if not all(held) and (any(held) or any(field.has_values for field in elsewhere)):
        for fields in found:
            if moment in fields and not fields[moment].has_values:
                del fields[moment]


def _tables(rays: Rays) -> dict[str, Any]:
    """Return the variables that hold a value for each gate: a table of rays and gates, or the row ``n_points``."""
    return {
        name: variable
        for name, variable in rays.scope.variables.items()
        if variable.dtype != str and (variable.dimensions == ("n_points",) or _is_table(variable))
    }


def _standard(table: Mapping[str, Any]) -> dict[str, str]:
    return {name: text(getattr(variable, "standard_name", "")) for name, variable in table.items()}


def _is_table(variable: Any) -> bool:
    return variable.ndim == 2 and variable.dimensions[0] in RAYS and variable.dtype.kind in "uif"


def _decoded(path: Path, rays: Rays, variable: Any, stored: dict[int, NDArray[Any]]) -> Field:
    """Return a variable for the rays of a sweep; what is `stored` in it is read where no other sweep did."""
    if id(variable) not in stored:
        stored[id(variable)] = np.asarray(variable[...])
    said = {name: variable.getncattr(name) for name in variable.ncattrs()}
    raw, beyond = _raw(path, rays, variable, stored[id(variable)])
    size = raw.dtype.itemsize
    unsigned = raw.dtype.kind == "i" and text(said.get("_Unsigned", "")).lower() == "true"
    if unsigned:  # NetCDF-3 has no such numbers
        raw = raw.view(raw.dtype.str.replace("i", "u"))

    def codes(*names: str) -> list[float]:
        found = [float(code) for name in names if name in said for code in np.ravel(said[name])]
        return [code % (1 << 8 * size) for code in found] if unsigned else found

    fills = codes("_FillValue", "missing_value")
    nothing = codes("_Undetect") or fills
    scale, offset = (float(np.ravel(said.get(n, d))[0]) for n, d in (("scale_factor", 1), ("add_offset", 0)))
    never = [] if unsigned or "_FillValue" in said else _unwritten(raw)
    values = unpack(raw, scale, offset, [*fills, *nothing, *never])
    if text(said.get("standard_name", "")) == TOWARDS:
        np.negative(values, out=values)
    undetect = np.zeros(raw.shape, bool)
    for code in nothing:
        undetect |= is_code(raw, code)
    if beyond is not None:
        values[beyond], undetect[beyond] = np.nan, False
    return Field(values, undetect)


def _unwritten(raw: NDArray[Any]) -> list[float]:
    """Return what NetCDF puts where nothing was written and no fill is said; for bytes there is no such value."""
    from netCDF4 import default_fillvals

    return [float(default_fillvals[raw.dtype.str[1:]])] if raw.dtype.kind in "iu" and raw.itemsize > 1 else []


def _raw(
    path: Path, rays: Rays, variable: Any, stored: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """Return the stored values of a sweep as a table, and where that table is beyond the end of a ray."""
    if variable.dimensions != ("n_points",):
        return stored[rays.part], None
    counts, starts = rays.per_ray("ray_n_gates"), rays.per_ray("ray_start_index")
    if counts is None or starts is None:
        raise wrong(
            path, f"{variable.name!r} is a row of points, but there is no 'ray_n_gates', 'ray_start_index'"
        )
    counts, starts = counts.astype("i8"), starts.astype("i8")
    ends = starts + counts
    if counts.min() < 0 or starts.min() < 0 or ends.max() > stored.size:
        raise wrong(
            path, f"variable {variable.name!r} has {stored.size} points, its rays end at {ends.max()}"
        )
    gate = np.arange(int(counts.max()))
    beyond = gate >= counts[:, None]
    return stored[np.where(beyond, 0, starts[:, None] + gate)], beyond if beyond.any() else None
