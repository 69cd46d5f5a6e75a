"""Nearness: many rules held against many polygons, each by its place, in compiled loops.

Places and edges are points in space, in metres from the middle of the earth, so nothing depends on where on earth they
are. Runs of neighbouring edges lie in balls, and so do polygons; the rules of neighbouring places make a tile. What
is known of a tile's middle bounds what can be said of all its places (a place that is `r` from the middle is at most
`r` nearer to an edge), so most are never held against an edge at all. Nothing can go wrong.

Distances are right to a millimetre up to 500 km, to 3 cm up to 1,000 km, and to 100 m up to 5,000 km.

Tables are arrays of records: a record is handed on as a mere address, while each array of a tuple of arrays would be
counted whenever it is touched, which takes ten times as long as all the rest.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dynamo.compiled import compiled, kept

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["KNOWN", "TILE", "TILES", "Rules", "hold"]

#: Rules of a tile, and tiles of a large one.
TILE, TILES = 64, 64

#: What is known of a rule: the highest rank that is near (0: none), the nearest polygon of it and its metres; the
#: first and last time; metres to the nearest of all (0: inside) and its bearing, clockwise from north; the way
#: from its nearest point, earth-centred metres.
KNOWN = np.dtype(
    [(name, "i8") for name in ("best", "polygon", "onset", "ends")]
    + [(name, "f8") for name in ("farthest", "metres", "bearing", "dx", "dy", "dz")]
)
# A rule of a tile, as in `Rules`, and its place in earth-centred metres too; how far it is off the tile's middle.
_RULE = np.dtype(
    [(name, "f8") for name in ("lon", "lat", "x", "y", "z", "limit", "min_level", "max_lead", "off")]
)
# A polygon that may be near a place of a tile: whether the tile's middle is inside, how far the nearest edge is from
# it at least, and where those of its runs are listed that may hold a nearest edge.
_CANDIDATE = np.dtype([("polygon", "i8"), ("inside", "?"), ("metres", "f8"), ("first", "i8"), ("last", "i8")])


class Rules(NamedTuple):
    """Rules and their places.

    Parameters
    ----------
    numbers
        ``(n,)`` of rules to look at, neighbours next to each other.
    owner, limit, min_level, max_lead
        ``(rules,)`` the number of the place; how near is near (metres), and the lowest level and the last lead
        time that count.
    lon, lat
        ``(places,)`` WGS 84 degrees.
    """

    numbers: NDArray[Any]
    owner: NDArray[Any]
    limit: NDArray[Any]
    min_level: NDArray[Any]
    max_lead: NDArray[Any]
    lon: NDArray[Any]
    lat: NDArray[Any]


# Metres that no bound is wrong by; who is so near to a corner or an edge is inside.
_SLIP = 1e-3
# WGS 84: the equator's radius, and a^2 / b^2; the normal at (x, y, z) points to (x, y, _STRETCH * z).
_RADIUS = 6_378_137.0
_STRETCH = 1 / (1 - 1 / 298.257223563) ** 2


@compiled
def _square(ball: Any, x: float, y: float, z: float) -> float:
    """Return the squared distance of a point from the middle of a ball."""
    x, y, z = x - ball.x, y - ball.y, z - ball.z
    return x * x + y * y + z * z


@compiled
def _is_within(
    polygon: Any, runs: NDArray[Any], edges: NDArray[Any], banded: NDArray[Any], lon: float, lat: float
) -> bool:
    """Say whether a place lies in a polygon: a line to the east crosses an odd number of edges."""
    lon -= 360 * math.floor((lon - polygon.west) / 360)
    if not (lon <= polygon.east and polygon.south <= lat <= polygon.north):
        return False
    odd = False
    number = math.floor((lat - polygon.south) * polygon.per_degree)
    band = runs[min(polygon.first + number, polygon.last - 1)]
    for n in banded[band.begin : band.end]:
        run = runs[n]
        if run.south <= lat < run.north and lon <= run.east:
            for m in range(run.first, run.last):
                edge = edges[m]
                if (edge.lat0 > lat) != (edge.lat1 > lat):
                    along = (lat - edge.lat0) / (edge.lat1 - edge.lat0)
                    odd ^= lon < edge.lon0 + along * (edge.lon1 - edge.lon0)
    return odd


@compiled
def _nearest(
    listed: NDArray[Any], runs: NDArray[Any], edges: NDArray[Any], x: float, y: float, z: float, bound: float
) -> tuple[float, float, float, float]:
    """Return the square of the distance to the nearest edge of the runs listed, and the way from it, in x, y and z.

    Infinite where none is nearer than the bound.
    """
    dx = dy = dz = 0.0
    best, far = bound * bound, bound
    for n in listed:
        run = runs[n]
        if _square(run, x, y, z) > (far + run.radius) ** 2:
            continue
        for m in range(run.first, run.last):
            edge = edges[m]
            u, v, w = x - edge.x, y - edge.y, z - edge.z
            along = min(max((u * edge.dx + v * edge.dy + w * edge.dz) * edge.per_square, 0.0), 1.0)
            u, v, w = u - along * edge.dx, v - along * edge.dy, w - along * edge.dz
            square = u * u + v * v + w * w
            if square < best:
                best, dx, dy, dz = square, u, v, w
        far = math.sqrt(best)
    return (best if best < bound * bound else math.inf), dx, dy, dz


@compiled
def _arc(rule: Any, dx: float, dy: float, dz: float, square: float) -> float:
    """Return metres along the ground between a place and the point that the way to it leads from.

    They are those of a circle whose curvature is the surface's in this direction: how much its normal turns on the way.
    """
    x, y, z = rule.x - dx, rule.y - dy, (rule.z - dz) * _STRETCH
    there = 1 / math.sqrt(x * x + y * y + z * z)
    up = rule.z * _STRETCH
    here = 1 / math.sqrt(rule.x**2 + rule.y**2 + up**2)
    turn = dx * (rule.x * here - x * there) + dy * (rule.y * here - y * there) + dz * (up * here - z * there)
    chord = math.sqrt(square)
    half = turn / (2 * max(chord, _SLIP))
    return chord * (math.asin(min(half, 1.0)) / half if half > 1e-9 else 1.0)


@compiled
def _bearing(rule: Any, known: Any) -> float:
    """Return the bearing at a place, clockwise from north, of the nearest point."""
    lon, lat = math.radians(rule.lon), math.radians(rule.lat)
    east = known.dx * math.sin(lon) - known.dy * math.cos(lon)
    down = known.dx * math.cos(lon) + known.dy * math.sin(lon)
    return math.degrees(math.atan2(east, down * math.sin(lat) - known.dz * math.cos(lat))) % 360


@compiled
def _high(rule: Any, polygon: Any, known: Any) -> float:
    """Return below how many metres a polygon could change what is known of a rule; 0 if it cannot change a thing."""
    if polygon.level < rule.min_level or polygon.lead > rule.max_lead:
        return 0.0
    if polygon.rank > known.best or polygon.time < known.onset or polygon.time > known.ends:
        return max(rule.limit, _SLIP)  # type: ignore[no-any-return]
    return max(known.metres, known.farthest if polygon.rank == known.best else 0.0)  # type: ignore[no-any-return]


@compiled
def _note(polygon: Any, known: Any, metres: float) -> None:
    """Write down that a polygon is near."""
    known.onset, known.ends = min(known.onset, polygon.time), max(known.ends, polygon.time)
    if polygon.rank > known.best or (polygon.rank == known.best and metres < known.farthest):
        known.best, known.polygon, known.farthest = polygon.rank, polygon.number, metres


@compiled
def _place(rule: Any) -> None:
    """Give a rule its place on the ellipsoid: `dynamo.alerts.globe.earth_centred`, for one."""
    lon, lat = math.radians(rule.lon), math.radians(rule.lat)
    out, up = math.cos(lat), math.sin(lat) / _STRETCH
    normal = _RADIUS / math.sqrt(out * out + up * math.sin(lat))
    rule.x, rule.y, rule.z = normal * out * math.cos(lon), normal * out * math.sin(lon), normal * up


@compiled
def _gather(rules: Rules, first: int, tile: NDArray[Any]) -> None:
    """Fill a tile with rules."""
    for n in range(len(tile)):
        number, rule = rules.numbers[first + n], tile[n]
        owner = rules.owner[number]
        rule.lon, rule.lat, rule.limit = rules.lon[owner], rules.lat[owner], rules.limit[number]
        rule.min_level, rule.max_lead = rules.min_level[number], rules.max_lead[number]
        _place(rule)


@compiled
def _extent(tile: NDArray[Any], middle: Any) -> tuple[float, float]:
    """Return how far the places of a tile are off its middle at most, and how far away from there they look."""
    radius = reach = 0.0
    for n in range(len(tile)):
        rule = tile[n]
        rule.off = math.sqrt(_square(rule, middle.x, middle.y, middle.z))
        radius, reach = max(radius, rule.off), max(reach, rule.off + rule.limit + _SLIP)
    return radius, reach


@compiled
def _list(own: NDArray[Any], runs: NDArray[Any], middle: Any, far: float, listed: NDArray[Any]) -> int:
    """List those runs of a polygon that may be no farther than `far`; return how many."""
    count = 0
    for n in own:
        if _square(runs[n], middle.x, middle.y, middle.z) <= (far + runs[n].radius) ** 2:
            listed[count] = n
            count += 1
    return count


@compiled
def _narrow(
    tile: NDArray[Any],
    off: float,
    polygons: NDArray[Any],
    runs: NDArray[Any],
    edges: NDArray[Any],
    banded: NDArray[Any],
    around: Any,
    around_runs: NDArray[Any],
    candidates: NDArray[Any],
    listed: NDArray[Any],
) -> int:
    """Find which of the polygons around, and which of their runs, may be near a place of a tile; return how many.

    The tile lies in a larger one, whose middle is so far off that of this, and around which they are.
    """
    middle = tile[len(tile) // 2]
    radius, reach = _extent(tile, middle)
    found = count = 0
    for wide in around:
        polygon = polygons[wide.polygon]
        if _square(polygon, middle.x, middle.y, middle.z) > (reach + polygon.radius) ** 2:
            continue
        inside = wide.inside
        if wide.metres <= off + _SLIP:
            inside = _is_within(polygon, runs, edges, banded, middle.lon, middle.lat)
        elif not inside and wide.metres - off > reach:
            continue
        own = around_runs[wide.first : wide.last]
        metres = math.sqrt(_nearest(own, runs, edges, middle.x, middle.y, middle.z, reach)[0])
        if metres == math.inf and not inside:
            continue
        one = candidates[found]
        found += 1
        one.polygon, one.inside, one.metres, one.first = wide.polygon, inside, min(metres, reach), count
        if not inside or metres <= radius + _SLIP:
            far = min(metres + 2 * radius + _SLIP, reach)
            count += _list(own, runs, middle, far, listed[count:])
        one.last = count
    return found


@compiled
def _hold_one(
    rule: Any,
    polygon: Any,
    known: Any,
    one: Any,
    listed: NDArray[Any],
    runs: NDArray[Any],
    edges: NDArray[Any],
    banded: NDArray[Any],
    high: float,
) -> None:
    """Hold a rule against a polygon that may be near it."""
    inside = one.inside
    if one.metres <= rule.off + _SLIP:
        inside = _is_within(polygon, runs, edges, banded, rule.lon, rule.lat)
    metres = dx = dy = dz = 0.0
    if not inside:
        bound = min(high, one.metres + rule.off) + _SLIP
        own = listed[one.first : one.last]
        square, dx, dy, dz = _nearest(own, runs, edges, rule.x, rule.y, rule.z, bound)
        if square == math.inf:
            return
        metres = _arc(rule, dx, dy, dz, square)
        if metres < _SLIP:
            metres = 0.0
        if metres > rule.limit:
            return
    _note(polygon, known, metres)
    if metres < known.metres:
        known.metres, known.dx, known.dy, known.dz = metres, dx, dy, dz


@compiled
def _hold_all(
    rule: Any,
    candidates: NDArray[Any],
    listed: NDArray[Any],
    polygons: NDArray[Any],
    runs: NDArray[Any],
    edges: NDArray[Any],
    banded: NDArray[Any],
    known: Any,
) -> None:
    """Hold a rule against all polygons that may be near it."""
    known.best, known.onset, known.ends = 0, np.iinfo(np.int64).max, -1
    known.metres = known.farthest = math.inf
    for one in candidates:
        polygon = polygons[one.polygon]
        high = _high(rule, polygon, known)
        if high > 0 and (one.inside or one.metres - rule.off <= high + _SLIP):
            _hold_one(rule, polygon, known, one, listed, runs, edges, banded, high)
    if 0 < known.metres < math.inf:
        known.bearing = _bearing(rule, known)


@kept
def hold(
    rules: Rules,
    polygons: NDArray[Any],
    runs: NDArray[Any],
    edges: NDArray[Any],
    banded: NDArray[Any],
    known: NDArray[Any],
) -> None:
    """Hold rules against all polygons, in this order, and write down what is known of each.

    Parameters
    ----------
    rules
        Who looks.
    polygons, runs, edges, banded
        What they are held against, as `dynamo.alerts.outlines` gives it.
    known
        ``(rules,)`` of `KNOWN`; those that are not looked at are left as they are.
    """
    space, every = np.empty(TILES * TILE, _RULE), np.arange(len(runs))
    around, candidates = np.zeros(len(polygons), _CANDIDATE), np.zeros(len(polygons), _CANDIDATE)
    around_runs, listed = np.empty(len(runs), np.int64), np.empty(len(runs), np.int64)
    whole = np.zeros(len(polygons), _CANDIDATE)
    for n in range(len(polygons)):
        whole[n].polygon, whole[n].first, whole[n].last = n, polygons[n].first, polygons[n].last
    for start in range(0, len(rules.numbers), TILES * TILE):
        large = space[: len(rules.numbers) - start]
        _gather(rules, start, large)
        found = _narrow(large, 0.0, polygons, runs, edges, banded, whole, every, around, around_runs)
        for first in range(0, len(large), TILE):
            tile = large[first : first + TILE]
            off = tile[len(tile) // 2].off
            count = _narrow(
                tile, off, polygons, runs, edges, banded, around[:found], around_runs, candidates, listed
            )
            for n in range(len(tile)):
                known_of = known[rules.numbers[start + first + n]]
                _hold_all(tile[n], candidates[:count], listed, polygons, runs, edges, banded, known_of)
