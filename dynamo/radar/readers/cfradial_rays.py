"""The rays of the sweeps of a CfRadial file: where they are in it, where they look, when they were measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dynamo.radar.readers.polarfile import is_around, usual, wavelength_of
from dynamo.radar.readers.source import numbers, text, wrong

if TYPE_CHECKING:
    import netCDF4
    from numpy.typing import NDArray

__all__ = ["Rays", "rays_of"]

NOT_AROUND = ("rhi", "elevation_surveillance", "sun", "idle", "calibration")
KILOMETRES = ("km", "kilometer", "kilometers", "kilometre", "kilometres")
NAMELESS = ("none", "unknown", "n/a", "nan", "missing")


@dataclass(frozen=True, slots=True, eq=False)
class Rays:
    """The rays of one sweep.

    Parameters
    ----------
    root, scope
        The file, and what holds the variables of the sweep: the file itself, or a group of it (CfRadial 2).
    part
        Which rays of the scope.
    number
        Of the sweep in the file.
    azimuths, elevations
        ``(nray,)`` degrees, NaN where the file has none.
    keep
        ``(nray,)``: which rays can be used.
    """

    root: netCDF4.Dataset
    scope: Any
    part: slice
    number: int
    azimuths: NDArray[np.float64]
    elevations: NDArray[np.float64]
    keep: NDArray[np.bool_]

    @property
    def count(self) -> int:
        """Number of rays, also those that cannot be used."""
        return self.azimuths.size

    def variable(self, *names: str) -> Any:
        """Return the first variable of these names, of the sweep or of the whole file, or None."""
        for holder in (self.scope, self.root):
            for name in names:
                if name in holder.variables:
                    return holder.variables[name]
        return None

    def per_ray(self, *names: str) -> NDArray[Any] | None:
        """Return what a variable says of these rays, or None where there is none that has a value a ray."""
        variable = self.variable(*names)
        if variable is None or variable.ndim == 0:
            return None
        values = np.asarray(variable[...])
        return values[self.part] if len(values) >= self.part.stop else values

    @property
    def elevation(self) -> float:
        """Degrees: the angle that was ordered, unless the antenna was elsewhere."""
        measured = float(np.nanmedian(self.elevations[self.keep]))
        fixed = self.variable("sweep_fixed_angle", "fixed_angle")
        if fixed is None:
            return measured
        angles = np.ravel(np.asarray(fixed[...], dtype="f8"))
        if angles.size > 1:  # one a sweep
            angles = angles[self.number :]
        return float(angles[0]) if angles.size and abs(angles[0] - measured) < 1 else measured

    def ranges(self, path: Path, ngates: int) -> NDArray[np.float64]:
        """Return the ranges of the gates' centres in m."""
        first, step = self.per_ray("ray_start_range"), self.per_ray("ray_gate_spacing")
        if first is not None and step is not None and first.size == step.size == self.count:
            if np.ptp(first[self.keep]) > 1 or np.ptp(step[self.keep]) > 0.1:
                raise wrong(path, f"sweep {self.number}: rays have gates of different places or lengths")
            return float(first[self.keep][0]) + float(step[self.keep][0]) * np.arange(ngates, dtype="f8")
        stored = self.variable("range")
        if stored is None:
            raise wrong(path, "no variable 'range'")
        metres = 1000.0 if text(getattr(stored, "units", "m")).lower() in KILOMETRES else 1.0
        ranges: NDArray[np.float64] = np.asarray(stored[...], dtype="f8") * metres
        if ranges.ndim == 2:  # a row for each ray
            ranges = ranges[self.part][self.keep][0]
        if ranges.size < ngates:
            raise wrong(path, f"variable 'range' has {ranges.size} gates, a field has {ngates}")
        return ranges[:ngates]

    def place(self, path: Path, name: str) -> float:
        """Return latitude or longitude in degrees; of a radar that moves, in the middle."""
        variable = self.variable(name)
        value = None if variable is None else usual(variable[...], positive=False)
        if value is None or abs(value) > 360:
            raise wrong(path, f"no variable {name!r} that holds a number")
        return value

    @property
    def altitude(self) -> float:
        """Metres above sea level; 0 where the file does not say."""
        variable = self.variable("altitude")
        value = None if variable is None else usual(variable[...], positive=False)
        if variable is None or value is None or not -1000 < value < 20_000:
            return 0.0
        return value * (1000.0 if text(getattr(variable, "units", "m")).lower() in KILOMETRES else 1.0)

    def time(self, path: Path) -> datetime:
        """Return the end of the sweep, to the second."""
        variable, values = self.variable("time"), self.per_ray("time")
        ends = self.variable("time_coverage_end")
        if variable is None or values is None:
            raise wrong(path, "no variable 'time'")
        values = values.astype("f8")
        values = values[np.isfinite(values) & (np.abs(values) < 1e12)]
        if not values.size:
            raise wrong(path, "variable 'time' holds no time")
        last = _stamp(path, float(values.max()), text(getattr(variable, "units", "")))
        if np.ptp(values) == 0 and ends is not None and self.count == variable.size:
            # the rays do not tell when they were measured: the file does
            try:
                said = datetime.fromisoformat(text(b"".join(np.ravel(ends[...]).astype("S1"))))
            except ValueError:
                return last
            last = max(last, said if said.tzinfo else said.replace(tzinfo=UTC))
        return last

    @property
    def radar(self) -> str:
        """The name of the radar, or of its site; empty where the file has neither."""
        for name in ("instrument_name", "site_name", "radar_name", "radar", "title"):
            said = text(self.root.getncattr(name)) if name in self.root.ncattrs() else ""
            if said and said.lower() not in NAMELESS:
                return said
        return ""

    @property
    def nyquist(self) -> float | None:
        """The Nyquist velocity, m/s: of these rays, of this sweep, or of the whole file."""
        variable = self.variable("nyquist_velocity")
        if variable is None:
            return None
        values = np.ravel(np.asarray(variable[...]))
        if values.size >= self.part.stop:
            values = values[self.part]
        elif self.number < values.size > 1:
            values = values[self.number]
        return usual(values)

    @property
    def wavelength(self) -> float | None:
        """Of the radar, m."""
        variable = self.variable("frequency")
        return None if variable is None else wavelength_of(variable[...])


