"""A `Picture` as Mermaid text, which GitHub, GitLab and many documentation tools draw by themselves."""

from __future__ import annotations

from collections.abc import Iterator

from dynamo.report.picture import Box, Picture

__all__ = ["mermaid"]

_SHAPES = {"source": ("([", "])"), "python": ("[", "]"), "command": ("[[", "]]"), "expand": ("{{", "}}")}


def mermaid(picture: Picture) -> str:
    """Return a flowchart; names stand in quotes with what Mermaid would read as markup escaped.

    Syntax: https://mermaid.js.org/syntax/flowchart.html.
    """
    ids = {key: f"n{i}" for i, key in enumerate(picture.boxes)}
    lines = ["flowchart LR"]
    for n, (key, frame) in enumerate(picture.frames.items()):
        lines.append(f'  subgraph f{n}["{_escape(frame.label)}"]')
        lines += (f"    {line}" for line in _boxes(picture, ids, key))
        lines.append("  end")
    lines += (f"  {line}" for line in _boxes(picture, ids, ""))
    lines += (f"  {ids[a.tail]} {'-.->' if a.found else '-->'} {ids[a.head]}" for a in picture.arrows)
    return "\n".join(lines) + "\n"


def _boxes(picture: Picture, ids: dict[str, str], frame: str) -> Iterator[str]:
    return (f"{ids[key]}{_shape(box)}" for key, box in picture.boxes.items() if box.frame == frame)


def _shape(box: Box) -> str:
    opened, closed = _SHAPES[box.kind]
    count = f"<br/>{box.count}" if box.count else ""
    return f'{opened}"{_escape(box.label)}{count}"{closed}'


def _escape(text: str) -> str:
    named = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "`": "#96;"}
    return "".join(named.get(c, " " if c in "\r\n" else c) for c in text)
