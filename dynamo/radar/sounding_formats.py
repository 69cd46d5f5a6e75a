"""The formats of stored soundings: bytes in, `Listing` out. What a file is shows in its content, not in its name.

* **JSON** of the Iowa Environmental Mesonet: stations with a ``profile`` each.
* **SPC**: what lies between ``%RAW%`` and ``%END%``.
* **A table with commas** (semicolons, tabs) and a header with names and units: the CSV of the University of Wyoming,
  decoded standard levels.
* **Columns**: the listing of Wyoming, as text or HTML, of one sounding or more; the same eleven columns without a
  header; two columns of height and temperature.

Faults are a `DataError` that says at which line; the caller puts the file's name before it.
"""

from __future__ import annotations

import csv
import json
import re
from typing import Any

from dynamo.errors import DataError, nearest
from dynamo.radar.sounding_columns import columns
from dynamo.radar.sounding_listing import (
    HEIGHTS,
    TEMPERATURES,
    Column,
    Listing,
    at,
    check_end,
    column_of,
    hour_of,
    number,
)

__all__ = ["listings"]

EXPECTED = (
    "a sounding of the University of Wyoming (CSV or listing), the SPC, the IEM (JSON), or columns of pressure, "
    "height and temperature"
)
SPC_TITLE = re.compile(
    r"^\s*(\w+)\s+(\d\d)(\d\d)(\d\d)/(\d\d)(\d\d)(?:\s+(-?[\d.]+)\s*,\s*(-?[\d.]+))?", re.MULTILINE
)
SPC_COLUMNS = 6


def listings(data: bytes) -> list[Listing]:
    """Return the soundings in the content of a file.

    Raises
    ------
    DataError
        It is none of the formats, cut off, or has a cell that is no number; the message says at which line.
    """
    if b"\0" in data:
        raise DataError(f"is no text: expected {EXPECTED}")
    text = data.decode("utf-8-sig", errors="replace")
    if text.lstrip()[:1] in ("[", "{"):
        found = _json(text)
    elif "%RAW%" in text:
        found = [_spc(text)]
    else:
        lines = text.splitlines()
        first = next((i for i, line in enumerate(lines) if line.strip() and not line.startswith("#")), None)
        separator = None if first is None else _separator(lines[first])
        if separator is None:
            found = columns(text)
        else:
            found = [_table(lines, int(first or 0), separator, ended=text.endswith(("\n", "\r")))]
    if not found:
        raise DataError(f"holds no levels; it begins with {text.strip()[:60]!r}: expected {EXPECTED}")
    return found


def _json(text: str) -> list[Listing]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        raise DataError(f"line {line}: no JSON, or it breaks off: is it complete? ({error})") from None
    if isinstance(content, dict):
        content = content.get("profiles", [content])
    stations = content if isinstance(content, list) else []
    for station in stations:
        if not isinstance(station, dict) or not isinstance(station.get("profile"), list):
            keys = ", ".join(map(str, station)) if isinstance(station, dict) else type(station).__name__
            raise DataError(f"a station has no levels under 'profile'; there is: {keys[:200]}")
    return [_json_station(station) for station in stations]


def _json_station(station: dict[str, Any]) -> Listing:
    name = str(station.get("station", ""))
    levels = [level for level in station["profile"] if isinstance(level, dict)]
    names = list(dict.fromkeys(key for level in levels for key in level))
    found = _needed(names, f"station {name}")
    listing = Listing(station=name, time=at(str(station.get("valid", ""))))
    cells: dict[str, list[float]] = {}
    for what in ("height", "temperature"):
        key = names[found[what]]
        try:
            cells[what] = [float("nan") if level.get(key) is None else float(level[key]) for level in levels]
        except (TypeError, ValueError) as error:
            raise DataError(f"station {name}: a level's {key!r} is not a number: {error}") from None
    units = {what: _unit(names[found[what]]) for what in cells}
    listing.fill(cells["height"], cells["temperature"], units["height"], units["temperature"])
    return listing


