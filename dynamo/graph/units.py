"""Amounts as people write them: ``"512 MiB"``, ``"5 min"``."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["format_bytes", "format_count", "format_seconds", "parse_bytes", "parse_duration", "parse_seconds"]


class _Kind(NamedTuple):
    """What amounts of one kind are measured in, by the names of units in small letters."""

    units: dict[str, float]
    #: That of an amount that names none; empty where it has to.
    plain: str
    #: The units that are told.
    known: str
    expected: str


_BYTES = _Kind(
    {
        "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
        "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
    },
    "b", "B, kB, MB, GB, TB, KiB, MiB, GiB, TiB", "an amount of memory like '512 MiB'",
)  # fmt: skip
_SECONDS = _Kind(
    {
        "ms": 0.001, "s": 1, "sec": 1, "second": 1, "seconds": 1, "min": 60, "minute": 60, "minutes": 60,
        "h": 3600, "hour": 3600, "hours": 3600, "d": 86400, "day": 86400, "days": 86400,
    },
    "", "ms, s, min, h, d", "a time like '60 s' or '5 min'",
)  # fmt: skip
#: Below it, all is exact enough and fits 64 bits, also where amounts are added.
_LIMIT = 2**62
_AMOUNT = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([A-Za-z]*)\s*")


def parse_bytes(text: str | float) -> int:
    """Return a number of bytes from ``"512 MiB"``, ``"2 GB"`` or a plain number.

    Raises `ValueError` that says what was expected.

    >>> parse_bytes("1.5 KiB")
    1536
    """
    return round(_parse(text, _BYTES))


def parse_seconds(amount: str | float) -> float:
    """Return seconds from ``"60 s"`` or ``"5 min"``, or from a number of Python, which is of seconds.

    A text without a unit is refused, but for 0: beside distances in km and lead times in minutes, nobody can tell
    what is meant. Raises `ValueError` that says what was expected.

    >>> parse_seconds("2 min")
    120.0
    """
    return float(_parse(amount, _SECONDS))


def parse_duration(value: str | float) -> float:
    """Return seconds of what stands in a file of settings: as `parse_seconds`, but no number has a unit there.

    >>> parse_duration(30)
    Traceback (most recent call last):
    ...
    ValueError: 30 has no unit; write '30 min' or '30 s'
    """
    seconds = parse_seconds(value)
    if seconds and not isinstance(value, str):
        raise ValueError(_unitless(value))
    return seconds


def _parse(text: str | float, kind: _Kind) -> float:
    if isinstance(text, str):
        amount = _parse_text(text, kind)
    elif isinstance(text, (int, float)) and not isinstance(text, bool) and text >= 0:
        amount = text
    else:
        raise ValueError(f"{text!r} is not {kind.expected}")
    if amount >= _LIMIT:
        raise ValueError(f"{_short(text)} is too large for {kind.expected}")
    return amount


def _parse_text(text: str, kind: _Kind) -> float:
    match = _AMOUNT.fullmatch(text)
    if not match:
        raise ValueError(f"{_short(text)} is not {kind.expected}")
    number, unit = float(match[1]), match[2].lower() or kind.plain
    if not unit and 0 < number < _LIMIT:
        raise ValueError(_unitless(number))
    if unit and unit not in kind.units:
        raise ValueError(
            f"{_short(text)} is not {kind.expected}: unknown unit {_short(match[2])}; known are {kind.known}"
        )
    return number * kind.units.get(unit, 1)


def _unitless(number: float) -> str:
    return f"{number:.15g} has no unit; write '{number:.15g} min' or '{number:.15g} s'"


def _short(text: str | float) -> str:
    told = repr(text)
    return told if len(told) <= 60 else f"{told[:57]}..."


def format_bytes(n: float) -> str:
    """Return `n` bytes with three figures and a binary unit.

    >>> format_bytes(1536)
    '1.5 KiB'
    """
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(n) < 1000:
            return f"{n:.3g} {unit}"
        n /= 1024
    return f"{n:.3g} TiB"


def format_count(n: int, one: str, many: str = "") -> str:
    """Return how many there are of something; `many` is its plural where that is not `one` and an s.

    >>> format_count(1, "fault"), format_count(1204, "subscriber"), format_count(2, "try", "tries")
    ('1 fault', '1,204 subscribers', '2 tries')
    """
    return f"{n:,} {one if n == 1 else many or f'{one}s'}"


def format_seconds(seconds: float) -> str:
    """Return a span of time as people say it.

    >>> format_seconds(75)
    '1 min 15 s'
    """
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
