"""The tasks of the nowcast: each is a short call of `dynamo.radar`, which is imported only when the task runs.

Enters: radar files, grids and motion. Leaves: grids, motion, images, polygons, previews.
Goes wrong: `DataError` that names the file or the frames, and what to do.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from dynamo.workflows.kept import Identity, keep
from dynamo.workflows.nowcast.carrier import carrier
from dynamo.workflows.nowcast.frames import (
    echo_km2,
    files_at,
    has_something,
    not_ahead,
    one_each,
    sweeps_up_to,
    with_absent,
)
from dynamo.workflows.nowcast.readable import read_readable
from dynamo.workflows.place import area_geometry

from dynamo.errors import DataError
from dynamo.graph import Input, Output, task, tell

__all__ = [
    "animate", "estimate_motion", "extrapolate", "ingest", "sheet", "take",
]  # fmt: skip


@task(memory="1 GiB", timeout="2 min", priority=10)
def ingest(
    frames: list[Input],
    sequence: Output,
    latest: Output,
    *,
    area: Sequence[float] | None = None,
    cells: Sequence[int] | None = None,
    every: float = 1.0,
    window: float = 2.5,
    span: float = 15.0,
    highest: float = 90.0,
    skip_damaged: bool = True,
) -> None:
    """Read frames of any format into one sequence of reflectivity grids (dBZ).

    Parameters
    ----------
    frames
        Radar files; sweeps of one or several radars are composited.
    sequence, latest
        The last frames, and the last of them alone, as CF NetCDF.
    area, cells
        Put the frames on this longitude/latitude grid: west, south, east, north (degrees, outer edges) and
        columns, rows. By default grids stay as they are, and sweeps get 0.5 km cells that cover all radars.
    every, window
        Of composites of sweeps, minutes: how often there is one, and how old a sweep in it may be. A radar that
        scans several tilts in turn comes back to the lowest only after a while.
    highest
        Leave out sweeps of a higher elevation, degrees: they may show the melting layer as a ring that does not
        move.
    span
        Minutes of the newest frames that go into the sequence; at least three frames do.
    skip_damaged
        Go on without the files that cannot be read.

    Raises
    ------
    DataError
        No file can be read, or one where `skip_damaged` is off; the frames do not fit together, or the newest
        is of a time to come or holds no usable cell: what is not known must not pass for dry weather.

    Notes
    -----
    A file that is left out is named on stderr, which is the task's log, with the reason, and in the attribute
    ``damaged_files`` of both files; a radar that earlier composites have and the newest lacks likewise, in the
    attribute ``absent_radars``.
    """
    from dynamo.radar.composite import composites
    from dynamo.radar.netcdf import write_frames, write_grid
    from dynamo.radar.quantity import to_reflectivity

    frames, grids, damaged = read_readable(frames, area_geometry(area, cells), skip_damaged=skip_damaged)
    minutes = timedelta(minutes=1)
    named = partial(files_at, frames, window=window * minutes)
    if any("elevation" in grid.attributes for grid in grids):
        sweeps = sweeps_up_to(highest, grids)
        grids, absent = with_absent(
            composites(sweeps, every=every * minutes, window=window * minutes), sweeps
        )
        if absent:
            print(
                f"{absent}; in a composite are sweeps of the last {window:g} min (`window`)", file=sys.stderr
            )
    grids = one_each(grids, named)
    not_ahead(grids[-1].time, datetime.now(UTC), named)
    has_something(grids[-1], area, named)
    oldest = grids[-1].time - timedelta(minutes=span)
    grids = [to_reflectivity(g) for i, g in enumerate(grids, 1) if g.time >= oldest or i > len(grids) - 3]
    if damaged:
        grids = [replace(g, attributes={**g.attributes, "damaged_files": ", ".join(damaged)}) for g in grids]
    tell(echo_km2=echo_km2(grids[-1]))
    write_frames(sequence, grids)
    write_grid(latest, grids[-1])


@task(memory="1 GiB", timeout="2 min", priority=10)
def estimate_motion(sequence: Input, motion: Output, *, method: str = "lk") -> None:
    """Estimate where the echoes move, cell by cell; methods as in `dynamo.radar.motion.estimate_motion`."""
    from dynamo.radar import motion as science
    from dynamo.radar.netcdf import read_frames

    science.write_motion(motion, science.estimate_motion(read_frames(sequence), method=method))


@task(memory="512 MiB", timeout="1 min")
def extrapolate(frame: Input, motion: Input, grid: Output, *, lead: float) -> None:
    """Move the latest frame on by `lead` minutes."""
    from dynamo.radar.netcdf import write_grid

    made = write_grid(grid, carrier(Identity.at(frame), Identity.at(motion))(lead))
    keep(Identity.at(grid), made)


@task(memory="512 MiB", timeout="1 min")
def take(forecast: Input, grid: Output, *, lead: float) -> None:
    """Take the step of `lead` minutes out of a file that already holds a forecast.

    Raises
    ------
    DataError
        There is no such step; the message lists those there are.
    """
    from dynamo.radar.netcdf import write_grid
    from dynamo.radar.quantity import to_reflectivity
    from dynamo.radar.readers import read

    steps = {g.lead_minutes: g for g in read(forecast)}
    if lead not in steps:
        there = ", ".join(f"{minutes:g}" for minutes in sorted(steps))
        raise DataError(f"{Path(forecast).name} holds no step of {lead:g} min; there are {there}")
    keep(Identity.at(grid), write_grid(grid, to_reflectivity(steps[lead])))


@task(memory="1 GiB", timeout="2 min", priority=-5)
def animate(grids: list[Input], animation: Output) -> None:
    """Show the forecast as an animation."""
    from dynamo.radar.animation import write_animation
    from dynamo.radar.netcdf import read_grid

    write_animation(Path(animation), map(read_grid, grids), title="nowcast")


@task(memory="1 GiB", timeout="2 min", priority=-10)
def sheet(
    grids: list[Input], figure: Output, *, levels: Sequence[float], motion: Input | None = None
) -> None:
    """Draw six lead times side by side with outlines at `levels` (dBZ) and, where given, the motion."""
    from dynamo.radar.figure import write_contact_sheet
    from dynamo.radar.motion import read_motion
    from dynamo.radar.netcdf import read_grid

    write_contact_sheet(
        Path(figure),
        map(read_grid, grids),
        levels=levels,
        motion=None if motion is None else read_motion(motion),
        title="Nowcast from",
    )
