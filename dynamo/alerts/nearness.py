"""Nearness: how far many places are from one polygon, in its plane: bounds first, the exact answer where it counts.

Who is inside is asked of shapely. How far off the others are is bounded for all, from few distances, and measured
where the bounds do not tell who is within reach. Nothing can go wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from dynamo.alerts.lattice import bounds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dynamo.alerts.plane import Plane

__all__ = ["Box", "Near", "nearness"]

# Fewer places than this are measured sooner than a raster is drawn.
_FEW = 500


@dataclass(frozen=True, slots=True, eq=False)
class Box:
    """Places that lie in a box, found among many: `places`, sorted by column of the plane, then by y.

    Parameters
    ----------
    x0, y0, y1
        Metres of the plane at its west, south and north.
    width, columns
        Of a column, metres, and how many there are.
    height
        What keys of neighbouring columns differ by.
    area
        Square metres.
    key, places
        ``(n,)`` sorted keys, and the numbers of the places that they are of.
    """

    x0: float
    y0: float
    y1: float
    width: float
    columns: int
    height: float
    area: float
    key: NDArray[Any]
    places: NDArray[np.intp]

    @classmethod
    def of(cls, x: NDArray[Any], y: NDArray[Any], places: NDArray[np.intp]) -> Box:
        """Return the box of the places that `places` numbers, at least one."""
        x, y = x[places], y[places]
        x0, y0, y1 = float(x.min()), float(y.min()), float(y.max())
        columns = max(1, int(np.sqrt(len(places)) / 4))
        width = max((float(x.max()) - x0) / columns, 1.0)
        height = (y1 - y0) * 2 + 1.0
        key = np.floor((x - x0) / width) * height + (y - y0)
        order = np.argsort(key)
        area = columns * width * max(y1 - y0, 1.0)
        return cls(x0, y0, y1, width, columns, height, area, key[order], places[order])

    def only(self, which: NDArray[np.bool_]) -> Box:
        """Return the same box with those of its places that `which` says, by their numbers, to be wanted."""
        kept = which[self.places]
        return replace(self, key=self.key[kept], places=self.places[kept])

    def share(self, boxes: NDArray[Any], reach: float) -> float:
        """Return the share of its area that lies within `reach` of some boxes; what of two counts twice."""
        sides = boxes[:, 2:] - boxes[:, :2] + 2 * reach
        return float(sides.prod(axis=1).sum() / self.area)

    def within(self, box: NDArray[Any], reach: float) -> NDArray[np.intp]:
        """Return the numbers of the places within `reach` of a box, and some beside it."""
        x0, y0, x1, y1 = box[0] - reach, box[1] - reach, box[2] + reach, box[3] + reach
        first = max(0, int((x0 - self.x0) // self.width))
        last = min(self.columns, int((x1 - self.x0) // self.width))
        if last < first or y1 < self.y0 or y0 > self.y1:
            return self.places[:0]
        columns = np.arange(first, last + 1) * self.height
        low = np.searchsorted(self.key, columns + max(y0 - self.y0, 0.0))
        high = np.searchsorted(self.key, columns + (min(y1, self.y1) - self.y0), side="right")
        return np.concatenate([self.places[a:b] for a, b in zip(low.tolist(), high.tolist(), strict=True)])


@dataclass(frozen=True, slots=True, eq=False)
class Near:
    """The places that are within their reach of a polygon, inside or not, and bounds on their distances in metres."""

    places: NDArray[np.intp]
    inside: NDArray[np.bool_]
    low: NDArray[Any]
    high: NDArray[Any]


def nearness(
    plane: Plane, polygon: int, box: NDArray[Any], places: NDArray[np.intp], high: NDArray[Any]
) -> Near:
    """Return which of some places are within their reach of a polygon, and no farther than what is asked.

    Parameters
    ----------
    plane, polygon
        The polygon's number in its plane.
    box
        Its bounds in the plane.
    places
        Numbers of places in the plane.
    high
        Metres of each. Where finite, the place is known to be within reach of another polygon that is no farther,
        and it is not decided here whether it is within reach of this one.
    """
    wide = plane.reach[places]
    known = np.isfinite(high).nonzero()[0]
    wide[known] = np.minimum(wide[known], high[known] * plane.scale[places[known]])
    wide *= 1 + plane.slack
    wide += 1.0
    x, y = plane.x[places], plane.y[places]
    kept = (x >= box[0] - wide) & (x <= box[2] + wide) & (y >= box[1] - wide) & (y <= box[3] + wide)
    places, x, y, wide, high = places[kept], x[kept], y[kept], wide[kept], high[kept]
    shape = plane.polygons[polygon]
    inside = np.zeros(len(x), bool)
    within = ((x >= box[0]) & (x <= box[2]) & (y >= box[1]) & (y <= box[3])).nonzero()[0]
    inside[within] = shapely.intersects_xy(shape, x[within], y[within])
    least, most = np.zeros(len(x)), np.where(inside, 0.0, np.inf)
    outside = (~inside).nonzero()[0]
    if len(outside) >= _FEW:
        least[outside], most[outside] = bounds(plane.edges(polygon), x[outside], y[outside])
    narrow = plane.reach[places] * max(0.0, 1 - plane.slack)
    hit = inside | (most <= narrow) | (np.isfinite(high) & np.isfinite(most) & (least <= wide))
    unsure = (~hit & (least <= wide)).nonzero()[0]
    if len(unsure):
        far, end_x, end_y = plane.edges(polygon).nearest(x[unsure], y[unsure], most[unsure])
        least[unsure] = most[unsure] = far
        hit[unsure] = (far <= narrow[unsure]) | (np.isfinite(high[unsure]) & (far <= wide[unsure]))
        close = (~hit[unsure] & (far <= wide[unsure])).nonzero()[0]
        if len(close):
            own = places[unsure[close]]
            metres, _ = plane.geodesic(own, end_x[close], end_y[close])
            hit[unsure[close]] = metres <= plane.limit[own]
    return Near(places[hit], inside[hit], *plane.on_ground(places[hit], least[hit], most[hit]))
