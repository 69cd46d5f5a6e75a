"""The tasks of the hail chains: short calls of `dynamo.radar`, which is imported only when a task runs.

Enters: radar files, soundings, a registry of radars. Leaves: grids of classes or sizes, and composites of them.
Goes wrong: `DataError` that names the file, or says of each sweep why it could not be used.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from dynamo.workflows.clock import moment
from dynamo.workflows.fault import may_pass, stand_in
from dynamo.workflows.hail.air import Air
from dynamo.workflows.hail.sizes import MEASURES, measured
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

__all__ = ["MEASURES", "compose", "identify", "measure"]


@task(memory="1 GiB", timeout="2 min", priority=10)
def identify(
    sweep: Input,
    classes: Output,
    *,
    soundings: list[Input] = (),  # type: ignore[assignment]
    radars: Input | None = None,
    area: Sequence[float] | None = None,
    cells: Sequence[int] | None = None,
    highest: float = 5.0,
    freezing_level: float | None = None,
    minus20_level: float | None = None,
    undated: bool = False,
    skip_damaged: bool = True,
) -> None:
    """Tell hail from rain in the sweeps of one file, gate by gate, and put the classes on a grid.

    Parameters
    ----------
    sweep
        A file of one radar: a sweep or a volume. What dual polarisation tells is used as far as it is there.
    classes
        A grid of ``hail_class``, the worst of the sweeps.
    soundings
        Of any time and place: the one that serves best is taken, else a climatology, with a warning on the grids.
    radars
        A registry of radars that adds to the one that comes with dynamo, or replaces its entries.
    area, cells
        The grid: west, south, east, north (degrees, outer edges) and columns, rows. By default 0.5 km cells that cover
        the radar.
    highest
        Leave out sweeps of a higher elevation, degrees: what they see is not at the ground.
    freezing_level, minus20_level
        Heights of 0 and -20 degrees C in m above sea level, by hand, instead of soundings.
    undated
        Take a sounding that names no time as of now, with a warning: for a file that the newest always overwrites.
    skip_damaged
        Let a file that cannot be used, or of a radar of which nobody knows the band, stand for nothing: it is named in
        the composite, and on stderr with the reason. Where there is no `area` it is an error all the same.

    Raises
    ------
    DataError, UnknownRadarError
        The file cannot be used, or its radar is not known, and it is not left out.
    UserError
        A parameter or the registry is wrong: no file is left out for that.
    """
    from dynamo.radar.netcdf import write_grid
    from dynamo.radar.registry import UnknownRadarError, read_registry

    geometry, registry = area_geometry(area, cells), read_registry(radars)
    air = Air(soundings, freezing_level, minus20_level, undated=undated)
    try:
        grid = _identified(sweep, geometry, air, registry, highest)
    except (DataError, UnknownRadarError) as error:
        if geometry is None or not skip_damaged or may_pass(error):
            raise
        grid = stand_in(sweep, geometry, error, "hail_class")
    write_grid(classes, grid)


@task(memory="1 GiB", timeout="3 min", priority=10)
def measure(
    volume: list[Input],
    measures: list[Output],
    *,
    soundings: list[Input] = (),  # type: ignore[assignment]
    radars: Input | None = None,
    area: Sequence[float] | None = None,
    cells: Sequence[int] | None = None,
    span: float = 10.0,
    reach: float = 100.0,
    fit: str = "witt1998",
    freezing_level: float | None = None,
    minus20_level: float | None = None,
    undated: bool = False,
    skip_damaged: bool = True,
) -> None:
    """Tell size and probability of hail from the newest volume of a radar of S or C band.

    Parameters
    ----------
    volume
        The files of one radar: volumes, or sweeps of one. Those that cannot be read are left out and told, as long as
        there is one that can.
    measures
        One file for each of `MEASURES`.
    span
        Minutes: how much older than the newest a sweep of the volume may be.
    reach
        km from the radar: further out the beams are too far apart, and what is between them says most.
    fit
        How size follows from the index: see `dynamo.radar.hail.FITS`.
    soundings, radars, area, cells, freezing_level, minus20_level, undated, skip_damaged
        As for `identify`.

    Raises
    ------
    DataError, UnknownRadarError, UserError
        As for `identify`; a radar of X band has no sizes. That `volume` joins several radars is no file's fault.
    """
    from dynamo.radar.netcdf import write_grid
    from dynamo.radar.registry import UnknownRadarError, read_registry

    geometry, registry = area_geometry(area, cells), read_registry(radars)
    air = Air(soundings, freezing_level, minus20_level, undated=undated)
    try:
        grids = measured(
            volume, geometry, air, registry, span=timedelta(minutes=span), reach=1000 * reach, fit=fit
        )
    except (DataError, UnknownRadarError) as error:
        if geometry is None or not skip_damaged or may_pass(error):
            raise
        grids = [stand_in(volume[-1], geometry, error, quantity) for quantity in MEASURES]
    for path, grid in zip(measures, grids, strict=True):
        write_grid(path, grid)


@task(memory="1 GiB", timeout="1 min", priority=10)
def compose(
    grids: list[Input],
    composite: Output,
    *,
    window: float = 5.0,
    expected: Sequence[str] = (),
    now: str | None = None,
    level: float | None = None,
) -> None:
    """Make the newest composite of the sweeps of all radars that reported.

    Parameters
    ----------
    grids
        Of sweeps, as `identify` and `measure` write them.
    composite
        The cell-wise maximum, which says what it is made of: see `dynamo.radar.rolling.rolling`.
    window
        Minutes: for so long a sweep counts.
    expected
        Names of radars that should be there; those that are not are told.
    now
        The time, ISO 8601: a sweep of a later one is of a radar whose clock is ahead, and left out. Without, none is.
    level
        The area at or above it is told as the fact ``hail_km2``.

    Raises
    ------
    DataError
        No sweep is usable; the message says of each why.
    """
    import numpy as np

    from dynamo.radar.netcdf import read_grid, write_grid
    from dynamo.radar.rolling import rolling

    sweeps = [read_grid(file) for file in grids]
    made = rolling(sweeps, moment(now), window=timedelta(minutes=window), expected=expected)
    for name in ("absent_radars", "ahead_radars", "empty_sweeps", "damaged_files", "warning"):
        if name in made.attributes:
            print(f"{name.replace('_', ' ')}: {made.attributes[name]}", file=sys.stderr)
    if level is not None:
        width, height = made.geometry.cell_size_km()
        tell(hail_km2=int(np.count_nonzero(made.values >= np.float32(level))) * width * height)
    keep(Identity.at(composite), write_grid(composite, made))


def _identified(path: Path, geometry: Geometry | None, air: Air, registry: Registry, highest: float) -> Grid:
    """Return the worst of the low sweeps of a file, those of dual polarisation if there are any, on one grid."""
    from dynamo.radar.composite import composite
    from dynamo.radar.hydrometeors import classified
    from dynamo.radar.moments import MOMENTS
    from dynamo.radar.polar import default_geometry
    from dynamo.radar.rolling import REASON
    from dynamo.radar.scheme import scheme

    sweeps = low_sweeps(path, highest, "reflectivity", moments=[m for m in MOMENTS if m != "spectral_width"])
    sweeps = [s for s in sweeps if "differential_reflectivity" in s.moments] or sweeps
    radar, warning = registry.find(sweeps[0])
    where = air.at(sweeps[-1].time, sweeps[0].latitude, sweeps[0].longitude)
    place = geometry or default_geometry(sweeps)
    grids = [
        _seen_below(
            classified(
                replace(radar.calibrated(sweep), radar=radar.name),
                scheme(radar.scheme),
                where.temperature_at,
                system_phase=radar.system_phase,
            ),
            place,
            where.minus20_level,
        )
        for sweep in sweeps
    ]
    span = (max(s.time for s in sweeps) - min(s.time for s in sweeps)).total_seconds()
    about = {**grids[0].attributes, "sweeps": float(len(sweeps)), "span_s": span, **where.attributes()}
    if away := unreached([replace(s, radar=radar.name) for s in sweeps], geometry):
        about = with_warnings({**about, REASON: away}, [away])
    return replace(composite(grids), attributes=with_warnings(about, [warning, _blind(sweeps, radar.name)]))


def _blind(sweeps: Sequence[Sweep], radar: str) -> str:
    """Return what is to be said where there are echoes, and of none the differential reflectivity."""
    import numpy as np

    def told(moment: str) -> bool:
        return any(moment in s.moments and np.isfinite(s.moments[moment]).any() for s in sweeps)

    if "differential_reflectivity" not in sweeps[0].moments or (
        told("reflectivity") and not told("differential_reflectivity")
    ):
        return f"radar {radar!r}: without differential reflectivity hail cannot be told"
    return ""


def _seen_below(sweep: Sweep, place: Geometry, top: float) -> Grid:
    """Put on a grid the worst class in each cell; a beam above `top` (m above sea level) sees nothing below it.

    A storm with hail reaches higher than where it is -20 degrees C: a beam below that would show it, one above may not,
    though it sees the storm's snow. Of the ground it says something only where it shows hail, or graupel.
    """
    import numpy as np

    from dynamo.radar.gates import on_grid
    from dynamo.radar.grid import Cell
    from dynamo.radar.hydrometeors import DOUBTFUL
    from dynamo.radar.polar import cell_heights

    grid = on_grid(sweep, place, "hail_class")
    over = grid.known & (grid.values < DOUBTFUL) & (cell_heights(sweep, place) > top)
    values = np.where(over, np.float32(np.nan), grid.values)
    return replace(grid, values=values, status=np.where(over, np.uint8(Cell.OUT_OF_RANGE), grid.status))
