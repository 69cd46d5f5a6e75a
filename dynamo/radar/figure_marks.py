"""What stands on and below the maps of a contact sheet: scale bar, arrows of motion, colours and what they mean.

Nothing can go wrong but what matplotlib itself may raise.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

from dynamo.radar.graticule import lat_of
from dynamo.radar.legend import NOT_KNOWN
from dynamo.radar.mercator import unmercator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from dynamo.radar.contour import Band
    from dynamo.radar.figure_window import Window
    from dynamo.radar.motion import Motion
    from dynamo.radar.palette import Palette

__all__ = [
    "GREY", "INK", "LINE", "UNSEEN", "draw_arrows", "draw_colour_bar", "draw_scale_bar", "foot_of",
    "motion_at",
]  # fmt: skip

INK, GREY, LINE = "#1f2937", "#6b7280", "#d7dbe0"

#: Inches from one line of small type to the next.
ROW = 0.145

#: Of what is not known: ink that dims the ground, so that lines are seen through it.
UNSEEN = (31, 41, 55, 36)


def draw_scale_bar(axis: Axes, window: Window) -> None:
    """Draw a round number of km, true at the middle of the map."""
    from matplotlib import patheffects

    west, south, east, north = window
    stretch = 1 / math.cos(math.radians(lat_of((south + north) / 2)))
    room = (east - west) / stretch / 1000 * 0.28
    km = max(k * 10**e for e in range(-1, 4) for k in (1, 2, 5) if k * 10**e <= room)
    x, y = west + 0.05 * (east - west), south + 0.06 * (north - south)
    halo = [patheffects.withStroke(linewidth=3, foreground="white")]
    length = km * 1000 * stretch
    axis.plot(
        [x, x + length],
        [y, y],
        color=INK,
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
        color=INK,
        zorder=20,
        path_effects=halo,
    )


def draw_arrows(axis: Axes, motion: Motion, window: Window) -> None:
    """Draw about a dozen arrows across, each as long as the way of the next few minutes."""
    west, south, east, north = window
    step = (east - west) / 9
    x, y = np.meshgrid(np.arange(west + step / 2, east, step), np.arange(south + step / 2, north, step))
    u, v, inside = motion_at(motion, *unmercator(x, y))
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
            color=INK,
            alpha=0.85,
            edgecolor="white",
            linewidth=0.5,
            zorder=15,
            pivot="mid",
        )


def motion_at(
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


def draw_colour_bar(
    figure: Figure, palette: Palette, bands: Sequence[Band], notes: Sequence[str] | None
) -> None:
    """Draw the colours with ticks below the maps, say what the outlines are, and below that `notes` in small type.

    Without notes (None) what the outlines are stands beside the colours: there are several maps above.
    """
    width, height = figure.get_size_inches()
    base = foot_of(notes)
    axis = figure.add_axes(
        (0.5 / width, (base + 0.52) / height, 0.6 if palette.names else 0.46, 0.16 / height)
    )
    axis.imshow(palette.rgb[None], aspect="auto", extent=(0, len(palette), 0, 1))
    middle = 0.5 if palette.names else 0.0
    places = [int(palette.index(np.array([t], dtype=np.float32))[0]) - 1 + middle for t in palette.ticks]
    axis.set_xticks(places, [palette.words(t) for t in palette.ticks])
    axis.set_yticks([])
    axis.tick_params(length=2, pad=2, labelsize=8.5, labelcolor=INK, color=GREY)
    for spine in axis.spines.values():
        spine.set_visible(False)
    axis.annotate(
        palette.title.lower() + (f", {palette.units}" if palette.units != "1" else ""),
        (1, 0.5),
        (8, 0),
        xycoords="axes fraction",
        textcoords="offset points",
        va="center",
        size=9,
        color=INK,
    )
    levels = [palette.words(band.level) for band in bands]
    if levels:
        units = f" {palette.units}" if palette.units != "1" else ""
        place, side = (
            ((1 - 0.5 / width, 0.6), "right") if notes is None else ((0.5 / width, base + 0.22), "left")
        )
        figure.text(
            place[0], place[1] / height, f"outlines: {', '.join(levels)}{units}",
            ha=side, va="center", size=9, color=INK,
        )  # fmt: skip
    _unseen_key(figure, base + (0.3 if notes is None else 0.22))
    for row, line in enumerate(notes or ()):
        figure.text(0.5 / width, (base - ROW * row) / height, line, va="top", size=7.5, color=GREY)


def foot_of(notes: Sequence[str] | None) -> float:
    """Return how many inches notes take."""
    return 0.0 if notes is None else 0.15 + ROW * len(notes)


def _unseen_key(figure: Figure, middle: float) -> None:
    """Say at the lower right what the grey is, so many inches above the edge."""
    from matplotlib.patches import Rectangle

    width, height = figure.get_size_inches()
    figure.text(1 - 0.5 / width, middle / height, NOT_KNOWN, ha="right", va="center", size=9, color=INK)
    place = (1 - 1.28 / width, (middle - 0.08) / height)
    colour = tuple(c / 255 for c in UNSEEN)
    figure.add_artist(
        Rectangle(
            place,
            0.22 / width,
            0.16 / height,
            transform=figure.transFigure,
            facecolor=colour,
            edgecolor=LINE,
            linewidth=0.8,
        )
    )
