"""GeoJSON: bands in, one FeatureCollection file out (RFC 7946), always, also with nothing in it.

The collection itself says of when and of what it is, and how much of the grid was known: a file without a polygon
means that nothing was found where it could be seen, and must not be read as more.

Each polygon is a Feature of its own, not a part of one MultiPolygon a level: a polygon is what is matched
with people, tracked and told apart in a message, and it carries its own area. That costs about 200 bytes a
polygon: a fifth of a file in widespread rain, more where there are many one-cell echoes, which
`contour(min_points=...)` leaves out. The same bands and properties give the same bytes. What can go wrong
is the disk (`OSError`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from dynamo.radar.grid import Grid
from dynamo.radar.quantities import QUANTITIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from dynamo.radar.contour import Band

__all__ = ["dumps", "hazard_properties", "known_share", "write_geojson"]

# What RFC 7946 section 7.1 keeps for itself, and what a collection has of its own.
_TAKEN = {
    "type",
    "features",
    "coordinates",
    "geometries",
    "geometry",
    "properties",
    "known_share",
    "field_bounds",
    "known_map",
    "about",
}


def hazard_properties(
    grid: Grid, *, hazard: str = "STORM", source: str = "", issued: datetime | None = None
) -> dict[str, Any]:
    """Return what every polygon of a grid has in common.

    Parameters
    ----------
    grid
        The field that is contoured; gives units, valid time, lead time and, unless `source` is given, the
        source.
    hazard
        What the polygons warn of.
    source
        Which run and product they come from.
    issued
        Aware; None means the analysis time, valid time less lead time, so that a repeated run gives equal
        bytes.

    Returns
    -------
    dict
        ``hazard``, ``units``, ``valid_time``, ``issued``, ``lead_minutes`` and ``source``; times are RFC
        3339, UTC.
    """
    return {
        "hazard": hazard,
        "units": QUANTITIES[grid.quantity].units,
        "valid_time": _stamp(grid.time),
        "issued": _stamp(issued or grid.time - timedelta(minutes=grid.lead_minutes)),
        "lead_minutes": grid.lead_minutes,
        "source": source or grid.source,
    }


def known_share(grid: Grid) -> float:
    """Return the share of a grid's cells of which something is known, an echo or surely none: 0 to 1."""
    return round(int(np.count_nonzero(grid.known)) / grid.status.size, 4)


def _stamp(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def dumps(
    bands: Iterable[Band],
    *,
    properties: Mapping[str, Any],
    known_share: float | None = None,
    field_bounds: Sequence[float] | None = None,
    known_map: Mapping[str, Any] | None = None,
    about: Mapping[str, str | float] | None = None,
) -> bytes:
    """Return a FeatureCollection of all polygons of all bands, lowest level first.

    Each Feature has `properties` and its own ``level`` (in ``units``) and ``area_km2`` (WGS 84 ellipsoid). The
    collection has `properties`, `known_share`, `field_bounds`, `known_map` and `about` as foreign members (RFC 7946
    section 6.1), except names that the format needs for itself.
    """
    # NumPy slices go to the encoder as they are: no coordinate ever becomes a Python number.
    features = [feature for band in bands for feature in _features(band, dict(properties))]
    common = {name: value for name, value in properties.items() if name not in _TAKEN}
    if known_share is not None:
        common["known_share"] = known_share
    if field_bounds is not None:
        common["field_bounds"] = [round(degrees, 5) for degrees in field_bounds]
    if known_map is not None:
        common["known_map"] = dict(known_map)
    if about:
        common["about"] = dict(about)
    collection = {"type": "FeatureCollection", **common, "features": features}
    return orjson.dumps(collection, option=orjson.OPT_SERIALIZE_NUMPY)


def _features(band: Band, properties: dict[str, Any]) -> Iterator[dict[str, Any]]:
    ends = band.ring_offsets.tolist()
    rings = [band.coordinates[a:b] for a, b in pairwise(ends)]
    ends = band.polygon_offsets.tolist()
    for (a, b), area in zip(pairwise(ends), band.polygon_area_km2.tolist(), strict=True):
        yield {
            "type": "Feature",
            "properties": {**properties, "level": band.level, "area_km2": round(area, 3)},
            "geometry": {"type": "Polygon", "coordinates": rings[a:b]},
        }


def write_geojson(
    path: Path,
    bands: Iterable[Band],
    *,
    properties: Mapping[str, Any],
    known_share: float | None = None,
    field_bounds: Sequence[float] | None = None,
    known_map: Mapping[str, Any] | None = None,
    about: Mapping[str, str | float] | None = None,
) -> None:
    """Write bands as a FeatureCollection; a name that ends in ``.gz`` is compressed.

    Parameters
    ----------
    path
        File to write, UTF-8, for example ``polygons_05.geojson`` or ``polygons_05.geojson.gz``.
    bands
        As `dynamo.radar.contour.contour` gives them.
    properties
        What all polygons have in common, as `hazard_properties` gives it; the collection says it too.
    known_share
        Of the grid, as the function of this name gives it; None leaves it out.
    field_bounds
        West, south, east and north of the grid, as `dynamo.radar.bounds.bounds`: nothing is said of what lies beyond.
        None leaves it out.
    known_map
        Where something is known, as `dynamo.radar.known_map.known_map` gives it; None leaves it out.
    about
        What else the grid says of itself (its attributes): which radars are in it, what was missing, what to doubt.
    """
    data = dumps(
        bands,
        properties=properties,
        known_share=known_share,
        field_bounds=field_bounds,
        known_map=known_map,
        about=about,
    )
    if path.suffix == ".gz":
        from isal import igzip

        data = igzip.compress(data, compresslevel=1, mtime=0)  # no clock in the file: same input, same bytes
    path.write_bytes(data)
