"""Outlines: the polygons of all hazards of one kind in, as their edges out, ready to be held against places.

Nothing can go wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import shapely

from dynamo.alerts.globe import earth_centred

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dynamo.alerts.hazard import HazardField

__all__ = ["EDGE", "POLYGON", "RUN", "Outlines", "outlines"]

#: A polygon: its number; the number of its time; its rank, the higher its level and then the earlier its time, the
#: higher, 1 at least; its first run, and that of the next; a box of degrees and a ball in earth-centred metres, which
#: it lies in; how many of its bands make a degree of latitude. It is cut into as many bands as it has runs.
POLYGON = np.dtype(
    [(name, "i8") for name in ("number", "time", "rank", "first", "last")]
    + [(name, "f8") for name in ("level", "lead", "west", "south", "east", "north", "x", "y", "z", "radius")]
    + [("per_degree", "f8")]
)
#: A run of edges: its first, and that of the next; degrees between which they lie and east of which none does; a
#: ball around them. And the band of the same number: where the runs that reach into it are listed.
RUN = np.dtype(
    [(name, "i8") for name in ("first", "last", "begin", "end")]
    + [(name, "f8") for name in ("south", "north", "east", "x", "y", "z", "radius")]
)
#: An edge: the degrees of its ends; in earth-centred metres its first end, the way to the other, and 1 / length^2.
EDGE = np.dtype(
    [(name, "f8") for name in ("lon0", "lat0", "lon1", "lat1", "x", "y", "z", "dx", "dy", "dz", "per_square")]
)

# Edges of a run at most.
_LENGTH = 16
# Degrees between the points of an edge: a straight line in space is then 0.3 m below that in degrees at most.
_STEP = 0.03


class Outlines(NamedTuple):
    """Polygons in the order to look at them, and their edges in runs.

    Parameters
    ----------
    polygons, runs, edges
        ``(n,)`` of `POLYGON`, `RUN` and `EDGE`.
    banded
        ``(n,)`` numbers of runs, listed by bands.
    """

    polygons: NDArray[Any]
    runs: NDArray[Any]
    edges: NDArray[Any]
    banded: NDArray[Any]


def outlines(fields: Sequence[HazardField]) -> Outlines:
    """Return the polygons of some fields, which are in the order of their times: at least one, and none empty."""
    shapes = np.concatenate([field.polygons for field in fields])
    level = np.concatenate([field.levels for field in fields])
    time = np.repeat(np.arange(len(fields)), [len(field.levels) for field in fields])
    # The first and the last time first: then onset and end are known of all that is near all the time.
    order = np.lexsort((level, time, np.minimum(time, len(fields) - 1 - time)))
    shapes, level, time = shapes[order], level[order], time[order]
    edges, owner = _edges(shapes)
    runs, count = _runs(edges, owner)
    _, kind = np.unique(level, return_inverse=True)
    polygons = np.zeros(len(shapes), POLYGON)
    polygons["number"], polygons["time"], polygons["level"] = order, time, level
    polygons["rank"] = kind * len(fields) + len(fields) - time
    polygons["lead"] = np.array([field.lead_minutes for field in fields])[time]
    polygons["last"] = np.cumsum(count)
    polygons["first"] = polygons["last"] - count
    for side, degrees in zip(("west", "south", "east", "north"), shapely.bounds(shapes).T, strict=True):
        polygons[side] = degrees
    _enclose(polygons, _points(runs), runs["radius"], polygons["first"])
    return Outlines(polygons, runs, edges, _bands(polygons, runs))


def _edges(shapes: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the edges of all rings, and the number of the polygon that each belongs to, which are in order."""
    rings, owner = shapely.get_rings(shapes, return_index=True)
    # Of rings: of a polygon whose rings cross each other GEOS would make another one.
    points, ring = shapely.get_coordinates(shapely.segmentize(rings, _STEP), return_index=True)
    first = (ring[1:] == ring[:-1]).nonzero()[0]
    edges = np.zeros(len(first), EDGE)
    edges["lon0"], edges["lat0"] = points[first].T
    edges["lon1"], edges["lat1"] = points[first + 1].T
    solid = earth_centred(points[:, 0], points[:, 1])
    edges["x"], edges["y"], edges["z"] = solid[first].T
    way = solid[first + 1] - solid[first]
    edges["dx"], edges["dy"], edges["dz"] = way.T
    edges["per_square"] = 1 / np.maximum((way**2).sum(axis=1), 1e-12)
    return edges, owner[ring[first]]


def _runs(edges: NDArray[Any], owner: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the runs of some edges, and how many each polygon has."""
    number = np.bincount(owner)
    last = np.cumsum(number)
    count = -(-number // _LENGTH)
    runs = np.zeros(count.sum(), RUN)
    before = np.arange(len(runs)) - np.repeat(np.cumsum(count) - count, count)
    runs["first"] = np.repeat(last - number, count) + before * _LENGTH
    runs["last"] = np.minimum(runs["first"] + _LENGTH, np.repeat(last, count))
    starts = runs["first"]
    runs["south"] = np.minimum.reduceat(np.minimum(edges["lat0"], edges["lat1"]), starts)
    runs["north"] = np.maximum.reduceat(np.maximum(edges["lat0"], edges["lat1"]), starts)
    runs["east"] = np.maximum.reduceat(np.maximum(edges["lon0"], edges["lon1"]), starts)
    half = np.stack([edges["dx"], edges["dy"], edges["dz"]], axis=1) / 2
    _enclose(runs, _points(edges) + half, np.linalg.norm(half, axis=1), starts)
    return runs, count


def _points(records: NDArray[Any]) -> NDArray[Any]:
    return np.stack([records["x"], records["y"], records["z"]], axis=1)


def _enclose(records: NDArray[Any], middle: NDArray[Any], radius: NDArray[Any], starts: NDArray[Any]) -> None:
    """Give each record a ball around the balls that are its own, from its start to the next."""
    own = (np.minimum.reduceat(middle, starts) + np.maximum.reduceat(middle, starts)) / 2
    records["x"], records["y"], records["z"] = own.T
    off = middle - np.repeat(own, np.diff(starts, append=len(middle)), axis=0)
    records["radius"] = np.maximum.reduceat(np.linalg.norm(off, axis=1) + radius, starts)


def _bands(polygons: NDArray[Any], runs: NDArray[Any]) -> NDArray[Any]:
    """Cut each polygon into bands from south to north, as many as it has runs; return which runs reach into each."""
    count = polygons["last"] - polygons["first"]
    polygons["per_degree"] = count / np.maximum(polygons["north"] - polygons["south"], 1e-9)
    own = polygons[np.repeat(np.arange(len(polygons)), count)]

    def band(lat: NDArray[Any]) -> NDArray[np.intp]:
        number = np.floor((lat - own["south"]) * own["per_degree"]).astype(np.intp)
        return np.asarray(np.minimum(own["first"] + number, own["last"] - 1))

    low, high = band(runs["south"]), band(runs["north"])
    each = high - low + 1
    run = np.repeat(np.arange(len(runs)), each)
    number = np.arange(len(run)) - np.repeat(np.cumsum(each) - each - low, each)
    order = np.argsort(number, kind="stable")
    runs["begin"], runs["end"] = (
        np.searchsorted(number[order], np.arange(len(runs)), side) for side in ("left", "right")
    )
    return run[order]
