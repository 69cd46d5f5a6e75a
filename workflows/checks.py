"""Parameters of the chains, looked at while these are described: `dynamo check` tells what no run could use.

Enters: values as a run file or a caller gives them. Leaves: nothing.
Goes wrong: `WorkflowError` that names the parameter, its value and what is expected.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

from dynamo.errors import WorkflowError

__all__ = ["check_grid", "check_joined", "check_polygons", "check_sweeps", "expect", "is_number"]

#: On fewer cells along a side echoes cannot be tracked: see `dynamo.radar.motion_methods`.
FEWEST = 32

#: dBZ that stand for "nothing detected", as in `dynamo.radar.quantities`, which is not imported to describe a graph.
FLOOR = -32.0


def check_polygons(
    levels: Sequence[float], min_points: int, *, floor: float = FLOOR, units: str = "dBZ"
) -> None:
    """Refuse levels of which no polygon could be made, or two the same; `floor` stands for nothing detected."""
    if not len(levels):
        raise WorkflowError(
            f"`levels` is empty; expected one level or more{f', in {units}' if units else ''}"
        )
    usable = all(is_number(level) and level > floor for level in levels)
    lowest = f"{floor:g} {units}".strip()
    expect(usable, "levels", levels, f"finite numbers above {lowest}, which stands for nothing detected")
    expect(len(set(levels)) == len(levels), "levels", levels, "each level once")
    expect(min_points >= 0, "min_points", min_points, "0 or more positions")


def check_grid(area: Sequence[float] | None, cells: Sequence[int] | None) -> None:
    """Refuse an area (degrees) and cells that are no grid, and the one without the other."""
    if area is not None:
        expect(
            _is_area(area), "area", area,
            "west, south, east, north in degrees: west < east within -180 to 180, south < north within -90 to 90",
        )  # fmt: skip
    if cells is not None:
        expect(
            len(cells) == 2 and all(is_number(n) and n == int(n) >= FEWEST for n in cells), "cells", cells,
            f"columns, rows: two whole numbers of {FEWEST} or more",
        )  # fmt: skip
    if (area is None) != (cells is None):
        lacking, given = ("area", "cells") if area is None else ("cells", "area")
        raise WorkflowError(
            f"`{given}` is given without `{lacking}`; they go together: give both, or neither"
        )


def check_joined(files: Sequence[object], area: Sequence[float] | None) -> None:
    """Refuse several files without a grid to join them on."""
    if len(files) > 1 and area is None:
        raise WorkflowError(
            "several files are joined on one grid: give `area` (west, south, east, north) and `cells` (columns, rows)"
        )


def check_sweeps(window: float, *, every: float = 1.0, highest: float = 90.0) -> None:
    """Refuse times (minutes) and an elevation (degrees) that no sweep fits."""
    expect(is_number(every) and every > 0, "every", every, "more than 0 minutes")
    expect(is_number(window) and window > 0, "window", window, "more than 0 minutes")
    expect(is_number(highest) and highest > 0, "highest", highest, "more than 0 degrees")


def _is_area(area: Sequence[float]) -> bool:
    if len(area) != 4 or not all(map(is_number, area)):
        return False
    west, south, east, north = area
    return -180 <= west < east <= 180 and -90 <= south < north <= 90


def is_number(value: object) -> bool:
    """Say whether a value is a finite number."""
    return isinstance(value, Real) and math.isfinite(value)


def expect(is_right: bool, name: str, value: Any, expected: str) -> None:
    """Refuse the value of a parameter, and say what is expected, unless it is right."""
    if not is_right:
        shown = list(value) if isinstance(value, tuple) else value
        raise WorkflowError(f"`{name}` is {shown}; expected {expected}")
