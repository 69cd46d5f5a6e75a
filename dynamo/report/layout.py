"""Where everything of a `Picture` stands, in pixels: the same for SVG and PNG.

Each frame is laid out by itself and then stands as one node among the others, so frames never overlap; arrows
enter and leave a frame through ports on its border.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dynamo.report.layered import Key, Link, Placed, Point, arrange
from dynamo.report.picture import Arrow, Box, Picture

__all__ = ["LABEL_SIZE", "NOTE_SIZE", "Layout", "Spot", "lay_out", "shorten", "text_width"]

LABEL_SIZE, NOTE_SIZE = 13.0, 11.0
MARGIN, PAD, HEADING = 20.0, 14.0, 30.0
LONGEST = 34
_NARROW, _WIDE = frozenset("ijlt.,:;|'!()[]fr I/-"), frozenset("mwMW@%&")


@dataclass(frozen=True, slots=True)
class Spot:
    """A rectangle: its top left corner and its size."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Layout:
    """Rectangles of the boxes and frames by key, and the points of each arrow in the order of the picture."""

    width: float
    height: float
    boxes: Mapping[str, Spot]
    frames: Mapping[str, Spot]
    routes: tuple[tuple[Point, ...], ...]


def text_width(text: str, size: float) -> float:
    """Return about how many pixels `text` takes in a common sans-serif font, rather too many than too few."""
    em = 0.0
    for c in text:
        em += (
            0.36
            if c in _NARROW
            else 0.92
            if c in _WIDE
            else 0.7
            if c.isupper()
            else 0.6
            if c < "\u2000"
            else 1.0
        )
    return em * size


def shorten(text: str, longest: int = LONGEST) -> str:
    """Leave out the middle of a long name, which is where names differ least."""
    if len(text) <= longest:
        return text
    keep = longest - 1
    return f"{text[: keep - keep // 2]}…{text[-(keep // 2) :]}"


def box_size(box: Box, note: str) -> tuple[float, float]:
    """Return width and height of a box with its label and a note below it."""
    width = max(text_width(shorten(box.label), LABEL_SIZE), text_width(note, NOTE_SIZE)) + 28
    return max(width, 72.0), 46.0 if note else 30.0


def lay_out(picture: Picture, notes: Mapping[str, str]) -> Layout:
    """Place all of `picture`; `notes` are the second lines of boxes, by key."""
    sizes = {key: box_size(box, notes.get(key, "")) for key, box in picture.boxes.items()}
    inside = {key: _inside(picture, key, sizes) for key in picture.frames}
    outer: dict[Key, tuple[float, float]] = {}
    for key, box in picture.boxes.items():
        if box.frame:
            inner = inside[box.frame].placed
            wide = max(inner.width, text_width(picture.frames[box.frame].label, NOTE_SIZE))
            outer["frame", box.frame] = (wide + 2 * PAD, inner.height + PAD + HEADING)
        else:
            outer[key] = sizes[key]

    def end(key: str, side: str) -> tuple[Key, float | None]:
        frame = picture.boxes[key].frame
        return (
            (("frame", frame), inside[frame].placed.corners[side, key][1] + HEADING) if frame else (key, None)
        )

    crossing = [i for i, a in enumerate(picture.arrows) if not _within(picture, a)]
    links = []
    for i in crossing:
        (tail, leaves), (head, enters) = (
            end(picture.arrows[i].tail, "exit"),
            end(picture.arrows[i].head, "entry"),
        )
        links.append(Link(tail, head, leaves, enters))
    placed = arrange(outer, links)
    return _compose(picture, sizes, inside, outer, placed, dict(zip(crossing, placed.routes, strict=True)))


@dataclass(frozen=True, slots=True)
class _Inside:
    """The inside of a frame, and its routes: of arrows by number, and to and from the ports of boxes."""

    placed: Placed
    routes: Mapping[object, list[Point]]


def _within(picture: Picture, arrow: Arrow) -> bool:
    frame = picture.boxes[arrow.tail].frame
    return bool(frame) and frame == picture.boxes[arrow.head].frame


def _inside(picture: Picture, frame: str, sizes: Mapping[str, tuple[float, float]]) -> _Inside:
    """Lay out one frame, with a port for each box that something leaves or enters."""
    nodes: dict[Key, tuple[float, float]] = {
        k: sizes[k] for k, b in picture.boxes.items() if b.frame == frame
    }
    links: dict[object, Link] = {}
    for i, arrow in enumerate(picture.arrows):
        if _within(picture, arrow):
            if arrow.tail in nodes:
                links[i] = Link(arrow.tail, arrow.head)
            continue
        if arrow.tail in nodes:
            links["exit", arrow.tail] = Link(arrow.tail, ("exit", arrow.tail))
        if arrow.head in nodes:
            links["entry", arrow.head] = Link(("entry", arrow.head), arrow.head)
    exits, entries = (
        [k for k in links if isinstance(k, tuple) and k[0] == side] for side in ("exit", "entry")
    )
    nodes.update(dict.fromkeys([*exits, *entries], (0.0, 0.0)))
    placed = arrange(nodes, list(links.values()), first=entries, last=exits)
    return _Inside(placed, dict(zip(links, placed.routes, strict=True)))


def _compose(
    picture: Picture,
    sizes: Mapping[str, tuple[float, float]],
    inside: Mapping[str, _Inside],
    outer: Mapping[Key, tuple[float, float]],
    placed: Placed,
    crossing: Mapping[int, list[Point]],
) -> Layout:
    """Put the insides of the frames into the whole."""
    frames, origin = {}, {}
    for key in picture.frames:
        x, y = placed.corners["frame", key]
        width, height = outer["frame", key]
        frames[key] = Spot(x + MARGIN, y + MARGIN, width, height)
        origin[key] = (x + MARGIN + (width - inside[key].placed.width) / 2, y + MARGIN + HEADING)
    boxes = {}
    for key, box in picture.boxes.items():
        x, y = inside[box.frame].placed.corners[key] if box.frame else placed.corners[key]
        dx, dy = origin.get(box.frame, (MARGIN, MARGIN))
        boxes[key] = Spot(x + dx, y + dy, *sizes[key])

    def inner(frame: str, route: object) -> list[Point]:
        dx, dy = origin[frame]
        return [(x + dx, y + dy) for x, y in inside[frame].routes[route]]

    routes = []
    for i, arrow in enumerate(picture.arrows):
        tail, head = picture.boxes[arrow.tail].frame, picture.boxes[arrow.head].frame
        if i not in crossing:
            routes.append(tuple(inner(tail, i)))
            continue
        points = inner(tail, ("exit", arrow.tail)) if tail else []
        points += [(x + MARGIN, y + MARGIN) for x, y in crossing[i]]
        points += inner(head, ("entry", arrow.head)) if head else []
        routes.append(tuple(points))
    return Layout(placed.width + 2 * MARGIN, placed.height + 2 * MARGIN, boxes, frames, tuple(routes))