def rays_of(path: Path, dataset: netCDF4.Dataset) -> list[Rays]:
    """Return the rays of each sweep around the radar.

    Raises
    ------
    DataError
        There are no rays, or the indices of sweeps are not of the rays.
    """
    found = []
    for number, scope, part in _parts(path, dataset):
        azimuths, elevations = (
            _angles(numbers(path, scope, name)[part]) for name in ("azimuth", "elevation")
        )
        keep = np.isfinite(azimuths)
        if "antenna_transition" in scope.variables:
            moving = numbers(path, scope, "antenna_transition")[part] == 1
            keep &= ~moving if not moving.all() else True
        vertical = any(word in _mode(scope, number) for word in NOT_AROUND)
        if keep.sum() >= 2 and not vertical and is_around(elevations[keep]):
            found.append(Rays(dataset, scope, part, number, azimuths, elevations, keep))
    return found


def _parts(path: Path, dataset: netCDF4.Dataset) -> Iterator[tuple[int, Any, slice]]:
    """Yield for each sweep its number, what holds its variables, and which rays of it."""
    groups = [g for n, g in dataset.groups.items() if n.startswith("sweep") and "azimuth" in g.variables]
    if groups:
        named = _names(dataset.variables.get("sweep_group_name"))
        for number, group in enumerate(groups):
            at = named.index(group.name) if group.name in named else number
            yield at, group, slice(0, group.variables["azimuth"].size)
        return
    total = numbers(path, dataset, "azimuth").size
    if "sweep_start_ray_index" not in dataset.variables:
        yield 0, dataset, slice(0, total)
        return
    starts, ends = (
        np.ravel(numbers(path, dataset, f"sweep_{end}_ray_index")).astype("i8") for end in ("start", "end")
    )
    if starts.size != ends.size or (starts < 0).any() or (ends >= total).any():
        raise wrong(path, f"sweep_start_ray_index and sweep_end_ray_index do not lie in the {total} rays")
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        if end > start:
            yield number, dataset, slice(int(start), int(end) + 1)


def _names(variable: Any) -> list[str]:
    """Return the texts of a variable: strings, or rows of characters; none where it is not there."""
    if variable is None:
        return []
    values = np.asarray(variable[...])
    rows = values if values.dtype.kind == "S" and values.ndim == 2 else np.ravel(values)
    return [text(b"".join(row) if isinstance(row, np.ndarray) else row) for row in rows]


def _angles(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return angles in degrees, NaN where they are a fill."""
    angles = np.asarray(values, dtype="f8").copy()
    with np.errstate(invalid="ignore"):
        angles[~(np.abs(angles) <= 720)] = np.nan
    return angles


def _mode(scope: Any, number: int) -> str:
    """Return the mode of a sweep in lower case, "" where it is not said."""
    if "sweep_mode" not in scope.variables:
        return ""
    modes = np.asarray(scope.variables["sweep_mode"][...])
    if modes.ndim == 2:
        modes = modes[number] if number < len(modes) else modes[0]
        return text(b"".join(modes.astype("S1"))).lower()
    if modes.ndim == 1 and modes.dtype.kind in "OU" and number < modes.size:
        return text(modes[number]).lower()
    return text(modes[()] if modes.ndim == 0 else b"".join(modes.astype("S1"))).lower()


def _stamp(path: Path, value: float, units: str) -> datetime:
    import netCDF4

    try:
        date = netCDF4.num2date(
            np.array([value]), units, only_use_cftime_datetimes=False, only_use_python_datetimes=True
        )
    except (ValueError, TypeError, OverflowError) as error:
        raise wrong(path, f"variable 'time' in {units!r} is not a time: {error}") from error
    stamp: datetime = np.ravel(np.asarray(date))[0]
    return stamp.replace(microsecond=0, tzinfo=UTC)
