"""Hazards: one GeoJSON file in, its polygons with their levels, kind and times out.

Read is what `dynamo.radar.geojson` writes, and what others write in that form: MultiPolygons are taken apart, and
what the collection does not say of itself its features may. What can go wrong is a `DataError` that names
the file and the place in it: no JSON, no polygons, a level or a time that is missing or none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
import shapely

from dynamo.alerts.collection import Feature, read_collection
from dynamo.alerts.seen import SeenMap, seen_map
from dynamo.errors import DataError, Place

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["HazardField", "read_hazards"]

#: Times outside these, and lead times beyond it, are no radar's.
EARLIEST, LATEST = datetime(1970, 1, 2, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
MOST_LEAD = 43_200.0


@dataclass(frozen=True, slots=True, eq=False)
class HazardField:
    """All polygons of one kind of hazard at one valid time; none means that there is none where it was seen.

    Parameters
    ----------
    hazard, units
        The kind, for example ``STORM``, and the units of its levels.
    issued, valid_time
        Analysis time, and the time that the polygons are for; both aware.
    lead_minutes
        The one less the other.
    levels
        ``(n,)`` float64.
    polygons
        ``(n,)`` valid shapely polygons, WGS 84 degrees, longitude first. One that crosses the antimeridian
        uncut has longitudes beyond 180.
    known_share
        Share of the area of which something is known, 0 to 1; None where the file does not say.
    source
        Digest of the file.
    bounds
        West, south, east and north of the field that was looked at, WGS 84 degrees; None where the file does not say.
    seen
        Where something is known; None where the file does not say.
    """

    hazard: str
    units: str
    issued: datetime
    valid_time: datetime
    lead_minutes: float
    levels: NDArray[Any]
    polygons: NDArray[Any]
    known_share: float | None = None
    source: str = ""
    bounds: tuple[float, float, float, float] | None = None
    seen: SeenMap | None = None


def read_hazards(path: Path, digest: str = "", least: float = -math.inf) -> HazardField:
    """Return the hazards of a GeoJSON FeatureCollection; a name that ends in ``.gz`` is decompressed.

    Parameters
    ----------
    path
        File, as `dynamo.radar.geojson.write_geojson` writes it.
    digest
        Of its content; becomes `source`.
    least
        Polygons of lower levels are left out, and their positions not looked at: for who asks for none of them.

    Raises
    ------
    DataError
        It is not such a file.
    """
    head, features = read_collection(path)
    common = _Common(path, head, features)
    hazard, units = common.text("hazard"), common.text("units", "")
    valid_time = common.time("valid_time")
    lead = common.number("lead_minutes")
    if lead is not None and not abs(lead) <= MOST_LEAD:
        raise common.fault(f"lead_minutes is {lead:g}; expected at most {MOST_LEAD:g}")
    if lead is None:
        issued = common.time("issued", valid_time)
        lead = (valid_time - issued) / timedelta(minutes=1)
    else:
        issued = common.time("issued", valid_time - timedelta(minutes=lead))
    share = common.number("known_share")
    if share is not None and not 0 <= share <= 1:
        raise common.fault(f"known_share is {share:g}; expected 0 to 1")
    polygons, levels = _polygons(features, least)
    bounds, seen = _box(head.get("field_bounds")), _seen(head.get("known_map"))
    return HazardField(hazard, units, issued, valid_time, lead, levels, polygons, share, digest, bounds, seen)


class _Common:
    """What a collection says of itself, or else all of its features alike."""

    def __init__(self, path: Path, head: dict[str, Any], features: list[Feature]) -> None:
        self._path, self._head, self._features = path, head, features

    def fault(self, message: str) -> DataError:
        return DataError(message, place=Place(str(self._path)))

    def _said(self, name: str) -> Any:
        if self._head.get(name) is not None:
            return self._head[name]
        said = None
        for feature in self._features:
            value = feature.properties.get(name)
            if said is None:
                said = value
            elif value is not None and value != said:
                raise feature.fault(
                    f"{name} is {value!r}, of features before it {said!r}; expected one {name} in one file"
                )
        return said

    def text(self, name: str, default: str | None = None) -> str:
        said = self._said(name)
        said = default if said is None else said
        if said is None:
            raise self.fault(f"neither the collection nor a feature says {name!r}")
        if not isinstance(said, str):
            raise self.fault(f"{name} is {said!r}; expected text")
        return said

    def time(self, name: str, default: datetime | None = None) -> datetime:
        said = self._said(name)
        if said is None and default is not None:
            return default
        try:
            time = datetime.fromisoformat(self.text(name))
        except ValueError:
            raise self.fault(f"{name} is {said!r}; expected a time like 2026-03-25T05:00:00Z") from None
        if time.tzinfo is None:
            raise self.fault(f"{name} is {said!r}, without an offset from UTC; expected one, or Z")
        if not EARLIEST.year <= time.year <= LATEST.year:
            raise self.fault(f"{name} is of the year {time.year}; expected {EARLIEST.year} to {LATEST.year}")
        return time.astimezone(UTC)

    def number(self, name: str) -> float | None:
        said = self._said(name)
        if said is not None and not _is_number(said):
            raise self.fault(f"{name} is {said!r}; expected a number")
        number: float | None = said
        return number


def _box(said: Any) -> tuple[float, float, float, float] | None:
    """Return west, south, east and north in degrees; None for anything else: nobody's alert is to hang on it."""
    if not isinstance(said, list) or len(said) != 4 or not all(map(_is_number, said)):
        return None
    west, south, east, north = map(float, said)
    # Across the antimeridian as RFC 7946 section 5.2 has it.
    east += 360 if east < west else 0
    return (west, south, east, north) if -90 <= south <= north <= 90 and east - west <= 360 else None


