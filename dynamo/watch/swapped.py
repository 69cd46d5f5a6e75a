"""Swapped: whether a position that somebody gave has its longitude and its latitude the wrong way round.

Enters: where the subscribers are, and a position. Leaves: what is wrong with it, in words. Pure; nothing can go wrong.
"""

from __future__ import annotations

import numpy as np

from dynamo.alerts.subscriber import Subscribers

__all__ = ["Whereabouts"]

#: Who moves is among the others at so many kilometres from the nearest of them, and astray beyond so many.
AMONG_KM, ASTRAY_KM = 300.0, 1000.0
RADIUS_KM = 6371.0


class Whereabouts:
    """Where subscribers are, by their files: the squares of one degree that have any, however many there are."""

    def __init__(self, people: Subscribers) -> None:
        squares = (np.floor(people.lon + 180) * 181 + np.floor(people.lat + 90)).astype(int)
        found = np.bincount(squares, minlength=1).nonzero()[0]
        self._lon, self._lat = np.radians(found // 181 - 179.5), np.radians(found % 181 - 89.5)

    def wrong(self, lon: float, lat: float) -> str:
        """Return that a position must be swapped: it is astray, and among the subscribers the other way round."""
        if abs(lon) > 90 or self._km(lon, lat) <= ASTRAY_KM or self._km(lat, lon) > AMONG_KM:
            return ""
        return (
            f"longitude {lon:g}, latitude {lat:g} is more than {ASTRAY_KM:g} km from all subscribers, and among them "
            "if swapped: give the longitude first"
        )

    def _km(self, lon: float, lat: float) -> float:
        """Kilometres to the middle of the nearest square, by the haversine formula on a sphere."""
        x, y = np.radians((lon, lat))
        half = (
            np.sin((self._lat - y) / 2) ** 2
            + np.cos(self._lat) * np.cos(y) * np.sin((self._lon - x) / 2) ** 2
        )
        return float(2 * RADIUS_KM * np.arcsin(np.sqrt(np.min(half, initial=1.0))))
