"""Draw a graph into a file or as text, in the form that the name of the file asks for.

Goes wrong: `UserError` for a form that is not known, a picture too large to look at, or a file that cannot be
written.
"""

from __future__ import annotations

import json
from pathlib import Path

from dynamo.errors import UserError, nearest
from dynamo.graph import Graph
from dynamo.report.mermaid import mermaid
from dynamo.report.picture import Picture, picture

__all__ = ["FORMS", "MOST", "draw", "write_drawing"]

#: Form to what it is.
FORMS = {
    "svg": "a picture for web pages",
    "png": "a picture for slides and papers",
    "mmd": "Mermaid text",
    "json": "the graph itself as data",
}
#: Boxes beyond which nobody can look at a picture, and arrows for each of them.
MOST, DENSE = 4000, 5


def draw(graph: Graph, form: str, *, expand: bool = False) -> str:
    """Return the drawing of `graph` as text: ``svg``, ``mmd`` or ``json``.

    With `expand` every task is a box of its own; else a fan-out is one box with a count. Raises `UserError` where
    that gives more than `MOST` boxes or too many arrows.
    """
    if form == "json":
        return json.dumps(graph.to_json(), indent=1) + "\n"
    drawn = picture(graph, expand=expand)
    _check_size(drawn, expand=expand)
    if form == "mmd":
        return mermaid(drawn)
    from dynamo.report.svg import svg

    return svg(drawn)


def write_drawing(graph: Graph, path: Path, *, expand: bool = False) -> None:
    """Write the drawing of `graph` to `path`, in the form that its ending names; see `FORMS` and `draw`.

    Raises `UserError` also where the ending is none of these or the file cannot be written.
    """
    form = path.suffix.lower().removeprefix(".")
    if form not in FORMS:
        forms = ", ".join(f".{f} ({what})" for f, what in FORMS.items())
        raise UserError(f"cannot draw into {path}: its name must end in {forms}{nearest(form, FORMS)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if form != "png":
            path.write_text(draw(graph, form, expand=expand), encoding="utf-8")
            return
        from dynamo.report.png import write_png

        drawn = picture(graph, expand=expand)
        _check_size(drawn, expand=expand)
        write_png(drawn, path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error


def _check_size(drawn: Picture, *, expand: bool) -> None:
    boxes, arrows = len(drawn.boxes), len(drawn.arrows)
    if boxes > MOST or arrows > DENSE * MOST:
        advice = "leave out --expand, or draw a part with --until" if expand else "draw a part with --until"
        raise UserError(f"a picture with {boxes:,} boxes and {arrows:,} arrows cannot be looked at; {advice}")
