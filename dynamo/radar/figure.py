"""Contact sheets: lead times side by side with their polygons outlined, in one picture.

People look before they read. Drawn with matplotlib, without pyplot (no global state, no display) and never
on the path of a product. All panels show the same piece of map, in Mercator; grey is what is not known, missing
or out of range. What can go wrong: no grids, or grids that do not belong together (`DataError`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from dynamo.errors import DataError
from dynamo.radar.contour import contour
from dynamo.radar.figure_marks import (
    GREY,
    INK,
    LINE,
    UNSEEN,
    draw_arrows,
    draw_colour_bar,
    draw_scale_bar,
    foot_of,
)  # fmt: skip
from dynamo.radar.figure_window import Window, thinned, window_of
from dynamo.radar.graticule import degrees, lat_of, lon_of, ticks, x_of, y_of
from dynamo.radar.image import WEB, image_geometry, paint, palette_for
from dynamo.radar.legend import extended
from dynamo.radar.mercator import mercator

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from dynamo.radar.contour import Band
    from dynamo.radar.grid import Geometry, Grid
    from dynamo.radar.motion import Motion
    from dynamo.radar.palette import Palette

__all__ = ["write_contact_sheet"]

_GROUND = "#f8f9fa"

# Without a date in the file, the same grids give the same bytes. A PNG packed hard takes a quarter of all the time.
_SAVED: dict[str, dict[str, Any]] = {
    ".svg": {"metadata": {"Date": None}},
    ".pdf": {"metadata": {"CreationDate": None}},
    ".png": {"pil_kwargs": {"compress_level": 1}},
}

_DPI = 110
# Of small type so many letters stand in a line below a map.
_LETTERS = 112
# Outlines of fewer positions are specks on a map this small.
_POINTS = 12


@dataclass(frozen=True, slots=True)
class _Panel:
    """What is kept of a grid: its times, its palette indices a pixel, its outlines."""

    time: datetime
    lead_minutes: float
    indices: NDArray[np.uint8]
    bands: Sequence[Band]


def write_contact_sheet(
    path: Path,
    grids: Iterable[Grid],
    *,
    levels: Sequence[float] = (),
    motion: Motion | None = None,
    title: str = "",
    whole: bool = False,
    notes: Sequence[str] | None = None,
) -> None:
    """Draw grids as small maps in one figure, of the part where the echoes of any of them are, or `whole`.

    Parameters
    ----------
    path
        ``.png``, ``.svg`` or ``.pdf``.
    grids
        In time order, of one geometry and quantity. They are taken one at a time: of each, a byte a pixel and
        the outlines are held.
    levels
        What is outlined, in the units of the grids; see `dynamo.radar.contour.contour`. Classes are not.
    motion
        Drawn as arrows on the first map.
    title
        Stands above all maps, before the time of the first; where empty, neither does.
    whole
        Show all of the grid, so that the frame is the same from one time to the next.
    notes
        Sentences below the maps in small type, each wrapped: what they are made of.

    Raises
    ------
    DataError
        For no grids, and grids of different geometry or quantity, also than `motion`.
    """
    waiting = iter(grids)
    first = next(waiting, None)
    if first is None:
        raise DataError("a contact sheet needs at least one grid")
    place, quantity = first.geometry, first.quantity
    if motion is not None and (apart := place.difference(motion.geometry)):
        raise DataError(f"the motion does not fit the grids: {apart}")
    colouring = palette_for(first, None)
    panels = [_panel(first, colouring, levels)]
    del first
    for grid in waiting:
        if apart := place.difference(grid.geometry):
            raise DataError(f"the grid of {grid.time:%H:%M} does not fit the first: {apart}")
        if grid.quantity != quantity:
            raise DataError(f"cannot mix {quantity} and {grid.quantity} in one figure")
        panels.append(_panel(grid, colouring, levels))
    if title:
        title = f"{title} {panels[0].time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    window = None
    if not whole:
        window = window_of(image_geometry(place, WEB), [panel.indices for panel in panels], len(colouring))
    _draw(path, place, panels, colouring, motion, title, window, notes)


def _panel(grid: Grid, palette: Palette, levels: Sequence[float]) -> _Panel:
    # a class has a colour of its own, and often few cells: outlines would bury what they are to show
    bands = contour(grid, levels, min_points=_POINTS) if levels and not palette.names else []
    return _Panel(grid.time, grid.lead_minutes, paint(grid, palette, unseen=True), bands)


def _draw(
    path: Path,
    place: Geometry,
    panels: Sequence[_Panel],
    palette: Palette,
    motion: Motion | None,
    title: str,
    window: Window | None,
    notes: Sequence[str] | None,
) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    geometry = image_geometry(place, WEB)
    window = window or geometry.extent
    columns = len(panels) if len(panels) <= 3 else math.ceil(len(panels) / 2)
    rows = math.ceil(len(panels) / columns)
    figure = Figure(facecolor="white")
    FigureCanvasAgg(figure)
    lines = None if notes is None else [line for note in notes for line in wrap(note, _LETTERS)]
    axes = _layout(figure, rows, columns, window, title, foot_of(lines))
    rgba = extended(palette, missing=UNSEEN)
    rgba[0] = 0
    for axis, panel in zip(axes, panels, strict=False):
        pixels = _DPI * axis.get_position().width * figure.get_figwidth()
        indices, extent = thinned(panel.indices, geometry, window, pixels)
        _map(axis, panel, rgba[indices], extent, window, is_alone=len(panels) == 1)
        _outlines(axis, panel.bands)
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    _labels(axes[columns * (rows - 1)], window)
    draw_scale_bar(axes[0], window)
    if motion is not None:
        draw_arrows(axes[0], motion, window)
    draw_colour_bar(figure, palette, panels[0].bands, lines)
    figure.savefig(path, dpi=_DPI, **_SAVED.get(path.suffix, {}))


def _layout(figure: Figure, rows: int, columns: int, window: Window, title: str, below: float) -> list[Axes]:
    """Size the figure for its maps and so many inches below them, and place them; shrink a title that is too long."""
    west, south, east, north = window
    width = 10.4 / columns if columns > 1 else 6.0
    height = width * min(max((north - south) / (east - west), 0.45), 1.6)
    top, gap, foot, side = 0.95 if title else 0.55, 0.42, 1.15 + below, 0.5
    total_w, total_h = (
        columns * width + (columns - 1) * 0.14 + 2 * side,
        rows * height + (rows - 1) * gap + top + foot,
    )
    figure.set_size_inches(total_w, total_h)
    if title:
        text = figure.text(
            side / total_w, 1 - 0.34 / total_h, title, size=16, weight="bold", color=INK, va="center"
        )
        long = text.get_window_extent().width / figure.dpi / (total_w - 2 * side)
        text.set_fontsize(16 / max(long, 1.0))
    return [
        figure.add_axes(
            (
                (side + c * (width + 0.14)) / total_w,
                (foot + (rows - 1 - r) * (height + gap)) / total_h,
                width / total_w,
                height / total_h,
            )
        )
        for r in range(rows)
        for c in range(columns)
    ]


def _map(
    axis: Axes, panel: _Panel, image: NDArray[np.uint8], extent: Window, window: Window, *, is_alone: bool
) -> None:
    """Draw the image of a grid, which covers `extent`, on its map."""
    west, south, east, north = extent
    axis.set_facecolor(_GROUND)
    axis.imshow(image, extent=(west, east, south, north), interpolation="nearest", zorder=2, aspect="auto")
    axis.set_xlim(window[0], window[2])
    axis.set_ylim(window[1], window[3])
    axis.set_aspect("equal", adjustable="box", anchor="C")
    axis.set_xticks([x_of(t) for t in ticks(*(lon_of(w) for w in window[::2]))], [])
    axis.set_yticks([y_of(t) for t in ticks(*(lat_of(w) for w in window[1::2]))], [])
    axis.grid(color=LINE, linewidth=0.6, zorder=1)
    axis.tick_params(length=0, pad=3, labelsize=7.5, labelcolor=GREY)
    for spine in axis.spines.values():
        spine.set(color="#b6bcc5", linewidth=0.8)
    lead = f"+{panel.lead_minutes:g} min" if panel.lead_minutes else "" if is_alone else "now"
    text: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "bottom"}
    axis.annotate(lead, (0, 1), (0, 5), size=12, weight="bold", color=INK, ha="left", **text)
    stamp = panel.time.astimezone(UTC)
    axis.annotate(f"{stamp:%Y-%m-%d  %H:%M} UTC", (1, 1), (0, 5), size=9, color=GREY, ha="right", **text)


def _outlines(axis: Axes, bands: Sequence[Band]) -> None:
    """Draw rings, the higher the level the bolder, on a pale seam that parts them from any colour."""
    from matplotlib.collections import LineCollection

    for i, band in enumerate(bands):
        if not len(band):
            continue
        points = np.stack(mercator(*band.coordinates.T), axis=1)
        rings = np.split(points, band.ring_offsets[1:-1])
        wide = 0.5 + 0.9 * (i / max(len(bands) - 1, 1))
        for colour, more, alpha in (("white", 1.2, 0.75), ("#111827", 0.0, 1.0)):
            axis.add_collection(
                LineCollection(
                    rings, colors=colour, linewidths=wide + more, alpha=alpha, zorder=3 + i, capstyle="round"
                ),
                autolim=False,
            )


def _labels(axis: Axes, window: Window) -> None:
    """Write degrees beside the lower left map."""
    lon, lat = ticks(*(lon_of(w) for w in window[::2])), ticks(*(lat_of(w) for w in window[1::2]))
    axis.set_xticks([x_of(t) for t in lon], [degrees(t, "EW") for t in lon])
    axis.set_yticks([y_of(t) for t in lat], [degrees(t, "NS") for t in lat], rotation=90, va="center")