def _spc(text: str) -> Listing:
    before, _, rest = text.partition("%RAW%")
    line = before.count("\n") + 1
    if "%END%" not in rest:
        raise DataError(f"line {text.count(chr(10)) + 1}: ends without %END%, is it complete?")
    listing = Listing(line)
    if title := SPC_TITLE.search(before):
        name, year, month, day, hour, minute, latitude, longitude = title.groups()
        listing.station, listing.time = name, hour_of(year, month, day, hour, minute)
        if latitude:
            listing.place(float(latitude), float(longitude))
    heights, temperatures = [], []
    for n, row in enumerate(rest.partition("%END%")[0].splitlines(), line):
        cells = row.split(",")
        if len(cells) == 1:
            continue
        if len(cells) < SPC_COLUMNS:
            raise DataError(
                f"line {n}: {len(cells)} columns, expected {SPC_COLUMNS}: LEVEL, HGHT, TEMP, DWPT ..."
            )
        heights.append(_cell(cells[1], n, "height"))
        temperatures.append(_cell(cells[2], n, "temperature"))
    listing.fill(heights, temperatures)
    return listing


def _separator(line: str) -> str | None:
    """Return what separates the names in a header, or None where the line is no header of such a table."""
    for separator in (",", ";", "\t"):
        names = line.split(separator)
        if len(names) > 1 and sum(column_of(name) is not None for name in names) > 1:
            return separator
    return None


def _table(lines: list[str], first: int, separator: str, *, ended: bool) -> Listing:
    names = next(csv.reader([lines[first]], delimiter=separator))
    found = _needed(names, f"line {first + 1}")
    units = {what: _unit(names[i]) for what, i in found.items()}
    h, t = found["height"], found["temperature"]
    rows = _rows(lines, first, separator, len(names), ended=ended)
    if rows and rows[0][1][h].strip().lower() in HEIGHTS and rows[0][1][t].strip().lower() in TEMPERATURES:
        units |= {what: rows[0][1][found[what]].strip() for what in ("height", "temperature")}
        del rows[0]
    listing = Listing(rows[0][0] if rows else first + 1)
    stations = [cells[found["station"]] for _, cells in rows] if "station" in found else []
    for i, name in enumerate(stations):
        if name != stations[0]:
            raise DataError(f"line {rows[i][0]}: levels of a second station, {name}; expected those of one")
    heights, temperatures = (
        [_cell(cells[i], n, what) for n, cells in rows] for i, what in ((h, "height"), (t, "temperature"))
    )
    listing.fill(heights, temperatures, units["height"], units["temperature"])
    if rows:
        _origin(listing, found, rows[0][1])
    return listing


def _rows(
    lines: list[str], first: int, separator: str, width: int, *, ended: bool
) -> list[tuple[int, list[str]]]:
    """Return the rows below the header with their lines; comments and lines without a separator are passed over."""
    rows: list[tuple[int, list[str]]] = []
    reader = csv.reader(lines[first + 1 :], delimiter=separator)
    try:
        for cells in reader:
            n = first + 1 + reader.line_num
            if len(cells) < 2 or cells[0].lstrip().startswith("#"):
                continue
            rows.append((n, cells))
            if n == len(lines) and not ended:
                check_end(n, [row for _, row in rows], width)
            if len(cells) != width:
                raise DataError(
                    f"line {n}: has {len(cells)} columns, expected the {width} of line {first + 1}"
                )
    except csv.Error as error:
        raise DataError(f"line {first + 1 + reader.line_num}: {error}") from None
    return rows


def _origin(listing: Listing, found: dict[str, int], cells: list[str]) -> None:
    """Take time, place and station from the first level: that is where and when the balloon was let go."""
    if "time" in found:
        listing.time = at(cells[found["time"]])
    if "station" in found:
        listing.station = cells[found["station"]].strip()
    if {"latitude", "longitude"} <= found.keys():
        listing.place(*(_cell(cells[found[what]], listing.line, what) for what in ("latitude", "longitude")))


def _needed(names: list[str], where: str) -> dict[str, int]:
    """Return which column is what; height and temperature must be there."""
    found: dict[str, int] = {}
    for i, name in enumerate(names):
        column = column_of(name)
        if column is not None:
            found.setdefault(column.what, i)
    for what in ("height", "temperature"):
        if what not in found:
            raise DataError(
                f"{where}: no {what}{nearest(what, names)}; there is: {', '.join(names) or 'nothing'}"
            )
    return found


def _unit(name: str) -> str:
    return (column_of(name) or Column("")).unit


def _cell(text: str, line: int, what: str) -> float:
    try:
        return number(text)
    except ValueError:
        raise DataError(f"line {line}: the {what} is {text.strip()!r}, expected a number") from None
