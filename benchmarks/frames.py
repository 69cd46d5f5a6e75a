"""Radar frames for the benchmarks: real sequences where there are any, else the built-in storm, and saying so.

A sequence becomes one NetCDF file a frame, as a radar centre would write them.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from dynamo.radar.grid import Geometry
from dynamo.radar.netcdf import write_grid
from dynamo.radar.readers import read
from dynamo.radar.storm import storm

__all__ = ["Case", "Frames", "frames"]

SAMPLES = Path(os.environ.get("DYNAMO_SAMPLES", Path(__file__).resolve().parents[2] / "shared" / "data"))


class Frames(enum.Enum):
    """The sequences: file, cells a side, minutes a step, and the storm that stands in."""

    CASA = ("casa_dfw_merged_1min_40x400x400.nc", 400, 1, "line")
    MRMS = ("mrms_texas_2min_36x1000x1000.nc", 1000, 2, "line")
    OPERA = ("opera_cirrus_widespread_5min_13x1000x1000.nc", 1000, 5, "widespread")


@dataclass(frozen=True, slots=True)
class Case:
    """Frames on disk, oldest first, and what to call them."""

    name: str
    paths: Sequence[Path]


def frames(kind: Frames, folder: Path, count: int) -> Case:
    """Write the last `count` frames of a sequence into `folder`, fewer where there are fewer."""
    file, size, step, regime = kind.value
    source = SAMPLES / "grids" / file
    if source.is_file():
        grids, name = read(source)[-count:], f"{kind.name} {size}x{size}"
    else:
        place = Geometry(-98.05, 33.65, 0.0048, -0.0040, size, size)
        grids = storm(regime, 0, count, timedelta(minutes=step), geometry=place)
        name = f"a made-up {regime} {size}x{size} (no sample data here)"
    paths = []
    for grid in grids:
        path = folder / f"{kind.name.lower()}_{grid.time:%Y%m%dT%H%M%S}.nc"
        write_grid(path, grid)
        paths.append(path)
    return Case(name, paths)
