"""Soundings in columns of blanks: the listing of Wyoming, with or without its header, and plain columns.

Text enters, a `Listing` for each header and its rows leaves. A row with a cell for each column is split at its blanks;
of one with fewer, cells stand below the names of the header, or in columns of seven characters where there is none.
Lines that are neither header, row nor a known note are passed over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from dynamo.errors import DataError
from dynamo.radar.sounding_listing import (
    HEIGHTS,
    TEMPERATURES,
    Listing,
    check_end,
    column_of,
    hour_of,
    number,
)

__all__ = ["columns"]

WIDTH = 7  # of the listing of Wyoming
HIGHEST_PRESSURE = 1100.0  # hPa
CELL = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|/+|-+|\*+|nan", re.IGNORECASE)
TITLE = re.compile(
    r"^\s*(\w*)\s*.*?Observations?\s+(?:for\s+Station\s+(\w+)\s+)?at\s+"
    r"(\d{1,2})\s*(?:Z|UTC)\s+(\d{1,2})\s+([A-Za-z]{3})[a-z]*\s+(\d{4})",
    re.IGNORECASE,
)
NOTE = re.compile(r"(?:Station\s+)?\b(identifier|number|latitude|longitude)\s*:\s*(\S+)", re.IGNORECASE)
OBSERVED = re.compile(r"Observation time\s*:\s*(\d\d)(\d\d)(\d\d)/(\d\d)(\d\d)", re.IGNORECASE)
TAG = re.compile(r"<[^<>]*>")


@dataclass(slots=True)
class _Table:
    """A header, what stands around it, and its rows with their lines."""

    names: list[str] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    units: list[str] = field(default_factory=list)
    rows: list[tuple[int, str, list[str]]] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    observed: tuple[str, ...] = ()


def columns(text: str) -> list[Listing]:
    """Return the soundings in a text of columns; none if it has no rows of numbers.

    Raises
    ------
    DataError
        It is cut off, its columns are not those of a sounding, or a row does not fit; it says at which line.
    """
    lower = text.lower()
    if lower.count("<pre") != lower.count("</pre"):
        raise DataError(f"line {text.count(chr(10)) + 1}: ends within <PRE>, is it complete?")
    lines = text.splitlines()
    tables = [_Table()]
    for n, line in enumerate(lines, 1):
        _take(tables, n, TAG.sub("", line).rstrip())
    tables = [table for table in tables if table.rows]
    if tables and not text.endswith(("\n", "\r")) and tables[-1].rows[-1][0] == len(lines):
        check_end(len(lines), [cells for _, _, cells in tables[-1].rows], _width(tables[-1]))
    return [_listing(table) for table in tables]


def _take(tables: list[_Table], n: int, line: str) -> None:
    """Add one line to the last table, or begin another with it."""
    table, cells = tables[-1], line.split()
    if len(cells) > 1 and re.search(r"\d", line) and all(CELL.fullmatch(cell) for cell in cells):
        table.rows.append((n, line, cells))
        return
    names = line.lstrip("# \t").partition(";")[0] if line.lstrip().startswith("#") else line
    known = [column_of(name) for name in names.split()]
    whats = [column.what for column in known if column]
    if {"height", "temperature"} <= set(whats) and (names == line or len(whats) == len(known)):
        if table.rows or table.names:
            tables.append(table := _Table())
        table.names = names.split()
        table.ends = [match.end() for match in re.finditer(r"\S+", line)]
        table.units = [column.unit if column else "" for column in known]
    elif title := TITLE.search(line):
        if table.rows:
            tables.append(table := _Table())
        first, station, hour, day, month, year = title.groups()
        table.observed = (year, month, day, hour)
        table.notes["title"] = station or first
    elif not table.rows and len(cells) == len(table.names) and _are_units(table.names, cells):
        table.units = cells
    else:
        if observed := OBSERVED.search(line):
            table.observed = observed.groups()
        table.notes |= {name.lower(): value for name, value in NOTE.findall(line)}


def _are_units(names: list[str], cells: list[str]) -> bool:
    known = {"height": HEIGHTS, "temperature": TEMPERATURES}
    what = [column.what if (column := column_of(name)) else "" for name in names]
    return all(cell.lower() in known[w] for w, cell in zip(what, cells, strict=True) if w in known)


def _width(table: _Table) -> int:
    return len(table.names) or max(len(cells) for _, _, cells in table.rows)


def _listing(table: _Table) -> Listing:
    width = _width(table)
    h, t = _places(table, width)
    ends = table.ends or [WIDTH * (i + 1) for i in range(width)]
    heights, temperatures = [], []
    for n, line, cells in table.rows:
        if len(cells) > width:
            raise DataError(f"line {n}: {len(cells)} columns, expected the {width} that the header names")
        pair = [cells[h], cells[t]] if len(cells) == width else [_below(line, ends, i, n) for i in (h, t)]
        try:
            height, temperature = map(number, pair)
        except ValueError:
            raise DataError(
                f"line {n}: {' and '.join(map(repr, pair))}, expected height and temperature"
            ) from None
        heights.append(height)
        temperatures.append(temperature)
    listing = Listing(table.rows[0][0])
    units = [table.units[i] if table.units else "" for i in (h, t)]
    listing.fill(heights, temperatures, *units)
    notes = table.notes
    listing.station = notes.get("number") or notes.get("identifier") or notes.get("title", "")
    if table.observed:
        listing.time = hour_of(*table.observed)
    try:
        listing.place(float(notes["latitude"]), float(notes["longitude"]))
    except (KeyError, ValueError):
        listing.latitude = None
    return listing


def _places(table: _Table, width: int) -> tuple[int, int]:
    """Return which columns are height and temperature: by the header, else of two both, of more the 2nd and 3rd."""
    if table.names:
        what = [column.what if (column := column_of(name)) else "" for name in table.names]
        return what.index("height"), what.index("temperature")
    if width == 2:
        return 0, 1
    for n, _, cells in table.rows:
        pressure = number(cells[0])
        if not 0 < pressure <= HIGHEST_PRESSURE:
            raise DataError(
                f"line {n}: begins with {cells[0]}, which is no pressure in hPa; expected the columns PRES HGHT TEMP, "
                "or a header that names others"
            )
    return 1, 2


def _below(line: str, ends: list[int], i: int, n: int) -> str:
    """Return the cell that stands below the name of column `i`, right-aligned with it."""
    start, end = ends[i - 1] if i else 0, ends[i]
    for edge in (start, end):
        if 0 < edge < len(line) and not line[edge].isspace() and not line[edge - 1].isspace():
            raise DataError(
                f"line {n}: {len(line.split())} columns, expected {len(ends)}, or each below its name"
            )
    return line[start:end]
