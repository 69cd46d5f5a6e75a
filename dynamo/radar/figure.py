"""Contact sheets: lead times side by side with their polygons outlined, in one picture.

People look before they read. Drawn with matplotlib, without pyplot (no global state, no display) and never
on the path of a product. All panels show the same piece of map, in Mercator; grey is what is not known, missing
or out of range. What can go wrong: no grids, or grids that do not belong together (`DataError`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from dynamo.errors import DataError
from dynamo.radar.contour import contour
from dynamo.radar.image import WEB, image_geometry, mercator, paint, palette_for, unmercator
from dynamo.radar.legend import NOT_KNOWN, extended

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

_INK, _GREY, _LINE, _GROUND = "#1f2937", "#6b7280", "#d7dbe0", "#f8f9fa"

# Without a date in the file, the same grids give the same bytes. A PNG packed hard takes a quarter of all the time.
_SAVED: dict[str, dict[str, Any]] = {
    ".svg": {"metadata": {"Date": None}},
    ".pdf": {"metadata": {"CreationDate": None}},
    ".png": {"pil_kwargs": {"compress_level": 1}},
}

# Of what is not known: ink that dims the ground, so that lines are seen through it.
_UNSEEN = (31, 41, 55, 36)

_DPI = 110
# Outlines of fewer positions are specks on a map this small.
_POINTS = 12

Window = tuple[float, float, float, float]


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
) -> None:
    """Draw grids as small maps in one figure, of the part where the echoes of any of them are.

    Parameters
    ----------
    path
        ``.png``, ``.svg`` or ``.pdf``.
    grids
        In time order, of one geometry and quantity. They are taken one at a time: of each, a byte a pixel and
        the outlines are held.
    levels
        What is outlined, in the units of the grids; see `dynamo.radar.contour.contour`.
    motion
        Drawn as arrows on the first map.
    title
        Stands above all maps, before the time of the first; where empty, neither does.

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
    _draw(path, place, panels, colouring, motion, title)


def _panel(grid: Grid, palette: Palette, levels: Sequence[float]) -> _Panel:
    bands = contour(grid, levels, min_points=_POINTS) if levels else []
    return _Panel(grid.time, grid.lead_minutes, paint(grid, palette, unseen=True), bands)


def _draw(
    path: Path,
    place: Geometry,
    panels: Sequence[_Panel],
    palette: Palette,
    motion: Motion | None,
    title: str,
) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    geometry = image_geometry(place, WEB)
    window = _window(geometry, [panel.indices for panel in panels], len(palette))
    columns = len(panels) if len(panels) <= 3 else math.ceil(len(panels) / 2)
    rows = math.ceil(len(panels) / columns)
    figure = Figure(facecolor="white")
    FigureCanvasAgg(figure)
    axes = _layout(figure, rows, columns, window, title)
    rgba = extended(palette, missing=_UNSEEN)
    rgba[0] = 0
    for axis, panel in zip(axes, panels, strict=False):
        pixels = _DPI * axis.get_position().width * figure.get_figwidth()
        indices, extent = _thinned(panel.indices, geometry, window, pixels)
        _map(axis, panel, rgba[indices], extent, window)
        _outlines(axis, panel.bands)
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    _labels(axes[columns * (rows - 1)], window)
    _scale_bar(axes[0], window)
    if motion is not None:
        _arrows(axes[0], motion, window)
    _colour_bar(figure, palette, panels[0].bands)
    figure.savefig(path, dpi=_DPI, **_SAVED.get(path.suffix, {}))


