"""Which of the grids that were read make the sequence that a nowcast starts from.

Enters: grids as the readers give them. Leaves: one for each time, on one geometry, the newest with something to see.
Goes wrong: `DataError` that names the frames, their files where they are known, and what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from dynamo.errors import DataError
from dynamo.graph import Input

if TYPE_CHECKING:
    from dynamo.radar.grid import Grid

__all__ = [
    "Named", "echo_km2", "files_at", "has_something", "not_ahead", "one_each", "sweeps_up_to",
    "with_absent",
]  # fmt: skip

#: How far a clock may be ahead of this machine's.
AHEAD = timedelta(minutes=10)

#: dBZ from which on an echo counts: what is weaker makes no work.
SEEN = 20.0

#: Of a frame's time, the files it was made of, as they stand in a message: " (scan.nc)", or nothing.
Named: TypeAlias = Callable[[datetime], str]


def sweeps_up_to(highest: float, grids: list[Grid]) -> list[Grid]:
    """Leave out sweeps of a higher elevation (degrees)."""
    elevations = {float(grid.attributes.get("elevation", 0.0)) for grid in grids}
    kept = [grid for grid in grids if float(grid.attributes.get("elevation", 0.0)) <= highest]
    if not kept:
        raise DataError(f"every sweep is above {highest:g} degrees; the lowest is at {min(elevations):g}")
    return kept


def files_at(files: Iterable[Input], time: datetime, *, window: timedelta) -> str:
    """Return the files of the frame of `time` for a message; of a composite, those within `window` before it.

    They are read once more, because grids do not know their files: this is for a run that fails anyway.
    """
    from dynamo.radar.readers import read

    found = []
    for file in files:
        times = {(g.time, "elevation" in g.attributes) for g in read(file)}
        if any(t == time or (is_sweep and time - window < t <= time) for t, is_sweep in times):
            found.append(Path(file).name)
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return f" ({', '.join(found[:3])}{more})" if found else ""


def one_each(grids: list[Grid], named: Named) -> list[Grid]:
    """Return the observed frames in order of time, each time once; refuse frames of different grids."""
    frames = {grid.time: grid for grid in grids if not grid.lead_minutes}
    if not frames:
        raise DataError(
            "the files hold forecasts only, no observed frame; use dynamo.workflows.nowcast:split"
        )
    ordered = [frames[time] for time in sorted(frames)]
    for grid in ordered[1:]:
        if apart := ordered[0].geometry.difference(grid.geometry):
            raise DataError(
                f"the frame of {grid.time:%Y-%m-%d %H:%M} UTC{named(grid.time)} does not lie on the grid of the "
                f"first, {ordered[0].time:%H:%M}: {apart}; give `area` and `cells` to put all on one grid"
            )
    return ordered


def not_ahead(newest: datetime, now: datetime, named: Named) -> None:
    """Refuse a frame of a time that has not come: it would pass for the newest for as long as that lasts."""
    if newest > now + AHEAD:
        raise DataError(
            f"the frame of {newest:%Y-%m-%d %H:%M} UTC{named(newest)} is in the future: here it is "
            f"{now:%Y-%m-%d %H:%M} UTC; some clock is wrong, that of the radar or that of this machine"
        )


def has_something(newest: Grid, area: Sequence[float] | None, named: Named) -> None:
    """Refuse a frame of which no cell is known: its nowcast would look like dry weather."""
    import numpy as np

    from dynamo.radar.grid import Cell

    if newest.known.any():
        return
    missing = np.count_nonzero(newest.status == np.uint8(Cell.MISSING)) / newest.status.size
    where = "" if area is None else f" in `area` {list(area)}"
    todo = "is the radar out? Leave this frame out, or wait for the next"
    if area is not None and missing < 1:
        todo = f"does `area` (west, south, east, north) lie where the radars look? If so, {todo}"
    raise DataError(
        f"the newest frame, of {newest.time:%Y-%m-%d %H:%M} UTC{named(newest.time)}, holds no usable cell{where}: "
        f"0 of {newest.status.size} are known, {missing:.0%} missing, {1 - missing:.0%} out of range; {todo}"
    )


def echo_km2(grid: Grid) -> float:
    """Return square kilometres with an echo of `SEEN` or more; cells count for as much as the middle one."""
    import numpy as np

    width, height = grid.geometry.cell_size_km()
    return int(np.count_nonzero(grid.values >= np.float32(SEEN))) * width * height


def with_absent(frames: list[Grid], sweeps: Iterable[Grid]) -> tuple[list[Grid], str]:
    """Mark composites whose newest lacks a radar that earlier ones have, and say which, since when.

    Returns
    -------
    list of Grid
        The frames; where a radar is absent, all carry its name in the attribute ``absent_radars``.
    str
        A line for people; empty where none is absent.
    """
    absent = sorted(set().union(*map(_radars, frames)) - _radars(frames[-1]))
    if not absent:
        return frames, ""
    last: dict[str, datetime] = {}
    for sweep in sweeps:
        last[sweep.source] = max(sweep.time, last.get(sweep.source, sweep.time))
    told = ", ".join(f"{radar} (last sweep {last[radar]:%H:%M:%S})" for radar in absent)
    marked = [replace(g, attributes={**g.attributes, "absent_radars": ", ".join(absent)}) for g in frames]
    return marked, f"not in the newest composite, of {frames[-1].time:%Y-%m-%d %H:%M} UTC: {told}"


def _radars(composite: Grid) -> set[str]:
    return set(filter(None, str(composite.attributes.get("radars", "")).split(", ")))
