"""Drawn: a polygon as the GeoJSON geometry that a message carries, small. Nothing can go wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely

__all__ = ["drawn"]

_POINTS = 500


def drawn(polygon: Any) -> dict[str, Any]:
    """Return a Polygon as GeoJSON, to six decimals; one of many points is told with fewer.

    What is told is a picture: the match was made with the polygon itself. Widespread rain has an outline of
    10,000 points, and nobody wants half a megabyte in each message of a hundred thousand.
    """
    step = 0.001
    while shapely.get_num_coordinates(polygon) > _POINTS and step < 1:
        plainer = shapely.simplify(polygon, step)
        polygon = polygon if plainer.is_empty else plainer
        step *= 2
    rings = [np.round(shapely.get_coordinates(ring), 6).tolist() for ring in shapely.get_rings(polygon)]
    return {"type": "Polygon", "coordinates": rings}
