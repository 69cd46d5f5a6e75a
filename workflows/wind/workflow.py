"""The highest radial wind near the ground: sweeps of any radars in, one map and its polygons out.

Enters: sweeps or volumes of one or several radars, with velocities. Leaves: a CF grid, a web-map image with its bounds,
GeoJSON polygons, a legend.
Goes wrong: `DataError` where no sweep at all can be used; one radar alone never stops the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from dynamo.workflows.checks import check_grid, check_joined, check_polygons, check_sweeps, expect, is_number
from dynamo.workflows.clock import time_for
from dynamo.workflows.look import look
from dynamo.workflows.names import own_name
from dynamo.workflows.products import publish
from dynamo.workflows.wind.tasks import compose, unfold

from dynamo.graph import Input, fuse, workflow

__all__ = ["wind"]


@workflow
def wind(
    sweeps: list[Input],
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
    levels: Sequence[float] = (20.0,),
    min_points: int = 4,
    window: float = 5.0,
    expected: Sequence[str] = (),
    skip_damaged: bool = True,
    previews: bool = True,
) -> Any:
    """Map the highest radial wind near the ground, of all sweeps of a window.

    Parameters
    ----------
    sweeps
        Files of one or several radars.
    radars, highest, band, above, bounds, smooth, apart, min_reflectivity, min_correlation, min_quality, skip_damaged
        As for `unfold`.
    area, cells
        The grid, as for `unfold`; with several files they must be given.
    levels, min_points
        Of the polygons, m/s; outlines of fewer positions are left out.
    window, expected
        As for `compose`.
    previews
        Also draw the composite as a map for people.

    Returns
    -------
    File
        The composite, for what comes after it in a workflow of yours.
    """
    check_polygons(levels, min_points, floor=0.0, units="m s-1")
    check_grid(area, cells)
    check_sweeps(window, highest=highest)
    _check_velocities(band, bounds, smooth, apart)
    check_joined(sweeps, area)
    shared = {
        "radars": radars, "area": area, "cells": cells, "highest": highest, "band": band, "above": above,
        "bounds": bounds, "smooth": smooth, "apart": apart, "min_reflectivity": min_reflectivity,
        "min_correlation": min_correlation, "min_quality": min_quality, "skip_damaged": skip_damaged,
    }  # fmt: skip
    speeds = [unfold(sweep, speeds=f"speeds/{own_name(sweep)}.nc", **shared) for sweep in sweeps]
    with fuse("composite"):
        grid = compose(
            speeds, window=window, expected=expected, now=time_for(sweeps), level=min(levels), composite="wind.nc",
        )  # fmt: skip
        publish(
            grid, "wind", levels=levels, min_points=min_points, hazard="WIND", previews=previews,
            title="Radial wind near the ground at",
        )  # fmt: skip
    return grid


@wind.preflight
def _look(**given: Any) -> list[str]:
    wind.graph(**given | {"sweeps": []})  # says what is wrong with the parameters, though no sweep be there
    return look(given["radars"])


def _check_velocities(
    band: Sequence[float], bounds: Sequence[float], smooth: Sequence[float], apart: float
) -> None:
    """Refuse heights and speeds that no gate fits."""
    for name, pair, unit in (("band", band, "m"), ("bounds", bounds, "m/s")):
        right = len(pair) == 2 and all(map(is_number, pair)) and pair[0] < pair[1]
        expect(right, name, pair, f"lowest, highest: two numbers of {unit}, the second above the first")
    right = len(smooth) == 2 and all(map(is_number, smooth)) and smooth[0] % 2 == 1 and smooth[1] >= 0
    expect(right, "smooth", smooth, "rays, metres: an odd number, and one from 0")
    expect(is_number(apart) and apart > 0, "apart", apart, "more than 0 m/s")
