"""The `when` of a trigger: what weather must be in the products of another run file for this one to be awake."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isfinite
from typing import Any, NamedTuple

from dynamo.runfile.faults import say
from dynamo.runfile.keys import KEYS, NEEDED, TEXT, Key, mapping, one_of
from dynamo.runfile.values import At, Tell, by, some_seconds, text

__all__ = ["Least", "WhenRule", "parse_km2", "parse_least", "read_when"]

_KM2 = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+(?:2|²)?)?\s*")
_IN_KM2 = {"km2": 1.0, "m2": 1e-6, "mi2": 1.609344**2, "nmi2": 1.852**2}
#: Units are one word, or terms with exponents after it, as in ``m s-1``.
_LEAST = re.compile(
    r"\s*(?:>=)?\s*(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)\s*((?:[^\W\d_]|[%°])\S*(?:\s+[A-Za-z]+-?\d+)*)?\s*"
)


class Least(NamedTuple):
    """The lowest level that counts, and its units; empty where they are those of the product, whatever these are."""

    level: float
    units: str = ""

    def __str__(self) -> str:
        return f"{self.level:g} {self.units}".strip()


@dataclass(frozen=True, slots=True)
class WhenRule:
    """What is waited for: a level over an area, near places or anywhere, in products of another run file.

    Distances are in km, times in seconds; `of` holds places (longitude, latitude), or is the path of a GeoJSON file.
    """

    run: str
    product: str
    level: Least
    area: float
    within: float | None = None
    of: tuple[tuple[float, float], ...] | str = ()
    hold: float = 1800.0
    priority: int | None = None


def parse_km2(value: Any) -> float:
    """Return square kilometres of ``"10 km2"`` or ``"4 mi2"``.

    Raises `ValueError` in plain words.

    >>> parse_km2("500000 m2")
    0.5
    """
    found = _KM2.fullmatch(str(value)) if not isinstance(value, bool) else None
    if found is None:
        raise ValueError(f"{value!r} is no area like '10 km2'")
    if found[2] is None:
        raise ValueError(f"{value!r} has no unit; write '{found[1]} km2'")
    unit = found[2].replace("²", "2")
    if unit not in _IN_KM2:
        raise ValueError(f"{value!r} has an unknown unit {found[2]!r}; known are {', '.join(_IN_KM2)}")
    area = float(found[1]) * _IN_KM2[unit]
    if not area > 0:
        raise ValueError(f"{value!r} is no area at all: it would always be there")
    return area


def parse_least(value: Any) -> Least:
    """Return the lowest level of ``">= 45"``, ``">= 45 dBZ"`` or a plain number.

    Raises `ValueError` in plain words.

    >>> str(parse_least(">= 45 dBZ"))
    '45 dBZ'
    """
    found = _LEAST.fullmatch(str(value)) if not isinstance(value, bool) else None
    if found is None or not isfinite(float(found[1])):
        raise ValueError(f"{value!r} is no lowest level like '>= 45' or '>= 45 dBZ'")
    return Least(float(found[1]), found[2] or "")


def _km(value: Any) -> float:
    from dynamo.runfile.alerts import parse_km  # which imports this by way of the trigger

    return parse_km(value)


def _places(value: Any, at: At, tell: Tell) -> Any:
    if isinstance(value, str):
        return text(value, at, tell)
    if not isinstance(value, list):
        tell.expected("places as [[lon, lat]], or a GeoJSON file of points", value, at)
        return ()
    if not value:
        tell(at, "is empty")
    places = [value] if len(value) == 2 and not isinstance(value[0], list) else value
    return tuple(_place(one, at if places is not value else (*at, n), tell) for n, one in enumerate(places))


def _place(value: Any, at: At, tell: Tell) -> tuple[float, float]:
    numbers = isinstance(value, list) and len(value) == 2 and all(type(one) in (int, float) for one in value)
    if not numbers or not (abs(value[0]) <= 360 and abs(value[1]) <= 90):
        tell(at, f"expected longitude and latitude in degrees like [-96.84, 32.98], not {say(value)}")
        return (0.0, 0.0)
    return (float(value[0]), float(value[1]))


def _priority(value: Any, at: At, tell: Tell) -> Any:
    if type(value) is not int:
        tell.expected("a whole number", value, at)
    return value


def read_when(value: Any, at: At, tell: Tell) -> Any:
    """Read the mapping; `within` and `of` come together."""
    if isinstance(value, dict):
        for one, other in (("within", "of"), ("of", "within")):
            if one in value and other not in value:
                tell((*at, one), f"says nothing without `{other}`: so near to which places?")
    return mapping(WhenRule, value, at, tell)


KEYS[WhenRule] = {
    "run": Key(text, TEXT, "The run file whose products tell; it is watched too, with the same workspace."),
    "product": Key(text, TEXT, "A glob over the names of its products, GeoJSON with levels."),
    "level": Key(
        by(parse_least),
        one_of({"type": "number"}, {**TEXT, "examples": [">= 45 dBZ"]}),
        "The lowest level that counts, like '>= 45 dBZ'.",
    ),
    "area": Key(by(parse_km2), TEXT, "Over at least so much, all polygons together, like '10 km2'."),
    "within": Key(
        by(_km), one_of({"type": "number"}, TEXT), "Only what is so near to one of the places `of` counts."
    ),
    "of": Key(
        _places,
        one_of(TEXT, {"type": "array", "minItems": 1}),
        "Places as [[lon, lat], ...] in degrees, or a GeoJSON file of points.",
    ),
    "hold": Key(
        by(some_seconds),
        {**TEXT, "default": "30 min"},
        "For so long, by the time of data, it stays awake after it was there last.",
    ),
    "priority": Key(
        _priority,
        {"type": "integer"},
        "Instead of being held back, windows run always, and with this priority while it is there.",
    ),
}
NEEDED[WhenRule] = ("run", "product", "level", "area")
