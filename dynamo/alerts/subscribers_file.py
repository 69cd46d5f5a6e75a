"""Subscribers files: GeoJSON points or CSV in, `Subscribers` and what is wrong with single rows out.

A CSV has a line for each rule: ``id, lon, lat`` and what it says of ``distance_km, hazard, min_level,
max_lead_minutes, channel``; several lines of one id are several rules of it. A GeoJSON has a point for each
subscriber, with the same names in its properties, or several such objects under ``rules``. What a row leaves out
it takes from the run file's rule for that hazard; who asks for nothing gets all rules of the run file. What can go
wrong is a `DataError`: no such file, no such columns, and (if `strict`) any row that is wrong, all of them told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from itertools import islice, repeat
from pathlib import Path
from typing import Any

from dynamo.alerts.collection import Feature, read_bytes, read_collection
from dynamo.alerts.rows import COLUMNS, Fault, Rows
from dynamo.alerts.subscriber import Rule, Subscribers
from dynamo.errors import DataError, Place, nearest
from dynamo.graph.collection import uncollected
from dynamo.graph.units import format_count

__all__ = ["Fault", "read_subscribers"]

# Lines read at a time: those whose values the processor's cache still holds when they are checked.
_CHUNK = 4096
_TOLD = 20
# What a rule in a GeoJSON may say.
_KEYS = COLUMNS[3:]
# What the properties of a feature may say to us.
_PROPERTIES = frozenset({"id", "name", "rules", *_KEYS})
# Of keys with so many letters, one with another letter is a slip; of shorter ones it is as likely another word.
_LONG = 6
_WORD = 4
# What stands between values where somebody's program or country has it so.
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


def read_subscribers(
    path: Path,
    rules: Sequence[Rule] = (),
    *,
    hazards: Collection[str] | None = None,
    channels: Collection[str] | None = None,
    strict: bool = True,
) -> tuple[Subscribers, tuple[Fault, ...]]:
    """Return the subscribers of a file, and the rows that are wrong and left out.

    Parameters
    ----------
    path
        ``.csv``, ``.geojson`` or ``.json``, also with ``.gz``.
    rules
        What the run file asks for in the name of all.
    hazards, channels
        The kinds and the channels that are known; None lets all pass.
    strict
        Whether a wrong row is an error; else the right ones work.

    Raises
    ------
    DataError
        The file cannot be used, or `strict` and a row is wrong.
    """
    rows = Rows(rules, hazards, channels)
    is_json = path.name.removesuffix(".gz").lower().endswith(("json",))
    with uncollected():
        (_from_geojson if is_json else _from_csv)(path, rows)
        subscribers, faults = rows.close()
    if faults and strict:
        told = [f"  {path}:{fault}" if fault.line else f"  {path}: {fault}" for fault in faults[:_TOLD]]
        more = len(faults) - _TOLD
        told += [f"  and {more:,} more"] if more > 0 else []
        head = f"{format_count(len(faults), 'fault')} in its rows:"
        raise DataError("\n".join([head, *told]), place=Place(str(path)))
    return subscribers, faults


def _from_csv(path: Path, rows: Rows) -> None:
    data = read_bytes(path)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        # One bad byte in one line of a million: that row is told and no other is lost.
        text = data.decode("utf-8", "surrogateescape")
    # A row is a line, always: an unclosed quotation mark then spoils one row and not the rest of the file.
    lines = iter(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    header = _header(path, next(lines))
    number = 2
    while chunk := list(islice(lines, _CHUNK)):
        kept: Sequence[int] = range(number, number + len(chunk))
        number += len(chunk)
        columns = _plain(chunk, len(header))
        if columns is None:
            kept, found = _whole(kept, list(map(_cells, chunk)), len(header), rows)
            columns = list(zip(*found, strict=True))
        if kept:
            rows.add(kept, dict(zip(header, columns, strict=True)))


def _plain(lines: list[str], width: int) -> list[Sequence[str]] | None:
    """Return the columns of lines of `width` values without quotation marks, all at once; None if some are not so."""
    text = ",".join(lines)
    if '"' in text or set(map(str.count, lines, repeat(","))) != {width - 1}:
        return None
    cells = text.split(",")
    return [cells[column::width] for column in range(width)]


def _whole(
    lines: Sequence[int], found: list[list[str]], width: int, rows: Rows
) -> tuple[list[int], list[list[str]]]:
    """Leave out lines that have not `width` values; those with none at all are just empty."""
    kept = []
    for line, cells in zip(lines, found, strict=True):
        if len(cells) == width:
            kept.append(line)
        elif any(map(str.strip, cells)):
            rows.fault(
                line,
                "",
                f"it has {format_count(len(cells), 'value')}; expected {width}, as in the first line",
            )
    return kept, [cells for cells in found if len(cells) == width]


def _cells(line: str) -> list[str]:
    if '"' not in line:
        return line.split(",")
    import csv

    try:
        return next(csv.reader([line], strict=True, skipinitialspace=True))
    except csv.Error:
        return line.split(",")


def _header(path: Path, line: str) -> list[str]:
    header = [name.strip() for name in _cells(line)]
    place = Place(str(path), 1)
    if not any(header):
        raise DataError("the first line is empty; expected names of columns like id,lon,lat", place=place)
    for separator, several in _SEPARATORS.items():
        if len(header) == 1 and separator in line:
            raise DataError(f"its values are separated by {several}; expected commas", place=place)
    if header[0].lower().startswith("sep="):
        raise DataError(
            f"{header[0]!r} is for a spreadsheet; expected names of columns: delete this line", place=place
        )
    missing = [name for name in COLUMNS if name not in header]
    for name in ("id", "lon", "lat"):
        if name in missing:
            said = ", ".join(map(repr, header)) or "none"
            longer = (f" (did you mean {one!r}?)" for one in header if one.lower().startswith(name))
            close = nearest(name, header) or next(longer, "")
            raise DataError(f"column {name!r} is missing{close}; there are {said}", place=place)
    for name in header:
        if name not in COLUMNS and (close := nearest(name, missing) or _part(name, missing)):
            raise DataError(f"column {name!r} is not known{close}", place=place)
        if name in COLUMNS and header.count(name) > 1:
            raise DataError(f"column {name!r} is there twice", place=place)
    return header


def _part(name: str, missing: Sequence[str]) -> str:
    """Say of which column that is not there this name is a word, as ``lead`` is of ``max_lead_minutes``.

    Not of short words: ``km`` or ``max`` may as well be about something else.
    """
    words = {word: one for one in missing for word in one.split("_") if len(word) >= _WORD}
    return f" (did you mean {words[name.lower()]!r}?)" if name.lower() in words else ""


def _from_geojson(path: Path, rows: Rows) -> None:
    features = read_collection(path)[1]
    table: list[tuple[Any, ...]] = []
    numbers: list[int] = []
    faulty: list[int] = []
    for feature in features:
        wrong: list[str] = []
        for row, is_faulty in _feature_rows(feature, wrong):
            if is_faulty:
                faulty.append(len(table))
            numbers.append(feature.number)
            table.append(row)
        for message in wrong:
            rows.fault(feature.number, str(row[0]), message, what="feature")
    if table:
        columns = dict(zip(COLUMNS, zip(*table, strict=True), strict=True))
        rows.add(numbers, columns, what="feature", faulty=faulty)


def _feature_rows(feature: Feature, wrong: list[str]) -> Iterator[tuple[tuple[Any, ...], bool]]:
    """Yield a row for each rule of a feature, one at least, and whether it is faulty; add to `wrong` why."""
    said = feature.properties
    name = feature.id if feature.id is not None else said.get("id", said.get("name", ""))
    geometry = feature.geometry if isinstance(feature.geometry, dict) else {}
    at = geometry.get("coordinates")
    if geometry.get("type") != "Point" or not isinstance(at, list) or len(at) < 2:
        at = (0.0, 0.0)
        wrong.append("it is no Point with a longitude and a latitude")
    own = said.get("rules")
    if own is None:
        own = [{key: said.get(key) for key in _KEYS}]
        if not said.keys() <= _PROPERTIES:
            wrong += _misspelt(said)
    elif not isinstance(own, list) or not all(isinstance(rule, dict) for rule in own):
        own = [{}]
        wrong.append("its rules are no list of objects")
    elif not own:
        own = [{}]
        wrong.append("its list of rules is empty; leave it out to have those of the run file")
    is_faulty = bool(wrong)
    for number, rule in enumerate(own, 1):
        unknown = [_unknown(key, number) for key in rule if key not in _KEYS]
        wrong += unknown
        yield (name, at[0], at[1], *map(rule.get, _KEYS)), is_faulty or bool(unknown)


def _misspelt(said: dict[str, Any]) -> list[str]:
    """Return which properties are as good as a key of a rule that is not given; they may be about other things."""
    missing = tuple(key for key in ("rules", *_KEYS) if key not in said)
    return [
        f"property {key!r} is not known{close}"
        for key in said
        if key not in _PROPERTIES and (close := _near(key, missing))
    ]


@lru_cache(256)  # a million features may have the same properties
def _near(key: str, known: tuple[str, ...]) -> str:
    for one in known:
        if _squashed(key) == _squashed(one) or (len(one) >= _LONG and _one_off(key, one)):
            return f" (did you mean {one!r}?)"
    return ""


def _squashed(key: str) -> str:
    """Return a key without what programs write in their own way: capitals, and what joins its words."""
    return key.lower().replace("_", "").replace("-", "")


def _one_off(one: str, other: str) -> bool:
    """Whether a letter more, less or other makes one of two different words of the other."""
    while one and other and one[0] == other[0]:
        one, other = one[1:], other[1:]
    return one[1:] == other[1:] or one[1:] == other or one == other[1:]


@lru_cache(256)  # a million rules may have the same fault
def _unknown(key: str, number: int) -> str:
    close = nearest(key, _KEYS) or f"; expected {', '.join(_KEYS[:-1])} or {_KEYS[-1]}"
    return f"key {key!r} of its rule {number} is not known{close}"
