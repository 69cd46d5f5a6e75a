"""Pieces of HTML that the sections of a report are made of, and the one way in which text enters them."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterable, Sequence
from typing import TypeAlias
from urllib.parse import quote

from dynamo.graph.units import format_bytes, format_seconds

__all__ = ["Cell", "count", "escape", "href", "link", "listed", "memory", "section", "table", "took"]

#: HTML of a cell of a table and, where it is a number, what it is sorted by.
Cell: TypeAlias = tuple[str, float | None]

_TERMINAL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def escape(text: str) -> str:
    """Return `text` for HTML, SVG and attributes: without colours of a terminal, and what XML forbids replaced."""
    return html.escape(_ILLEGAL.sub("\ufffd", _TERMINAL.sub("", text)))


def count(n: int, noun: str) -> str:
    """Return a number with its noun.

    >>> count(2, "file")
    '2 files'
    """
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def listed(names: Sequence[str], most: int = 12) -> str:
    """Return the first `most` names and how many more there are, escaped."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return escape(", ".join(names[:most]) + more)


def href(path: str, base: str) -> str:
    """Return a path as an address relative to the folder `base`, for an attribute."""
    return html.escape(quote(os.fsencode(os.path.relpath(path, base))))


def link(path: str, base: str, text: str) -> str:
    """Return a link to a file."""
    return f'<a href="{href(path, base)}">{escape(text)}</a>'


def section(name: str, title: str, body: str) -> str:
    """Return a section of the page with its heading (plain text) and body (HTML)."""
    return f'<section id="{name}" aria-labelledby="{name}-title"><h2 id="{name}-title">{title}</h2>{body}</section>'


def took(seconds: float) -> Cell:
    """Return a cell with a span of time."""
    return format_seconds(max(seconds, 0.0)), round(seconds, 6)


def memory(size: int) -> Cell:
    """Return a cell with an amount of memory, empty where it is not known."""
    return (format_bytes(size), size) if size else ("", 0)


def table(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return a table; a column is right-aligned where its cells are numbers."""
    made = list(rows)
    numeric = [bool(made) and made[0][i][1] is not None for i in range(len(head))]
    kinds = [' class="n"' if n else "" for n in numeric]
    titles = "".join(f'<th scope="col"{kind}>{title}</th>' for title, kind in zip(head, kinds, strict=True))
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in made)
    return f'<div class="wide"><table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(cell: Cell) -> str:
    text, number = cell
    return f"<td>{text}</td>" if number is None else f'<td class="n" data-v="{number:.9g}">{text}</td>'