def _thinned(
    indices: NDArray[np.uint8], geometry: Geometry, window: Window, pixels: float
) -> tuple[NDArray[np.uint8], Window]:
    """Return the window of a painted grid, of not much more than two cells a pixel, and its extent in metres."""
    west, _, _, north = geometry.extent
    left, right = ((x - west) / geometry.dx for x in window[::2])
    bottom, top = ((y - north) / geometry.dy for y in window[1::2])
    step = max(int((right - left) / (2 * pixels)), 1)
    left, top = (int(cell + 1e-6) // step * step for cell in (left, top))
    right, bottom = (math.ceil((cell - 1e-6) / step) * step for cell in (right, bottom))
    thin = indices[top + step // 2 : bottom : step, left + step // 2 : right : step]
    right, bottom = left + step * thin.shape[1], top + step * thin.shape[0]
    return thin, (
        west + left * geometry.dx,
        north + bottom * geometry.dy,
        west + right * geometry.dx,
        north + top * geometry.dy,
    )


def _window(geometry: Geometry, painted: Sequence[NDArray[np.uint8]], highest: int) -> Window:
    """Return the part of the map that holds the echoes, bar lone specks, in metres; a higher index is none."""
    # Strong echoes count for more: a small hard cell matters, a wide veil around the radar less.
    # Sums along rows and columns of the squares, without a field of them.
    down, across = np.zeros(painted[0].shape[0], "f4"), np.zeros(painted[0].shape[1], "f4")
    for indices in painted:
        echo = np.where(indices <= highest, indices, np.uint8(0))
        down += np.einsum("ij,ij->i", echo, echo, dtype="f4", casting="unsafe")
        across += np.einsum("ij,ij->j", echo, echo, dtype="f4", casting="unsafe")
    if not down.any():
        return geometry.extent
    top, bottom = _span(down)
    left, right = _span(across)
    west, _, _, north = geometry.extent
    return (
        west + left * geometry.dx,
        north + bottom * geometry.dy,
        west + right * geometry.dx,
        north + top * geometry.dy,
    )


def _span(weight: NDArray[np.float64]) -> tuple[float, float]:
    """Return where 98 % of the weight lies, with a margin, and at least a quarter of the axis."""
    n, share = weight.size, np.cumsum(weight) / weight.sum()
    low, high = np.searchsorted(share, 0.01), np.searchsorted(share, 0.99) + 1
    spread = min(max(1.25 * (high - low), n / 4), n)
    start = min(max((low + high - spread) / 2, 0), n - spread)
    return float(start), float(start + spread)


def _layout(figure: Figure, rows: int, columns: int, window: Window, title: str) -> list[Axes]:
    """Size the figure for its maps and place them."""
    west, south, east, north = window
    width = 10.4 / columns if columns > 1 else 6.0
    height = width * min(max((north - south) / (east - west), 0.45), 1.6)
    top, gap, foot, side = 0.95 if title else 0.55, 0.42, 1.15, 0.5
    total_w, total_h = (
        columns * width + (columns - 1) * 0.14 + 2 * side,
        rows * height + (rows - 1) * gap + top + foot,
    )
    figure.set_size_inches(total_w, total_h)
    if title:
        figure.text(
            side / total_w, 1 - 0.34 / total_h, title, size=16, weight="bold", color=_INK, va="center"
        )
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


def _map(axis: Axes, panel: _Panel, image: NDArray[np.uint8], extent: Window, window: Window) -> None:
    """Draw the image of a grid, which covers `extent`, on its map."""
    west, south, east, north = extent
    axis.set_facecolor(_GROUND)
    axis.imshow(image, extent=(west, east, south, north), interpolation="nearest", zorder=2, aspect="auto")
    axis.set_xlim(window[0], window[2])
    axis.set_ylim(window[1], window[3])
    axis.set_aspect("equal", adjustable="box", anchor="C")
    axis.set_xticks([_x(t) for t in _ticks(*(_lon(w) for w in window[::2]))], [])
    axis.set_yticks([_y(t) for t in _ticks(*(_lat(w) for w in window[1::2]))], [])
    axis.grid(color=_LINE, linewidth=0.6, zorder=1)
    axis.tick_params(length=0, pad=3, labelsize=7.5, labelcolor=_GREY)
    for spine in axis.spines.values():
        spine.set(color="#b6bcc5", linewidth=0.8)
    lead = f"+{panel.lead_minutes:g} min" if panel.lead_minutes else "now"
    text: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "bottom"}
    axis.annotate(lead, (0, 1), (0, 5), size=12, weight="bold", color=_INK, ha="left", **text)
    stamp = panel.time.astimezone(UTC)
    axis.annotate(f"{stamp:%Y-%m-%d  %H:%M} UTC", (1, 1), (0, 5), size=9, color=_GREY, ha="right", **text)


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
    lon, lat = _ticks(*(_lon(w) for w in window[::2])), _ticks(*(_lat(w) for w in window[1::2]))
    axis.set_xticks([_x(t) for t in lon], [_degrees(t, "EW") for t in lon])
    axis.set_yticks([_y(t) for t in lat], [_degrees(t, "NS") for t in lat], rotation=90, va="center")


def _degrees(value: float, sides: str) -> str:
    side = sides[0] if value > 0 else sides[1] if value < 0 else ""
    return f"{abs(value):g}°{side}"


def _scale_bar(axis: Axes, window: Window) -> None:
    """Draw a round number of km, true at the middle of the map."""
    from matplotlib import patheffects

    west, south, east, north = window
    stretch = 1 / math.cos(math.radians(_lat((south + north) / 2)))
    room = (east - west) / stretch / 1000 * 0.28
    km = max(k * 10**e for e in range(-1, 4) for k in (1, 2, 5) if k * 10**e <= room)
    x, y = west + 0.05 * (east - west), south + 0.06 * (north - south)
    halo = [patheffects.withStroke(linewidth=3, foreground="white")]
    length = km * 1000 * stretch
    axis.plot(
        [x, x + length],
        [y, y],
        color=_INK,
        linewidth=2.2,
        solid_capstyle="butt",
        zorder=20,
        path_effects=halo,
    )
    axis.annotate(
        f"{km:g} km",
        (x + length / 2, y),
        (0, 3),
        textcoords="offset points",
        ha="center",
        va="bottom",
        size=8.5,
        color=_INK,
        zorder=20,
        path_effects=halo,
    )


def _arrows(axis: Axes, motion: Motion, window: Window) -> None:
    """Draw about a dozen arrows across, each as long as the way of the next few minutes."""
    west, south, east, north = window
    step = (east - west) / 9
    x, y = np.meshgrid(np.arange(west + step / 2, east, step), np.arange(south + step / 2, north, step))
    u, v, inside = _at(motion, *unmercator(x, y))
    x, y, u, v = x[inside], y[inside], u[inside], v[inside]
    fast = float(np.hypot(u, v).max(initial=0.0))
    if fast > 0:
        axis.quiver(
            x,
            y,
            u,
            v,
            angles="xy",
            scale_units="xy",
            scale=fast / (0.75 * step),
            width=0.005,
            color=_INK,
            alpha=0.85,
            edgecolor="white",
            linewidth=0.5,
            zorder=15,
            pivot="mid",
        )


def _at(
    motion: Motion, lon: NDArray[np.float64], lat: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Return the motion at places, eastward and northward, km per minute, and which lie on the grid."""
    geometry = motion.geometry
    column, row = geometry.indices(lon, lat)
    inside = (np.abs(column - (geometry.nx - 1) / 2) < geometry.nx / 2) & (
        np.abs(row - (geometry.ny - 1) / 2) < geometry.ny / 2
    )
    rows, columns = motion.u.shape
    nodes = (
        ((column + 0.5) * columns / geometry.nx - 0.5).astype("f4"),
        ((row + 0.5) * rows / geometry.ny - 0.5).astype("f4"),
    )
    u, v = (
        cv2.remap(part, *nodes, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for part in (motion.u, motion.v)
    )
    east, north = geometry.cell_size_km()
    return u * np.float32(east), v * np.float32(-north), inside


def _colour_bar(figure: Figure, palette: Palette, bands: Sequence[Band]) -> None:
    """Draw the colours with ticks below the maps, and say what the outlines are."""
    width, height = figure.get_size_inches()
    axis = figure.add_axes((0.5 / width, 0.52 / height, 0.46, 0.16 / height))
    axis.imshow(palette.rgb[None], aspect="auto", extent=(0, len(palette), 0, 1))
    places = [int(palette.index(np.array([t], dtype=np.float32))[0]) - 1 for t in palette.ticks]
    axis.set_xticks(places, [f"{t:g}" for t in palette.ticks])
    axis.set_yticks([])
    axis.tick_params(length=2, pad=2, labelsize=8.5, labelcolor=_INK, color=_GREY)
    for spine in axis.spines.values():
        spine.set_visible(False)
    axis.annotate(
        f"{palette.title.lower()}, {palette.units}",
        (1, 0.5),
        (8, 0),
        xycoords="axes fraction",
        textcoords="offset points",
        va="center",
        size=9,
        color=_INK,
    )
    levels = [f"{band.level:g}" for band in bands]
    if levels:
        figure.text(
            1 - 0.5 / width,
            0.6 / height,
            f"outlines: {', '.join(levels)} {palette.units}",
            ha="right",
            va="center",
            size=9,
            color=_INK,
        )
    _unseen_key(figure)


def _unseen_key(figure: Figure) -> None:
    """Say at the lower right what the grey is."""
    from matplotlib.patches import Rectangle

    width, height = figure.get_size_inches()
    figure.text(1 - 0.5 / width, 0.3 / height, NOT_KNOWN, ha="right", va="center", size=9, color=_INK)
    place = (1 - 1.28 / width, 0.22 / height)
    colour = tuple(c / 255 for c in _UNSEEN)
    figure.add_artist(
        Rectangle(
            place,
            0.22 / width,
            0.16 / height,
            transform=figure.transFigure,
            facecolor=colour,
            edgecolor=_LINE,
            linewidth=0.8,
        )
    )


def _ticks(low: float, high: float) -> list[float]:
    from matplotlib.ticker import MaxNLocator

    return [round(float(t), 6) for t in MaxNLocator(4).tick_values(low, high) if low < t < high]


def _x(lon: float) -> float:
    return float(mercator(np.array(lon), np.array(0.0))[0])


def _y(lat: float) -> float:
    return float(mercator(np.array(0.0), np.array(lat))[1])


def _lon(x: float) -> float:
    return float(unmercator(np.array(x), np.array(0.0))[0])


def _lat(y: float) -> float:
    return float(unmercator(np.array(0.0), np.array(y))[1])