def _seen(said: Any) -> SeenMap | None:
    return seen_map(_box(said.get("bounds")), said.get("rows")) if isinstance(said, dict) else None


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _polygons(features: list[Feature], least: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return valid polygons and their levels, of all features that have a geometry and at least this level."""
    parts: list[Any] = []
    counts, owners = [], []
    levels: list[Any] = []
    for feature in features:
        if feature.geometry is None:  # RFC 7946 section 3.2: unlocated
            continue
        level = feature.properties.get("level")
        if not _is_number(level):
            raise feature.fault(f"its level is {level!r}; expected a number")
        if level < least:
            continue
        own = _rings(feature)
        parts += own
        counts.append(len(own))
        levels.append(level)
        owners.append(feature)
    of = np.repeat(np.arange(len(owners)), counts)
    polygons = _build(parts, [owners[i] for i in of])
    polygons, kept = _valid(_uncut(polygons))
    return polygons, np.array(levels, "f8")[of[kept]]


def _rings(feature: Feature) -> list[Any]:
    """Return the coordinates of each polygon of a feature, checked as far as arrays cannot."""
    kind = feature.geometry.get("type") if isinstance(feature.geometry, dict) else None
    if not isinstance(feature.geometry, dict) or kind not in {"Polygon", "MultiPolygon"}:
        raise feature.fault(
            f"its geometry is a {kind or 'thing without a type'}; expected a Polygon or MultiPolygon"
        )
    coordinates = feature.geometry.get("coordinates")
    polygons = [coordinates] if kind == "Polygon" else coordinates
    if not isinstance(polygons, list) or not all(_is_rings(polygon) for polygon in polygons):
        raise feature.fault("its coordinates are not rings of at least four positions each")
    return [polygon for polygon in polygons if polygon]


def _is_rings(polygon: Any) -> bool:
    return isinstance(polygon, list) and all(isinstance(ring, list) and len(ring) >= 4 for ring in polygon)


def _build(parts: list[Any], owners: list[Feature]) -> NDArray[Any]:
    """Return polygons of nested lists; one array for all, as most of the time goes into coordinates."""
    if not parts:
        return np.empty(0, dtype=object)
    lengths = [len(ring) for polygon in parts for ring in polygon]
    flat = list(chain.from_iterable(chain.from_iterable(parts)))
    positions = _positions(flat)
    if positions is None:
        for polygon, owner in zip(parts, owners, strict=True):
            if _positions(list(chain.from_iterable(polygon))) is None:
                raise owner.fault("not all of its positions are longitude and latitude in degrees")
        # Some have a height and some have not.
        positions = np.array([[p[0], p[1]] for p in flat], "f8")
    rings = np.concatenate([[0], np.cumsum(lengths)])
    whole = np.concatenate([[0], np.cumsum([len(polygon) for polygon in parts])])
    starts = rings[:-1]
    open_ = (positions[starts] != positions[rings[1:] - 1]).any(axis=1)
    if open_.any():
        where = int(np.searchsorted(whole, int(open_.nonzero()[0][0]), side="right")) - 1
        raise owners[where].fault("a ring of its polygon is not closed: its last position is not its first")
    made: NDArray[Any] = shapely.from_ragged_array(shapely.GeometryType.POLYGON, positions, (rings, whole))
    return made


def _positions(flat: list[Any]) -> NDArray[Any] | None:
    """Return ``(n, 2)`` degrees, or None if some position is none."""
    try:
        positions = np.array(flat)
        if positions.ndim != 2:
            positions = np.array([position[:2] for position in flat])
    except (TypeError, ValueError):
        return None
    if positions.ndim != 2 or positions.shape[1] < 2 or positions.dtype.kind not in "iuf":
        return None
    positions = np.ascontiguousarray(positions[:, :2], "f8")
    good = (np.abs(positions[:, 0]) <= 360).all() and (np.abs(positions[:, 1]) <= 90).all()
    return positions if good else None


def _uncut(polygons: NDArray[Any]) -> NDArray[Any]:
    """Take a step of more than half the earth for one across the antimeridian the short way."""
    if not len(polygons):
        return polygons
    bounds = shapely.bounds(polygons)
    for i in (bounds[:, 2] - bounds[:, 0] > 180).nonzero()[0]:
        ring = shapely.get_coordinates(shapely.get_exterior_ring(polygons[i]))[:, 0]
        if (np.abs(np.diff(ring)) > 180).any() and (np.abs(np.diff(ring)) < 359).all():
            polygons[i] = shapely.transform(polygons[i], _eastward)
    return polygons


def _eastward(positions: NDArray[Any]) -> NDArray[Any]:
    return np.column_stack(
        [np.where(positions[:, 0] < 0, positions[:, 0] + 360, positions[:, 0]), positions[:, 1]]
    )


def _valid(polygons: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return polygons without self-intersections, and the number of the one that each was part of."""
    kept = np.arange(len(polygons))
    bad = ~shapely.is_valid(polygons)
    if not bad.any():
        return polygons, kept
    polygons = polygons.copy()
    polygons[bad] = shapely.make_valid(polygons[bad], method="structure", keep_collapsed=False)
    parts, of = shapely.get_parts(polygons, return_index=True)  # of collections: polygons or MultiPolygons
    parts, inner = shapely.get_parts(parts, return_index=True)
    areal = (shapely.get_type_id(parts) == shapely.GeometryType.POLYGON) & ~shapely.is_empty(parts)
    return parts[areal], of[inner][areal]
