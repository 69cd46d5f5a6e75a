"""Hail by dual polarisation and by volumes: a file of a radar in, classes or sizes out, joined over all that reported.

Enters: sweeps or volumes of one or several radars, and soundings. Leaves: a CF grid, a web-map image with its bounds,
GeoJSON polygons, a legend.
Goes wrong: `DataError` where no sweep at all can be used; one radar alone never stops the others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from dynamo.workflows.checks import check_grid, check_joined, check_polygons, check_sweeps, expect, is_number
from dynamo.workflows.clock import time_for
from dynamo.workflows.hail.tasks import MEASURES, compose, identify, measure
from dynamo.workflows.look import look
from dynamo.workflows.names import own_name
from dynamo.workflows.products import legend, plot, publish

from dynamo.errors import WorkflowError, nearest
from dynamo.graph import Input, fuse, workflow

__all__ = ["hail", "hail_size"]

#: Of `hail_class`: hail, as the network contours it; and large hail.
LEVELS = (3.5, 4.5)

#: Fits of the size that there are, as in `dynamo.radar.hail`, which is not imported to describe a graph.
FITS = ("witt1998", "mh2021_75", "mh2021_95")

#: m from 0 to -20 degrees C at least, as in `dynamo.radar.environment`.
BETWEEN = 100.0

#: Of the size, mm: small, severe, large and giant hail.
SIZES = (10.0, 20.0, 30.0, 50.0)


@workflow
def hail(
    sweeps: list[Input],
    soundings: list[Input] = (),  # type: ignore[assignment]
    radars: Input | None = None,
    area: Sequence[float] | None = None,
    cells: Sequence[int] | None = None,
    highest: float = 5.0,
    levels: Sequence[float] = LEVELS,
    min_points: int = 4,
    window: float = 5.0,
    expected: Sequence[str] = (),
    freezing_level: float | None = None,
    minus20_level: float | None = None,
    undated: bool = False,
    skip_damaged: bool = True,
    previews: bool = True,
) -> Any:
    """Tell hail by dual polarisation, sweep by sweep, and join the sweeps of all radars that reported.

    Parameters
    ----------
    sweeps
        Files of one or several radars.
    soundings, radars, area, cells, highest, freezing_level, minus20_level, undated, skip_damaged
        As for `identify`; with several files `area` and `cells` must be given.
    levels, min_points
        Of the polygons, in values of ``hail_class``; outlines of fewer positions are left out.
    window, expected
        As for `compose`.
    previews
        Also draw the composite as a map for people.

    Returns
    -------
    File
        The composite, for what comes after it in a workflow of yours.
    """
    _check(sweeps, area, cells, levels, min_points, window)
    expect(is_number(highest) and highest > 0, "highest", highest, "more than 0 degrees")
    _check_levels(freezing_level, minus20_level)
    told = [
        identify(
            sweep, highest=highest, soundings=soundings, radars=radars, area=area, cells=cells,
            freezing_level=freezing_level, minus20_level=minus20_level, undated=undated, skip_damaged=skip_damaged,
            classes=f"classes/{own_name(sweep)}.nc",
        )
        for sweep in sweeps
    ]  # fmt: skip
    with fuse("composite"):
        grid = compose(
            told, window=window, expected=expected, now=time_for(sweeps), level=min(levels), composite="hail.nc",
        )  # fmt: skip
        publish(
            grid,
            "hail",
            levels=levels,
            min_points=min_points,
            hazard="HAIL",
            title="Hail at",
            previews=previews,
        )
    return grid


@workflow
def hail_size(
    sweeps: list[Input],
    soundings: list[Input] = (),  # type: ignore[assignment]
    radars: Input | None = None,
    volume: str | None = None,
    area: Sequence[float] | None = None,
    cells: Sequence[int] | None = None,
    span: float = 10.0,
    reach: float = 100.0,
    fit: str = "witt1998",
    levels: Sequence[float] = SIZES,
    min_points: int = 4,
    window: float = 10.0,
    expected: Sequence[str] = (),
    freezing_level: float | None = None,
    minus20_level: float | None = None,
    undated: bool = False,
    skip_damaged: bool = True,
    previews: bool = True,
) -> Any:
    """Tell the size of hail by whole volumes of radars of S or C band, and join those of all radars that reported.

    Parameters
    ----------
    sweeps
        Files of one or several radars, each a whole volume unless `volume` says otherwise.
    volume
        A regular expression; files in whose names its group, or else what it matches, is the same make one volume.
    span, reach, fit
        As for `measure`.
    soundings, radars, area, cells, freezing_level, minus20_level, undated, skip_damaged
        As for `identify`; with several volumes `area` and `cells` must be given.
    levels, min_points
        Of the polygons, in mm; outlines of fewer positions are left out.
    window, expected
        As for `compose`.
    previews
        Also draw the composite as a map for people.

    Returns
    -------
    File
        The composite of the size, for what comes after it in a workflow of yours.
    """
    groups = _volumes(sweeps, volume)
    _check(list(groups), area, cells, levels, min_points, window, units="mm")
    expect(is_number(span) and span > 0, "span", span, "more than 0 minutes")
    expect(is_number(reach) and reach > 10, "reach", reach, "more than 10 km")
    expect(fit in FITS, "fit", fit, f"one of {', '.join(FITS)}{nearest(fit, FITS)}")
    _check_levels(freezing_level, minus20_level)
    told = [
        measure(
            files, span=span, reach=reach, fit=fit, soundings=soundings, radars=radars, area=area, cells=cells,
            freezing_level=freezing_level, minus20_level=minus20_level, undated=undated, skip_damaged=skip_damaged,
            measures=[f"volumes/{name}.{quantity}.nc" for quantity in MEASURES],
        )
        for name, files in groups.items()
    ]  # fmt: skip
    joined = {"window": window, "expected": expected, "now": time_for(sweeps)}
    with fuse("mesh"):
        sizes = compose([each[0] for each in told], level=min(levels), composite="mesh.nc", **joined)
        publish(
            sizes, "mesh", levels=levels, min_points=min_points, hazard="HAIL", title="Size of hail at",
            previews=previews, palette="legend_mesh.png",
        )  # fmt: skip
    for number, quantity in enumerate(MEASURES[1:], 1):
        with fuse(quantity):
            grid = compose([each[number] for each in told], composite=f"{quantity}.nc", **joined)
            plot(grid, image=f"{quantity}.png", bounds=f"{quantity}.json", veiled=True)
            legend(grid, image=f"legend_{quantity}.png", veiled=True)
    return sizes


@hail.preflight
def _look(**given: Any) -> list[str]:
    hail.graph(**given | {"sweeps": []})  # says what is wrong with the parameters, though no sweep be there
    return look(given["radars"], given["soundings"] if given["freezing_level"] is None else ())


@hail_size.preflight
def _look_for_sizes(**given: Any) -> list[str]:
    hail_size.graph(**given | {"sweeps": []})
    return look(given["radars"], given["soundings"] if given["freezing_level"] is None else ())


def _check(
    sweeps: Sequence[object],
    area: Sequence[float] | None,
    cells: Sequence[int] | None,
    levels: Sequence[float],
    min_points: int,
    window: float,
    units: str = "",
) -> None:
    check_polygons(levels, min_points, floor=0.0, units=units)
    check_grid(area, cells)
    check_sweeps(window)
    check_joined(sweeps, area)


def _check_levels(freezing_level: float | None, minus20_level: float | None) -> None:
    if (freezing_level is None) != (minus20_level is None):
        raise WorkflowError("`freezing_level` and `minus20_level` go together: give both, or neither")
    if freezing_level is not None and minus20_level is not None:
        expect(
            is_number(freezing_level) and is_number(minus20_level) and minus20_level - freezing_level >= BETWEEN,
            "freezing_level, minus20_level", (freezing_level, minus20_level),
            f"two heights in m above sea level, the second {BETWEEN:g} m or more above the first",
        )  # fmt: skip


def _volumes(sweeps: Sequence[Input], volume: str | None) -> dict[str, list[Input]]:
    """Return the files of each volume, by a name for it."""
    if volume is None:
        return {own_name(sweep): [sweep] for sweep in sweeps}
    try:
        pattern = re.compile(volume)
    except re.error as error:
        raise WorkflowError(f"`volume` is {volume!r}, which is no regular expression: {error}") from None
    groups: dict[str, list[Input]] = {}
    for sweep in sweeps:
        name = PurePosixPath(sweep.name).name
        found = pattern.search(name)
        same = found and ((pattern.groups and found.group(1)) or found.group())
        if not same:  # nothing in common: else all files were one volume
            raise WorkflowError(f"`volume` is {volume!r}, which matches nothing in the name {name!r}")
        groups.setdefault(same, []).append(sweep)
    return groups
