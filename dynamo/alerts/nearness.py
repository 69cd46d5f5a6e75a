"""Nearness: how far many places are from one polygon, in its plane: bounds first, the exact answer where it counts.

A raster of the polygon's outline with a distance transform (Felzenszwalb and Huttenlocher 2012; here OpenCV's)
bounds the distance of each place for the cost of a look-up, far below that of the exact one, and says
inside or outside where no edge is near. Nothing can go wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import shapely

from dynamo.alerts.edges import Edges

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dynamo.alerts.plane import Plane

__all__ = ["Box", "Near", "nearness"]

# Pixels by which a distance in the raster may be off: a place is 0.71 from its pixel's middle, an edge up to 1
# from that of the pixel it is drawn in. Then the share by which the transform with a 5 x 5 mask may be.
_OFF, _MASK = 2.0, 0.021
# Bits of a pixel's fraction that OpenCV draws with.
_SHIFT = 4
# Fewer places than this are measured sooner than a raster is drawn.
_FEW = 500


class Box:
    """Places that lie in a box, found among many: sorted by column of the plane, then by y."""

    def __init__(self, x: NDArray[Any], y: NDArray[Any], places: NDArray[np.intp]) -> None:
        """Take the places that `places` numbers."""
        x, y = x[places], y[places]
        self._x0, self._y0, self._y1 = x.min(), y.min(), y.max()
        columns = max(1, int(np.sqrt(len(places)) / 4))
        self._width = max((x.max() - self._x0) / columns, 1.0)
        self._height = (self._y1 - self._y0) * 2 + 1.0
        key = np.floor((x - self._x0) / self._width) * self._height + (y - self._y0)
        order = np.argsort(key)
        self._key, self._places, self._columns = key[order], places[order], columns

    def within(self, box: NDArray[Any], reach: float) -> NDArray[np.intp]:
        """Return the numbers of the places within `reach` of a box, and some beside it."""
        x0, y0, x1, y1 = box[0] - reach, box[1] - reach, box[2] + reach, box[3] + reach
        first = max(0, int((x0 - self._x0) // self._width))
        last = min(self._columns, int((x1 - self._x0) // self._width))
        if last < first or y1 < self._y0 or y0 > self._y1:
            return self._places[:0]
        columns = np.arange(first, last + 1) * self._height
        low = np.searchsorted(self._key, columns + max(y0 - self._y0, 0.0))
        high = np.searchsorted(self._key, columns + (min(y1, self._y1) - self._y0), side="right")
        return np.concatenate([self._places[a:b] for a, b in zip(low.tolist(), high.tolist(), strict=True)])


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
    wide = np.minimum(plane.reach[places], high * plane.scale[places]) * (1 + plane.slack) + 1.0
    x, y = plane.x[places], plane.y[places]
    kept = (x >= box[0] - wide) & (x <= box[2] + wide) & (y >= box[1] - wide) & (y <= box[3] + wide)
    places, x, y, wide, high = places[kept], x[kept], y[kept], wide[kept], high[kept]
    shape = plane.polygons[polygon]
    if len(places) < _FEW:
        inside = np.asarray(shapely.intersects_xy(shape, x, y))
        least, most = np.zeros(len(x)), np.where(inside, 0.0, np.inf)
    else:
        least, most, inside = _bounds(shape, box, x, y, wide)
    narrow = plane.reach[places] * max(0.0, 1 - plane.slack)
    hit = inside | (most <= narrow) | (np.isfinite(high) & np.isfinite(most) & (least <= wide))
    unsure = (~hit & (least <= wide)).nonzero()[0]
    if len(unsure):
        far, end_x, end_y = Edges(shape).nearest(x[unsure], y[unsure])
        least[unsure] = most[unsure] = far
        hit[unsure] = (far <= narrow[unsure]) | (np.isfinite(high[unsure]) & (far <= wide[unsure]))
        close = (~hit[unsure] & (far <= wide[unsure])).nonzero()[0]
        if len(close):
            own = places[unsure[close]]
            metres, _ = plane.geodesic(own, end_x[close], end_y[close])
            hit[unsure[close]] = metres <= plane.limit[own]
    return Near(places[hit], inside[hit], *plane.on_ground(places[hit], least[hit], most[hit]))


def _bounds(
    shape: Any, box: NDArray[Any], x: NDArray[Any], y: NDArray[Any], wide: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.bool_]]:
    """Return bounds on the distance, and whether a place is inside."""
    margin = float(wide.max())
    side = min(512, max(64, int(6 * np.sqrt(len(x)))))
    pixel = max(box[2] - box[0] + 2 * margin, box[3] - box[1] + 2 * margin, 1.0) / side
    x0, y0 = box[0] - margin, box[1] - margin
    size = (int((box[3] + margin - y0) / pixel) + 3, int((box[2] + margin - x0) / pixel) + 3)
    rings = [
        np.rint((shapely.get_coordinates(ring) - (x0, y0)) * (2**_SHIFT / pixel)).astype("i4")
        for ring in shapely.get_rings(shape)
    ]
    filled, outline = np.zeros(size, "u1"), np.ones(size, "u1")
    cv2.fillPoly(filled, rings, (1,), shift=_SHIFT)
    cv2.polylines(outline, rings, True, (0,), shift=_SHIFT)
    off = cv2.distanceTransform(outline, cv2.DIST_L2, cv2.DIST_MASK_5)
    at = np.rint((y - y0) / pixel).astype("i4") * size[1] + np.rint((x - x0) / pixel).astype("i4")
    away = off.ravel()[at]
    low, high = (away * (1 - _MASK) - _OFF) * pixel, (away * (1 + _MASK) + _OFF) * pixel
    inside = filled.ravel()[at] > 0
    unsure = (low <= 0).nonzero()[0]
    inside[unsure] = shapely.intersects_xy(shape, x[unsure], y[unsure])
    np.maximum(low, 0, out=low)
    low[inside] = high[inside] = 0.0
    return low, high, inside
