"""Seen: where something is known of a field, so that nobody is told "it is over" where nobody looked.

A coarse map enters, as a product says it of itself; the share leaves that is known near a place. Nothing can go wrong:
what is no such map is none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SeenMap", "seen_first", "seen_map"]

#: Kilometres of a degree of latitude.
_DEGREE_KM = 111.2


@dataclass(frozen=True, slots=True, eq=False)
class SeenMap:
    """What of a field is known, in cells of a box of degrees.

    Parameters
    ----------
    bounds
        West, south, east and north, WGS 84 degrees; east may be beyond 180.
    total
        ``(rows + 1, columns + 1)``: of all cells north and west of each corner, the sum of the ninths that are known.
    """

    bounds: tuple[float, float, float, float]
    total: NDArray[np.int64]

    def near(self, lon: float, lat: float, within_km: float) -> float:
        """Return the share that is known, 0 to 1, of a square that reaches so far around a place to each side.

        It reaches half a cell at least. What lies beyond the map is not known.
        """
        west, south, east, north = self.bounds
        rows, columns = self.total.shape[0] - 1, self.total.shape[1] - 1
        row = (north - lat) / (north - south) * rows
        off = (lon - (west + east) / 2 + 180) % 360 - 180  # from the middle, the shorter way round the earth
        column = (off / (east - west) + 0.5) * columns
        degrees = within_km / _DEGREE_KM
        high = max(0.5, degrees / (north - south) * rows)
        shrink = max(math.cos(math.radians(lat)), 1e-3)
        wide = max(0.5, min(degrees / shrink, 180.0) / (east - west) * columns)
        known = (
            self._until(row + high, column + wide)
            - self._until(row - high, column + wide)
            - self._until(row + high, column - wide)
            + self._until(row - high, column - wide)
        )
        return float(known / (9 * 4 * high * wide))

    def _until(self, row: float, column: float) -> float:
        """Return the sum of all that is north and west of a place: exact, as shares are even within a cell."""
        row = min(max(row, 0.0), self.total.shape[0] - 1.0)
        column = min(max(column, 0.0), self.total.shape[1] - 1.0)
        i, j = min(int(row), self.total.shape[0] - 2), min(int(column), self.total.shape[1] - 2)
        y, x, at = row - i, column - j, self.total.item
        north = (1 - x) * at(i, j) + x * at(i, j + 1)
        south = (1 - x) * at(i + 1, j) + x * at(i + 1, j + 1)
        return float((1 - y) * north + y * south)


def seen_map(bounds: tuple[float, float, float, float] | None, rows: Any) -> SeenMap | None:
    """Return the map whose rows are texts of digits, ninths that are known, the northernmost first; else None."""
    if bounds is None or bounds[0] == bounds[2] or bounds[1] == bounds[3]:
        return None
    if not isinstance(rows, list) or not rows or not all(isinstance(row, str) for row in rows):
        return None
    text = "".join(rows)
    if (
        not rows[0]
        or any(len(row) != len(rows[0]) for row in rows)
        or not (text.isascii() and text.isdigit())
    ):
        return None
    ninths = np.frombuffer(text.encode(), dtype="u1").reshape(len(rows), -1) - ord("0")
    total = np.pad(ninths.cumsum(axis=0, dtype="i8").cumsum(axis=1), ((1, 0), (1, 0)))
    return SeenMap(bounds, total)


def seen_first(maps: Sequence[tuple[float, SeenMap | None]]) -> tuple[SeenMap, ...]:
    """Return the maps of the first of some lead times, of which each is told; none where one of that has none."""
    first = min(lead for lead, _ in maps)
    said = [one for lead, one in maps if lead == first]
    return tuple(filter(None, said)) if all(said) else ()
