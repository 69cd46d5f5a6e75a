"""A condition: what weather must be in the products of another feed, with its places found.

Enters: what a run file says of it. Leaves: the condition, and it in words. Goes wrong: a file of places (`UserError`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from dynamo.alerts.collection import read_collection
from dynamo.errors import DataError, Place
from dynamo.runfile.paths import under
from dynamo.runfile.when import Least, WhenRule
from dynamo.watch.name import name_of

__all__ = ["Condition", "condition_of", "format_km2"]


def format_km2(area: float) -> str:
    """Return an area as people say it.

    >>> format_km2(3.14159), format_km2(1234.5)
    ('3.14 km2', '1,234 km2')
    """
    return f"{area:,.0f} km2" if area >= 100 else f"{area:.3g} km2"


@dataclass(frozen=True, slots=True)
class Condition:
    """What is waited for.

    Parameters
    ----------
    feed
        Whose products tell.
    product
        Glob of their names.
    least
        The lowest level.
    area
        Square kilometres, at least.
    within
        Kilometres, None for anywhere.
    places
        Longitude and latitude of what it must be near to.
    near
        All that is so near (`dynamo.alerts.extent.around`).
    """

    feed: str
    product: str
    least: Least
    area: float
    within: float | None = None
    places: tuple[tuple[float, float], ...] = ()
    near: Any = field(default=None, compare=False, repr=False)

    @property
    def digest(self) -> str:
        """What tells it from others; sightings of one say nothing of another."""
        return blake2b(repr(self).encode(), digest_size=8).hexdigest()

    def words(self, area: float | None = None, units: str = "") -> str:
        """Return it in words, with the least area, or that which was there."""
        least = str(Least(self.least.level, self.least.units or units))
        where = f" within {self.within:g} km" if self.within is not None else ""
        return f"{least} over {format_km2(self.area if area is None else area)}{where}"


def condition_of(rule: WhenRule, base: Path, workspace: Path) -> Condition:
    """Return what a run file in the folder `base` waits for; raise `UserError` where its places cannot be used."""
    places = _read(under(base, rule.of)) if isinstance(rule.of, str) else rule.of
    near = None
    if rule.within is not None:
        from dynamo.alerts.extent import around  # most run files have no use for it

        near = around(places, rule.within)
    feed = name_of(under(base, rule.run), workspace)
    return Condition(feed, rule.product, rule.level, rule.area, rule.within, places, near)


def _read(path: Path) -> tuple[tuple[float, float], ...]:
    """Return the points of a GeoJSON file."""
    _, features = read_collection(path)
    places = []
    for feature in features:
        said: dict[str, Any] = feature.geometry if isinstance(feature.geometry, dict) else {}
        if (kind := said.get("type")) not in {"Point", "MultiPoint"}:
            raise feature.fault("its geometry is no Point; expected the places that are to be near")
        points: Any = said.get("coordinates")
        points = [points] if kind == "Point" else points
        if not isinstance(points, list) or not all(map(_is_place, points)):
            raise feature.fault("its coordinates are not longitude and latitude in degrees")
        places += [(float(point[0]), float(point[1])) for point in points]
    if not places:
        raise DataError(
            "there is no point in it; expected the places that are to be near", place=Place(str(path))
        )
    return tuple(places)


def _is_place(point: Any) -> bool:
    numbers = (
        isinstance(point, list) and len(point) > 1 and all(type(one) in (int, float) for one in point[:2])
    )
    return numbers and abs(point[0]) <= 360 and abs(point[1]) <= 90
