"""The tasks of the wind: short calls of `dynamo.radar`, which is imported only when a task runs.

Enters: radar files, a registry of radars. Leaves: grids of wind speed, of single files and of all that reported.
Goes wrong: `DataError` that names the file, or says of each sweep why it could not be used.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dynamo.workflows.fault import may_pass, stand_in
from dynamo.workflows.kept import Identity, keep
from dynamo.workflows.low import low_sweeps
from dynamo.workflows.place import area_geometry

from dynamo.errors import UserError
from dynamo.graph import Input, Output, task, tell

if TYPE_CHECKING:
    from dynamo.radar.grid import Geometry, Grid
    from dynamo.radar.polar import Sweep
    from dynamo.radar.registry import Registry

__all__ = ["compose", "unfold"]


@task(memory="1 GiB", timeout="2 min", priority=10)
def unfold(
    sweep: Input,
    speeds: Output,
    *,
    radars: Input | None = None,
    area: Sequence[float] | None = None,
    cells: Sequence[int] | None = None,
    highest: float = 5.0,
    band: Sequence[float] = (200.0, 600.0),
    above: Literal["sea", "radar"] = "sea",
    bounds: Sequence[float] = (0.0, 38.0),
    smooth: Sequence[float] = (3, 400.0),
    apart: float = 5.0,
    min_reflectivity: float = 5.0,
    min_correlation: float = 0.8,
    min_quality: float = 0.2,
    skip_damaged: bool = True,
) -> None:
    """Unfold the velocities of one file, and put those near the ground on a grid.

    Parameters
    ----------
    sweep
        A file of one radar: a sweep or a volume.
    speeds
        A grid of ``wind_speed``, m/s: in each cell the highest of the sweeps.
    radars
        A registry of radars that adds to the one that comes with dynamo, or replaces its entries.
    area, cells
        The grid: west, south, east, north (degrees, outer edges) and columns, rows. By default 0.5 km cells that cover
        the radar.
    highest
        Leave out sweeps of a higher elevation, degrees.
    band, above
        Heights of the beam that count as near the ground, m, above the sea or the radar.
    bounds
        Speeds that are believed, m/s.
    smooth
        Rays and metres over which velocities are averaged.
    apart
        Most gates around one must agree with it within so many m/s, or it is left out.
    min_reflectivity, min_correlation, min_quality
        What a gate must have at least, of the moments that are there: dBZ; rho_hv; signal quality, 0 to 1.
    skip_damaged
        Let a file that cannot be used, or of a radar whose Nyquist velocity nobody knows, stand for nothing: it is
        named in the composite, and on stderr with the reason. Where there is no `area` it is an error all the same.

    Raises
    ------
    UserError
        The file cannot be used, and it is not left out.
    """
    from dynamo.radar.netcdf import write_grid
    from dynamo.radar.registry import read_registry

    geometry, registry = area_geometry(area, cells), read_registry(radars)
    minimum = {
        "reflectivity": min_reflectivity,
        "cross_correlation": min_correlation,
        "signal_quality": min_quality,
    }
    how = {"speeds": tuple(bounds), "smooth": (int(smooth[0]), smooth[1]), "minimum": minimum, "apart": apart}
    try:
        grid = _wind(sweep, geometry, registry, highest, {"band": tuple(band), "above": above}, how)
    except UserError as error:
        if geometry is None or not skip_damaged or may_pass(error):
            raise
        grid = stand_in(sweep, geometry, error, "wind_speed")
    write_grid(speeds, grid)


@task(memory="1 GiB", timeout="1 min", priority=10)
def compose(
    grids: list[Input],
    composite: Output,
    *,
    window: float = 5.0,
    expected: Sequence[str] = (),
    level: float = 20.0,
) -> None:
    """Take the highest wind of all sweeps of the window, of whatever radars reported.

    Parameters
    ----------
    grids
        Of single files, as `unfold` writes them.
    composite
        The cell-wise maximum, which says what it is made of: see `dynamo.radar.wind.strongest`.
    window
        Minutes: for so long a sweep counts.
    expected
        Names of radars that should be there; those that are not are told.
    level
        The area at or above so many m/s is told as the fact ``wind_km2``.

    Raises
    ------
    DataError
        There is no usable sweep; the message says of each why.
    """
    import numpy as np

    from dynamo.radar.netcdf import read_grid, write_grid
    from dynamo.radar.wind import strongest

    made = strongest(
        map(read_grid, grids), datetime.now(UTC), window=timedelta(minutes=window), expected=expected
    )
    for name in ("absent_radars", "ahead_radars", "damaged_files"):
        if name in made.attributes:
            print(f"{name.replace('_', ' ')}: {made.attributes[name]}", file=sys.stderr)
    width, height = made.geometry.cell_size_km()
    tell(wind_km2=int(np.count_nonzero(made.values >= np.float32(level))) * width * height)
    keep(Identity.at(composite), write_grid(composite, made))


def _wind(
    path: Path,
    geometry: Geometry | None,
    registry: Registry,
    highest: float,
    where: dict[str, Any],
    how: dict[str, Any],
) -> Grid:
    """Return the highest wind of the sweeps of a file that are not above `highest` degrees, on one grid."""
    from dynamo.radar.composite import composite
    from dynamo.radar.polar import default_geometry
    from dynamo.radar.wind import wind_grid, wind_speed

    sweeps = low_sweeps(path, highest, "velocity", moments=tuple(how["minimum"]))
    place = geometry or default_geometry(sweeps)
    grids = [wind_grid(wind_speed(_known(sweep, registry), **how), place, **where) for sweep in sweeps]
    return replace(composite(grids), attributes=grids[0].attributes)


def _known(sweep: Sweep, registry: Registry) -> Sweep:
    """Return a sweep with what the registry knows of its radar; it must know it only where the file says too little."""
    try:
        radar = registry.of(sweep)
    except UserError:
        if sweep.nyquist is None:
            raise
        return sweep
    return replace(radar.calibrated(sweep), radar=radar.name)
