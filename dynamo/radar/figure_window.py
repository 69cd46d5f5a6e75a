"""The part of a map that a contact sheet shows: where the echoes are, and no more cells than can be seen.

Painted grids enter, as `dynamo.radar.image.paint` gives them; an extent in metres leaves. Nothing can go wrong.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dynamo.radar.grid import Geometry

__all__ = ["Window", "thinned", "window_of"]

#: West, south, east, north in metres of the map.
Window: TypeAlias = tuple[float, float, float, float]


def window_of(geometry: Geometry, painted: Sequence[NDArray[np.uint8]], highest: int) -> Window:
    """Return the part of the map that holds the echoes, bar lone specks, in metres; a higher index is none."""
    # Strong echoes count for more: a small hard cell matters, a wide veil around the radar less.
    # Sums along rows and columns of the squares, without a field of them.
    down, across = np.zeros(painted[0].shape[0], "f4"), np.zeros(painted[0].shape[1], "f4")
    for indices in painted:
        echo = np.where(indices <= highest, indices, np.uint8(0))
        down += np.einsum("ij,ij->i", echo, echo, dtype="f4", casting="unsafe")
        across += np.einsum("ij,ij->j", echo, echo, dtype="f4", casting="unsafe")
    if not down.any():
        return geometry.extent
    top, bottom = _span(down)
    left, right = _span(across)
    west, _, _, north = geometry.extent
    return (
        west + left * geometry.dx,
        north + bottom * geometry.dy,
        west + right * geometry.dx,
        north + top * geometry.dy,
    )


def thinned(
    indices: NDArray[np.uint8], geometry: Geometry, window: Window, pixels: float
) -> tuple[NDArray[np.uint8], Window]:
    """Return the window of a painted grid, of not much more than two cells a pixel, and its extent in metres."""
    west, _, _, north = geometry.extent
    left, right = ((x - west) / geometry.dx for x in window[::2])
    bottom, top = ((y - north) / geometry.dy for y in window[1::2])
    step = max(int((right - left) / (2 * pixels)), 1)
    left, top = (int(cell + 1e-6) // step * step for cell in (left, top))
    right, bottom = (math.ceil((cell - 1e-6) / step) * step for cell in (right, bottom))
    thin = indices[top + step // 2 : bottom : step, left + step // 2 : right : step]
    right, bottom = left + step * thin.shape[1], top + step * thin.shape[0]
    return thin, (
        west + left * geometry.dx,
        north + bottom * geometry.dy,
        west + right * geometry.dx,
        north + top * geometry.dy,
    )


def _span(weight: NDArray[np.float64]) -> tuple[float, float]:
    """Return where 98 % of the weight lies, with a margin, and at least a quarter of the axis."""
    n, share = weight.size, np.cumsum(weight) / weight.sum()
    low, high = np.searchsorted(share, 0.01), np.searchsorted(share, 0.99) + 1
    spread = min(max(1.25 * (high - low), n / 4), n)
    start = min(max((low + high - spread) / 2, 0), n - spread)
    return float(start), float(start + spread)
