"""Single values of requests of the older form: numbers that are texts, times, names."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

__all__ = ["Carried", "Lost", "bandwidth_text", "host_name", "number", "seconds", "span_text"]

#: Times in milliseconds are larger than any in seconds.
_MILLISECONDS = 1e11
#: More than a machine has, of cores or of MB for each.
_LARGEST = 1e6


@dataclass(frozen=True, slots=True)
class Lost:
    """A field of a request that could not be carried over, or was by guess, and why."""

    request: str
    field: str
    reason: str


@dataclass
class Carried:
    """A request on its way into a slice."""

    slice: dict[str, Any]
    lost: list[Lost]
    request: str

    def lose(self, field: str, reason: str) -> None:
        """Say that a field is not carried over."""
        self.lost.append(Lost(self.request, field, reason))

    def text(self, field: str, value: Any) -> str:
        """Return a text that can be read by people, empty where there is none; what else it is, is lost."""
        if value in (None, ""):
            return ""
        if not isinstance(value, str) or not value.isprintable():
            self.lose(field, "is no text that can be read")
            return ""
        return value.strip()

    def whole(self, field: str, value: Any, least: int = 0) -> int:
        """Return a whole number, `least` where there is none; what is no number is lost, and a part is a whole."""
        found, reason = number(value), ""
        if found is None and value not in (None, ""):
            reason = "is no number"
        if found is not None and found > _LARGEST:
            found, reason = None, "is too large"
        taken = max(math.ceil(found or 0), least)
        if found not in (None, taken):
            reason = f"is {found:g}"
        if reason:
            self.lose(field, f"{reason}: {taken} is taken" if taken else reason)
        return taken


def number(value: Any) -> float | None:
    """Return a number from 0 that may be written as a text; None where it is none.

    >>> number("4"), number(" 4.0 "), number("four"), number(True)
    (4.0, 4.0, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if 0 <= found < 1e15 else None


def seconds(value: Any) -> float | None:
    """Return Unix seconds of a time that may be in milliseconds, or a text; None where it is none, or 0."""
    found = number(value)
    if found and found > _MILLISECONDS:
        found /= 1000
    return found or None


def span_text(span: float) -> str:
    """Return a span of time as a slice says it.

    >>> span_text(43200), span_text(90)
    ('12 h', '90 s')
    """
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if span % length == 0:
            return f"{span / length:.0f} {unit}"
    return f"{span:.0f} s"


def bandwidth_text(bits: float) -> str:
    """Return bits a second as a slice says them.

    >>> bandwidth_text(5e8)
    '500 Mb/s'
    """
    for unit, factor in (("Gb/s", 1e9), ("Mb/s", 1e6), ("kb/s", 1e3)):
        if bits >= factor and bits % factor == 0:
            return f"{bits / factor:.0f} {unit}"
    return f"{bits:.0f} b/s"


def host_name(text: str, otherwise: str) -> str:
    """Return a text as part of a host name: lower case, letters, digits and hyphens.

    >>> host_name("Data Node_1", "node"), host_name("---", "node")
    ('data-node-1', 'node')
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:24].strip("-") or otherwise
