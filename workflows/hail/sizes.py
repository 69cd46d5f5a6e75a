"""Sizes of hail by the files of one volume, and what of it was not there.

Enters: files of one radar. Leaves: a grid for each of `MEASURES`, which says what was missing.
Goes wrong: `DataError` where nothing of the files can be used; `UserError` where they are of several radars.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from dynamo.workflows.fault import may_pass
from dynamo.workflows.place import unreached
from dynamo.workflows.warned import with_warnings

from dynamo.errors import DataError, UserError

if TYPE_CHECKING:
    from dynamo.workflows.hail.air import Air

    from dynamo.radar.grid import Geometry, Grid
    from dynamo.radar.polar import Sweep
    from dynamo.radar.registry import Radar, Registry
    from dynamo.radar.volume import Volume

__all__ = ["MEASURES", "measured"]

#: What of a volume is published: sizes, the index they follow from, and the probabilities.
MEASURES = ("mesh", "shi", "posh", "poh")


def measured(
    paths: Sequence[Path],
    geometry: Geometry | None,
    air: Air,
    registry: Registry,
    *,
    span: timedelta,
    reach: float,
    fit: str,
) -> list[Grid]:
    """Return a grid for each of `MEASURES`."""
    from dynamo.radar.gates import on_grid
    from dynamo.radar.hail import REACH, hail
    from dynamo.radar.polar import default_geometry
    from dynamo.radar.rolling import REASON
    from dynamo.radar.volume import volumes

    sweeps, warnings = _sweeps_of(paths)
    names = sorted({s.radar for s in sweeps})
    if len(names) != 1:
        raise UserError(f"the files of one volume are of several radars: {', '.join(names)}; say `volume`")
    radar, warning = registry.find(sweeps[0])
    if radar.every is not None:  # what is older is of the scan before, and would hide that a tilt was lost
        span = min(span, timedelta(seconds=radar.every))
    found = volumes([radar.calibrated(s) for s in sweeps], span, expected={names[0]: radar.elevations})
    if not found:
        raise DataError(f"no sweep of {names[0]} knows anything")
    if len(found) > 1:
        raise UserError(
            f"the files of one volume are of several radars called {names[0]!r}, at different places; say `volume`"
        )
    volume = found[0]
    lowest = volume.sweeps[0]
    where = air.at(volume.time, lowest.latitude, lowest.longitude)
    told = hail(
        volume, where.freezing_level, where.minus20_level, band=radar.band, fit=fit, reach=(REACH[0], reach)
    )
    told = replace(told, radar=radar.name)
    place = geometry or default_geometry([told])
    age = (volume.time - min(sweep.time for sweep in volume.sweeps)).total_seconds()
    about = with_warnings(
        {**told.attributes, **where.attributes(), "span_s": age},
        [warning, *warnings, _lacking(radar, volume)],
    )
    if nothing := unreached([told], geometry) or _uncovered(told, volume):
        about = with_warnings({**about, REASON: nothing}, [nothing])
    grids = [on_grid(told, place, quantity) for quantity in MEASURES]
    return [replace(grid, attributes={**grid.attributes, **about}) for grid in grids]


def _lacking(radar: Radar, volume: Volume) -> str:
    """Return what is to be said of tilts of the scan that are not there."""
    if not volume.missing:
        return ""
    tilts = ", ".join(f"{tilt:g}" for tilt in volume.missing)
    return (
        f"{len(volume.missing)} of {len(radar.elevations)} tilts of radar {radar.name!r} are missing "
        f"({tilts} degrees): sizes may be too small"
    )


def _uncovered(told: Sweep, volume: Volume) -> str:
    """Return why nothing at all is known of the columns; empty where something is."""
    import numpy as np

    if told.undetect.any() or not np.isnan(told.moments["shi"]).all():
        return ""
    tilts = volume.elevations
    if len(tilts) == 1:  # the same words for each of many files, so that they are told once
        return (
            f"radar {told.radar!r}: the layer from 0 to -20 C is not covered by files of one sweep each: set `volume`, "
            "which says which files make one volume"
        )
    return (
        f"radar {told.radar!r}: the layer from 0 to -20 C was nowhere covered by {len(tilts)} tilts up to "
        f"{tilts[-1]:.1f} degrees; `volume` says which files make one volume"
    )


def _sweeps_of(paths: Sequence[Path]) -> tuple[list[Sweep], list[str]]:
    """Return the sweeps of the files of a volume that can be read, and what is to be said of the others."""
    from dynamo.radar.readers import read_sweeps

    sweeps: list[Sweep] = []
    left_out: dict[str, DataError] = {}
    for path in map(Path, paths):
        try:
            sweeps += read_sweeps(path, moments=["reflectivity"])
        except DataError as error:
            if may_pass(error):
                raise
            left_out[f"not read: {str(error).replace(str(path), path.name)}"] = error
    if not sweeps:
        raise next(iter(left_out.values()))
    for reason in left_out:
        print(f"left out: {reason.removeprefix('not read: ')}", file=sys.stderr)
    return sweeps, list(left_out)
