"""A `Layout` as SVG: crisp, selectable text, legible on light and dark screens.

Everything that comes from a user is escaped; nothing is fetched from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from dynamo.report.colours import STATES, style
from dynamo.report.layered import Point
from dynamo.report.layout import LABEL_SIZE, Layout, Spot, lay_out, shorten
from dynamo.report.markup import escape
from dynamo.report.picture import Box, Picture

__all__ = ["curve", "svg"]

#: Member names that a tooltip lists before it only counts.
LISTED = 12
_NOTHING: Mapping[str, Mapping[str, int]] = {}


def svg(
    picture: Picture,
    *,
    states: Mapping[str, Mapping[str, int]] = _NOTHING,
    notes: Mapping[str, str] | None = None,
    standalone: bool = True,
) -> str:
    """Return the drawing of `picture` as SVG text.

    Parameters
    ----------
    states
        Box key to the number of its tasks in each state; colours the box and draws a bar.
    notes
        Second line of each box by key; by default how many tasks or files it stands for.
    standalone
        For a file of its own: with its own style and background. Otherwise for a page that has both.
    """
    notes = {key: box.count for key, box in picture.boxes.items()} if notes is None else notes
    layout = lay_out(picture, notes)
    width, height = f"{layout.width:.0f}", f"{layout.height:.0f}"
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="graph" role="img" {size}>',
        f"<title>{escape(f'Graph of {picture.name}')}</title>",
    ]
    if standalone:
        parts.append(f"<style>{style('graph')}</style>")
        parts.append(f'<rect class="paper" width="{width}" height="{height}" rx="10"/>')
    parts += _frames(picture, layout)
    parts += _arrows(picture, layout)
    for key, box in picture.boxes.items():
        parts += _box(box, layout.boxes[key], notes.get(key, ""), states.get(key, {}))
    return "\n".join([*parts, "</svg>\n"])


def curve(route: Sequence[Point]) -> list[tuple[Point, Point, Point]]:
    """Return the cubic Bezier pieces (two controls, end) that leave and enter every point of a route level."""
    pieces = []
    for (x0, y0), (x1, y1) in pairwise(route):
        bend = (x1 - x0) / 2
        pieces.append(((x0 + bend, y0), (x1 - bend, y1), (x1, y1)))
    return pieces


def _frames(picture: Picture, layout: Layout) -> Iterator[str]:
    for key, frame in picture.frames.items():
        s = layout.frames[key]
        yield f'<rect class="frame" {_rect(s)} rx="10"/>'
        yield f'<text class="heading" x="{s.x + 12:.1f}" y="{s.y + 15:.1f}">{escape(frame.label)}</text>'


def _arrows(picture: Picture, layout: Layout) -> Iterator[str]:
    for arrow, route in zip(picture.arrows, layout.routes, strict=True):
        told = "describes at run time" if arrow.found else _listed(arrow.files, "files")
        (x0, y0), (x, y) = route[0], route[-1]
        side = 1 if x >= route[-2][0] else -1
        line = f"M{x0:.1f} {y0:.1f}" + "".join(
            f"L{c[0]:.1f} {c[1]:.1f}" if a[1] == b[1] == c[1] else
            f"C{a[0]:.1f} {a[1]:.1f} {b[0]:.1f} {b[1]:.1f} {c[0]:.1f} {c[1]:.1f}"
            for a, b, c in curve([*route[:-1], (x - 5 * side, y)])
        )  # fmt: skip
        yield (
            f'<g><title>{escape(told)}</title><path class="arrow{" found" if arrow.found else ""}" d="{line}"/>'
            f'<path class="tip" d="M{x:.1f} {y:.1f}l{-7 * side} -3.6v7.2z"/></g>'
        )


def _box(box: Box, spot: Spot, note: str, states: Mapping[str, int]) -> Iterator[str]:
    worst = next((s for s in STATES if states.get(s)), "")
    told = ", ".join(f"{n:,} {state}" for state in STATES if (n := states.get(state)))
    yield f"<g><title>{escape(_listed(box.members, box.kind) + (f': {told}' if told else ''))}</title>"
    radius = 15 if box.kind == "source" else 7
    kind = f"{box.kind}{f' is-{worst}' if worst else ''}"
    if len(box.members) > 1:
        for back in (6, 3):
            behind = Spot(spot.x + back, spot.y - back, spot.width, spot.height)
            yield f'<rect class="behind {kind}" {_rect(behind)} rx="{radius}"/>'
    yield f'<rect class="box {kind}" {_rect(spot)} rx="{radius}"/>'
    middle = spot.x + spot.width / 2
    base = spot.y + (19 if note else spot.height / 2 + LABEL_SIZE * 0.36)
    yield f'<text class="label" x="{middle:.1f}" y="{base:.1f}">{escape(shorten(box.label))}</text>'
    if note:
        yield f'<text class="note" x="{middle:.1f}" y="{spot.y + 34:.1f}">{escape(note)}</text>'
    if len(states) > 1:
        yield from _bar(spot, states)
    yield "</g>"


def _bar(spot: Spot, states: Mapping[str, int]) -> Iterator[str]:
    """Yield a bar along the foot of a box, its parts as long as the counts of the states."""
    total, x, width = sum(states.values()), spot.x + 8, spot.width - 16
    for state in STATES:
        part = states.get(state, 0) / total * width
        if part:
            foot = Spot(x, spot.y + spot.height - 6, part, 3)
            yield f'<rect class="bar-{state}" {_rect(foot)}/>'
            x += part


def _rect(s: Spot) -> str:
    return f'x="{s.x:.1f}" y="{s.y:.1f}" width="{s.width:.1f}" height="{s.height:.1f}"'


def _listed(names: Sequence[str], noun: str) -> str:
    if len(names) <= LISTED:
        return ", ".join(names)
    plural = "files" if noun in {"files", "source"} else "tasks"
    return f"{len(names):,} {plural}: {', '.join(names[: LISTED - 2])} … {names[-1]}"
