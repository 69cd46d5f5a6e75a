"""Parameters of the nowcast, looked at while it is described: `dynamo check` tells what no run could use.

Enters: values as a run file or a caller gives them. Leaves: nothing, or the lead times.
Goes wrong: `WorkflowError` that names the parameter, its value and what is expected.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

from dynamo.errors import WorkflowError

__all__ = ["check_grid", "check_polygons", "check_sweeps", "lead_times"]

#: On fewer cells along a side echoes cannot be tracked: see `dynamo.radar.motion_methods`.
FEWEST = 32

#: dBZ that stand for "nothing detected", as in `dynamo.radar.grid`, which is not imported to describe a graph.
FLOOR = -32.0


def lead_times(horizon: int, step: int) -> range:
    """Return the lead times, minutes: 0 to `horizon` in steps of `step`."""
    _expect(horizon >= 0, "horizon", horizon, "0 or more minutes")
    _expect(step >= 1, "step", step, "1 or more minutes")
    return range(0, horizon + 1, step)


def check_polygons(levels: Sequence[float], min_points: int) -> None:
    """Refuse levels (dBZ) of which no polygon could be made, or two the same."""
    if not len(levels):
        raise WorkflowError("`levels` is empty; expected one level or more, in dBZ")
    usable = all(_is_number(level) and level > FLOOR for level in levels)
    _expect(
        usable, "levels", levels, f"finite numbers above {FLOOR:g} dBZ, which stands for nothing detected"
    )
    _expect(len(set(levels)) == len(levels), "levels", levels, "each level once")
    _expect(min_points >= 0, "min_points", min_points, "0 or more positions")


def check_grid(area: Sequence[float] | None, cells: Sequence[int] | None) -> None:
    """Refuse an area (degrees) and cells that are no grid, and the one without the other."""
    if area is not None:
        _expect(
            _is_area(area), "area", area,
            "west, south, east, north in degrees: west < east within -180 to 180, south < north within -90 to 90",
        )  # fmt: skip
    if cells is not None:
        _expect(
            len(cells) == 2 and all(_is_number(n) and n == int(n) >= FEWEST for n in cells), "cells", cells,
            f"columns, rows: two whole numbers of {FEWEST} or more",
        )  # fmt: skip
    if (area is None) != (cells is None):
        lacking, given = ("area", "cells") if area is None else ("cells", "area")
        raise WorkflowError(
            f"`{given}` is given without `{lacking}`; they go together: give both, or neither"
        )


def check_sweeps(every: float, window: float, highest: float) -> None:
    """Refuse times (minutes) and an elevation (degrees) that no sweep fits."""
    _expect(_is_number(every) and every > 0, "every", every, "more than 0 minutes")
    _expect(_is_number(window) and window > 0, "window", window, "more than 0 minutes")
    _expect(_is_number(highest) and highest > 0, "highest", highest, "more than 0 degrees")


def _is_area(area: Sequence[float]) -> bool:
    if len(area) != 4 or not all(map(_is_number, area)):
        return False
    west, south, east, north = area
    return -180 <= west < east <= 180 and -90 <= south < north <= 90


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and math.isfinite(value)


def _expect(is_right: bool, name: str, value: Any, expected: str) -> None:
    if not is_right:
        shown = list(value) if isinstance(value, tuple) else value
        raise WorkflowError(f"`{name}` is {shown}; expected {expected}")
