"""A `Layout` as a PNG picture, for slides and papers; drawn by matplotlib, which is imported only here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dynamo.report.colours import LIGHT
from dynamo.report.layered import Point
from dynamo.report.layout import LABEL_SIZE, NOTE_SIZE, Layout, Spot, lay_out, shorten
from dynamo.report.picture import Box, Picture
from dynamo.report.svg import curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["write_png"]

#: Dots for each pixel of the layout, and the longest side that is still drawn with so many.
SCALE, LONGEST = 2.0, 16000.0
_POINTS = 72 / 100


def write_png(picture: Picture, path: Path) -> None:
    """Write the drawing of `picture` to `path`, on white for print; a very large one with fewer dots."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    notes = {key: box.count for key, box in picture.boxes.items()}
    layout = lay_out(picture, notes)
    figure = Figure(figsize=(layout.width / 100, layout.height / 100), facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, layout.width)
    axes.set_ylim(layout.height, 0)
    axes.axis("off")
    _draw(axes, picture, layout, notes)
    dots = 100 * min(SCALE, LONGEST / max(layout.width, layout.height))
    figure.savefig(
        path, dpi=dots, format="png", metadata={"Title": f"Graph of {picture.name}", "Software": "dynamo"}
    )


def _draw(axes: Axes, picture: Picture, layout: Layout, notes: dict[str, str]) -> None:
    for key, frame in picture.frames.items():
        spot = layout.frames[key]
        _rounded(axes, spot, 10, LIGHT["frame"], LIGHT["line"])
        _text(
            axes,
            spot.x + 12,
            spot.y + 15,
            frame.label,
            NOTE_SIZE,
            LIGHT["muted"],
            weight="bold",
            align="left",
        )
    for arrow, route in zip(picture.arrows, layout.routes, strict=True):
        _arrow(axes, route, dashed=arrow.found)
    for key, box in picture.boxes.items():
        _box(axes, box, layout.boxes[key], notes[key])


def _box(axes: Axes, box: Box, spot: Spot, note: str) -> None:
    source, expand = box.kind == "source", box.kind == "expand"
    fill = LIGHT["source" if source else "shade" if box.kind == "command" else "card"]
    line = LIGHT["sourceline" if source else "accent" if expand else "edge"]
    for back in (6, 3, 0) if len(box.members) > 1 else (0,):
        at = Spot(spot.x + back, spot.y - back, spot.width, spot.height)
        _rounded(axes, at, 15 if source else 7, fill, line, dashed=expand)
    middle = spot.x + spot.width / 2
    base = spot.y + (19 if note else spot.height / 2 + LABEL_SIZE * 0.36)
    _text(axes, middle, base, shorten(box.label), LABEL_SIZE, LIGHT["ink"], weight="bold")
    if note:
        _text(axes, middle, spot.y + 34, note, NOTE_SIZE, LIGHT["muted"])


def _rounded(axes: Axes, spot: Spot, radius: float, fill: str, line: str, *, dashed: bool = False) -> None:
    from matplotlib.patches import FancyBboxPatch

    style = f"round,pad=0,rounding_size={radius:.1f}"
    axes.add_patch(
        FancyBboxPatch(
            (spot.x, spot.y), spot.width, spot.height, boxstyle=style, facecolor=fill, edgecolor=line,
            linewidth=1.2 * _POINTS, linestyle=(0, (5, 3)) if dashed else "solid",
        )
    )  # fmt: skip


def _arrow(axes: Axes, route: Sequence[Point], *, dashed: bool) -> None:
    from matplotlib.patches import PathPatch, Polygon
    from matplotlib.path import Path as Outline

    (x, y), side = route[-1], 1 if route[-1][0] >= route[-2][0] else -1
    points = [route[0], *(p for piece in curve([*route[:-1], (x - 5 * side, y)]) for p in piece)]
    codes = [Outline.MOVETO, *[Outline.CURVE4] * (len(points) - 1)]
    line = (0, (5, 4)) if dashed else "solid"
    axes.add_patch(
        PathPatch(
            Outline(points, codes),
            fill=False,
            edgecolor=LIGHT["edge"],
            linewidth=1.4 * _POINTS,
            linestyle=line,
        )
    )
    tip = [(x, y), (x - 7 * side, y - 3.6), (x - 7 * side, y + 3.6)]
    axes.add_patch(Polygon(tip, facecolor=LIGHT["edge"], linewidth=0))


def _text(
    axes: Axes,
    x: float,
    y: float,
    text: str,
    size: float,
    colour: str,
    *,
    weight: str = "normal",
    align: str = "center",
) -> None:
    axes.text(
        x, y, text, fontsize=size * _POINTS * 0.94, color=colour, weight=weight, ha=align, va="baseline",
        parse_math=False,
    )  # fmt: skip
