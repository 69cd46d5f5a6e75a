"""The tasks of the wind: short calls of `dynamo.radar`, which is imported only when a task runs.

Enters: radar files, a registry of radars. Leaves: grids of wind speed, of single files and of all that reported.
Goes wrong: `DataError` that names the file, or says of each sweep why it could not be used.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dynamo.workflows.clock import moment
from dynamo.workflows.fault import may_pass, stand_in
from dynamo.workflows.kept import Identity, keep
from dynamo.workflows.low import low_sweeps
from dynamo.workflows.place import area_geometry, unreached
from dynamo.workflows.warned import with_warnings

from dynamo.errors import DataError
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
        Rays, an odd number, and metres over which velocities are averaged.
    apart
        Most gates around one must agree with it within so many m/s, or it is left out.
    min_reflectivity, min_correlation, min_quality
        What a gate must have at least, of the moments that are there: dBZ; rho_hv; signal quality, 0 to 1.
    skip_damaged
        Let a file that cannot be used, or of a radar whose Nyquist velocity nobody knows, stand for nothing: it is
        named in the composite, and on stderr with the reason. Where there is no `area` it is an error all the same.

    Raises
    ------
    DataError, UnknownRadarError
        The file cannot be used, and it is not left out.
    UserError
        A parameter or the registry is wrong: no file is left out for that.
    """
    from dynamo.radar.netcdf import write_grid
    from dynamo.radar.registry import UnknownRadarError, read_registry

    geometry, registry = area_geometry(area, cells), read_registry(radars)
    minimum = {
        "reflectivity": min_reflectivity,
        "cross_correlation": min_correlation,
        "signal_quality": min_quality,
    }
    how = {"speeds": tuple(bounds), "smooth": (int(smooth[0]), smooth[1]), "minimum": minimum, "apart": apart}
    try:
        grid = _wind(sweep, geometry, registry, highest, {"band": tuple(band), "above": above}, how)
    except (DataError, UnknownRadarError) as error:
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
    now: str | None = None,
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
    now
        The time, ISO 8601: a sweep of a later one is of a radar whose clock is ahead, and left out. Without, none is.
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

    made = strongest(map(read_grid, grids), moment(now), window=timedelta(minutes=window), expected=expected)
    for name in ("absent_radars", "ahead_radars", "damaged_files", "warning"):
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
    known = [_known(sweep, registry) for sweep in sweeps]
    sweeps = [sweep for sweep, _ in known]
    grids = [wind_grid(wind_speed(sweep, **how), place, **where) for sweep in sweeps]
    said = [*(warning for _, warning in known), unreached(sweeps, geometry), _nowhere(sweeps, **where)]
    return replace(composite(grids), attributes=with_warnings(grids[0].attributes, list(dict.fromkeys(said))))


def _known(sweep: Sweep, registry: Registry) -> tuple[Sweep, str]:
    """Return a sweep with what the registry knows of its radar, and a warning where that is nothing.

    It must know it only where the file says too little.
    """
    from dynamo.radar.registry import UnknownRadarError

    try:
        radar = registry.of(sweep)
    except UnknownRadarError as error:
        if sweep.nyquist is None:
            raise
        return sweep, error.warning("as its files say")
    return replace(radar.calibrated(sweep), radar=radar.name), ""


def _nowhere(sweeps: Sequence[Sweep], band: tuple[float, float], above: str) -> str:
    """Return why nothing can be known where no beam is in the band of heights; empty where one is."""
    from dynamo.radar.polar import beam_height

    for sweep in sweeps:
        heights = beam_height(sweep.ranges, sweep.elevation, sweep.altitude if above == "sea" else 0.0)
        if ((heights >= band[0]) & (heights <= band[1])).any():
            return ""
    sweep = sweeps[0]
    return (
        f"radar {sweep.radar!r}: the beam is nowhere between {band[0]:g} and {band[1]:g} m above the {above}; "
        f"the antenna stands at {sweep.altitude:.0f} m: see `above`"
    )
