"""The nowcast: the latest frames are moved on along their own motion, minute by minute.

Enters: radar files of any format that `dynamo.radar.readers` knows: grids, or sweeps of several radars, which
are composited. Leaves, for each lead time: a CF grid, a web-map image with its bounds, GeoJSON polygons; and an
animation, a contact sheet and a legend.
Goes wrong: `DataError` that names the file or the frames, and what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Literal, TypeAlias

from dynamo.workflows.checks import check_grid, check_polygons, check_sweeps
from dynamo.workflows.nowcast.lead_times import lead_times
from dynamo.workflows.nowcast.tasks import animate, estimate_motion, extrapolate, ingest, sheet, take
from dynamo.workflows.products import contour, legend, plot

from dynamo.errors import WorkflowError
from dynamo.graph import Input, fuse, workflow

__all__ = ["nowcast", "split"]

#: How motion is estimated: see `dynamo.radar.motion`.
Method: TypeAlias = Literal["lk", "dis", "darts", "constant", "none", "pysteps"]

#: Severity levels of the polygons, dBZ: light, moderate, heavy, hail likely.
LEVELS = (20.0, 35.0, 45.0, 55.0)

#: So many lead times the animation shows at most: more would take memory without bound.
SHOWN = 61


@workflow
def nowcast(
    frames: list[Input],
    horizon: int = 30,
    step: int = 1,
    levels: Sequence[float] = LEVELS,
    min_points: int = 12,
    method: Method = "lk",
    area: Sequence[float] | None = None,
    cells: Sequence[int] | None = None,
    every: float = 1.0,
    window: float = 2.5,
    highest: float = 90.0,
    skip_damaged: bool = True,
    previews: bool = True,
) -> None:
    """Nowcast reflectivity for the lead times 0 to `horizon` in steps of `step` minutes.

    Parameters
    ----------
    frames
        The latest radar files, two frames at least.
    horizon, step
        Minutes.
    levels, min_points
        Of the polygons, dBZ; see `contour`.
    method
        Of motion estimation; see `estimate_motion`.
    area, cells, every, window, highest
        Of the grid that sweeps are put on; see `ingest`.
    skip_damaged
        Go on without the frames that cannot be read.
    previews
        Also make the animation and the contact sheet.
    """
    check_polygons(levels, min_points)
    check_grid(area, cells)
    check_sweeps(window, every=every, highest=highest)
    _check_installed(method)
    sequence, latest = ingest(
        frames,
        area=area,
        cells=cells,
        every=every,
        window=window,
        highest=highest,
        skip_damaged=skip_damaged,
        sequence="frames.nc",
        latest="latest.nc",
    )
    motion = estimate_motion(sequence, method=method, motion="motion.nc")
    grids = []
    for lead in lead_times(horizon, step):
        with fuse(f"lead-{lead:02d}"):
            grid = extrapolate(latest, motion, lead=lead, grid=f"reflectivity_{lead:02d}.nc")
            _products(grid, lead, levels, min_points)
        grids.append(grid)
    legend(latest, image="legend.png")
    if previews:
        _previews(grids, levels, motion)


@workflow
def split(
    forecast: Input,
    horizon: int = 30,
    step: int = 1,
    levels: Sequence[float] = LEVELS,
    min_points: int = 12,
    previews: bool = True,
) -> None:
    """Make the products of a forecast that is already in one file (31 steps of CASA's own nowcast)."""
    leads = lead_times(horizon, step)
    check_polygons(levels, min_points)
    grids = []
    for lead in leads:
        with fuse(f"lead-{lead:02d}"):
            grid = take(forecast, lead=lead, grid=f"reflectivity_{lead:02d}.nc")
            _products(grid, lead, levels, min_points)
        grids.append(grid)
    legend(grids[0], image="legend.png")
    if previews:
        _previews(grids, levels)


def _products(grid: Input, lead: int, levels: Sequence[float], min_points: int) -> None:
    plot(grid, image=f"reflectivity_{lead:02d}.png", bounds=f"reflectivity_{lead:02d}.json")
    contour(grid, levels=levels, min_points=min_points, polygons=f"polygons_{lead:02d}.geojson")


def _previews(grids: Sequence[Input], levels: Sequence[float], motion: Input | None = None) -> None:
    animate(_evenly(grids, SHOWN), animation="nowcast.gif")
    sheet(_evenly(grids, 6), motion=motion, levels=_middle(levels), figure="nowcast.png")


def _check_installed(method: Method) -> None:
    if method == "pysteps" and find_spec("pysteps") is None:
        raise WorkflowError(
            "`method` is 'pysteps', which is not installed: pip install 'dynamo-weather[pysteps]'"
        )


def _evenly(grids: Sequence[Input], most: int) -> list[Input]:
    """Return up to `most` of the grids, evenly chosen, the first and the last among them."""
    if len(grids) <= most:
        return list(grids)
    return [grids[round(i * (len(grids) - 1) / (most - 1))] for i in range(most)]


def _middle(levels: Sequence[float]) -> Sequence[float]:
    """Return up to two levels, those after the lowest where there are more."""
    return levels[1:3] or levels
